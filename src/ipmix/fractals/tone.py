"""Flames' light to pixels: the smoothing of thin places, log-density tone mapping, the sky behind."""

import numpy as np

from ipmix.compiling import compiled
from ipmix.fractals.background import diamond_square
from ipmix.fractals.colour import position
from ipmix.fractals.elementary import logarithm, power
from ipmix.randomness import between, uniform


@compiled
def box_blur(light, size, radius, rows, out):  # type: ignore[no-untyped-def]
    """The mean of ``light`` (float32[size * size, 2]) over squares of 2 radius + 1, zero outside, to ``out``.

    ``rows`` is a second buffer of the same shape.
    """
    scale = np.float32(1.0 / ((2 * radius + 1) * (2 * radius + 1)))
    n = np.uint64(2 * size)
    source = light.reshape(size, 2 * size)
    sideways = rows.reshape(size, 2 * size)
    target = out.reshape(size, 2 * size)
    padded = np.zeros(2 * (size + 2 * radius), np.float32)
    for y in range(size):
        padded[2 * radius : 2 * radius + 2 * size] = source[y]
        line = sideways[y]
        line[:] = np.float32(0.0)
        for k in range(2 * radius + 1):
            shifted = padded[2 * k :]
            for i in range(n):
                line[i] += shifted[i]
    for y in range(size):
        line = target[y]
        line[:] = np.float32(0.0)
        for other in range(max(y - radius, 0), min(y + radius, size - 1) + 1):
            above = sideways[other]
            for i in range(n):
                line[i] += above[i] * scale


@compiled
def paint_light(state, palette, light, picture):  # type: ignore[no-untyped-def]
    """Tone-map ``light``, float32[s * s, 2] of (count, sum of hues), into ``picture``, uint8[s, s, 3].

    A pixel's colour is the palette's at its mean hue; its strength is the logarithm of its count, by a
    gamma. Where few points fell, a neighbourhood's count and hue stand in, which turns grain into glow.
    """
    size = picture.shape[0]
    n = np.uint64(size * size)
    fine = np.empty(light.shape, np.float32)
    wide = np.empty(light.shape, np.float32)
    rows = np.empty(light.shape, np.float32)
    box_blur(light, size, 1, rows, fine)
    box_blur(fine, size, 2, rows, wide)
    brightest = 0.0
    total = 0.0
    for i in range(n):
        total += light[i, 0]
        brightest = max(brightest, float(fine[i, 0]))
    exposure = between(state, 2.0, 5.0) / max(total / n, 1e-3)
    top = 1.0 / max(logarithm(1.0 + exposure * 0.6 * brightest), 1e-9)
    gamma = 1.0 / between(state, 1.6, 2.8)
    # Colours are lifted by a quarter: averaged hues are darker than the palette's light stops.
    white = between(state, 0.0, 2.0)
    hue_spread = between(state, 0.8, 1.6)
    side = 4
    while side < size:
        side *= 2
    sky = np.empty((side, side))
    diamond_square(state, between(state, 0.7, 1.1), sky)
    sky_shift = uniform(state)
    sky_spread = between(state, 0.15, 0.6)
    sky_light = between(state, 0.35, 0.9)
    strengths = np.empty(size)
    entries = np.empty(size, np.int64)
    skies = np.empty(size, np.int64)
    for y in range(size):
        part = slice(y * size, (y + 1) * size)
        sharp = light[part]
        near = fine[part]
        far = wide[part]
        clouds = sky[y]
        for x in range(np.uint64(size)):
            # 0 in empty places, 1 where at least 27 points fell around.
            fill = min(np.float64(near[x, 0]) / 3.0, 1.0)
            smooth = 0.6 * sharp[x, 0] + 0.4 * near[x, 0]
            count = fill * smooth + (1.0 - fill) * far[x, 0]
            strengths[x] = power(min(logarithm(1.0 + exposure * count) * top, 1.0), gamma)
            weight = fill * near[x, 0] + (1.0 - fill) * far[x, 0] + 1e-6
            hue = (fill * near[x, 1] + (1.0 - fill) * far[x, 1]) / weight
            entries[x] = position(hue_spread * hue)
            skies[x] = position(sky_shift + sky_spread * clouds[x])
        for x in range(np.uint64(size)):
            entry = np.uint64(entries[x])
            behind = np.uint64(skies[x])
            strength = strengths[x]
            dim = (1.0 - strength) * sky_light * 255.0
            shine = min(max(strength - 0.7, 0.0) * white, 0.8)
            own = strength * (1.0 - shine) * 320.0
            add = strength * shine * 255.0 + 0.5
            picture[y, x, 0] = np.uint8(min(palette[2, entry, 0] * own + palette[8, behind, 0] * dim + add, 255.0))
            picture[y, x, 1] = np.uint8(min(palette[2, entry, 1] * own + palette[8, behind, 1] * dim + add, 255.0))
            picture[y, x, 2] = np.uint8(min(palette[2, entry, 2] * own + palette[8, behind, 2] * dim + add, 255.0))
