"""Recipes of at most one step that pastes or fills a box: CutMix, MixUp, CutOut, and images left as they are.

They need no planes: a row of pixels is a run of bytes. The result is that of ``kernel.py``, byte for byte, at a third
of MixUp's time; and such a method's first image comes without the large kernel having to be compiled.
"""

import numpy as np

from ipmix.core.compiling import compiled_disjoint, separate
from ipmix.engines.output import Output
from ipmix.recipe.format import FILL, NO_OPERATION, PARTNER, PASTE, WHOLE
from ipmix.recipe.table import RecipeTable

U = np.uintp
U32 = np.uint32
HALF = U32(WHOLE // 2)
SHIFT = U32(15)


def only_pastes(table: RecipeTable, output: Output) -> bool:
    """Whether :func:`paste_range` can carry out every recipe of the table in this form: bytes, pixel by pixel."""
    if output.kind != "uint8" or output.layout != "nhwc" or table.chains.shape[1] != 1 or table.steps.shape[2] != 1:
        return False
    chain, step = table.chains[:, 0], table.steps[:, 0, 0]
    pastes = (step["mixer"] == PASTE) & (step["source"] == PARTNER) & (step["operation"] == NO_OPERATION)
    fills = (step["mixer"] == FILL) & (step["operation"] == NO_OPERATION)
    whole = table.heads["clean"].astype(np.int64) + chain["share"] == WHOLE
    idle = (chain["share"] == 0) | (chain["length"] == 0)
    return bool((whole & (idle | pastes | fills)).all())


@compiled_disjoint
def paste_range(begin, end, heads, chains, steps, images, width, channels, out):
    """Carry out recipes ``begin`` to ``end`` of those that :func:`only_pastes` lets through.

    images and out uint8[N, H * W * C], in pixel order.
    """
    for n in range(begin, end):
        step, share = steps[n, 0, 0], U32(chains[n, 0].share)
        top, bottom = np.int64(step.top), np.int64(step.bottom)
        left, right = np.int64(step.left), np.int64(step.right)
        if share == 0 or chains[n, 0].length == 0 or left >= right or top >= bottom:
            _copy(images[n], out[n], 0, images.shape[1])
            continue
        if step.mixer == FILL:
            _copy(images[n], out[n], 0, images.shape[1])
            for y in range(top, bottom):
                first = (y * width + left) * channels
                _fill(images[n], out[n], first, right - left, channels, step, share)
            continue
        partner = images[max(np.int64(heads[n].partner), 0)]
        if left == 0 and right == width:  # the rows of the box lie one behind the other
            begins, ends = top * width * channels, bottom * width * channels
            _copy(images[n], out[n], 0, begins)
            _blend(images[n], partner, out[n], begins, ends, share)
            _copy(images[n], out[n], ends, images.shape[1])
            continue
        done = np.int64(0)
        for y in range(top, bottom):
            begins, ends = (y * width + left) * channels, (y * width + right) * channels
            _copy(images[n], out[n], done, begins)
            _blend(images[n], partner, out[n], begins, ends, share)
            done = ends
        _copy(images[n], out[n], done, images.shape[1])


@separate
def _copy(image, out, begin, end):
    for i in range(begin, end):
        out[U(i)] = image[U(i)]


@separate
def _blend(image, partner, out, begin, end, share):
    if share == WHOLE:
        for i in range(begin, end):
            out[U(i)] = partner[U(i)]
        return
    # Neither share is the whole, so that both have 15 bits; saying so lets LLVM multiply in 16-bit lanes.
    own, other = U32(U32(WHOLE) - share) & U32(0x7FFF), share & U32(0x7FFF)
    for i in range(begin, end):
        k = U(i)
        out[k] = np.uint8(U32(U32(image[k]) * own + U32(partner[k]) * other + HALF) >> SHIFT)


@separate
def _fill(image, out, first, count, channels, step, share):
    own = U32(U32(WHOLE) - share)
    for c in range(channels):
        value = np.uint8(step.a) if c == 0 else np.uint8(step.b) if c == 1 else np.uint8(step.level)
        for i in range(count):
            k = U(first + i * channels + c)
            out[k] = np.uint8(U32(U32(image[k]) * own + U32(value) * share + HALF) >> SHIFT)
