"""The versions of what figures depend on."""

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("ipmix", "torch", "numpy", "numba", "pillow")


def versions(*further: str) -> dict[str, str]:
    """Python, the packages that every figure depends on, and ``further`` ones; what isn't installed is left out."""
    found = {"python": platform.python_version()}
    for name in (*PACKAGES, *further):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
