"""APPLY: what a recipe table does to pixels. ENGINES maps a name to the module that does it.

Every engine has one function, ``apply(table, images, planes, output, threads, out)``; ``reference`` is the
definition, the others must agree with it. An engine draws no number and imports no method.
"""

from importlib import import_module
from types import ModuleType

from ipmix.core.checking import shown
from ipmix.core.errors import InputError

ENGINES = {
    "reference": "ipmix.engines.reference",
    "compiled": "ipmix.engines.compiled",
    "numpy": "ipmix.engines.numpy_engine",
}


def engine(name: str) -> ModuleType:
    """The engine's module, imported when first asked for. Raises :class:`InputError` for an unknown name."""
    if not isinstance(name, str) or name not in ENGINES:
        raise InputError(f"unknown engine {shown(name)}; known are {', '.join(ENGINES)}")
    return import_module(ENGINES[name])
