"""Clouds behind a fractal: the diamond-square algorithm on a torus, colored by hue, saturation and value.

Formulas: the public code of Anderson and Farrell, "Improving Fractal Pre-training" (WACV 2022).
"""

import numpy as np

from ipmix.core.compiling import compiled, inlined
from ipmix.core.randomness import between, bits, mask_hash, uniform
from ipmix.fractals.color import byte, hue_channel
from ipmix.fractals.elementary import exponential
from ipmix.fractals.pixels import put

HEIGHTS = 1024


@compiled
def side_of(size):
    """The side of the clouds behind an image of ``size`` pixels: the next power of two, at least 4."""
    side = 4
    while side < size:
        side *= 2
    return side


@compiled
def diamond_square(state, decay, clouds, spare):
    """Fill ``clouds`` (float32[s * s], s a power of two, row by row) with a fractal height field in [0, 1].

    The k-th halving adds noise of +-0.5 exp(decay (1 - k)); edges wrap around. ``spare``: float32[2 * s * s].
    """
    total = clouds.size
    # Each level is read from one buffer and written, twice as fine, to the other, with nothing but unit steps.
    old = clouds
    new = spare[:total]
    centres = spare[total:]
    levels = 0
    while (1 << (2 * levels)) < total:
        levels += 1
    if levels % 2 == 1:
        old = spare[:total]
        new = clouds
    old[0] = uniform(state)
    for k in range(1, levels + 1):
        side = 1 << (k - 1)
        amplitude = np.float32(exponential(decay * (1.0 - k) * 1.4426950408889634) / 65536.0)
        _refine(old, new, centres, side, amplitude, np.uint32(bits(state) >> np.uint64(32)))
        old, new = new, old
    _stretch(clouds)


@compiled
def _refine(old, new, centres, side, amplitude, seed):
    # One halving: old is side x side, new twice as wide. Noise is 16 hashed bits, finer than the 1024 heights.
    n = np.uint64(side)
    last = n - np.uint64(1)
    one = np.uint64(1)
    quarter = np.float32(0.25)
    low = np.uint32(0xFFFF)
    half = np.float32(32768.0)
    # Rows that repeat their other end, so that no index need be wrapped in a loop.
    here = np.empty(side + 1, np.float32)
    under = np.empty(side + 1, np.float32)
    middle = np.empty(side + 1, np.float32)
    for y in range(n):
        _copy_closed(old[y * n :], n, here)
        _copy_closed(old[((y + one) & last) * n :], n, under)
        line = centres[y * n :]
        for x in range(n):
            noise = np.float32(mask_hash(seed, y * n + x) & low) - half
            line[x] = quarter * (here[x] + here[x + one] + under[x] + under[x + one]) + amplitude * noise
    other = np.uint32(seed ^ np.uint32(0x5BD1E995))
    for y in range(n):
        _copy_closed(old[y * n :], n, here)
        under = old[((y + one) & last) * n :]
        line = centres[y * n :]
        above = centres[((y - one) & last) * n :]
        middle[0] = line[last]
        for x in range(n):
            middle[x + one] = line[x]
        upper = new[(y + y) * (n + n) :]
        lower = new[(y + y + one) * (n + n) :]
        for x in range(n):
            drawn = mask_hash(other, y * n + x)
            across = amplitude * (np.float32(drawn & low) - half)
            along = amplitude * (np.float32(drawn >> np.uint32(16)) - half)
            upper[x + x] = here[x]
            upper[x + x + one] = quarter * (here[x] + here[x + one] + line[x] + above[x]) + across
            lower[x + x] = quarter * (here[x] + under[x] + middle[x] + middle[x + one]) + along
            lower[x + x + one] = line[x]


@compiled
def _copy_closed(row, n, out):
    for x in range(n):
        out[x] = row[x]
    out[n] = row[0]


@compiled
def _stretch(clouds):
    # To [0, 1]. Least and largest are kept per place in a row of 64: one of each for all could not be vectorised.
    width = np.uint64(min(64, clouds.size))
    least = clouds[:64].copy()
    most = clouds[:64].copy()
    for start in range(np.uint64(0), np.uint64(clouds.size), width):
        row = clouds[start:]
        for x in range(width):
            least[x] = row[x] if row[x] < least[x] else least[x]
            most[x] = row[x] if row[x] > most[x] else most[x]
    low = least.min()
    scale = np.float32(1.0) / max(most.max() - low, np.float32(1e-9))
    for i in range(np.uint64(clouds.size)):
        clouds[i] = (clouds[i] - low) * scale


@compiled
def paint_background(state, image, clouds, spare):
    """Fill ``image`` (uint8[h, w, 3]) with colored clouds.

    ``clouds`` (float32[s * s], s from :func:`side_of`) and ``spare`` (twice as much) are overwritten.
    """
    height, width, _ = image.shape
    side = side_of(max(height, width))
    diamond_square(state, between(state, 0.4, 0.8), clouds, spare)
    hue_scale = between(state, 0.25, 1.0)
    hue_shift = uniform(state)
    saturation_scale = between(state, 0.1, 0.3)
    saturation_shift = between(state, 0.4, 0.6)
    value_scale = between(state, 0.3, 0.6)
    value_shift = between(state, 0.4, 0.6)
    # Every color is a function of the cloud's height: worked out once per height, three bytes of a word.
    table = np.empty(HEIGHTS, np.uint32)
    for n in range(HEIGHTS):
        cloud = n / (HEIGHTS - 1.0)
        hue = hue_scale * cloud + hue_shift
        saturation = min(saturation_scale * cloud + saturation_shift, 1.0)
        value = min(value_scale * cloud + value_shift, 1.0)
        word = np.uint32(0)
        for c in range(3):
            word |= np.uint32(byte(hue_channel(hue, saturation, value, c))) << np.uint32(8 * c)
        table[n] = word
    scale = np.float32(HEIGHTS - 1.0)
    pixels = image.reshape(height * width * 3)
    for y in range(height):
        line = clouds[y * side :]
        # The image's last pixel has none behind it that a fourth byte could be written to.
        whole = width - 1 if y == height - 1 else width
        first = np.uint64(3 * y * width)
        for x in range(np.uint64(whole)):
            put(pixels, first + np.uint64(3) * x, table[_height(line[x], scale)])
    last = table[_height(clouds[(height - 1) * side + width - 1], scale)]
    for c in range(3):
        image[height - 1, width - 1, c] = np.uint8(last >> np.uint32(8 * c))


@inlined
def _height(cloud, scale):
    return np.uint64(np.int32(cloud * scale + np.float32(0.5)))
