"""The compiled interpreter of recipes: one image at a time, in planes, without holding the interpreter's lock.

A chain's state is a buffer and, possibly, a pending table: operations that map single bytes are composed as
tables of 256 entries and applied in one pass when something needs the pixels. What a box is mixed with is
computed for the box's rows only. Chains that change nothing are added to the clean image's share.
"""

from typing import NamedTuple

import numpy as np

from ipmix.core.compiling import compiled_disjoint, helper
from ipmix.engines.compiled.blending import ZERO, blend, rows_to_planes, to_planes
from ipmix.engines.compiled.enhance import color, contrast_table, sharpness
from ipmix.engines.compiled.filled import is_filled, move_filled
from ipmix.engines.compiled.geometry import move
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
from ipmix.engines.compiled.prime import curve_table, distort
from ipmix.engines.compiled.rare import RARE
from ipmix.engines.compiled.streaming import finish_streams
from ipmix.engines.compiled.workspace import CLEAN, FIRST, OTHER, SPARE
from ipmix.recipe.format import NO_OPERATION, OPERATION, ORIGINAL, PARTNER
from ipmix.recipe.operations import (
    AUTOCONTRAST,
    BRIGHTNESS,
    COLOR,
    COLOR_CURVE,
    CONTRAST,
    OPERATIONS,
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

SMALL = 2**13
"""Pixels up to which an image is copied as a whole: that takes less than keeping account of its rows."""

_IS_RARE = np.array([operation.name in RARE for operation in OPERATIONS])


class Sources(NamedTuple):
    """What the boxes of one image are mixed with, beside the clean image."""

    mixing_image: np.ndarray
    """uint8[C, h * stride]: planes in rows of ``stride`` bytes."""
    stride: int
    origin: int
    """Where the part of it that lies over the image begins."""
    partner: np.ndarray
    """uint8[H * W * C], in pixel order."""


class Box(NamedTuple):
    """Pixels ``left`` to ``right`` of rows ``top`` to ``bottom``."""

    left: np.int64
    top: np.int64
    right: np.int64
    bottom: np.int64


@compiled_disjoint
def apply_range(
    space,
    begin,
    end,
    heads,
    chains,
    steps,
    images,
    mixing_images,
    stride,
    form,
    out_bytes,
    out_floats,
    operations,
    boxes,
    rare,
):
    """Carry out recipes ``begin`` to ``end`` in a workspace of this thread's own; returns the first one not done.

    The last three are empty tuples, or None for what is not compiled: operations at all, mixed boxes, and the
    operations of :data:`~ipmix.engines.compiled.rare.RARE`. The first recipe with such a part is then not done, nor
    those behind it.

    images uint8[N, H * W * C], or uint8[N, H * W * 4] of three channels and a byte that counts for nothing (Pillow's
    RGB in memory), as out_bytes may be; mixing_images uint8[M, C, h * stride], as planes; ``form`` is an
    :class:`~ipmix.engines.compiled.blending.OutputForm`; out_bytes uint8[N, *] and out_floats float32[N, *], of
    which the one not asked for has N = 1.
    """
    done = end
    tall = mixing_images.shape[2] // stride
    for n in range(begin, end):
        partial = operations is None or boxes is None or rare is None
        if partial and _needs_more(chains[n], steps[n], operations, boxes, rare):
            done = n
            break
        head = heads[n]
        to_planes(images[n], space.height * space.width, space.buffers[CLEAN], rare)
        space.lookup.counted[0] = False
        top = np.int64(head.crop_y) * (tall - space.height + 1) >> 32
        left = np.int64(head.crop_x) * (stride - space.width + 1) >> 32
        sources = Sources(
            mixing_image=mixing_images[max(np.int64(head.mixing_image), 0)],
            stride=stride,
            origin=top * stride + left,
            partner=images[max(np.int64(head.partner), 0)],
        )
        count = _run_chains(space, head, chains[n], steps[n], sources, operations, boxes, rare)
        byte_row = n if form.as_bytes else 0
        float_row = 0 if form.as_bytes else n
        blend(
            space.height, space.width, space.buffers, space.terms, count, space.blending, form,
            out_bytes[byte_row], out_floats[float_row], rare,
        )  # fmt: skip
    if form.streamed:
        finish_streams()
    return done


@helper
def _needs_more(chains, steps, operations, boxes, rare):
    """Whether one image's recipe has a part that is not compiled."""
    for k in range(chains.size):
        for j in range(chains[k].length):
            code = steps[k, j].operation
            if boxes is None and steps[k, j].mixer != OPERATION:
                return True
            if operations is None:
                if code != NO_OPERATION:
                    return True
            elif rare is None and code != NO_OPERATION and _IS_RARE[U(code)]:
                return True
    return False


@helper
def _run_chains(space, head, chains, steps, sources, operations, boxes, rare):
    """Carry out one image's chains and write the terms of its weighted sum; returns how many there are."""
    terms = space.terms
    terms.buffers[0] = CLEAN
    terms.shares[0] = head.clean
    count = np.int64(1)
    spare = np.int64(SPARE)
    for k in range(chains.size):
        if chains[k].share == 0:
            continue  # also what _share() in blending.py relies on: of several images, none has it all
        own = np.int64(FIRST + k)
        length = chains[k].length
        current = _run_chain(
            space, steps[k], length, head.overflow, sources, (own, spare), terms.spans[count], operations, boxes, rare
        )
        if current == CLEAN:
            terms.shares[0] += np.uint32(chains[k].share)
            continue
        terms.buffers[count] = current
        terms.shares[count] = chains[k].share
        count += 1
        if current == spare:
            spare = own
    return count


@helper
def _run_chain(space, steps, length, overflow, sources, places, span, operations, boxes, rare):
    """Carry out one chain and return the buffer that holds its image: CLEAN, or one of the two ``places``.

    As long as a chain has only mixed boxes, its buffer holds the rows ``span[0]`` to ``span[1]`` alone, the others
    being those of the clean image: copying them costs more than mixing a small box.
    """
    span[0], span[1] = 0, space.height
    current = np.int64(CLEAN)
    pending: np.bool_ = np.bool_(False)  # whether tables[0] has yet to be applied to the current buffer
    for j in range(length):
        step = steps[j]
        code = np.int64(step.operation)
        mixes = step.mixer != OPERATION
        operates = code != NO_OPERATION and not changes_nothing(code, step.level)
        if not mixes:
            if not operates:
                continue
            _fill_rows(space, current, span, ZERO, space.height)
            if operations is not None and (is_table(code) or code == COLOR_CURVE or (pending and is_arithmetic(code))):
                _extend_table(space, code, step, pending, current, rare)
                pending = np.bool_(True)
                continue
        # From here on the chain's pixels are needed, and for mixing in a buffer that may be written to.
        if pending:
            if operations is not None:
                current = _settle(space, current, places)
            pending = np.bool_(False)
        elif mixes and current == CLEAN:
            current = places[0]
            _begin_boxes(space, current, span, step)
        if mixes:
            _fill_rows(space, current, span, np.int64(step.top), np.int64(step.bottom))
        if operations is not None and operates and (not mixes or step.source == ORIGINAL):
            source = np.int64(CLEAN) if mixes else current
            target = np.int64(OTHER) if mixes else _free_place(current, places)
            _operate_on(space, code, step, source, target, _box(space, step, mixes), rare)
            if not mixes:
                current = target
        if boxes is not None and mixes:
            _mix(space, step, overflow, current, operates, sources)
    if operations is not None and pending:
        current = _settle(space, current, places)
    return current


@helper
def _free_place(current, places):
    """A buffer of the chain's two that doesn't hold its image."""
    return places[1] if current == places[0] else places[0]


@helper
def _box(space, step, mixes):
    """The box that an operation is needed for: the whole image's, or the one that is to be mixed."""
    left, top = (step.left, step.top) if mixes else (np.int32(0), np.int32(0))
    right = np.int64(step.right) if mixes else space.width
    bottom = np.int64(step.bottom) if mixes else space.height
    return Box(left=np.int64(left), top=np.int64(top), right=right, bottom=bottom)


@helper
def _mix(space, step, overflow, current, operates, sources):
    """Mix the step's box of the current buffer with the same box of what the step names."""
    width = space.width
    from_partner = step.source == PARTNER
    own_size = from_partner or step.source == ORIGINAL
    if from_partner:
        top, bottom = np.int64(step.top), np.int64(step.bottom)
        rows_to_planes(sources.partner, space.height * width, space.buffers[OTHER], top * width, bottom * width)
    own_buffer = OTHER if operates or from_partner else CLEAN
    other = space.buffers[own_buffer] if own_size else sources.mixing_image
    stride = width if own_size else sources.stride
    origin = np.int64(0) if own_size else sources.origin
    mix_box(step, overflow, space.buffers[current], other, width, stride, origin, space.mixing)


@helper
def changes_nothing(code, level):
    """Whether the operation leaves every image as it is."""
    if code == COLOR or code == CONTRAST or code == BRIGHTNESS or code == SHARPNESS:
        return level == 1.0
    moves = code == ROTATE or code == SHEAR_X or code == SHEAR_Y or code == TRANSLATE_X or code == TRANSLATE_Y
    return moves and level == 0.0


@helper
def _settle(space, source, places):
    """Bring the chain's image through the pending table; returns the buffer that it is in then."""
    target, table, width = _free_place(source, places), space.lookup.tables[0], space.width
    apply_table(table, space.buffers[source], space.buffers[target], width, ZERO, ZERO, width, space.height)
    return target


@helper
def _begin_boxes(space, buffer, span, step):
    """A chain's first mixed box: of its buffer nothing is there as yet, or of a small image all."""
    span[0], span[1] = step.top, step.top
    if space.height * space.width <= SMALL:
        _fill_rows(space, buffer, span, ZERO, space.height)


@helper
def _fill_rows(space, buffer, span, top, bottom):
    """Widen the span to the rows ``top`` to ``bottom``, copying what it lacks from the clean image."""
    if top < span[0]:
        _copy_rows(space, buffer, top, span[0])
        span[0] = top
    if bottom > span[1]:
        _copy_rows(space, buffer, span[1], bottom)
        span[1] = bottom


@helper
def _copy_rows(space, buffer, top, bottom):
    for c in range(space.buffers.shape[1]):
        a, b = space.buffers[CLEAN, c], space.buffers[buffer, c]
        for i in range(top * space.width, bottom * space.width):
            b[U(i)] = a[U(i)]


@helper
def _count(space, buffer):
    """The place in ``space.lookup.counts`` of a buffer's histograms; the clean image's are counted once."""
    if buffer == CLEAN and space.lookup.counted[0]:
        return 0
    where = 0 if buffer == CLEAN else 1
    histograms(space.buffers[buffer], space.height * space.width, space.lookup.counts[where], space.lookup.tally)
    if buffer == CLEAN:
        space.lookup.counted[0] = True
    return where


@helper
def _count_for(space, code, level, buffer):
    """The place in ``space.lookup.counts`` of what :func:`make_table` has to know about a buffer for this operation."""
    if code == AUTOCONTRAST and level == 0.0 and not (buffer == CLEAN and space.lookup.counted[0]):
        extremes(space.buffers[buffer], space.height * space.width, space.lookup.counts[2])
        return 2
    return _count(space, buffer)


@helper
def _extend_table(space, code, step, pending, current, rare):
    """Put one more operation behind the chain's pending table, or start one."""
    where = 0
    if is_table(code) and code != BRIGHTNESS:
        where = _count(space, current) if pending else _count_for(space, code, step.level, current)
        if pending:
            push_forward(space.lookup.tables[0], space.lookup.counts[where], space.lookup.counts[2])
            where = 2
    made = 1 if pending else 0
    curve = False
    if rare is not None:
        curve = code == COLOR_CURVE
        if curve:
            curve_table(step, space.prime, space.lookup.tables[made])
    if not curve:
        make_table(code, step.level, space.lookup.counts[where], space.lookup.tables[made], space.lookup.cumulated)
    if pending:
        compose(space.lookup.tables[0], space.lookup.tables[1])


@helper
def _operate_on(space, code, step, source, target, box, rare):
    """One operation from buffer to buffer, for at least the given box of the target."""
    done = False
    if rare is not None:
        done = _operate_rarely(space, code, step, source, target, box)
    if not done:
        _operate(space, code, step.level, source, target, box)


@helper
def _operate(space, code, level, source, target, box):
    """:func:`_operate_on` for all operations but those of :data:`~ipmix.engines.compiled.rare.RARE`."""
    a, b, width = space.buffers[source], space.buffers[target], space.width
    if is_arithmetic(code):
        arithmetic(code, level, a, b, box.top * width, box.bottom * width)
    elif is_table(code):
        # Only for a box of the clean image: a chain's own tables are composed, not applied one by one.
        work = space.lookup
        where = _count_for(space, code, level, source) if code != BRIGHTNESS else 0
        make_table(code, level, work.counts[where], work.tables[1], work.cumulated)
        apply_table(work.tables[1], a, b, width, box.left, box.top, box.right, box.bottom)
    else:
        move(code, level, a, b, space.height, width, box.top, box.bottom, space.moving)


@helper
def _operate_rarely(space, code, step, source, target, box):
    """:func:`_operate_on` for operations of :data:`~ipmix.engines.compiled.rare.RARE`; whether it was one of them."""
    a, b, width = space.buffers[source], space.buffers[target], space.width
    if code == SPECTRAL or code == SPATIAL:
        distort(code, step, a, b, space.height, width, space.moving.padded, space.prime)
    elif code == COLOR:
        color(a, b, box.top * width, box.bottom * width, step.level)
    elif code == SHARPNESS:
        sharpness(a, b, space.height, width, box.top, box.bottom, step.level)
    elif code == CONTRAST:
        table = space.lookup.tables[1]
        contrast_table(a, space.height * width, step.level, table)
        apply_table(table, a, b, width, box.left, box.top, box.right, box.bottom)
    elif is_filled(code):
        move_filled(code, step, a, b, space.height, width, space.moving)
    else:
        return False
    return True
