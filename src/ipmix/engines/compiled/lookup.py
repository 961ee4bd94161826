"""Bytes through a table of 256 bytes: 64 at a time on processors with AVX-512 VBMI, one by one elsewhere.

A processor without it takes two loads and a store for each byte, which is most of what ``equalize`` costs on a
large image. With it, the table lies in four registers and two permutations look up 64 bytes. LLVM does not find
this by itself, so that its instruction is named here; the results are the same.
"""

from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from ipmix.core.compiling import embedded, helper

U = np.uintp

LANES = 64


def _has_vbmi() -> bool:
    told = getattr(config, "CPU_FEATURES", None)
    if told is not None:  # the user has said for which processor to compile
        return "+avx512vbmi" in told.split(",")
    features = llvmlite.binding.get_host_cpu_features()
    return all(features.get(name, False) for name in ("avx512vbmi", "avx512bw"))


VBMI = _has_vbmi()


def _look_up(typing_context: Any, table: Any, row: Any, source: Any, at: Any, target: Any, to: Any) -> Any:
    """``target.flat[to + k] = table.flat[row + source.flat[at + k]]`` for k from 0 to 63."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def pointer(array: int, offset: int, lanes: int) -> Any:
            made = context.make_array(signature.args[array])(context, builder, arguments[array])
            place = builder.gep(made.data, [arguments[offset]])
            return builder.bitcast(place, ir.VectorType(ir.IntType(8), lanes).as_pointer())

        vector = ir.VectorType(ir.IntType(8), LANES)
        permute = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), "llvm.x86.avx512.vpermi2var.qi.512"
        )
        first = pointer(0, 1, LANES)
        quarters = [
            builder.load(builder.gep(first, [ir.Constant(ir.IntType(64), quarter)]), align=1) for quarter in range(4)
        ]
        values = builder.load(pointer(2, 3, LANES), align=1)
        low = builder.call(permute, [quarters[0], values, quarters[1]])
        high = builder.call(permute, [quarters[2], values, quarters[3]])
        upper = builder.icmp_signed("<", values, ir.Constant(vector, [0] * LANES))
        builder.store(builder.select(upper, high, low), pointer(4, 5, LANES), align=1)
        return context.get_dummy_value()

    offset = types.int64
    return types.void(table, offset, source, offset, target, offset), generate


_lookup_lanes: Any = intrinsic(_look_up)  # for a type checker: compiled code leaves out the context


@embedded
def apply_table(table, source, target, width, left, top, right, bottom):
    """Map a box of every channel through that channel's table, uint8[C, 256]; planes uint8[C, P] in rows of
    ``width`` bytes.

    Up to 63 bytes behind each row of the box are mapped too: P must leave room for that behind the last. Not
    compiled as disjoint: LLVM would gather table entries into vectors, at half the speed of plain loads.
    """
    across, rows = right - left, bottom - top
    if across == width:
        across, rows = width * rows, 1
    for c in range(source.shape[0]):
        for y in range(rows):
            start = (top + y) * width + left
            _map_run(table, c, source, target, start, start + across)


@helper
def _map_run(table, c, source, target, first, last):
    i = first
    if VBMI:
        while i < last:
            _lookup_lanes(table, c * 256, source, c * source.shape[1] + i, target, c * target.shape[1] + i)
            i += LANES
    else:
        while i < last:
            target[U(c), U(i)] = table[U(c), source[U(c), U(i)]]
            i += 1


@embedded
def compose(table, after):
    """Put ``after`` behind ``table``, in place; both uint8[C, 256]."""
    for c in range(table.shape[0]):
        _map_run(after, c, table, table, 0, 256)
