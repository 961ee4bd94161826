"""The edges of the kernel: images in, planes inside, the weighted sum out."""

import numpy as np

from ipmix.core.compiling import helper, separate
from ipmix.engines.compiled.streaming import stream

U = np.uintp
U8 = np.uint8
U32 = np.uint32
I32 = np.int32
F = np.float32
ZERO = np.int64(0)  # to Numba a literal 0 is a type of its own; where there are no parts, it would compile once more


@separate
def to_planes(image, planes):  # type: ignore[no-untyped-def]
    """uint8[H * W * C] in pixel order -> uint8[C, H * W and padding] in planes."""
    channels = planes.shape[0]
    count = image.size // channels
    # A distance between bytes that is known beforehand lets LLVM load them all and sort them in registers.
    if channels == 3:
        _split(image, planes, count, 3, 0, 3)
    elif channels == 1:
        _split(image, planes, count, 1, 0, 1)
    elif channels == 4:
        _split(image, planes, count, 4, 0, 4)
    elif channels == 8:  # for more than four planes at a time, it would have to prove too much
        _split(image, planes, count, 8, 0, 4)
        _split(image, planes, count, 8, 4, 4)
    else:
        for c in range(channels):
            _split(image, planes, count, channels, c, 1)


@helper
def _split(image, planes, count, channels, first, many):  # type: ignore[no-untyped-def]
    for i in range(count):
        for c in range(many):
            planes[U(first + c), U(i)] = image[U(channels * i + first + c)]


@separate
def rows_to_planes(image, planes, begin, end):  # type: ignore[no-untyped-def]
    """:func:`to_planes` for the pixels from ``begin`` to ``end`` only."""
    channels = planes.shape[0]
    for c in range(channels):
        plane = planes[c]
        for i in range(begin, end):
            plane[U(i)] = image[U(channels * i + c)]


BLOCK = 1024
"""Pixels whose numbers are interleaved at a time: they stay in the fastest cache in between."""


@separate
def blend(  # type: ignore[no-untyped-def]
    work, scratch, sources, shares, spans, used, chosen, weights, height, width, planar, as_bytes, scale, bias,
    out_bytes, out_floats, sums, numbers, page, streamed,
):  # fmt: skip
    """Write the sum of ``shares[q] * work[sources[q]]`` over q < used, in the form asked for.

    work uint8[B, C, P], of which the buffer ``scratch`` is free; ``sources[0]`` is the clean image, from which
    the others differ in rows ``spans[q, 0]`` to ``spans[q, 1]`` only: elsewhere they need not be there, and their
    shares are the clean image's. ``out_bytes`` and ``out_floats`` are one image's output, flat; the one that is
    not asked for is not touched. ``streamed``: numbers go past the caches, by way of ``page`` float32[C * BLOCK].

    chosen and weights, of at least four places, sums uint32[C, P] and numbers float32[C, BLOCK] are scratch.
    """
    top = np.int64(0)
    while top < height:
        bottom = height
        count = np.int64(1)
        chosen[0], weights[0] = sources[0], shares[0]
        for q in range(1, used):
            if spans[q, 0] <= top < spans[q, 1]:
                chosen[count], weights[count] = sources[q], shares[q]
                count += 1
                bottom = min(bottom, spans[q, 1])
            else:
                weights[0] += shares[q]
                if top < spans[q, 0]:
                    bottom = min(bottom, spans[q, 0])
        if count > 1 and weights[0] == 0:
            count -= 1
            chosen[0], weights[0] = chosen[count], weights[count]
        weights[count:] = 0  # up to four images are read, and those that are missing must count for nothing
        _blend_run(
            work, scratch, chosen, weights, count, top * width, bottom * width, height * width, planar, as_bytes,
            scale, bias, out_bytes, out_floats, sums, numbers, page, streamed,
        )  # fmt: skip
        top = bottom


@helper
def _blend_run(  # type: ignore[no-untyped-def]
    work, scratch, sources, shares, used, begin, end, area, planar, as_bytes, scale, bias,
    out_bytes, out_floats, sums, numbers, page, streamed,
):  # fmt: skip
    """The same for pixels ``begin`` to ``end`` of ``area``, in all of which all sources differ."""
    channels = work.shape[1]
    if used > 4:
        for c in range(channels):
            _sum(work, sources, shares, used, c, begin, end - begin, sums[c])
            # Pixel i of channel c is at c * area + i in planes, at channels * i + c otherwise.
            start = c * area + begin if planar else channels * begin + c
            step = 1 if planar else channels
            _finish(sums[c], end - begin, as_bytes, scale[c], bias[c], start, step, out_bytes, out_floats)
        return
    direct = planar and not streamed
    size = end - begin if direct else BLOCK
    for first in range(begin, end, size):
        length = min(size, end - first)
        for c in range(channels):
            # Places without an image have a share of 0: what they read does not matter.
            p, r, s, t = work[sources[0], c], work[sources[1], c], work[sources[2], c], work[sources[3], c]
            at = np.int64(c * area + first if direct else 0)
            if as_bytes:
                target = out_bytes if direct else work[scratch, c]
                _blend_bytes(p, r, s, t, shares, used, first, length, target, at)
                continue
            floats = out_floats if direct else numbers[c]
            _blend_floats(p, r, s, t, shares, used, first, length, scale[c], bias[c], floats, at)
            if streamed and planar:
                stream(floats, length, out_floats, c * area + first)
        if planar:
            continue
        at = channels * first
        if as_bytes:
            _interleave_bytes(work[scratch], length, out_bytes, at)
        elif streamed:
            _interleave_floats(numbers, length, page, ZERO)
            stream(page, channels * length, out_floats, at)
        else:
            _interleave_floats(numbers, length, out_floats, at)


@helper
def _share(shares, q):  # type: ignore[no-untyped-def]
    # Of two or more images, none has a share of more than 15 bits; saying so lets LLVM multiply in 16-bit lanes.
    return U32(shares[q] & U32(0x7FFF))


@helper
def _to_byte(total):  # type: ignore[no-untyped-def]
    return U8(U32(total + U32(16384)) >> U32(15))


@separate
def _blend_bytes(p, r, s, t, shares, used, first, count, out, at):  # type: ignore[no-untyped-def]
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
def _blend_floats(p, r, s, t, shares, used, first, count, scale, bias, out, at):  # type: ignore[no-untyped-def]
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


@separate
def _interleave_bytes(planes, count, out, at):  # type: ignore[no-untyped-def]
    channels = planes.shape[0]
    if channels == 3:
        _join(planes, count, out, at, 3)
    elif channels == 1:
        _join(planes, count, out, at, 1)
    elif channels == 4:
        _join(planes, count, out, at, 4)
    elif channels == 8:
        _join(planes, count, out, at, 8)
    else:
        for c in range(channels):
            for i in range(count):
                out[U(at + channels * i + c)] = planes[U(c), U(i)]


@helper
def _join(planes, count, out, at, channels):  # type: ignore[no-untyped-def]
    for i in range(count):
        for c in range(channels):
            out[U(at + channels * i + c)] = planes[U(c), U(i)]


@separate
def _interleave_floats(planes, count, out, at):  # type: ignore[no-untyped-def]
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
def _sum(work, sources, shares, used, c, first, count, total):  # type: ignore[no-untyped-def]
    """Any number of images, one after the other."""
    for q in range(used):
        plane, share = work[sources[q], c], U32(shares[q])
        if q == 0:
            for i in range(count):
                total[U(i)] = U32(U32(plane[U(first + i)]) * share)
        else:
            for i in range(count):
                total[U(i)] = U32(total[U(i)] + U32(plane[U(first + i)]) * share)


@separate
def _finish(total, count, as_bytes, scale, bias, start, step, out_bytes, out_floats):  # type: ignore[no-untyped-def]
    if as_bytes:
        for i in range(count):
            out_bytes[U(start + step * i)] = _to_byte(total[U(i)])
    else:
        for i in range(count):
            out_floats[U(start + step * i)] = F(I32(total[U(i)])) * scale + bias
