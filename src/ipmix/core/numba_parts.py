"""Compiled functions that are embedded in others, and optimised only there.

Numba makes a library of every compiled function: optimised, turned into machine code, wrapped for Python, and then
optimised once more in each caller, whose caller repeats it. Kernels that consist of dozens of small functions spent
two thirds of their compilation on that. An :class:`EmbeddedFunction` is brought into LLVM's language only. What calls
it takes that in, and the whole is optimised once.

This leans on Numba's compiler from the inside. Should a version of it lack what is needed here, ``AVAILABLE`` is
False, and :mod:`ipmix.core.compiling` falls back on ordinary compiled functions: slower to compile, the same results.
"""

import functools
from collections.abc import Callable
from typing import Any

import numba
from numba.core import compiler, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import PassManager
from numba.core.registry import cpu_target
from numba.extending import models, register_model

from ipmix.core.kernel_cache import kept

PASSED_OVER = {
    "DumpParforDiagnostics",
    "FindLiterallyCalls",
    "InlineClosureLikes",
    "InlineInlinables",
    "InlineOverloads",
    "LiteralPropagationSubPipelinePass",
    "LiteralUnroll",
    "MakeFunctionToJitFunction",
    "NopythonRewrites",
    "RewriteDynamicRaises",
    "RewriteSemanticConstants",
    "WithLifting",
}
"""Numba's passes for what these don't have: closures, ``with``, expressions of arrays, ``inline="always"``."""

_NEEDED = (
    (JITCodeLibrary, ("_finalize_dynamic_globals", "_get_module_for_linking", "add_llvm_module", "finalize")),
    (compiler, ("CompilerBase", "DefaultPassBuilder", "Flags", "compile_extra")),
    (cpu_target.target_context, ("codegen", "insert_user_function")),
)

AVAILABLE = all(hasattr(owner, name) for owner, names in _NEEDED for name in names)


class EmbeddedFunction:
    """``function``, to be called from compiled functions; called from Python, it is compiled by itself first.

    ``inline``: whether LLVM copies it into its callers; None leaves that to LLVM. ``disjoint``: the caller promises
    that array arguments don't overlap. Types of arguments are made out as for ``numba.njit``, but that a literal
    number has no type of its own. It makes no arrays, returns none, and does not call itself.
    """

    def __init__(self, function: Callable[..., Any], inline: bool | None, disjoint: bool) -> None:
        functools.update_wrapper(self, function)
        self.__name__, self.__qualname__ = function.__name__, function.__qualname__
        self.py_func = function
        self.inline, self.disjoint = inline, disjoint
        self._forms: dict[tuple[Any, ...], tuple[Any, Any]] = {}
        self._numba_type_ = EmbeddedFunctionType(self)

    def __call__(self, *arguments: Any) -> Any:
        return self._by_itself(*arguments)

    @functools.cached_property
    def _by_itself(self) -> Any:
        return kept(self.py_func, nogil=True, error_model="numpy")

    def form(self, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        """The signature for arguments of these types, and the key by which Numba finds what to call."""
        with global_compiler_lock:
            if arguments not in self._forms:
                self._forms[arguments] = self._compile(arguments)
            return self._forms[arguments]

    def _compile(self, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        context = cpu_target.target_context
        library = _EmbeddedLibrary(context.codegen(), self.__name__)
        if self.inline is not None:
            library.attribute = "alwaysinline" if self.inline else "noinline"
        flags: Any = compiler.Flags()
        flags.error_model = "numpy"
        flags.noalias = self.disjoint
        flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        found = compiler.compile_extra(
            *(cpu_target.typing_context, context, self.py_func, arguments, None, flags, {}),
            library=library,
            pipeline_class=_EmbeddedCompiler,
        )
        key = object()
        context.insert_user_function(key, found.fndesc, library.with_callees())
        return found.signature, key


class EmbeddedFunctionType(types.Callable, types.Opaque):
    """Numba's type of one embedded function."""

    def __init__(self, function: EmbeddedFunction) -> None:
        self._function = function
        super().__init__(f"embedded({function.__module__}.{function.__qualname__} at {id(function)})")

    def get_call_type(self, context: Any, arguments: Any, keywords: Any) -> Any:
        """The signature of a call with arguments of these types."""
        if keywords:
            raise numba.TypingError(
                f"{self.name} is called with keywords: embedded functions take arguments by position only"
            )
        return self._function.form(tuple(types.unliteral(argument) for argument in arguments))[0]

    def get_call_signatures(self) -> tuple[list[Any], bool]:
        """The signatures so far; others can be had."""
        return [signature for signature, _ in self._function._forms.values()], True

    def get_impl_key(self, signature: Any) -> Any:
        """What the code for this signature is registered under."""
        return self._function.form(tuple(signature.args))[1]


register_model(EmbeddedFunctionType)(models.OpaqueModel)


class _EmbeddedLibrary(JITCodeLibrary):
    """What an embedded function is in LLVM's language: not optimised, and never turned into machine code by itself."""

    attribute: str | None = None
    """What LLVM is told about the function."""

    def add_ir_module(self, ir_module: Any) -> None:
        for function in ir_module.functions:
            # What Numba adds for its own needs is linked otherwise.
            if self.attribute and not function.is_declaration and not function.linkage:
                function.attributes.add(self.attribute)
        super().add_ir_module(ir_module)

    def add_llvm_module(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout
        self._final_module.link_in(ll_module)

    def finalize(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def with_callees(self) -> list[Any]:
        """This and all that it calls, directly or not: the outermost caller links each of them once."""
        return [self, *dict.fromkeys(self._linking_libraries)]


class _EmbeddedCompiler(compiler.CompilerBase):
    def define_pipelines(self) -> list[Any]:
        usual = compiler.DefaultPassBuilder
        stages = usual.define_untyped_pipeline, usual.define_typed_pipeline, usual.define_nopython_lowering_pipeline
        manager = PassManager("embedded")
        for stage in stages:
            manager.passes.extend(step for step in stage(self.state).passes if step[0].__name__ not in PASSED_OVER)
        manager.finalize()
        return [manager]
