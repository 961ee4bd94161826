"""How the package compiles its kernels: a few decorators, so that every kernel keeps the same promises."""

import gc
import operator
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import event, types
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from ipmix.core import numba_parts
from ipmix.core.kernel_cache import are_kept, kept


def compiled(function: Callable[..., Any]) -> Any:
    """Compile ``function`` with Numba, cached on disk, without holding the interpreter's lock.

    Strict IEEE arithmetic (no ``fastmath``): NumPy in the same order of operations gives the same bytes,
    which is what lets the reference engine be the definition. Never ``parallel=True``: its thread pool
    does not survive a fork, and data loaders fork. ``error_model="numpy"`` drops the zero-division branch
    that keeps loops from being vectorised. The plain Python function stays reachable as ``.py_func``.
    """
    return kept(function, nogil=True, error_model="numpy")


def compiled_disjoint(function: Callable[..., Any]) -> Any:
    """Like :func:`compiled`, for functions whose array arguments never overlap.

    LLVM then needs no check for it before every loop, which short loops over several arrays can't afford. The
    caller keeps the promise: passing two views of the same bytes, one of them written to, is undefined.

    Such a function can't make arrays, only use those it is given: without Numba's run time (``_nrt``), arrays are
    not counted each time they are named, which took longer than the work on a small image.
    """
    options = {"no_cfunc_wrapper": True, "pipeline_class": _Disjoint}  # nobody calls these from C
    return kept(function, nogil=True, error_model="numpy", _nrt=False, **options)


def inlined(function: Callable[..., Any]) -> Any:
    """Like :func:`compiled`, but copied into its compiled callers before they are typed.

    For small helpers inside loops, and for the layers that only choose what to call: Numba optimises a
    compiled callee once more in every caller above it, so that deep calls multiply the time of compilation.
    """
    return kept(function, nogil=True, error_model="numpy", inline="always")


def embedded(function: Callable[..., Any]) -> Any:
    """Like :func:`compiled`, for what is mostly called from compiled functions: optimised there, and only there."""
    return _embed(function, None, False)


def helper(function: Callable[..., Any]) -> Any:
    """An :func:`embedded` function that LLVM copies into its callers: for what stands inside loops, for what chooses.

    Unlike :func:`inlined`, it is typed once for all callers, which makes large kernels much quicker to compile.
    """
    return _embed(function, True, False)


def disjoint_helper(function: Callable[..., Any]) -> Any:
    """A :func:`helper` whose array arguments never overlap: for rows of one array, say."""
    return _embed(function, True, True)


def separate(function: Callable[..., Any]) -> Any:
    """An :func:`embedded` function that LLVM does not copy into its callers, and whose array arguments never overlap.

    For the loops over pixels: by themselves and with that promise (see :func:`compiled_disjoint`) they are
    vectorised without checks.
    """
    return _embed(function, False, True)


def _embed(function: Callable[..., Any], inline: bool | None, disjoint: bool) -> Any:
    if numba_parts.AVAILABLE:
        return numba_parts.EmbeddedFunction(function, inline, disjoint)
    return compiled_disjoint(function) if disjoint else inlined(function) if inline else compiled(function)


def direct(function: Any, *arguments: Any) -> Callable[..., Any]:
    """The machine code of a compiled function that has been called with arguments of these types.

    Skips Numba's look at the types of the arguments, which costs more than a 32x32 image's augmentation takes.
    Nothing checks the arguments any more: they must be of the types of these.
    """
    types = tuple(function.typeof_pyval(argument) for argument in arguments)
    entry: Callable[..., Any] = function.overloads[types].entry_point
    return entry


class _Disjoint(CompilerBase):
    """Numba's usual pipeline with the flag that marks array arguments as not overlapping."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.state.flags.noalias = True

    def compile_extra(self, func: Any) -> Any:
        with _no_collection(), _types_remembered():
            return super().compile_extra(func)

    def define_pipelines(self) -> list[Any]:
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without Python's search for cycles of garbage: it took a tenth of the time, and found next to nothing.

    Not in a thread beside the main one, which may make garbage meanwhile, or turn the search off or on itself.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _types_remembered() -> Iterator[None]:
    """What a function or an operator gives for the same types, Numba would work out anew at each place it stands.

    Once while types are inferred, and once more when the place is lowered. Types of numbers (``np.uint8(x)``) are even
    a new function each time.
    """
    context = cpu_target.typing_context
    if "resolve_function_type" in vars(context):  # a compiled function inside another
        yield
        return
    functions: Any = types.Function
    work_out, resolve = functions.get_call_type, context.resolve_function_type
    found: dict[Any, tuple[Any, Any]] = {}

    def remembered(function: Any, context: Any, arguments: Any, keywords: Any) -> Any:
        if keywords:
            return work_out(function, context, arguments, keywords)
        # By identity: a function also keeps for itself what it found for which types.
        key = id(function), _plain(arguments) if function.typing_key in _ARITHMETIC else tuple(arguments)
        if key not in found:
            found[key] = function, work_out(function, context, key[1], keywords)
        return found[key][1]

    def resolved(function: Any, arguments: Any, keywords: Any) -> Any:
        if keywords or not isinstance(function, types.NumberClass):
            return resolve(function, arguments, keywords)
        key = function, _plain(arguments)
        if key not in found:
            found[key] = function, resolve(function, key[1], keywords)
        return found[key][1]

    context.resolve_function_type = resolved
    functions.get_call_type = remembered
    try:
        yield
    finally:
        functions.get_call_type = work_out
        del context.resolve_function_type


def _plain(arguments: Any) -> tuple[Any, ...]:
    """Of numbers that are written out, the types alone: to arithmetic it makes no difference that they are known."""
    plain = tuple(types.unliteral(argument) for argument in arguments)
    return plain if all(isinstance(kind, types.Number | types.Boolean) for kind in plain) else tuple(arguments)


_ARITHMETIC = frozenset(
    {operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod}
    | {operator.iadd, operator.isub, operator.imul}
    | {operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge}
    | {operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift}
)


ANNOUNCED = {
    "methods": "what draws the recipes",
    "engines": "the engine",
    "fractals": "what paints mixing images",
    "corruptions": "the corruptions",
}
"""Packages whose compiling takes seconds, in words."""


ASIDE = "ipmix compiling"
"""The name of a thread that compiles while images go another way; what other threads compile is waited for."""


class _Announcer(event.Listener):
    """Says on standard error what is compiled, each package once; what lies compiled on disk starts no such event."""

    def __init__(self) -> None:
        self._announced: set[str] = set()

    def on_start(self, event: Any) -> None:
        """A function is about to be compiled."""
        top, _, rest = event.data["dispatcher"].py_func.__module__.partition(".")
        package = rest.partition(".")[0]
        if top != "ipmix" or package not in ANNOUNCED or package in self._announced:
            return
        self._announced.add(package)
        kept_or_not = "once; kept on disk" if are_kept() else "not kept: by every process anew"
        aside = threading.current_thread().name == ASIDE
        meanwhile = "; the first images don't wait for it, the program's end does" if aside else ""
        sys.stderr.write(f"ipmix: compiling {ANNOUNCED[package]} for this processor ({kept_or_not}{meanwhile})\n")
        sys.stderr.flush()

    def on_end(self, event: Any) -> None:
        """It has been compiled."""


if hasattr(os, "register_at_fork"):
    # A child would have Numba's lock as it is, and nobody to release it where another thread is compiling.
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )

event.register("numba:compile", _Announcer())
