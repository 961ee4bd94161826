"""Values between pixels, and runs of bytes: what the operations that move pixels have in common.

Fractions are counted in 65536ths, so a value is Pillow's or, close to a whole number, one level beside it; flat areas
are exact.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ipmix.core.compiling import helper
from ipmix.engines.compiled.fixed_point import high_product

U = np.uintp
U16 = np.uint16

LANES = 16
"""Where rows are cut into runs, a run's length is rounded up to a multiple of this, so that it is vectorised to
its end. What spills over is overwritten by the next run, row or plane."""

SLACK = 64
"""Padding behind every plane: room for the spill, and a multiple of a cache line."""


@helper
def whole_lanes(length):
    return (length + (LANES - 1)) // LANES * LANES


def _copy_lanes(typing_context: Any, target: Any, to: Any, source: Any, at: Any) -> Any:
    """Copy :data:`LANES` bytes from ``source[at:]`` to ``target[to:]``.

    For runs of a few pixels: a loop in Python's words looks first how far it has to go and whether it may be
    vectorised, which takes longer than the copy.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def pointer(array: int) -> Any:
            made = context.make_array(signature.args[array])(context, builder, arguments[array])
            place = builder.gep(made.data, [arguments[array + 1]])
            return builder.bitcast(place, ir.VectorType(ir.IntType(8), LANES).as_pointer())

        builder.store(builder.load(pointer(2), align=1), pointer(0), align=1)
        return context.get_dummy_value()

    return types.void(target, types.int64, source, types.int64), generate


# For a type checker: compiled code leaves out the context.
copy_lanes: Any = intrinsic(_copy_lanes)


@helper
def between(a, b, fraction):
    """``a + (b - a) * fraction / 65536`` for two bytes, in 256ths: uint16, at most 2 below the exact value."""
    left = high_product(U16(U16(a) << 8), U16(65535 - fraction))
    right = high_product(U16(U16(b) << 8), U16(fraction))
    return U16(left + right)


@helper
def to_byte(value):
    """256ths to bytes. The 4 makes up for what the multiplications cut off: a flat area stays as it is."""
    return np.uint8(U16(value + 4) >> 8)


@helper
def bilinear(upper_left, upper_right, lower_left, lower_right, across, down):
    """The byte between four, ``across`` and ``down`` being 65536ths."""
    upper = high_product(between(upper_left, upper_right, across), U16(65535 - down))
    lower = high_product(between(lower_left, lower_right, across), U16(down))
    return to_byte(U16(upper + lower))
