"""Flames' light to pixels: the smoothing of thin places, log-density tone mapping, the sky behind."""

import numpy as np

from ipmix.core.compiling import compiled
from ipmix.core.randomness import between, uniform
from ipmix.fractals.background import diamond_square, side_of
from ipmix.fractals.color import single_position
from ipmix.fractals.elementary import logarithm, single_logarithm, single_power


@compiled
def box_blur(light, size, radius, sideways, out):
    """The mean of ``light`` (float32[2 * size * size], pairs) over squares of 2 radius + 1, zero outside, to ``out``.

    ``sideways`` is a second buffer of the same shape.
    """
    scale = np.float32(1.0 / ((2 * radius + 1) * (2 * radius + 1)))
    n = np.uint64(2 * size)
    far = np.uint64(4 * radius)
    padded = np.zeros(2 * (size + 2 * radius), np.float32)
    for y in range(size):
        source = light[y * 2 * size :]
        line = sideways[y * 2 * size :]
        inner = padded[2 * radius :]
        for i in range(n):
            inner[i] = source[i]
        if radius == 1:
            for i in range(n):
                line[i] = padded[i] + padded[i + np.uint64(2)] + padded[i + far]
            continue
        for i in range(n):
            line[i] = padded[i] + padded[i + np.uint64(2)]
        for k in range(2, 2 * radius + 1):
            shifted = padded[2 * k :]
            for i in range(n):
                line[i] += shifted[i]
    # Down the columns: a running sum, to which one line is added and from which one is taken. Sums of whole
    # counts are exact; those of hues are rounded, the same everywhere.
    total = np.zeros(2 * size, np.float32)
    for y in range(min(radius, size)):
        line = sideways[y * 2 * size :]
        for i in range(n):
            total[i] += line[i]
    for y in range(size):
        target = out[y * 2 * size :]
        if y + radius < size:
            line = sideways[(y + radius) * 2 * size :]
            for i in range(n):
                total[i] += line[i]
        for i in range(n):
            target[i] = total[i] * scale
        if y >= radius:
            line = sideways[(y - radius) * 2 * size :]
            for i in range(n):
                total[i] -= line[i]


@compiled
def paint_light(state, palette, light, clouds, spare, image):
    """Tone-map ``light`` into ``image``, uint8[s, s, 3]: float32[4, 2 * s * s], of which the first row holds
    pairs of (count, sum of hues) and the others are overwritten, as ``clouds`` and ``spare`` are.

    A pixel's color is the palette's at its mean hue; its strength is the logarithm of its count, by a
    gamma. Where few points fell, a neighbourhood's count and hue stand in, which turns grain into glow.
    """
    size = image.shape[0]
    n = np.uint64(size)
    box_blur(light[0], size, 1, light[3], light[1])
    box_blur(light[1], size, 2, light[3], light[2])
    brightest = np.float32(0.0)
    total = 0.0
    for i in range(0, 2 * size * size, 2):
        total += light[0, i]
        brightest = max(brightest, light[1, i])
    exposure = np.float32(between(state, 2.0, 5.0) / max(total / (size * size), 1e-3))
    top = np.float32(1.0 / max(logarithm(1.0 + exposure * 0.6 * brightest), 1e-9))
    gamma = np.float32(1.0 / between(state, 1.6, 2.8))
    # Colors are lifted by a quarter: averaged hues are darker than the palette's light stops.
    white = np.float32(between(state, 0.0, 2.0))
    hue_spread = np.float32(between(state, 0.8, 1.6))
    side = side_of(size)
    diamond_square(state, between(state, 0.7, 1.1), clouds, spare)
    sky_shift = np.float32(uniform(state))
    sky_spread = np.float32(between(state, 0.15, 0.6))
    sky_light = np.float32(between(state, 0.35, 0.9) * 255.0)
    zero, one, full, half = np.float32(0.0), np.float32(1.0), np.float32(255.0), np.float32(0.5)
    third, sharp, soft = np.float32(1.0 / 3.0), np.float32(0.6), np.float32(0.4)
    least, knee = np.float32(1e-5), np.float32(0.7)
    most, lift = np.float32(0.8), np.float32(320.0)
    sums = np.empty((4, size), np.float32)
    own_light = np.empty(size, np.float32)
    dims = np.empty(size, np.float32)
    adds = np.empty(size, np.float32)
    entries = np.empty(size, np.int32)
    skies = np.empty(size, np.int32)
    colors = palette[2]
    behind = palette[8]
    for y in range(size):
        start = 2 * y * size
        _split(light[0, start:], light[1, start:], light[2, start:], n, sums)
        sky = clouds[y * side :]
        for x in range(n):
            # fill: 0 in empty places, 1 where at least 27 points fell around.
            near = sums[1, x]
            fill = min(near * third, one)
            count = fill * (sharp * sums[0, x] + soft * near) + (one - fill) * sums[3, x]
            bright = single_logarithm(one + exposure * count) * top
            strength = single_power(min(max(bright, least), one), gamma)
            entries[x] = single_position(hue_spread * sums[2, x])
            skies[x] = single_position(sky_shift + sky_spread * sky[x])
            dims[x] = (one - strength) * sky_light
            shine = min(max(strength - knee, zero) * white, most)
            own_light[x] = strength * (one - shine) * lift
            adds[x] = strength * shine * full + half
        for x in range(n):
            entry = np.uint64(entries[x])
            back = np.uint64(skies[x])
            own = own_light[x]
            dim = dims[x]
            add = adds[x]
            image[y, x, 0] = np.uint8(min(colors[entry, 0] * own + behind[back, 0] * dim + add, full))
            image[y, x, 1] = np.uint8(min(colors[entry, 1] * own + behind[back, 1] * dim + add, full))
            image[y, x, 2] = np.uint8(min(colors[entry, 2] * own + behind[back, 2] * dim + add, full))


@compiled
def _split(light, fine, wide, n, sums):
    # Pairs of a line to rows: counts here, near, the mean hue of near and far, counts far.
    third, one, tiny = np.float32(1.0 / 3.0), np.float32(1.0), np.float32(1e-6)
    two = np.uint64(2)
    for x in range(n):
        near = fine[two * x]
        far = wide[two * x]
        fill = min(near * third, one)
        weight = fill * near + (one - fill) * far + tiny
        hue = fill * fine[two * x + np.uint64(1)] + (one - fill) * wide[two * x + np.uint64(1)]
        sums[0, x] = light[two * x]
        sums[1, x] = near
        sums[2, x] = hue / weight
        sums[3, x] = far
