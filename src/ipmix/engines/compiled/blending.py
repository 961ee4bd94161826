"""The edges of the kernel: pictures in, planes inside, the weighted sum out."""

import numpy as np

from ipmix.compiling import compiled

U = np.uintp
I32 = np.int32

BLOCK = 1024
"""Pixels summed at a time: the sums of a block stay in the fastest cache."""


@compiled
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


@compiled
def blend(work, sources, shares, used, count, planar, as_bytes, scale, bias, out_bytes, out_floats, sums):  # type: ignore[no-untyped-def]
    """Write the sum of ``shares[q] * work[sources[q]]`` over q < used, in the form asked for.

    work uint8[B, C, P]; shares int32; sums int32[C, BLOCK] is scratch. ``out_bytes`` and ``out_floats`` are one
    picture's output, flat; the one that is not asked for is not touched.
    """
    channels = work.shape[1]
    for first in range(0, count, BLOCK):
        size = min(BLOCK, count - first)
        for c in range(channels):
            total = sums[c]
            _sum(work, sources, shares, used, c, first, size, total)
            if planar:
                at = c * count + first
                if as_bytes:
                    for i in range(size):
                        out_bytes[U(at + i)] = np.uint8((total[U(i)] + I32(16384)) >> I32(15))
                else:
                    for i in range(size):
                        out_floats[U(at + i)] = np.float32(total[U(i)]) * scale[c] + bias[c]
        if not planar:
            _interleave(sums, first, size, channels, as_bytes, scale, bias, out_bytes, out_floats)


@compiled
def _sum(work, sources, shares, used, c, first, size, total):  # type: ignore[no-untyped-def]
    for q in range(used):
        plane = work[sources[q], c]
        share = I32(shares[q] & 0xFFFF)
        if q == 0:
            for i in range(size):
                total[U(i)] = I32(plane[U(first + i)]) * share
        else:
            for i in range(size):
                total[U(i)] += I32(plane[U(first + i)]) * share


@compiled
def _interleave(sums, first, size, channels, as_bytes, scale, bias, out_bytes, out_floats):  # type: ignore[no-untyped-def]
    at = first * channels
    if as_bytes:
        if channels == 3:
            red, green, blue = sums[0], sums[1], sums[2]
            for i in range(size):
                out_bytes[U(at + 3 * i)] = np.uint8((red[U(i)] + I32(16384)) >> I32(15))
                out_bytes[U(at + 3 * i + 1)] = np.uint8((green[U(i)] + I32(16384)) >> I32(15))
                out_bytes[U(at + 3 * i + 2)] = np.uint8((blue[U(i)] + I32(16384)) >> I32(15))
        else:
            for c in range(channels):
                total = sums[c]
                for i in range(size):
                    out_bytes[U(at + channels * i + c)] = np.uint8((total[U(i)] + I32(16384)) >> I32(15))
    else:
        for c in range(channels):
            total = sums[c]
            for i in range(size):
                out_floats[U(at + channels * i + c)] = np.float32(total[U(i)]) * scale[c] + bias[c]
