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
    if channels == 3:
        red, green, blue = planes[0], planes[1], planes[2]
        for i in range(count):
            red[U(i)] = image[U(3 * i)]
            green[U(i)] = image[U(3 * i + 1)]
            blue[U(i)] = image[U(3 * i + 2)]
    else:
        for c in range(channels):
            plane = planes[c]
            for i in range(count):
                plane[U(i)] = image[U(channels * i + c)]


@compiled_disjoint
def blend(work, scratch, sources, shares, used, count, planar, as_bytes, scale, bias, out_bytes, out_floats, sums):  # type: ignore[no-untyped-def]
    """Write the sum of ``shares[q] * work[sources[q]]`` over q < used, in the form asked for.

    work uint8[B, C, P], of which the buffer ``scratch`` is free; sums uint32[C, P] is scratch;
    sources and shares have at least four places, unused shares are 0. ``out_bytes`` and
    ``out_floats`` are one picture's output, flat; the one that is not asked for is not touched.
    """
    channels = work.shape[1]
    if used <= 4 and (planar or as_bytes):
        for c in range(channels):
            # Places without a picture have a share of 0: what they read does not matter.
            p, r, s, t = work[sources[0], c], work[sources[1], c], work[sources[2], c], work[sources[3], c]
            if as_bytes:
                target = out_bytes[c * count : (c + 1) * count] if planar else work[scratch, c]
                _blend_bytes(p, r, s, t, shares, used, count, target)
            else:
                _blend_floats(
                    p, r, s, t, shares, used, count, scale[c], bias[c], out_floats[c * count : (c + 1) * count]
                )
        if not planar:
            _interleave(work[scratch], count, out_bytes)
        return
    for c in range(channels):
        _sum(work, sources, shares, used, c, count, sums[c])
    for c in range(channels):
        # Pixel i of channel c is at c * count + i in planes, at channels * i + c otherwise.
        start, step = (c * count, 1) if planar else (c, channels)
        _finish(sums[c], count, as_bytes, scale[c], bias[c], start, step, out_bytes, out_floats)


@inlined
def _share(shares, q):  # type: ignore[no-untyped-def]
    # Of two or more pictures, none has a share of more than 15 bits; saying so lets LLVM multiply in 16-bit lanes.
    return U32(shares[q] & U32(0x7FFF))


@inlined
def _to_byte(total):  # type: ignore[no-untyped-def]
    return U8(U32(total + U32(16384)) >> U32(15))


@compiled_disjoint
def _blend_bytes(p, r, s, t, shares, used, count, out):  # type: ignore[no-untyped-def]
    p1, r1, s1, t1 = _share(shares, 0), _share(shares, 1), _share(shares, 2), _share(shares, 3)
    if used == 1:
        for i in range(count):
            out[U(i)] = p[U(i)]
    elif used == 2:
        for i in range(count):
            out[U(i)] = _to_byte(U32(p[U(i)]) * p1 + U32(r[U(i)]) * r1)
    elif used == 3:
        for i in range(count):
            out[U(i)] = _to_byte(U32(p[U(i)]) * p1 + U32(r[U(i)]) * r1 + U32(s[U(i)]) * s1)
    else:
        for i in range(count):
            out[U(i)] = _to_byte(U32(p[U(i)]) * p1 + U32(r[U(i)]) * r1 + U32(s[U(i)]) * s1 + U32(t[U(i)]) * t1)


@compiled_disjoint
def _blend_floats(p, r, s, t, shares, used, count, scale, bias, out):  # type: ignore[no-untyped-def]
    p1, r1, s1, t1 = _share(shares, 0), _share(shares, 1), _share(shares, 2), _share(shares, 3)
    if used == 1:
        for i in range(count):
            out[U(i)] = F(U32(p[U(i)]) << U32(15)) * scale + bias
    elif used == 2:
        for i in range(count):
            out[U(i)] = F(I32(U32(p[U(i)]) * p1 + U32(r[U(i)]) * r1)) * scale + bias
    elif used == 3:
        for i in range(count):
            out[U(i)] = F(I32(U32(p[U(i)]) * p1 + U32(r[U(i)]) * r1 + U32(s[U(i)]) * s1)) * scale + bias
    else:
        for i in range(count):
            total = U32(p[U(i)]) * p1 + U32(r[U(i)]) * r1 + U32(s[U(i)]) * s1 + U32(t[U(i)]) * t1
            out[U(i)] = F(I32(total)) * scale + bias


@compiled_disjoint
def _interleave(planes, count, out):  # type: ignore[no-untyped-def]
    channels = planes.shape[0]
    if channels == 3:
        red, green, blue = planes[0], planes[1], planes[2]
        for i in range(count):
            out[U(3 * i)] = red[U(i)]
            out[U(3 * i + 1)] = green[U(i)]
            out[U(3 * i + 2)] = blue[U(i)]
        return
    for c in range(channels):
        plane = planes[c]
        for i in range(count):
            out[U(channels * i + c)] = plane[U(i)]


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
