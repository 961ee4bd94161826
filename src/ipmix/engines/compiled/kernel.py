"""The compiled interpreter of recipes: one image at a time, in planes, without holding the interpreter's lock.

A chain's state is a buffer and, possibly, a pending table: operations that map single bytes are composed as
tables of 256 entries and applied in one pass when something needs the pixels. What a box is mixed with is
computed for the box's rows only. Chains that change nothing are added to the clean image's share.
"""

from typing import NamedTuple

import numpy as np

from ipmix.core.compiling import compiled_disjoint, helper
from ipmix.engines.compiled.blending import BLOCK, ZERO, blend, rows_to_planes, to_planes
from ipmix.engines.compiled.enhance import color, contrast_table, sharpness
from ipmix.engines.compiled.filled import is_filled, move_filled
from ipmix.engines.compiled.geometry import SLACK, move
from ipmix.engines.compiled.lookup import apply_table, compose
from ipmix.engines.compiled.mixers import mix_box
from ipmix.engines.compiled.pointwise import (
    arithmetic,
    extremes,
    histograms,
    is_arithmetic,
    is_table,
    make_table,
    push_forward,
)
from ipmix.engines.compiled.prime import curve_table, distort, scratch_size
from ipmix.engines.compiled.streaming import finish_streams
from ipmix.recipe.format import NO_OPERATION, OPERATION, ORIGINAL, PARTNER
from ipmix.recipe.operations import (
    AUTOCONTRAST,
    BRIGHTNESS,
    COLOR,
    COLOR_CURVE,
    CONTRAST,
    ROTATE,
    SHARPNESS,
    SHEAR_X,
    SHEAR_Y,
    SPATIAL,
    SPECTRAL,
    TRANSLATE_X,
    TRANSLATE_Y,
)

U = np.uintp

CLEAN, OTHER, SPARE, FIRST = 0, 1, 2, 3
"""Buffers: the clean image, what a box is mixed with, one to ping-pong with, and one for each chain."""

SMALL = 2**13
"""Pixels up to which an image is copied as a whole: that takes less than keeping account of its rows."""


class Desk(NamedTuple):
    """One thread's working space, reused for every image of a call."""

    height: int
    width: int
    work: np.ndarray
    """uint8[B, C, P]: the buffers, as planes with padding."""
    padded: np.ndarray
    """uint8[C, *]: an image with a border, for rotations."""
    fractions: np.ndarray
    """uint16[2, *]: rows of fractions."""
    masks: np.ndarray
    """uint8[*]: rows of mixing masks."""
    runs: np.ndarray
    """int32[2, W + 1]: where a row is cut."""
    powers: np.ndarray
    """float32[2, 256]: the factors of multiply."""
    wholes: np.ndarray
    """int64[256]."""
    series: np.ndarray
    """float64[256]."""
    tables: np.ndarray
    """uint8[2, C, 256]: a chain's pending table, and one in the making."""
    counts: np.ndarray
    """int32[3, C, 256]: histograms of the clean image, of a chain's, and scratch."""
    tally: np.ndarray
    """int32[1024]: for counting bytes."""
    cumulated: np.ndarray
    """int32[256]."""
    known: np.ndarray
    """bool[1]: whether the clean image's histograms are counted."""
    numbers: np.ndarray
    """float64[*]: scratch of PRIME's operations."""
    state: np.ndarray
    """uint64[1]: a stream of theirs."""
    sums: np.ndarray
    """uint32[C, P]."""
    block: np.ndarray
    """float32[C, BLOCK]: a piece of the result in planes."""
    page: np.ndarray
    """float32[C * BLOCK]: a piece of the result that is about to be streamed."""
    sources: np.ndarray
    """int64[*]: which buffers are blended."""
    shares: np.ndarray
    """uint32[*]: by which shares."""
    spans: np.ndarray
    """int64[*, 2]: in which rows each of them differs from the clean image."""
    chosen: np.ndarray
    """int64[*]: scratch of :func:`blend`."""
    weights: np.ndarray
    """uint32[*]: likewise."""


def set_desk(height: int, width: int, channels: int, chains: int) -> Desk:
    """A desk for images of this size, and recipes of up to ``chains`` chains."""
    size = (height * width + SLACK + 63) // 64 * 64
    return Desk(
        height,
        width,
        np.empty((FIRST + chains, channels, size), np.uint8),
        np.empty((channels, (height + 2) * (width + 2) + SLACK), np.uint8),
        np.empty((2, width + SLACK), np.uint16),
        np.empty(max(2 * width + SLACK, 2048), np.uint8),
        np.empty((2, width + 1), np.int32),
        np.empty((2, 256), np.float32),
        np.empty(256, np.int64),
        np.empty(256, np.float64),
        np.empty((2, channels, 256), np.uint8),
        np.empty((3, channels, 256), np.int32),
        np.empty(1024, np.int32),
        np.empty(256, np.int32),
        np.empty(1, np.bool_),
        np.empty(scratch_size(height, width), np.float64),
        np.empty(1, np.uint64),
        np.empty((channels, size), np.uint32),
        np.empty((channels, BLOCK), np.float32),
        np.empty(channels * BLOCK, np.float32),
        np.zeros(max(chains + 1, 4), np.int64),
        np.zeros(max(chains + 1, 4), np.uint32),
        np.zeros((max(chains + 1, 4), 2), np.int64),
        np.zeros(max(chains + 1, 4), np.int64),
        np.zeros(max(chains + 1, 4), np.uint32),
    )


@compiled_disjoint
def apply_range(  # type: ignore[no-untyped-def]
    desk,
    begin,
    end,
    heads,
    chains,
    steps,
    images,
    planes,
    stride,
    as_bytes,
    planar,
    scale,
    bias,
    out_bytes,
    out_floats,
    streamed,
    rare,
):
    """Carry out recipes ``begin`` to ``end`` on a desk of this thread's own (:func:`set_desk`).

    ``rare`` is None for recipes that use no operation of :data:`~ipmix.recipe.operations.RARE`: the kernels of those are
    then not compiled. Else it is an empty tuple.

    images uint8[N, H * W * C]; planes uint8[M, C, h * stride], the mixing images; scale, bias float32[C];
    out_bytes uint8[N, *] and out_floats float32[N, *], of which the one not asked for has N = 1; ``streamed``:
    written past the caches.
    """
    height, width = desk.height, desk.width
    most = chains.shape[1]
    tall = planes.shape[2] // stride
    sources, shares = desk.sources, desk.shares
    for n in range(begin, end):
        head = heads[n]
        to_planes(images[n], desk.work[CLEAN])
        desk.known[0] = False
        mixing_image = planes[max(np.int64(head.mixing_image), 0)]
        top = np.int64(head.crop_y) * (tall - height + 1) >> 32
        left = np.int64(head.crop_x) * (stride - width + 1) >> 32
        sources[0] = CLEAN
        shares[0] = head.clean
        used = np.int64(1)
        spare = np.int64(SPARE)
        for k in range(most):
            if chains[n, k].share == 0:
                continue  # also what _share() in blending.py relies on: of several images, none has it all
            own = np.int64(FIRST + k)
            current = _run_chain(
                desk, chains[n, k].length, steps[n, k], head.overflow, own, spare,
                mixing_image, stride, top * stride + left, images[max(np.int64(head.partner), 0)], desk.spans[used], rare,
            )  # fmt: skip
            if current == CLEAN:
                shares[0] += np.uint32(chains[n, k].share)
                continue
            sources[used] = current
            shares[used] = chains[n, k].share
            used += 1
            if current == spare:
                spare = own
        byte_row = n if as_bytes else 0
        float_row = 0 if as_bytes else n
        blend(
            desk.work, OTHER, sources, shares, desk.spans, used, desk.chosen, desk.weights, height, width, planar,
            as_bytes, scale, bias, out_bytes[byte_row], out_floats[float_row], desk.sums, desk.block, desk.page,
            streamed,
        )  # fmt: skip
    if streamed:
        finish_streams()


@helper
def _run_chain(desk, length, steps, overflow, own, spare, mixing_image, stride, origin, partner, span, rare):  # type: ignore[no-untyped-def]
    """Carry out one chain and return the buffer that holds its image: CLEAN, ``own`` or ``spare``.

    As long as a chain has only mixed boxes, its buffer holds the rows ``span[0]`` to ``span[1]`` alone, the others
    being those of the clean image: copying them costs more than mixing a small box.
    """
    span[0], span[1] = 0, desk.height
    current = np.int64(CLEAN)
    pending: np.bool_ = np.bool_(False)  # whether tables[0] has yet to be applied to work[current]
    for j in range(length):
        step = steps[j]
        code = np.int64(step.operation)
        mixing = step.mixer != OPERATION
        operates = code != NO_OPERATION and not changes_nothing(code, step.level)
        if not mixing:
            if not operates:
                continue
            _fill_rows(desk, current, span, ZERO, desk.height)
            if is_table(code) or code == COLOR_CURVE or (pending and is_arithmetic(code)):
                _extend_table(desk, code, step, pending, current, rare)
                pending = np.bool_(True)
                continue
        # From here on the chain's pixels are needed, and for mixing in a buffer that may be written to.
        if pending:
            target = spare if current == own else own
            _settle(desk, current, target)
            current = target
            pending = np.bool_(False)
        elif mixing and current == CLEAN:
            current = own
            span[0], span[1] = step.top, step.top
            if desk.height * desk.width <= SMALL:
                _fill_rows(desk, current, span, ZERO, desk.height)
        if mixing:
            _fill_rows(desk, current, span, np.int64(step.top), np.int64(step.bottom))
        from_original = mixing and step.source == ORIGINAL
        if operates and (from_original or not mixing):
            source = np.int64(CLEAN) if mixing else current
            target = np.int64(OTHER) if mixing else (spare if current == own else own)
            left, top = (step.left, step.top) if mixing else (np.int32(0), np.int32(0))
            right = np.int64(step.right) if mixing else desk.width
            bottom = np.int64(step.bottom) if mixing else desk.height
            done = False
            if rare is not None:
                done = _operate_rarely(desk, code, step, source, target, np.int64(left), np.int64(top), right, bottom)
            if not done:
                _operate(desk, code, step.level, source, target, np.int64(left), np.int64(top), right, bottom)
            if not mixing:
                current = target
        if mixing:
            from_partner = step.source == PARTNER
            if from_partner:
                rows_to_planes(
                    partner, desk.work[OTHER], np.int64(step.top) * desk.width, np.int64(step.bottom) * desk.width
                )
            own_size = from_original or from_partner
            other = desk.work[OTHER if operates or from_partner else CLEAN] if own_size else mixing_image
            rows = desk.width if own_size else stride
            start = np.int64(0) if own_size else origin
            mix_box(
                step,
                overflow,
                desk.work[current],
                other,
                desk.width,
                rows,
                start,
                desk.powers,
                desk.wholes,
                desk.series,
                desk.masks,
            )
    if pending:
        target = spare if current == own else own
        _settle(desk, current, target)
        current = target
    return current


@helper
def changes_nothing(code, level):  # type: ignore[no-untyped-def]
    """Whether the operation leaves every image as it is."""
    if code == COLOR or code == CONTRAST or code == BRIGHTNESS or code == SHARPNESS:
        return level == 1.0
    moves = code == ROTATE or code == SHEAR_X or code == SHEAR_Y or code == TRANSLATE_X or code == TRANSLATE_Y
    return moves and level == 0.0


@helper
def _settle(desk, source, target):  # type: ignore[no-untyped-def]
    """Bring the chain's image through the pending table."""
    apply_table(desk.tables[0], desk.work[source], desk.work[target], desk.width, ZERO, ZERO, desk.width, desk.height)


@helper
def _fill_rows(desk, buffer, span, top, bottom):  # type: ignore[no-untyped-def]
    """Widen the span to the rows ``top`` to ``bottom``, copying what it lacks from the clean image."""
    if top < span[0]:
        _copy_rows(desk, buffer, top, span[0])
        span[0] = top
    if bottom > span[1]:
        _copy_rows(desk, buffer, span[1], bottom)
        span[1] = bottom


@helper
def _copy_rows(desk, buffer, top, bottom):  # type: ignore[no-untyped-def]
    for c in range(desk.work.shape[1]):
        a, b = desk.work[CLEAN, c], desk.work[buffer, c]
        for i in range(top * desk.width, bottom * desk.width):
            b[U(i)] = a[U(i)]


@helper
def _count(desk, buffer):  # type: ignore[no-untyped-def]
    """The place in ``desk.counts`` of a buffer's histograms; the clean image's are counted once."""
    if buffer == CLEAN and desk.known[0]:
        return 0
    where = 0 if buffer == CLEAN else 1
    histograms(desk.work[buffer], desk.height * desk.width, desk.counts[where], desk.tally)
    if buffer == CLEAN:
        desk.known[0] = True
    return where


@helper
def _count_for(desk, code, level, buffer):  # type: ignore[no-untyped-def]
    """The place in ``desk.counts`` of what :func:`make_table` has to know about a buffer for this operation."""
    if code == AUTOCONTRAST and level == 0.0 and not (buffer == CLEAN and desk.known[0]):
        extremes(desk.work[buffer], desk.height * desk.width, desk.counts[2])
        return 2
    return _count(desk, buffer)


@helper
def _extend_table(desk, code, step, pending, current, rare):  # type: ignore[no-untyped-def]
    """Put one more operation behind the chain's pending table, or start one."""
    where = 0
    if is_table(code) and code != BRIGHTNESS:
        where = _count(desk, current) if pending else _count_for(desk, code, step.level, current)
        if pending:
            push_forward(desk.tables[0], desk.counts[where], desk.counts[2])
            where = 2
    made = 1 if pending else 0
    curve = False
    if rare is not None:
        curve = code == COLOR_CURVE
        if curve:
            curve_table(step, desk.numbers, desk.state, desk.tables[made])
    if not curve:
        make_table(code, step.level, desk.counts[where], desk.tables[made], desk.cumulated)
    if pending:
        compose(desk.tables[0], desk.tables[1])


@helper
def _operate(desk, code, level, source, target, left, top, right, bottom):  # type: ignore[no-untyped-def]
    """One operation from buffer to buffer, for at least the given box of the target."""
    a, b, width = desk.work[source], desk.work[target], desk.width
    if is_arithmetic(code):
        arithmetic(code, level, a, b, top * width, bottom * width)
    elif is_table(code):
        # Only for a box of the clean image: a chain's own tables are composed, not applied one by one.
        where = _count_for(desk, code, level, source) if code != BRIGHTNESS else 0
        make_table(code, level, desk.counts[where], desk.tables[1], desk.cumulated)
        apply_table(desk.tables[1], a, b, width, left, top, right, bottom)
    else:
        move(code, level, a, b, desk.height, width, top, bottom, desk.padded, desk.fractions, desk.runs)


@helper
def _operate_rarely(desk, code, step, source, target, left, top, right, bottom):  # type: ignore[no-untyped-def]
    """The same for operations of :data:`~ipmix.recipe.operations.RARE`; whether it was one of them."""
    a, b, width = desk.work[source], desk.work[target], desk.width
    if code == SPECTRAL or code == SPATIAL:
        distort(code, step, a, b, desk.height, width, desk.padded, desk.numbers, desk.state)
    elif code == COLOR:
        color(a, b, top * width, bottom * width, step.level)
    elif code == SHARPNESS:
        sharpness(a, b, desk.height, width, top, bottom, step.level)
    elif code == CONTRAST:
        contrast_table(a, desk.height * width, step.level, desk.tables[1])
        apply_table(desk.tables[1], a, b, width, left, top, right, bottom)
    elif is_filled(code):
        move_filled(code, step, a, b, desk.height, width, desk.padded, desk.fractions, desk.runs)
    else:
        return False
    return True
