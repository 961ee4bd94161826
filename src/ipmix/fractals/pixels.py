"""Three channels of a pixel at once: LLVM leaves loops over a pixel's bytes scalar."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ipmix.fractals.lanes import load, splat, vector_at

LANES = 4


def _light_up(
    typing_context: Any, colors: Any, entry: Any, light: Any, added: Any, pixels: Any, place: Any
) -> tuple[Any, Any]:
    """``pixels[place + c] = min(colors[3 * entry + c] * light + added, 255)`` for c from 0 to 3.

    ``colors`` is float32[n], ``pixels`` uint8[m]; the products are not negative. The fourth number is the next pixel's
    and must be written over, and one more color than is used must lie in memory.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        colors, entry, light, added, pixels, place = arguments
        table = context.make_array(signature.args[0])(context, builder, colors).data
        target = context.make_array(signature.args[4])(context, builder, pixels).data
        source = builder.gep(table, [builder.mul(entry, ir.IntType(64)(3))])
        full = splat(builder, ir.Constant(ir.FloatType(), 255.0), LANES)
        value = load(builder, source, LANES) * splat(builder, light, LANES) + splat(builder, added, LANES)
        whole = builder.fptosi(value.least(full).value, ir.VectorType(ir.IntType(32), LANES))
        low = builder.trunc(whole, ir.VectorType(ir.IntType(8), LANES))
        builder.store(low, vector_at(builder, builder.gep(target, [place]), LANES), align=1)
        return context.get_dummy_value()

    single, offset = types.float32, types.uint64
    return types.void(colors, offset, single, single, pixels, offset), generate


light_up: Any = intrinsic(_light_up)  # for a type checker: compiled code leaves out the context


def _put(typing_context: Any, pixels: Any, place: Any, word: Any) -> tuple[Any, Any]:
    """``pixels[place + c] = word >> 8 * c`` for c from 0 to 3: uint8[m], and the fourth must be written over."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pixels, place, word = arguments
        target = context.make_array(signature.args[0])(context, builder, pixels).data
        bytes_of_word = builder.bitcast(word, ir.VectorType(ir.IntType(8), LANES))
        builder.store(bytes_of_word, vector_at(builder, builder.gep(target, [place]), LANES), align=1)
        return context.get_dummy_value()

    return types.void(pixels, types.uint64, types.uint32), generate


put: Any = intrinsic(_put)  # for a type checker: compiled code leaves out the context
