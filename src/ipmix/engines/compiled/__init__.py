"""The fast engine: Numba kernels, one small function per operation, threads inside one process.

Agrees with ``engines.reference`` byte for byte, except ``rotate`` and the shears (at most one level, where
Pillow's exact value lies close to a whole number) and ``multiply`` (at most one level).
"""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ipmix.core.compiling import direct
from ipmix.core.threads import in_ranges
from ipmix.engines import numpy_engine
from ipmix.engines.compiled.beginning import Parts, goes_in_numpy
from ipmix.engines.compiled.blending import OutputForm
from ipmix.engines.compiled.kernel import apply_range
from ipmix.engines.compiled.pasting import only_pastes, paste_range
from ipmix.engines.compiled.rare import COMPILED, USUAL_CHANNELS, Needed, Part, uses_rare
from ipmix.engines.compiled.workspace import Workspace, make_workspace
from ipmix.engines.output import Output
from ipmix.recipe.table import RecipeTable


def apply(
    table: RecipeTable, images: np.ndarray, planes: np.ndarray, output: Output, threads: int, out: np.ndarray
) -> None:
    """Carry out ``table[i]`` on ``images[i]`` and write the results to ``out``, with ``threads`` threads.

    images uint8[N, H, W, C]; planes uint8[M, C, h, w], the mixing images, h >= H and w >= W, M >= 1; all
    C-contiguous. The result does not depend on the number of threads.
    """
    if only_pastes(table, output):
        return _paste(table, images, threads, out)
    arguments = _arguments(table, images, planes, output, out)
    rare = _rare_for(table, images.shape[3])
    if Needed.operations is None or Needed.boxes is None:
        Needed.by(table)
    parts = Needed.operations, Needed.boxes, rare
    if goes_in_numpy(table, lambda: (_kept_workspace(table, output), 0, 0, *arguments), parts):
        return numpy_engine.apply(table, images, planes, output, threads, out)

    def carry_out(begin: int, end: int) -> None:
        apply_range(_kept_workspace(table, output), begin, end, *arguments, *parts)

    in_ranges(carry_out, len(table), threads, table.height * table.width)


def _paste(table: RecipeTable, images: np.ndarray, threads: int, out: np.ndarray) -> None:
    count = len(table)
    recipes = _fixed(table.heads), _fixed(table.chains), _fixed(table.steps), _fixed(images.reshape(count, -1))
    flat = out.reshape(count, -1)

    def carry_out(begin: int, end: int) -> None:
        paste_range(begin, end, *recipes, table.width, images.shape[3], flat)

    in_ranges(carry_out, count, threads, table.height * table.width)


def applier(table: RecipeTable, planes: np.ndarray, output: Output) -> Callable[[np.ndarray, np.ndarray], None]:
    """What :class:`~ipmix.augmentation.single.Augmenter` uses: a quick function of (image, out) for one recipe's table.

    image uint8[H, W, C] and out must be C-contiguous and fit the table and the output; nothing checks it. Of three
    channels, both may be uint8[H * W * 4] where the output is bytes pixel by pixel.
    """
    shape = (1, table.height, table.width, len(output.scale))
    image, out = np.zeros(shape, np.uint8), np.zeros(output.shape(*shape[:3]), output.kind)
    arguments = _arguments(table, image, planes, output, out)
    space = make_workspace(*_workspace_size(table, output))
    entry: Any = None
    parts: Parts = None, None, _rare_for(table, shape[3])

    def compile_for_table() -> bool:
        """For what the table has now, and has had: in time all that the method draws. False: it is being compiled."""
        nonlocal entry, parts
        Needed.by(table)
        wanted = Needed.operations, Needed.boxes, _rare_for(table, shape[3]) if parts[2] is None else COMPILED
        if goes_in_numpy(table, lambda: (space, 0, 0, *arguments), wanted):
            return False
        parts = wanted
        apply_range(space, 0, 1, *arguments, *parts)
        entry = direct(apply_range, space, 0, 1, *arguments, *parts)
        return True

    compile_for_table()
    before, between, unused = arguments[:3], arguments[4:7], arguments[8 if output.kind == "uint8" else 7]
    as_bytes = output.kind == "uint8"

    def run(image: np.ndarray, out: np.ndarray) -> None:
        flat = out.reshape(1, -1)
        targets = (flat, unused) if as_bytes else (unused, flat)
        while entry is None or entry(space, 0, 1, *before, image.reshape(1, -1), *between, *targets, *parts) == 0:
            # The table was filled anew, with the first part of its kind. Looking each time would take 3 % longer.
            if not compile_for_table():
                return _one_in_numpy(table, image, planes, output, out)

    return run


def _one_in_numpy(table: RecipeTable, image: np.ndarray, planes: np.ndarray, output: Output, out: np.ndarray) -> None:
    """What :func:`applier`'s function does."""
    channels = len(output.scale)
    pixels = image.reshape(1, table.height, table.width, -1)[..., :channels]
    made = np.empty(output.shape(*pixels.shape[:3]), output.kind)
    numpy_engine.apply(table, pixels, planes, output, 1, made)
    if out.size == made.size:
        out[...] = made.reshape(out.shape)
    else:
        target = out.reshape(*pixels.shape[:3], -1)
        target[..., :channels], target[..., channels:] = made, 255


def _rare_for(table: RecipeTable, channels: int) -> Part:
    return COMPILED if channels not in USUAL_CHANNELS or uses_rare(table) else None


def _workspace_size(table: RecipeTable, output: Output) -> tuple[int, int, int, int]:
    return table.height, table.width, len(output.scale), table.chains.shape[1]


def _kept_workspace(table: RecipeTable, output: Output) -> Workspace:
    """This thread's last workspace if it fits: making one takes as long as four images of 32x32.

    One for large images is not kept: its 10 bytes for each value would stay in memory, for little time gained.
    """
    size = _workspace_size(table, output)
    if table.height * table.width * len(output.scale) > KEPT_MOST:
        return make_workspace(*size)
    if getattr(_KEPT, "size", None) != size:
        _KEPT.space, _KEPT.size = make_workspace(*size), size
    space: Workspace = _KEPT.space
    return space


_KEPT = threading.local()

KEPT_MOST = 2**20
"""Values of an image (height x width x channels) up to which a thread keeps its workspace."""


def _arguments(
    table: RecipeTable, images: np.ndarray, planes: np.ndarray, output: Output, out: np.ndarray
) -> tuple[Any, ...]:
    """What :func:`apply_range` takes between the range and ``rare``."""
    as_bytes = output.kind == "uint8"
    flat = out.reshape(len(table), -1)
    form = OutputForm(
        as_bytes=as_bytes,
        planar=output.layout == "nchw",
        streamed=not as_bytes and getattr(out.base, "nbytes", out.nbytes) >= STREAMED,
        scale=_fixed(output.scale),
        bias=_fixed(output.bias),
    )
    return (
        *(_fixed(table.heads), _fixed(table.chains), _fixed(table.steps), _fixed(images.reshape(len(table), -1))),
        *(_fixed(planes.reshape(planes.shape[0], planes.shape[1], -1)), planes.shape[3], form),
        *((flat, _NO_FLOATS) if as_bytes else (_NO_BYTES, flat)),
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
