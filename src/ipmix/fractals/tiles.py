"""The escape-time algorithm for Julia sets: 16 neighbouring pixels at a time, until the last of them escapes.

Neighbours escape after nearly as many steps: 16 in a row wait for their last one for a third of their time, which is
less than moving orbits together takes (:mod:`ipmix.fractals.orbits` does so for Mandelbrot sets, whose interior runs
to the end). Everything stays in registers meanwhile.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ipmix.core.compiling import compiled
from ipmix.fractals.lanes import Lanes, load, splat, store
from ipmix.fractals.orbits import (
    BAILOUT,
    BURNING_SHIP,
    CUBIC,
    CX,
    CY,
    FORMULAS,
    NORM,
    PIXEL,
    QUARTIC,
    STEPS,
    TRAP,
    TRICORN,
    ZX,
    ZY,
)

TILE = 16
STEPS_BETWEEN_LOOKS = 2
"""Steps between two looks at whether the whole tile has escaped."""


def _next(formula: int, x: Lanes, y: Lanes, xx: Lanes, yy: Lanes, sign: Lanes) -> tuple[Lanes, Lanes]:
    """f(z) for z = x + iy, with the squares of x and y; in the order of operations of :mod:`orbits`."""
    if formula not in (CUBIC, QUARTIC):
        xy = x * y
        return xx - yy, (sign + sign) * (abs(xy) if formula == BURNING_SHIP else xy)
    square_x = xx - yy
    square_y = x * y + x * y
    other_x, other_y = (square_x, square_y) if formula == QUARTIC else (x, y)
    return square_x * other_x - square_y * other_y, square_x * other_y + square_y * other_x


def _escape(formula: int) -> Any:
    """An intrinsic ``(buffer, first, most, q)`` that runs the orbits first .. first + 15 of a buffer to their end."""

    def made(typing_context: Any, buffer: Any, first: Any, most: Any, q: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _generate(formula, context, builder, signature, arguments)
            return context.get_dummy_value()

        return types.void(buffer, types.int64, types.int64, q), generate

    return intrinsic(made)


def _generate(formula: int, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    width = cgutils.unpack_tuple(builder, array.shape)[1]
    _, first, most, _ = arguments
    conic = context.make_array(signature.args[3])(context, builder, arguments[3]).data
    word = ir.IntType(64)

    def place(row: int, column: Any) -> Any:
        return builder.gep(array.data, [builder.add(builder.mul(width, word(row)), column)])

    def everywhere(pointer: Any) -> Lanes:
        return splat(builder, builder.load(pointer), TILE)

    q = [everywhere(builder.gep(conic, [word(k)])) for k in range(8)]
    one, bailout = q[6], q[7]
    c_x, c_y = (everywhere(place(row, word(0))) for row in (CX, CY))
    sign = one - one - one if formula == TRICORN else one
    x, y = load(builder, place(ZX, first), TILE), load(builder, place(ZY, first), TILE)
    xx, yy = x * x, y * y
    norm = xx + yy
    start = {"x": x, "y": y, "xx": xx, "yy": yy, "norm": norm, "steps": one - one, "trap": _far(builder, one)}
    kept = {name: cgutils.alloca_once_value(builder, lanes.value) for name, lanes in start.items()}
    step = cgutils.alloca_once_value(builder, word(0))

    body = builder.append_basic_block("steps")
    end = builder.append_basic_block("escaped")
    builder.branch(body)
    builder.position_at_end(body)
    now = {name: Lanes(builder, builder.load(pointer)) for name, pointer in kept.items()}
    for _ in range(STEPS_BETWEEN_LOOKS):
        now = _step(formula, now, q, c_x, c_y, sign, bailout)
    for name, pointer in kept.items():
        builder.store(now[name].value, pointer)
    builder.store(builder.add(builder.load(step), word(STEPS_BETWEEN_LOOKS)), step)
    alive = builder.bitcast(now["norm"] <= bailout, ir.IntType(TILE))
    some = builder.icmp_unsigned("!=", alive, ir.IntType(TILE)(0))
    more = builder.icmp_signed("<", builder.load(step), most)
    builder.cbranch(builder.and_(some, more), body, end)
    builder.position_at_end(end)
    for row, name in ((NORM, "norm"), (STEPS, "steps"), (TRAP, "trap")):
        store(place(row, first), now[name])


def _far(builder: Any, one: Lanes) -> Lanes:
    element = one.value.type.element
    return splat(builder, ir.Constant(element, float(np.float32(1e9))), TILE)


def _step(
    formula: int, now: dict[str, Lanes], q: list[Lanes], c_x: Lanes, c_y: Lanes, sign: Lanes, bailout: Lanes
) -> dict[str, Lanes]:
    # What has escaped keeps its norm, steps and trap; its z runs on, unused.
    alive = now["norm"] <= bailout
    x, y = _next(formula, now["x"], now["y"], now["xx"], now["yy"], sign)
    x, y = x + c_x, y + c_y
    xx, yy = x * x, y * y
    near = abs(q[0] * xx + q[2] * yy + (q[1] * x + q[4]) * y + (q[3] * x + q[5]))
    return {
        "x": x,
        "y": y,
        "xx": xx,
        "yy": yy,
        "norm": (xx + yy).where(alive, now["norm"]),
        "steps": (now["steps"] + q[6]).where(alive, now["steps"]),
        "trap": near.least(now["trap"]).where(alive, now["trap"]),
    }


_KERNELS: tuple[Callable[..., Any], ...] = tuple(_escape(formula) for formula in range(len(FORMULAS)))
_quadratic, _cubic, _quartic, _tricorn, _burning_ship = _KERNELS


@compiled
def escape(buffer, n, formula, most, q, counts, norms, traps):
    """Run the first ``n`` orbits of ``buffer``, one Julia set's, to their end; see :func:`orbits.iterate`.

    Rows ZX and ZY are set, c stands first in CX and CY, the first pixel first in PIXEL: the others follow it. The
    buffer is 15 columns wider than n at least. ``most`` is even.
    """
    for i in range(n, n + TILE - 1):
        buffer[ZX, i] = q[7]
        buffer[ZY, i] = q[7]
    for first in range(0, n, TILE):
        if formula == CUBIC:
            _cubic(buffer, first, most, q)
        elif formula == QUARTIC:
            _quartic(buffer, first, most, q)
        elif formula == TRICORN:
            _tricorn(buffer, first, most, q)
        elif formula == BURNING_SHIP:
            _burning_ship(buffer, first, most, q)
        else:
            _quadratic(buffer, first, most, q)
    pixel = np.uint64(buffer[PIXEL, 0])
    for i in range(np.uint64(n)):
        counts[pixel + i] = buffer[STEPS, i] if buffer[NORM, i] > BAILOUT else -1.0
        norms[pixel + i] = buffer[NORM, i]
        traps[pixel + i] = buffer[TRAP, i]
