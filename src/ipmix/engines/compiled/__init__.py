"""The fast engine: Numba kernels, one small function per operation, threads inside one process.

Agrees with ``engines.reference`` byte for byte, except ``rotate`` and the shears (at most one level, where
Pillow's exact value lies close to a whole number) and ``multiply`` (likewise).
"""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ipmix.core.compiling import direct
from ipmix.core.threads import in_parts
from ipmix.engines.compiled.kernel import apply_range, set_desk
from ipmix.engines.output import Output
from ipmix.recipe.table import RecipeTable


def apply(
    table: RecipeTable, images: np.ndarray, planes: np.ndarray, output: Output, threads: int, out: np.ndarray
) -> None:
    """Carry out ``table[i]`` on ``images[i]`` and write the results to ``out``, with ``threads`` threads.

    images uint8[N, H, W, C]; planes uint8[M, C, h, w], the mixing images, h >= H and w >= W, M >= 1; all
    C-contiguous. The result does not depend on the number of threads.
    """
    arguments = _arguments(table, images, planes, output, out)

    def part(begin: int, end: int) -> None:
        apply_range(_kept_desk(table, output), begin, end, *arguments)

    in_parts(part, len(table), threads, table.height * table.width)


def applier(table: RecipeTable, planes: np.ndarray, output: Output) -> Callable[[np.ndarray, np.ndarray], None]:
    """What :class:`~ipmix.augmentation.single.Augmenter` uses: a quick function of (image, out) for a table of one recipe.

    image uint8[H, W, C] and out must be C-contiguous and fit the table and the output; nothing checks it.
    """
    shape = (1, table.height, table.width, len(output.scale))
    image, out = np.zeros(shape, np.uint8), np.zeros(output.shape(*shape[:3]), output.kind)
    arguments = _arguments(table, image, planes, output, out)
    desk = _desk_for(table, output)
    apply_range(desk, 0, 1, *arguments)  # compiles
    entry = direct(apply_range, desk, 0, 1, *arguments)
    before, between, after, rest = arguments[:3], arguments[4:10], arguments[10:12], arguments[12:]
    as_bytes, unused = output.kind == "uint8", after[1] if output.kind == "uint8" else after[0]

    def run(image: np.ndarray, out: np.ndarray) -> None:
        flat = out.reshape(1, -1)
        targets = (flat, unused) if as_bytes else (unused, flat)
        entry(desk, 0, 1, *before, image.reshape(1, -1), *between, *targets, *rest)

    return run


def _desk_for(table: RecipeTable, output: Output) -> Any:
    return set_desk(*_desk_size(table, output))


def _desk_size(table: RecipeTable, output: Output) -> tuple[int, int, int, int]:
    return table.height, table.width, len(output.scale), table.chains.shape[1]


def _kept_desk(table: RecipeTable, output: Output) -> Any:
    """This thread's last desk if it fits: making one takes as long as four images of 32x32.

    One for large images is not kept: its 10 bytes for each value would stay in memory, for little time gained.
    """
    size = _desk_size(table, output)
    if table.height * table.width * len(output.scale) > KEPT_MOST:
        return set_desk(*size)
    if getattr(_KEPT, "size", None) != size:
        _KEPT.desk, _KEPT.size = set_desk(*size), size
    return _KEPT.desk


_KEPT = threading.local()

KEPT_MOST = 2**20
"""Values of an image (height x width x channels) up to which a thread keeps its desk."""


def _arguments(
    table: RecipeTable, images: np.ndarray, planes: np.ndarray, output: Output, out: np.ndarray
) -> tuple[Any, ...]:
    as_bytes = output.kind == "uint8"
    flat = out.reshape(len(table), -1)
    return (
        *(_fixed(table.heads), _fixed(table.chains), _fixed(table.steps), _fixed(images.reshape(len(table), -1))),
        *(_fixed(planes.reshape(planes.shape[0], planes.shape[1], -1)), planes.shape[3]),
        *(as_bytes, output.layout == "nchw", _fixed(output.scale), _fixed(output.bias)),
        *((flat, _NO_FLOATS) if as_bytes else (_NO_BYTES, flat)),
        not as_bytes and getattr(out.base, "nbytes", out.nbytes) >= STREAMED,
        () if table.rare else None,
    )


def _fixed(array: np.ndarray) -> np.ndarray:
    """The array as the one type that the kernel is compiled for: Numba tells apart slices and read-only arrays."""
    view = np.ascontiguousarray(array).view(np.ndarray)
    view.flags.writeable = False
    return view


STREAMED = 8 * 2**20
"""Bytes of numbers from which on they are written past the caches: what reads them next would not find them there."""

_NO_BYTES = np.empty((1, 1), np.uint8)
_NO_FLOATS = np.empty((1, 1), np.float32)
