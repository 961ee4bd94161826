"""From escape counts and trap values to colours: palette position, blur, glow along the trap, relief."""

import numpy as np

from ipmix.compiling import compiled
from ipmix.fractals.colour import LEVELS, blur_level, position
from ipmix.fractals.elementary import cosine_of_turns, logarithm, rough_logarithm, sine_of_turns
from ipmix.fractals.orbits import BAILOUT
from ipmix.randomness import between, uniform

CYCLES, SHIFT, TRAP_SHARE, GLOW, RELIEF, LIGHT_TURN, INSIDE_SHIFT = range(7)
SHADES = 7


@compiled
def draw_shading(state, p):  # type: ignore[no-untyped-def]
    """Draw how a picture is coloured: by escape count, by trap or by both; with glow, with relief."""
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
def _standardise(values, counts, wanted):  # type: ignore[no-untyped-def]
    # (mean, 1 / deviation) of the pixels that escaped (wanted 1), did not (0) or all (2); every third pixel.
    n = 0
    total = 0.0
    squares = 0.0
    for i in range(0, values.size, 3):
        if wanted == 2 or (counts[i] >= 0) == (wanted == 1):
            n += 1
            total += values[i]
            squares += values[i] * values[i]
    if n == 0:
        return 0.0, 1.0
    mean = total / n
    return mean, 1.0 / np.sqrt(max(squares / n - mean * mean, 1e-6))


@compiled
def positions(degree, p, counts, norms, traps, turns, glows):  # type: ignore[no-untyped-def]
    """Every pixel's place on the palette (``turns``) and closeness to the trap (``glows``, 0..1)."""
    n = np.uint64(counts.size)
    by_bailout = 1.0 / logarithm(BAILOUT)
    by_degree = 1.0 / logarithm(degree)
    for i in range(n):
        # The continuous escape count: it grows by less where the bailout was overshot.
        over = max(rough_logarithm(np.float64(norms[i])) * by_bailout, 1.0)
        count = np.float64(counts[i]) + 1.0 - rough_logarithm(over) * by_degree
        turns[i] = rough_logarithm(max(2.0 + count, 1.0))
        glows[i] = rough_logarithm(min(max(np.float64(traps[i]), 1e-7), 1e3))
    outer_mean, outer_scale = _standardise(turns, counts, 1)
    trap_mean, trap_scale = _standardise(glows, counts, 1)
    inner_mean, inner_scale = _standardise(glows, counts, 0)
    cycles = 0.4 * p[CYCLES]
    share = p[TRAP_SHARE]
    shift = p[SHIFT]
    inside_shift = p[SHIFT] + p[INSIDE_SHIFT]
    for i in range(n):
        inside = counts[i] < 0
        trap = (glows[i] - inner_mean) * inner_scale if inside else (glows[i] - trap_mean) * trap_scale
        outer = (turns[i] - outer_mean) * outer_scale
        mixed = trap if inside else outer + share * (trap - outer)
        turns[i] = cycles * mixed + (inside_shift if inside else shift)
        glows[i] = min(max(-0.6 * trap - 0.48, 0.0), 1.0)


@compiled
def shade(degree, p, palette, counts, norms, traps, picture):  # type: ignore[no-untyped-def]
    """Colour the fields of :func:`orbits.iterate` into ``picture``, uint8[s, s, 3].

    The palette is blurred by how far its place moves within a pixel; relief fades out where that is far,
    for a slope that changes from pixel to pixel is noise.
    """
    size = picture.shape[0]
    turns = np.empty(size * size)
    glows = np.empty(size * size)
    positions(degree, p, counts, norms, traps, turns, glows)
    field = turns.reshape(size, size)
    light_x = cosine_of_turns(p[LIGHT_TURN]) * p[RELIEF]
    light_y = sine_of_turns(p[LIGHT_TURN]) * p[RELIEF]
    steepness = 6.0 * size / 256.0
    levels = np.empty(size, np.int64)
    entries = np.empty(size, np.int64)
    lights = np.empty(size)
    padded = np.empty(size + 2)
    for y in range(size):
        above = field[max(y - 1, 0)]
        here = field[y]
        under = field[min(y + 1, size - 1)]
        glow = glows[y * size : (y + 1) * size]
        padded[1 : size + 1] = here
        padded[0] = here[0]
        padded[size + 1] = here[size - 1]
        for x in range(np.uint64(size)):
            dx = padded[x + np.uint64(2)] - padded[x]
            dy = under[x] - above[x]
            level = blur_level(0.5 * (abs(dx) + abs(dy)))
            levels[x] = level
            entries[x] = position(here[x])
            dx *= steepness
            dy *= steepness
            fade = 1.0 - level * (1.0 / LEVELS)
            lights[x] = 1.0 + fade * (dx * light_x + dy * light_y) / (0.7 + abs(dx) + abs(dy))
        for x in range(np.uint64(size)):
            level = np.uint64(levels[x])
            entry = np.uint64(entries[x])
            shine = p[GLOW] * glow[x]
            light = lights[x] * (1.0 - shine) * 255.0
            add = shine * 255.0 + 0.5
            picture[y, x, 0] = np.uint8(min(palette[level, entry, 0] * light + add, 255.0))
            picture[y, x, 1] = np.uint8(min(palette[level, entry, 1] * light + add, 255.0))
            picture[y, x, 2] = np.uint8(min(palette[level, entry, 2] * light + add, 255.0))
