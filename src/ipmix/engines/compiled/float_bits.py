"""Parts of float32 arithmetic that Python can't say: a number's bits, and a product and a sum rounded once.

Each takes and gives 32 bits, so that loops over it are vectorised in lanes of 32 bits: written in Python, sums of
integers are ones of 64 bits.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WORD, FLOAT = ir.IntType(32), ir.FloatType()

ROOT_OF_HALF = 0x3F3504F3
"""The bits of sqrt(1/2): numbers are split so that their first factor lies between it and sqrt(2)."""


def _fused(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """``fused(a, b, c)`` is ``a * b + c`` rounded once: the same bytes on every processor, one instruction on most."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(FLOAT, [FLOAT, FLOAT, FLOAT])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.fma.f32"), arguments)

    return types.float32(types.float32, types.float32, types.float32), generate


def _part_of_logarithm(emit: Callable[[Any, Any], Any]) -> Any:
    def typed(typing_context: Any, word: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            number = builder.uitofp(arguments[0], FLOAT)
            unit = builder.fmul(builder.fadd(number, FLOAT(0.5)), FLOAT(2.0**-32))
            return emit(builder, builder.sub(builder.bitcast(unit, WORD), WORD(ROOT_OF_HALF)))

        return types.float32(types.uint32), generate

    return typed


def _exponent(builder: Any, bits: Any) -> Any:
    return builder.sitofp(builder.ashr(bits, WORD(23)), FLOAT)


def _factor(builder: Any, bits: Any) -> Any:
    factor = builder.add(builder.and_(bits, WORD(0x7FFFFF)), WORD(ROOT_OF_HALF))
    return builder.bitcast(factor, FLOAT)


def _angle(typing_context: Any, word: Any) -> Any:
    """``angle(w)``: what is left of w / 2**32 turns beyond whole quarters, in radians, from -pi/4 to pi/4."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rest = builder.and_(builder.add(arguments[0], WORD(1 << 29)), WORD((1 << 30) - 1))
        centred = builder.sitofp(builder.sub(rest, WORD(1 << 29)), FLOAT)
        return builder.fmul(centred, FLOAT(1.4629180792671596e-09))  # 2 pi / 2**32

    return types.float32(types.uint32), generate


def _turned(quarters_back: int) -> Any:
    def typed(typing_context: Any, word: Any, cosine: Any, sine: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            word, cosine, sine = arguments
            quarter = builder.add(word, WORD(((1 << 29) - (quarters_back << 30)) % 2**32))
            odd = builder.icmp_unsigned("!=", builder.and_(quarter, WORD(1 << 30)), WORD(0))
            size = builder.bitcast(builder.select(odd, sine, cosine), WORD)
            # cos, -sin, -cos, sin: negative in the second and in the third quarter.
            sign = builder.and_(builder.add(quarter, WORD(1 << 30)), WORD(1 << 31))
            return builder.bitcast(builder.xor(size, sign), FLOAT)

        return types.float32(types.uint32, types.float32, types.float32), generate

    return typed


def _byte_of(typing_context: Any, word: Any, shift: Any) -> Any:
    """``byte_of(word, shift)``: the byte ``shift`` bits above the word's lowest, as a number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.uitofp(builder.and_(builder.lshr(*arguments), WORD(255)), FLOAT)

    return types.float32(types.uint32, types.uint32), generate


# For a type checker: compiled code leaves out the context.
fused: Any = intrinsic(_fused)
unit_exponent: Any = intrinsic(_part_of_logarithm(_exponent))
"""``(word + 1/2) / 2**32`` is ``unit_factor(word) * 2**unit_exponent(word)``, the factor from sqrt(1/2) to sqrt(2)."""
unit_factor: Any = intrinsic(_part_of_logarithm(_factor))
angle: Any = intrinsic(_angle)
byte_of: Any = intrinsic(_byte_of)
cosine_of: Any = intrinsic(_turned(0))
"""The cosine of w / 2**32 turns, from the cosine and the sine of ``angle(w)``."""
sine_of: Any = intrinsic(_turned(1))
