import platform
from importlib.metadata import version

from ipmix.core.versions import versions


def test_what_is_installed_is_named_and_the_rest_left_out():
    found = versions("pytest", "no-such-package-anywhere")
    assert list(found)[:2] == ["python", "ipmix"]
    assert found["python"] == platform.python_version()
    assert found["numpy"] == version("numpy")
    assert found["pytest"] == version("pytest")
    assert "no-such-package-anywhere" not in found
