"""Operations that map each byte by itself: as arithmetic where that is cheap, else as a table of 256 bytes.

Planes are ``uint8[C, P]``: C channels of height * width bytes in rows, and padding. Work is done for rows
``top`` to ``bottom``, counted as bytes ``first`` to ``last`` of every channel. Indices are unsigned (``U``):
a signed index could be negative, which stops LLVM from vectorising.
"""

import numpy as np

from ipmix.core.compiling import helper, separate
from ipmix.recipe.operations import AUTOCONTRAST, BRIGHTNESS, EQUALIZE, INVERT, POSTERIZE, SOLARIZE

U = np.uintp
F = np.float32


@helper
def is_arithmetic(code):
    """Whether :func:`arithmetic` knows the operation."""
    return code == POSTERIZE or code == SOLARIZE or code == INVERT


@helper
def is_table(code):
    """Whether the operation needs a table that depends on the channel's histogram or its level."""
    return code == EQUALIZE or code == AUTOCONTRAST or code == BRIGHTNESS


@separate
def arithmetic(code, level, source, target, first, last):
    """Posterize, solarize or invert bytes ``first`` to ``last`` of every channel.

    All three are ``v ^ flip`` or ``v & keep``, flip being 255 where v is at least the threshold.
    """
    keep, threshold = _arithmetic_constants(code, level)
    for c in range(source.shape[0]):
        if code == POSTERIZE:
            for i in range(first, last):
                target[U(c), U(i)] = source[U(c), U(i)] & keep
        else:
            for i in range(first, last):
                v = source[U(c), U(i)]
                target[U(c), U(i)] = ~v if v >= threshold else v


@helper
def _arithmetic_constants(code, level):
    keep = np.uint8(255)
    threshold = np.uint16(0)
    if code == POSTERIZE:
        keep = np.uint8(256 - (1 << (8 - min(max(int(level), 0), 8))))
    elif code == SOLARIZE:
        threshold = np.uint16(min(max(int(level), 0), 256))
    return keep, threshold


@separate
def histograms(source, count, counts, work):
    """Count the bytes 0 .. count-1 of every channel: ``counts`` int32[C, 256]; ``work`` int32[1024]."""
    for c in range(source.shape[0]):
        work[:] = 0
        whole = count // 4 * 4
        # Four tables: neighbouring pixels are often equal, and would wait for each other's increment.
        for i in range(0, whole, 4):
            work[source[U(c), U(i)]] += 1
            work[U(256) + source[U(c), U(i + 1)]] += 1
            work[U(512) + source[U(c), U(i + 2)]] += 1
            work[U(768) + source[U(c), U(i + 3)]] += 1
        for i in range(whole, count):
            work[source[U(c), U(i)]] += 1
        for v in range(256):
            counts[U(c), U(v)] = work[U(v)] + work[U(256 + v)] + work[U(512 + v)] + work[U(768 + v)]


@separate
def extremes(source, count, counts):
    """Histograms that are right about the smallest and the largest byte only: 28 times as fast as whole ones."""
    for c in range(source.shape[0]):
        low, high = np.uint8(255), np.uint8(0)
        for i in range(count):
            low = min(low, source[U(c), U(i)])
            high = max(high, source[U(c), U(i)])
        counts[c, :] = 0
        counts[U(c), low] = 1
        counts[U(c), high] = 1


@separate
def push_forward(table, counts, pushed):
    """The histograms of an image after ``table``, from those before it; all int32[C, 256]."""
    for c in range(table.shape[0]):
        pushed[c, :] = 0
        for v in range(256):
            pushed[c, table[c, U(v)]] += counts[c, U(v)]


@separate
def make_table(code, level, counts, table, sums):
    """The table, uint8[C, 256], of any operation of this file; ``counts`` int32[C, 256] where it is needed.

    ``sums`` int32[256] is scratch.
    """
    for c in range(table.shape[0]):
        if code == EQUALIZE:
            _equalize(counts, c, table, sums)
        elif code == AUTOCONTRAST:
            _autocontrast(counts, c, level, table)
        elif code == BRIGHTNESS:
            blend_table(np.int64(0), level, table, c)
        else:
            keep, threshold = _arithmetic_constants(code, level)
            for v in range(256):
                table[U(c), U(v)] = 255 - v if v >= threshold and code != POSTERIZE else v & keep


@separate
def _equalize(counts, c, table, sums):
    """Pillow's ``ImageOps.equalize``: spread the cumulative histogram over 0 .. 255."""
    total = np.int32(0)
    for v in range(256):
        sums[U(v)] = total
        total += counts[U(c), U(v)]
    last = 255
    while last > 0 and counts[U(c), U(last)] == 0:
        last -= 1
    step = (total - counts[U(c), U(last)]) // 255
    if step == 0:  # also where all pixels are equal
        for v in range(256):
            table[U(c), U(v)] = v
        return
    half = step // 2
    # Dividing whole numbers through float64: half a unit keeps the quotient off the edge.
    inverse = 1.0 / step
    for v in range(256):
        table[U(c), U(v)] = np.uint8(min(np.int32((np.float64(sums[U(v)] + half) + 0.5) * inverse), np.int32(255)))


@separate
def _autocontrast(counts, c, cutoff, table):
    """Pillow's ``ImageOps.autocontrast`` with a cutoff in percent at either end."""
    total = 0
    for v in range(256):
        total += counts[U(c), U(v)]
    cut = np.int64(np.floor(total * np.float64(cutoff) / 100.0))
    low = _skip(counts, c, cut, np.int64(0), np.int64(1))
    high = _skip(counts, c, cut, np.int64(255), np.int64(-1))
    if high <= low:
        for v in range(256):
            table[U(c), U(v)] = v
        return
    scale = 255.0 / (high - low)
    offset = -low * scale
    for v in range(256):
        table[U(c), U(v)] = min(max(int(v * scale + offset), 0), 255)


@separate
def _skip(counts, c, cut, start, direction):
    """The first value, seen from one end, of which more than ``cut`` pixels are left to count."""
    v = start
    while 0 <= v < 256:
        here = np.int64(counts[U(c), U(v)])
        if here > cut:
            return v
        cut -= here
        v += direction
    # Nothing is left: Pillow then takes the opposite end, so that low >= high and the image stays.
    return 255 if direction > 0 else 0


@separate
def blend_table(grey, factor, table, c):
    """``grey + factor * (v - grey)`` for every byte v, in float32, cut and clipped as ``Image.blend`` does."""
    g = F(grey)
    f = F(factor)
    for v in range(256):
        table[U(c), U(v)] = np.uint8(min(max(g + f * (F(v) - g), F(0)), F(255)))
