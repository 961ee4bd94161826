"""From escape counts and trap values to colors: palette position, blur, glow along the trap, relief."""

import numpy as np

from ipmix.core.compiling import compiled
from ipmix.core.randomness import between, uniform
from ipmix.fractals.color import LEVELS, PALETTE_SIZE, blur_level, single_position
from ipmix.fractals.elementary import cosine_of_turns, logarithm, sine_of_turns, single_logarithm
from ipmix.fractals.orbits import BAILOUT
from ipmix.fractals.pixels import light_up

CYCLES, SHIFT, TRAP_SHARE, GLOW, RELIEF, LIGHT_TURN, INSIDE_SHIFT = range(7)
SHADES = 7


@compiled
def draw_shading(state, p):
    """Draw how an image is colored: by escape count, by trap or by both; with glow, with relief."""
    style = uniform(state)
    p[SHIFT] = uniform(state)
    p[INSIDE_SHIFT] = uniform(state)
    p[LIGHT_TURN] = uniform(state)
    p[CYCLES] = between(state, 0.6, 1.8)
    p[GLOW] = between(state, 0.5, 1.0) if uniform(state) < 0.4 else 0.0
    p[RELIEF] = between(state, 0.3, 0.8) if uniform(state) < 0.6 else 0.0
    if style < 0.3:
        p[TRAP_SHARE] = 0.0
    elif style < 0.7:
        p[TRAP_SHARE] = 1.0
    else:
        p[TRAP_SHARE] = between(state, 0.3, 0.7)


@compiled
def _moments(turns, glows, counts):
    """(mean, 1 / deviation) of the escape count outside, of the trap outside and inside: every fourth pixel."""
    # Nine sums in registers: a pixel adds zero to those that are not its own.
    outside = turn_sum = turn_squares = 0.0
    glow_out = squares_out = glow_in = squares_in = 0.0
    for i in range(0, counts.size, 4):
        inside = counts[i] < 0
        turn = 0.0 if inside else np.float64(turns[i])
        glow = np.float64(glows[i])
        out = 0.0 if inside else glow
        within = glow if inside else 0.0
        outside += 0.0 if inside else 1.0
        turn_sum += turn
        turn_squares += turn * turn
        glow_out += out
        squares_out += out * out
        glow_in += within
        squares_in += within * within
    total = (counts.size + 3) // 4
    sums = (
        (outside, turn_sum, turn_squares),
        (outside, glow_out, squares_out),
        (total - outside, glow_in, squares_in),
    )
    moments = np.zeros((3, 2), np.float32)
    for k in range(3):
        moments[k, 1] = 1.0
        if sums[k][0] > 0.0:
            mean = sums[k][1] / sums[k][0]
            moments[k, 0] = mean
            moments[k, 1] = 1.0 / np.sqrt(max(sums[k][2] / sums[k][0] - mean * mean, 1e-6))
    return moments


@compiled
def positions(degree, p, counts, norms, traps, turns, glows):
    """Every pixel's place on the palette (``turns``) and closeness to the trap (``glows``, 0..1): float32[n]."""
    n = np.uint64(counts.size)
    by_bailout = np.float32(1.0 / logarithm(BAILOUT))
    by_degree = np.float32(1.0 / logarithm(degree))
    zero, one, two = np.float32(0.0), np.float32(1.0), np.float32(2.0)
    least, most = np.float32(1e-7), np.float32(1e3)
    for i in range(n):
        # The continuous escape count: it grows by less where the bailout was overshot.
        over = max(single_logarithm(max(np.float32(norms[i]), one)) * by_bailout, one)
        count = np.float32(counts[i]) + one - single_logarithm(over) * by_degree
        turns[i] = single_logarithm(max(two + count, one))
        glows[i] = single_logarithm(min(max(np.float32(traps[i]), least), most))
    moments = _moments(turns, glows, counts)
    outer_mean, outer_scale = moments[0, 0], moments[0, 1]
    trap_mean, trap_scale = moments[1, 0], moments[1, 1]
    inner_mean, inner_scale = moments[2, 0], moments[2, 1]
    cycles = np.float32(0.4 * p[CYCLES])
    share = np.float32(p[TRAP_SHARE])
    shift = np.float32(p[SHIFT])
    inside_shift = np.float32(p[SHIFT] + p[INSIDE_SHIFT])
    slope, start = np.float32(-0.6), np.float32(-0.48)
    for i in range(n):
        inside = counts[i] < 0
        trap = (glows[i] - inner_mean) * inner_scale if inside else (glows[i] - trap_mean) * trap_scale
        outer = (turns[i] - outer_mean) * outer_scale
        mixed = trap if inside else outer + share * (trap - outer)
        turns[i] = cycles * mixed + (inside_shift if inside else shift)
        glows[i] = min(max(slope * trap + start, zero), one)


@compiled
def shade(degree, p, palette, counts, norms, traps, turns, glows, image):
    """Color the fields of :func:`orbits.iterate` into ``image``, uint8[s, s, 3].

    The palette is blurred by how far its place moves within a pixel; relief fades out where that is far,
    for a slope that changes from pixel to pixel is noise. ``turns`` and ``glows``, float32[s * s], are overwritten;
    ``palette`` is :func:`color.new_palette`'s.
    """
    size = image.shape[0]
    n = np.uint64(size)
    positions(degree, p, counts, norms, traps, turns, glows)
    field = turns.reshape(size, size)
    colors = palette.reshape(LEVELS * PALETTE_SIZE * 3)
    pixels = image.reshape(size * size * 3)
    three = np.uint64(3)
    light_x = np.float32(cosine_of_turns(p[LIGHT_TURN]) * p[RELIEF])
    light_y = np.float32(sine_of_turns(p[LIGHT_TURN]) * p[RELIEF])
    shine = np.float32(p[GLOW])
    steepness = np.float32(6.0 * size / 256.0)
    half, one, full = np.float32(0.5), np.float32(1.0), np.float32(255.0)
    flat = np.float32(0.7)
    fading = np.float32(1.0 / LEVELS)
    entries = np.empty(size, np.int32)
    lights = np.empty(size, np.float32)
    adds = np.empty(size, np.float32)
    padded = np.empty(size + 2, np.float32)
    for y in range(size):
        above = field[max(y - 1, 0)]
        here = field[y]
        under = field[min(y + 1, size - 1)]
        glow = glows[y * size : (y + 1) * size]
        padded[1 : size + 1] = here
        padded[0] = here[0]
        padded[size + 1] = here[size - 1]
        for x in range(n):
            dx = padded[x + np.uint64(2)] - padded[x]
            dy = under[x] - above[x]
            level = blur_level(half * (abs(dx) + abs(dy)))
            entries[x] = level * np.int32(PALETTE_SIZE) + single_position(here[x])
            dx *= steepness
            dy *= steepness
            fade = one - np.float32(level) * fading
            glare = shine * glow[x]
            light = one + fade * (dx * light_x + dy * light_y) / (flat + abs(dx) + abs(dy))
            lights[x] = light * (one - glare) * full
            adds[x] = glare * full + half
        # The image's last pixel has none behind it that a fourth byte could be written to.
        whole = np.uint64(size - 1 if y == size - 1 else size)
        for x in range(whole):
            light_up(colors, np.uint64(entries[x]), lights[x], adds[x], pixels, three * (np.uint64(y) * n + x))
    last = size - 1
    for c in range(3):
        value = colors[3 * entries[last] + c] * lights[last] + adds[last]
        image[last, last, c] = np.uint8(min(value, full))
