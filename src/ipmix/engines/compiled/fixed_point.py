"""Arithmetic that Python can't say, or not so that LLVM sees what a processor has an instruction for."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def _high_product(typing_context: Any, a: Any, b: Any) -> Any:
    """``high_product(a, b)`` is ``a * b >> 16`` for two uint16, as a uint16.

    Written in Python, the product is one of 64 bits, and loops over it are vectorised in lanes of 64 bits; with the
    32 bits that are enough, LLVM knows it for what processors do in lanes of 16.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        half, word = ir.IntType(16), ir.IntType(32)
        multiply = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(half, [half, half, word]), "llvm.umul.fix.i16"
        )
        return builder.call(multiply, [*arguments, word(16)])

    return types.uint16(types.uint16, types.uint16), generate


def _power_of_two(typing_context: Any, exponent: Any) -> Any:
    """``power_of_two(n)`` is 2**n as a float64, put together from its bits; n is an int64 from -1022 to 1023."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        bits = builder.shl(builder.add(arguments[0], word(1023)), word(52))
        return builder.bitcast(bits, ir.DoubleType())

    return types.float64(types.int64), generate


# For a type checker: compiled code leaves out the context.
high_product: Any = intrinsic(_high_product)
power_of_two: Any = intrinsic(_power_of_two)
