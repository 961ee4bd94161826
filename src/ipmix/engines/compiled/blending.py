"""The edges of the kernel: pictures in, planes inside, the weighted sum out."""

import numpy as np

from ipmix.compiling import compiled_disjoint, inlined

U = np.uintp
U8 = np.uint8
U32 = np.uint32
I32 = np.int32
F = np.float32


@compiled_disjoint
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


@inlined
def _split(image, planes, count, channels, first, many):  # type: ignore[no-untyped-def]
    for i in range(count):
        for c in range(many):
            planes[U(first + c), U(i)] = image[U(channels * i + first + c)]


@compiled_disjoint
def rows_to_planes(image, planes, begin, end):  # type: ignore[no-untyped-def]
    """:func:`to_planes` for the pixels from ``begin`` to ``end`` only."""
    channels = planes.shape[0]
    for c in range(channels):
        plane = planes[c]
        for i in range(begin, end):
            plane[U(i)] = image[U(channels * i + c)]


BLOCK = 2048
"""Pixels whose numbers are interleaved at a time: they stay in the fastest cache in between."""


@compiled_disjoint
def blend(work, scratch, sources, shares, used, count, planar, as_bytes, scale, bias, out_bytes, out_floats, sums):  # type: ignore[no-untyped-def]
    """Write the sum of ``shares[q] * work[sources[q]]`` over q < used, in the form asked for.

    work uint8[B, C, P], of which the buffer ``scratch`` is free; sums uint32[C, P] is scratch; sources and shares
    have at least four places, unused shares are 0. ``out_bytes`` and ``out_floats`` are one picture's output, flat;
    the one that is not asked for is not touched.
    """
    channels = work.shape[1]
    if used > 4:
        for c in range(channels):
            _sum(work, sources, shares, used, c, count, sums[c])
            # Pixel i of channel c is at c * count + i in planes, at channels * i + c otherwise.
            start = c * count if planar else c
            step = 1 if planar else channels
            _finish(sums[c], count, as_bytes, scale[c], bias[c], start, step, out_bytes, out_floats)
        return
    numbers = sums.view(np.float32)
    size = count if planar else BLOCK
    for first in range(0, count, size):
        length = min(size, count - first)
        for c in range(channels):
            # Places without a picture have a share of 0: what they read does not matter.
            p, r, s, t = work[sources[0], c], work[sources[1], c], work[sources[2], c], work[sources[3], c]
            at = np.int64(c * count if planar else 0)
            if as_bytes:
                target = out_bytes if planar else work[scratch, c]
                _blend_bytes(p, r, s, t, shares, used, first, length, target, at)
            else:
                floats = out_floats if planar else numbers[c]
                _blend_floats(p, r, s, t, shares, used, first, length, scale[c], bias[c], floats, at)
        if not planar and as_bytes:
            _interleave_bytes(work[scratch], first, length, out_bytes)
        elif not planar:
            _interleave_floats(numbers, first, length, out_floats)


@inlined
def _share(shares, q):  # type: ignore[no-untyped-def]
    # Of two or more pictures, none has a share of more than 15 bits; saying so lets LLVM multiply in 16-bit lanes.
    return U32(shares[q] & U32(0x7FFF))


@inlined
def _to_byte(total):  # type: ignore[no-untyped-def]
    return U8(U32(total + U32(16384)) >> U32(15))


@compiled_disjoint
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


@compiled_disjoint
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


@compiled_disjoint
def _interleave_bytes(planes, first, count, out):  # type: ignore[no-untyped-def]
    channels = planes.shape[0]
    if channels == 3:
        _join(planes, first, count, out, 3)
    elif channels == 1:
        _join(planes, first, count, out, 1)
    elif channels == 4:
        _join(planes, first, count, out, 4)
    elif channels == 8:
        _join(planes, first, count, out, 8)
    else:
        for c in range(channels):
            for i in range(count):
                out[U(channels * (first + i) + c)] = planes[U(c), U(i)]


@inlined
def _join(planes, first, count, out, channels):  # type: ignore[no-untyped-def]
    at = channels * first
    for i in range(count):
        for c in range(channels):
            out[U(at + channels * i + c)] = planes[U(c), U(i)]


@compiled_disjoint
def _interleave_floats(planes, first, count, out):  # type: ignore[no-untyped-def]
    channels = planes.shape[0]
    if channels == 3:
        red, green, blue = planes[0], planes[1], planes[2]
        at = 3 * first
        for i in range(count):
            out[U(at + 3 * i)] = red[U(i)]
            out[U(at + 3 * i + 1)] = green[U(i)]
            out[U(at + 3 * i + 2)] = blue[U(i)]
        return
    for c in range(channels):
        plane = planes[c]
        for i in range(count):
            out[U(channels * (first + i) + c)] = plane[U(i)]


@compiled_disjoint
def _sum(work, sources, shares, used, c, count, total):  # type: ignore[no-untyped-def]
    """Any number of pictures, one after the other."""
    for q in range(used):
        plane, share = work[sources[q], c], U32(shares[q])
        if q == 0:
            for i in range(count):
                total[U(i)] = U32(U32(plane[U(i)]) * share)
        else:
            for i in range(count):
                total[U(i)] = U32(total[U(i)] + U32(plane[U(i)]) * share)


@compiled_disjoint
def _finish(total, count, as_bytes, scale, bias, start, step, out_bytes, out_floats):  # type: ignore[no-untyped-def]
    if as_bytes:
        for i in range(count):
            out_bytes[U(start + step * i)] = _to_byte(total[U(i)])
    else:
        for i in range(count):
            out_floats[U(start + step * i)] = F(I32(total[U(i)])) * scale + bias
