"""The edges of the kernel: images in, planes inside, the weighted sum out."""

from typing import NamedTuple

import numpy as np

from ipmix.core.compiling import helper, separate
from ipmix.engines.compiled.streaming import stream
from ipmix.engines.compiled.workspace import BLENDED_AT_ONCE, BLOCK, OTHER

U = np.uintp
U8 = np.uint8
U32 = np.uint32
I32 = np.int32
F = np.float32
ZERO = np.int64(
    0
)  # to Numba a literal 0 is a type of its own; where functions are not embedded, it would compile once more


@separate
def to_planes(image, count, planes, rare):
    """``count`` pixels, uint8[P * C] or of three channels uint8[P * 4], in planes: uint8[C, P and padding].

    With ``rare`` None, numbers of channels other than 1 and 3 have no code of their own: theirs is the slow one.
    """
    channels = planes.shape[0]
    # A distance between bytes that is known beforehand lets LLVM load them all and sort them in registers.
    if channels == 3:
        if image.size == 4 * count:
            _split(image, planes, count, 4, 0, 3)
        else:
            _split(image, planes, count, 3, 0, 3)
        return
    if channels == 1:
        _split(image, planes, count, 1, 0, 1)
        return
    if rare is not None:
        if channels == 4:
            _split(image, planes, count, 4, 0, 4)
            return
        if channels == 8:  # for more than four planes at a time, it would have to prove too much
            _split(image, planes, count, 8, 0, 4)
            _split(image, planes, count, 8, 4, 4)
            return
    for c in range(channels):
        _split(image, planes, count, channels, c, 1)


@helper
def _split(image, planes, count, channels, first, many):
    for i in range(count):
        for c in range(many):
            planes[U(first + c), U(i)] = image[U(channels * i + first + c)]


@separate
def rows_to_planes(image, count, planes, begin, end):
    """:func:`to_planes` for the pixels from ``begin`` to ``end`` only."""
    apart = image.size // count
    for c in range(planes.shape[0]):
        plane = planes[c]
        for i in range(begin, end):
            plane[U(i)] = image[U(apart * i + c)]


class OutputForm(NamedTuple):
    """In what form results are written."""

    as_bytes: bool
    """Bytes, or float32: ``scale * sum + bias`` of the sum in 32768ths of a byte. Where bytes of three channels are
    written pixel by pixel into an array of four a pixel, the fourth is 255."""
    planar: bool
    """Channel by channel, or pixel by pixel."""
    streamed: bool
    """Whether numbers are written past the caches."""
    scale: np.ndarray
    """float32[C]."""
    bias: np.ndarray
    """float32[C]."""


@separate
def blend(height, width, buffers, terms, used, scratch, form, out_bytes, out_floats, rare):
    """Write the sum of ``terms.shares[q] * buffers[terms.buffers[q]]`` over q < used, in the form asked for.

    buffers uint8[B, C, P], of which OTHER is written to. ``terms`` and ``scratch`` are a workspace's. The first term
    is the clean image, from which the others differ in their span of rows only: elsewhere they need not be there, and
    their shares are the clean image's. ``out_bytes`` and ``out_floats`` are one image's output, flat; the one that is
    not asked for is not touched.
    """
    chosen, shares = scratch.buffers, scratch.shares
    top = np.int64(0)
    while top < height:
        bottom = height
        count = np.int64(1)
        chosen[0], shares[0] = terms.buffers[0], terms.shares[0]
        for q in range(1, used):
            begin, end = terms.spans[q, 0], terms.spans[q, 1]
            if begin <= top < end:
                chosen[count], shares[count] = terms.buffers[q], terms.shares[q]
                count += 1
                bottom = min(bottom, end)
            else:
                shares[0] += terms.shares[q]
                if top < begin:
                    bottom = min(bottom, begin)
        if count > 1 and shares[0] == 0:
            count -= 1
            chosen[0], shares[0] = chosen[count], shares[count]
        shares[count:] = 0  # up to four images are read, and those that are missing must count for nothing
        area = height * width
        if count > BLENDED_AT_ONCE:
            _blend_many(buffers, scratch, count, top * width, bottom * width, area, form, out_bytes, out_floats)
        else:
            _blend_few(buffers, scratch, count, top * width, bottom * width, area, form, out_bytes, out_floats, rare)
        top = bottom


@helper
def _blend_many(buffers, scratch, used, begin, end, area, form, out_bytes, out_floats):
    """Pixels ``begin`` to ``end`` of ``area``, blended of any number of images: the first ``used`` of ``scratch``."""
    channels = buffers.shape[1]
    for c in range(channels):
        _sum(buffers, scratch.buffers, scratch.shares, used, c, begin, end - begin, scratch.sums[c])
        # Pixel i of channel c is at c * area + i in planes, at channels * i + c otherwise.
        apart = out_bytes.size // area if form.as_bytes else channels
        start = c * area + begin if form.planar else apart * begin + c
        step = 1 if form.planar else apart
        if c == 0 and step > channels:
            _fill_fourth(out_bytes, begin, end)
        _finish(
            scratch.sums[c], end - begin, form.as_bytes, form.scale[c], form.bias[c], start, step, out_bytes, out_floats
        )


@helper
def _blend_few(buffers, scratch, used, begin, end, area, form, out_bytes, out_floats, rare):
    """Pixels ``begin`` to ``end`` of ``area``, blended of up to four images: the first ``used`` of ``scratch``."""
    channels = buffers.shape[1]
    chosen, shares = scratch.buffers, scratch.shares
    direct = form.planar and not form.streamed
    size = end - begin if direct else BLOCK
    for first in range(begin, end, size):
        length = min(size, end - first)
        for c in range(channels):
            # Places without an image have a share of 0: what they read does not matter.
            p, r, s, t = buffers[chosen[0], c], buffers[chosen[1], c], buffers[chosen[2], c], buffers[chosen[3], c]
            at = np.int64(c * area + first if direct else 0)
            if form.as_bytes:
                target = out_bytes if direct else buffers[OTHER, c]
                _blend_bytes(p, r, s, t, shares, used, first, length, target, at)
                continue
            floats = out_floats if direct else scratch.block[c]
            _blend_floats(p, r, s, t, shares, used, first, length, form.scale[c], form.bias[c], floats, at)
            if form.streamed and form.planar:
                stream(floats, length, out_floats, c * area + first)
        if form.planar:
            continue
        at = channels * first
        if form.as_bytes:
            _interleave_bytes(buffers[OTHER], length, out_bytes, first, out_bytes.size // area, rare)
        elif form.streamed:
            _interleave_floats(scratch.block, length, scratch.page, ZERO)
            stream(scratch.page, channels * length, out_floats, at)
        else:
            _interleave_floats(scratch.block, length, out_floats, at)


@helper
def _share(shares, q):
    # Of two or more images, none has a share of more than 15 bits; saying so lets LLVM multiply in 16-bit lanes.
    return U32(shares[q] & U32(0x7FFF))


@helper
def _to_byte(total):
    return U8(U32(total + U32(16384)) >> U32(15))


@separate
def _blend_bytes(p, r, s, t, shares, used, first, count, out, at):
    p1, r1, s1, t1 = _share(shares, 0), _share(shares, 1), _share(shares, 2), _share(shares, 3)
    if used == 1:
        for i in range(count):
            out[U(at + i)] = p[U(first + i)]
    elif used == 2:
        for i in range(count):
            k = U(first + i)
            out[U(at + i)] = _to_byte(U32(p[k]) * p1 + U32(r[k]) * r1)
    elif used == 3:
        for i in range(count):
            k = U(first + i)
            out[U(at + i)] = _to_byte(U32(p[k]) * p1 + U32(r[k]) * r1 + U32(s[k]) * s1)
    else:
        for i in range(count):
            k = U(first + i)
            total = U32(p[k]) * p1 + U32(r[k]) * r1 + U32(s[k]) * s1 + U32(t[k]) * t1
            out[U(at + i)] = _to_byte(total)


@separate
def _blend_floats(p, r, s, t, shares, used, first, count, scale, bias, out, at):
    p1, r1, s1, t1 = _share(shares, 0), _share(shares, 1), _share(shares, 2), _share(shares, 3)
    if used == 1:
        for i in range(count):
            out[U(at + i)] = F(I32(U32(p[U(first + i)]) << U32(15))) * scale + bias
    elif used == 2:
        for i in range(count):
            k = U(first + i)
            out[U(at + i)] = F(I32(U32(p[k]) * p1 + U32(r[k]) * r1)) * scale + bias
    elif used == 3:
        for i in range(count):
            k = U(first + i)
            out[U(at + i)] = F(I32(U32(p[k]) * p1 + U32(r[k]) * r1 + U32(s[k]) * s1)) * scale + bias
    else:
        for i in range(count):
            k = U(first + i)
            total = U32(p[k]) * p1 + U32(r[k]) * r1 + U32(s[k]) * s1 + U32(t[k]) * t1
            out[U(at + i)] = F(I32(total)) * scale + bias


@helper
def _fill_fourth(out, begin, end):
    for i in range(begin, end):
        out[U(4 * i + 3)] = U8(255)


@separate
def _interleave_bytes(planes, count, out, first, apart, rare):
    """Write pixels ``first`` and on, which lie ``apart`` bytes from each other."""
    channels = planes.shape[0]
    at = apart * first
    if channels == 3:
        if apart == 4:
            for i in range(count):
                for c in range(3):
                    out[U(at + 4 * i + c)] = planes[U(c), U(i)]
                out[U(at + 4 * i + 3)] = U8(255)
        else:
            _join(planes, count, out, at, 3)
        return
    if channels == 1:
        _join(planes, count, out, at, 1)
        return
    if rare is not None:
        if channels == 4:
            _join(planes, count, out, at, 4)
            return
        if channels == 8:
            _join(planes, count, out, at, 8)
            return
    for c in range(channels):
        for i in range(count):
            out[U(at + channels * i + c)] = planes[U(c), U(i)]


@helper
def _join(planes, count, out, at, channels):
    for i in range(count):
        for c in range(channels):
            out[U(at + channels * i + c)] = planes[U(c), U(i)]


@separate
def _interleave_floats(planes, count, out, at):
    channels = planes.shape[0]
    if channels == 3:
        red, green, blue = planes[0], planes[1], planes[2]
        for i in range(count):
            out[U(at + 3 * i)] = red[U(i)]
            out[U(at + 3 * i + 1)] = green[U(i)]
            out[U(at + 3 * i + 2)] = blue[U(i)]
        return
    for c in range(channels):
        plane = planes[c]
        for i in range(count):
            out[U(at + channels * i + c)] = plane[U(i)]


@separate
def _sum(buffers, chosen, shares, used, c, first, count, total):
    """Any number of images, one after the other."""
    for q in range(used):
        plane, share = buffers[chosen[q], c], U32(shares[q])
        if q == 0:
            for i in range(count):
                total[U(i)] = U32(U32(plane[U(first + i)]) * share)
        else:
            for i in range(count):
                total[U(i)] = U32(total[U(i)] + U32(plane[U(first + i)]) * share)


@separate
def _finish(total, count, as_bytes, scale, bias, start, step, out_bytes, out_floats):
    if as_bytes:
        for i in range(count):
            out_bytes[U(start + step * i)] = _to_byte(total[U(i)])
    else:
        for i in range(count):
            out_floats[U(start + step * i)] = F(I32(total[U(i)])) * scale + bias
