"""Four walks of the chaos game side by side, for processors that look up eight numbers at once (AVX-512).

A step of a walk depends on the one before, so that a walk alone waits; written out for four, LLVM makes four times the
instructions, and turns the choice "inside or outside of the window" into branches that nobody can foretell. Here the
four are lanes of one register, and each number of the maps lies in a register of eight, one for each map.
"""

from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from ipmix.core.randomness import GOLDEN
from ipmix.fractals.lanes import Lanes, load, splat
from ipmix.fractals.systems import MAPS_MOST, TABLE_BITS

WALKS = 4
HISTORY_START = 512
"""Half of ``ifs.HISTORIES``."""

MAPS = MAPS_MOST

WORD = ir.IntType(64)
WORDS = ir.VectorType(WORD, WALKS)
NUMBERS = ir.VectorType(ir.DoubleType(), WALKS)


def _permutes() -> bool:
    told = getattr(config, "CPU_FEATURES", None)
    needed = ("avx512f", "avx512dq", "avx512vl")
    if told is not None:  # the user has said for which processor to compile
        return all(f"+{name}" in told.split(",") for name in needed)
    features = llvmlite.binding.get_host_cpu_features()
    return all(features.get(name, False) for name in needed)


PERMUTES = _permutes()
"""Whether :data:`walk` can be compiled for this processor."""


def _words(value: int) -> Any:
    return ir.Constant(WORDS, [value] * WALKS)


def _mixed(builder: Any, value: Any) -> Any:
    # randomness.mix
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = builder.mul(builder.xor(value, builder.lshr(value, WORD(shift))), WORD(factor))
    return builder.xor(value, builder.lshr(value, WORD(31)))


def _chosen(builder: Any, drawn: Any, table: Any) -> Any:
    """The four walks' maps: ``table``'s entries at four groups of bits of ``drawn``, as eight words (four unused)."""
    packed = ir.IntType(32)(0)
    for walk in range(WALKS):
        slot = builder.and_(builder.lshr(drawn, WORD(walk * TABLE_BITS)), WORD((1 << TABLE_BITS) - 1))
        entry = builder.zext(builder.load(builder.gep(table, [slot])), ir.IntType(32))
        packed = builder.or_(packed, builder.shl(entry, ir.IntType(32)(8 * walk)))
    numbers = builder.zext(builder.bitcast(packed, ir.VectorType(ir.IntType(8), WALKS)), WORDS)
    spread = ir.Constant(ir.VectorType(ir.IntType(32), MAPS), [*range(WALKS), *range(WALKS)])
    return builder.shuffle_vector(numbers, numbers, spread)


def _look_up(builder: Any, numbers: Any, chosen: Any) -> Any:
    """The chosen ones of eight ``numbers``, for each walk."""
    kind = numbers.type
    name = "df" if kind.element == ir.DoubleType() else "di"
    permute = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(kind, [kind, ir.VectorType(WORD, MAPS)]),
        f"llvm.x86.avx512.permvar.{name}.512",
    )
    first = ir.Constant(ir.VectorType(ir.IntType(32), WALKS), list(range(WALKS)))
    found = builder.call(permute, [numbers, chosen])
    return builder.shuffle_vector(found, found, first)


def _walk(
    typing_context: Any, rounds: Any, state: Any, table: Any, maps: Any, own: Any, x: Any, y: Any, width: Any,
    height: Any, one: Any, cells: Any,
) -> Any:  # fmt: skip
    """``rounds`` steps of four walks, all from (x, y), into ``cells``; see ``ifs.chaos_game``.

    ``maps`` is float64[6, 8], one column for each map in pixels; ``own``, uint64[8], what each adds to a history;
    ``one`` what a point adds to its cell besides.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _generate(context, builder, signature, arguments)
        return context.get_dummy_value()

    i, f = types.int64, types.float64
    return types.void(i, state, table, maps, own, f, f, i, i, types.uint64, cells), generate


def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
    def data(position: int) -> Any:
        return context.make_array(signature.args[position])(context, builder, arguments[position]).data

    rounds, _, _, _, _, x0, y0, width, height, one, _ = arguments
    counter_at, table, maps, own_at, cells = (data(k) for k in (1, 2, 3, 4, 10))
    numbers = [load(builder, builder.gep(maps, [WORD(MAPS * k)]), MAPS).value for k in range(6)]
    own = load(builder, own_at, MAPS).value
    wide, high = (splat(builder, builder.sitofp(side, ir.DoubleType()), WALKS) for side in (width, height))
    # Said to be of 32 bits, so that a product of 32 bits will do.
    columns = builder.and_(splat(builder, width, WALKS).value, _words(0xFFFFFFFF))
    outside = splat(builder, builder.mul(width, height), WALKS).value
    zero = Lanes(builder, ir.Constant(NUMBERS, [0.0] * WALKS))
    kept = [
        cgutils.alloca_once_value(builder, value)
        for value in (splat(builder, x0, WALKS).value, splat(builder, y0, WALKS).value, _words(HISTORY_START))
    ]
    counter = cgutils.alloca_once_value(builder, builder.load(counter_at))
    with cgutils.for_range(builder, rounds):
        following = builder.add(builder.load(counter), WORD(int(GOLDEN)))
        builder.store(following, counter)
        chosen = _chosen(builder, _mixed(builder, following), table)
        a, b, c, d, e, f = (Lanes(builder, _look_up(builder, one_number, chosen)) for one_number in numbers)
        x, y = (Lanes(builder, builder.load(pointer)) for pointer in kept[:2])
        x, y = a * x + b * y + e, c * x + d * y + f
        history = builder.lshr(builder.add(builder.load(kept[2]), _look_up(builder, own, chosen)), _words(1))
        for pointer, value in zip(kept, (x.value, y.value, history)):
            builder.store(value, pointer)
        inside = builder.and_(builder.and_(zero <= x, x < wide), builder.and_(zero <= y, y < high))
        column, row = (builder.fptosi(at.where(inside, zero).value, WORDS) for at in (x, y))
        place = builder.add(builder.mul(builder.and_(row, _words(0xFFFFFFFF)), columns), column)
        place = builder.select(inside, place, outside)
        for walk in range(WALKS):
            lane = ir.IntType(32)(walk)
            cell = builder.gep(cells, [builder.extract_element(place, lane)])
            added = builder.add(one, builder.extract_element(history, lane))
            builder.store(builder.add(builder.load(cell), added), cell)
    builder.store(builder.load(counter), counter_at)


walk: Any = intrinsic(_walk)  # for a type checker: compiled code leaves out the context
