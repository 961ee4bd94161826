"""From escape counts and trap values to colours: palette position, blur, glow along the trap, relief."""

import numpy as np

from ipmix.compiling import compiled
from ipmix.fractals.colour import blur_level, position
from ipmix.fractals.elementary import cosine_of_turns, logarithm, sine_of_turns
from ipmix.fractals.orbits import smooth
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
def _standardise(values, inside, wanted, out):  # type: ignore[no-untyped-def]
    # out = (values - mean) / deviation over the pixels with inside == wanted.
    n = 0
    total = 0.0
    squares = 0.0
    for i in range(values.size):
        if inside[i] == wanted:
            n += 1
            total += values[i]
            squares += values[i] * values[i]
    if n == 0:
        return
    mean = total / n
    scale = 1.0 / np.sqrt(max(squares / n - mean * mean, 1e-6))
    for i in range(values.size):
        if inside[i] == wanted:
            out[i] = (values[i] - mean) * scale


@compiled
def shade(degree, p, palette, counts, norms, traps, picture):  # type: ignore[no-untyped-def]
    """Colour the fields of :func:`orbits.iterate` into ``picture``, uint8[s, s, 3]."""
    size = picture.shape[0]
    n = size * size
    inside = np.empty(n, np.uint8)
    outer = np.empty(n)
    inner = np.empty(n)
    for i in range(n):
        inside[i] = counts[i] < 0
        outer[i] = logarithm(max(2.0 + smooth(float(counts[i]), float(norms[i]), degree), 1.0))
        inner[i] = logarithm(min(max(float(traps[i]), 1e-7), 1e3))
    _standardise(outer, inside, 0, outer)
    _standardise(inner, inside, 0, inner)
    _standardise(inner, inside, 1, inner)
    share = p[TRAP_SHARE]
    turns = np.empty(n)
    for i in range(n):
        mixed = outer[i] + share * (inner[i] - outer[i])
        turns[i] = p[CYCLES] * 0.4 * (inner[i] if inside[i] else mixed) + p[SHIFT]
        turns[i] += p[INSIDE_SHIFT] if inside[i] else 0.0
    light_x = cosine_of_turns(p[LIGHT_TURN])
    light_y = sine_of_turns(p[LIGHT_TURN])
    resolution = size / 256.0
    for y in range(size):
        up = max(y - 1, 0) * size
        down = min(y + 1, size - 1) * size
        for x in range(size):
            i = y * size + x
            left = y * size + max(x - 1, 0)
            right = y * size + min(x + 1, size - 1)
            dx = 0.5 * (turns[right] - turns[left])
            dy = 0.5 * (turns[down + x] - turns[up + x])
            level = blur_level(abs(dx) + abs(dy))
            entry = position(turns[i])
            slope_x = dx * 12.0 * resolution
            slope_y = dy * 12.0 * resolution
            steep = (slope_x * light_x + slope_y * light_y) / np.sqrt(
                1.0 + slope_x * slope_x + slope_y * slope_y
            )
            light = 1.0 + p[RELIEF] * steep
            glow = p[GLOW] * min(max((-inner[i] - 0.8) * 0.6, 0.0), 1.0)
            for c in range(3):
                colour = palette[level, entry, c] * light
                colour += glow * (1.0 - colour)
                picture[y, x, c] = np.uint8(min(max(colour, 0.0), 1.0) * 255.0 + 0.5)
