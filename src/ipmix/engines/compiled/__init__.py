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

    def carry_out(begin: int, end: int) -> None:
        apply_range(_kept_workspace(table, output), begin, end, *arguments, Needed.operations, Needed.boxes, rare)

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
    parts: tuple[Part, Part, Part] = None, None, _rare_for(table, shape[3])

    def compile_for_table() -> None:
        """For what the table has now, and has had: in time all that the method draws."""
        nonlocal entry, parts
        Needed.by(table)
        parts = Needed.operations, Needed.boxes, _rare_for(table, shape[3]) if parts[2] is None else COMPILED
        apply_range(space, 0, 1, *arguments, *parts)
        entry = direct(apply_range, space, 0, 1, *arguments, *parts)

    compile_for_table()
    before, between, unused = arguments[:3], arguments[4:7], arguments[8 if output.kind == "uint8" else 7]
    as_bytes = output.kind == "uint8"

    def run(image: np.ndarray, out: np.ndarray) -> None:
        flat = out.reshape(1, -1)
        targets = (flat, unused) if as_bytes else (unused, flat)
        while entry(space, 0, 1, *before, image.reshape(1, -1), *between, *targets, *parts) == 0:
            # The table was filled anew, with the first part of its kind. Looking each time would take 3 % longer.
            compile_for_table()

    return run


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
