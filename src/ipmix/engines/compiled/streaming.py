"""Numbers written past the caches, for outputs too large to stay in them.

An ordinary store first fetches the line it writes to, so that an image of numbers moves through memory twice:
50 us at 224x224, 30 when it is streamed. (Bytes are a quarter of that, and gained nothing.) LLVM streams only where
it is told to, so that the store is named here.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ipmix.core.compiling import separate

U = np.uintp

LINE = 64
"""Bytes that a processor moves at a time, and that a streaming store must be aligned to."""

LANES = LINE // 4


def _address(typing_context: Any, array: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.ptrtoint(made.data, ir.IntType(64))

    return types.int64(array), generate


def _stream_line(typing_context: Any, source: Any, at: Any, target: Any, to: Any) -> Any:
    """Copy 16 numbers from ``source[at:]`` to ``target[to:]``, which must be aligned to a line."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def pointer(array: int) -> Any:
            made = context.make_array(signature.args[array])(context, builder, arguments[array])
            place = builder.gep(made.data, [arguments[array + 1]])
            return builder.bitcast(place, ir.VectorType(place.type.pointee, LANES).as_pointer())

        stored = builder.store(builder.load(pointer(0), align=1), pointer(2), align=LINE)
        stored.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
        return context.get_dummy_value()

    return types.void(source, types.int64, target, types.int64), generate


def _finish_streams(typing_context: Any) -> Any:
    """Streamed bytes are in memory before whatever this thread writes next."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


# For a type checker: compiled code leaves out the context.
_address_of: Any = intrinsic(_address)
_line: Any = intrinsic(_stream_line)
finish_streams: Any = intrinsic(_finish_streams)


@separate
def stream(source, count, target, to):
    """``target[to:to + count] = source[:count]`` past the caches; both float32[*]."""
    ahead = min((-(_address_of(target) + 4 * to) & (LINE - 1)) // 4, count)
    for i in range(ahead):
        target[U(to + i)] = source[U(i)]
    i = ahead
    while i + LANES <= count:
        _line(source, i, target, to + i)
        i += LANES
    while i < count:
        target[U(to + i)] = source[U(i)]
        i += 1
