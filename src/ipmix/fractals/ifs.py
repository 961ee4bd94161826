"""Pictures of iterated function systems before clouds: Anderson and Farrell's, and FractalDB's sampling.

The chaos game plays 100,000 points at 256 x 256 (in proportion to the area at other sizes). Half of the
pictures are coloured as the authors' generator does (hue by density, saturation and value constant), half
by a palette over the points' history with log density as opacity, which shows a fractal's inner structure.
"""

import numpy as np

from ipmix.compiling import compiled
from ipmix.fractals.background import paint_background
from ipmix.fractals.colour import LEVELS, PALETTE_SIZE, byte, draw_palette, hue_channel, position
from ipmix.fractals.dull import is_dull
from ipmix.fractals.elementary import exponential, logarithm
from ipmix.fractals.systems import (
    MAPS_MOST,
    TABLE_BITS,
    choices,
    filling_rate,
    fixed_point,
    jitter,
    sample_contractive,
    sample_plain,
    survey,
)
from ipmix.randomness import below, between, bits, stream, uniform

ATTEMPTS_MOST = 40
POINTS_AT_256 = 100_000
LEAST_FILLING = 0.2
"""FractalDB's filling rate."""

LEAST_COVER = 0.06
MOST_COVER = 0.9
"""The share of the pixels that the fractal, not the clouds, must take."""

# The parameters kept for the manifest: maps in use, attempt-independent window, colouring, then the maps.
COUNT, LEFT, TOP, WIDE, HIGH, BY_PALETTE, COVER, MAPS = range(8)
PARAMETERS = MAPS + 6 * MAPS_MOST


@compiled
def chaos_game(state, maps, table, points, window, counts, histories):  # type: ignore[no-untyped-def]
    """Play ``points`` points and add them up per pixel inside ``window`` (left, top, width, height).

    ``counts`` and ``histories`` are float32[h, w]; a point's history is the running mean (halving at each
    step) of the numbers of the maps it went through, in [0, 1]: neighbours on the fractal share it.
    """
    height, width = counts.shape
    scale_x = width / window[2]
    scale_y = height / window[3]
    last = 1.0 / max(table[-1], 1)
    x, y = fixed_point(maps, 0)
    history = 0.5
    mask = np.uint64((1 << TABLE_BITS) - 1)
    played = 0
    while played < points:
        drawn = bits(state)
        for _ in range(64 // TABLE_BITS):
            i = table[drawn & mask]
            drawn = drawn >> np.uint64(TABLE_BITS)
            new_x = maps[i, 0] * x + maps[i, 1] * y + maps[i, 4]
            y = maps[i, 2] * x + maps[i, 3] * y + maps[i, 5]
            x = new_x
            history = 0.5 * (history + i * last)
            column = (x - window[0]) * scale_x
            row = (y - window[1]) * scale_y
            if 0.0 <= column < width and 0.0 <= row < height:
                counts[int(row), int(column)] += np.float32(1.0)
                histories[int(row), int(column)] += np.float32(history)
            played += 1


@compiled
def stamp(field, patch, out):  # type: ignore[no-untyped-def]
    """Draw every point as the 3 x 3 binary ``patch`` instead of a dot: ``field`` convolved into ``out``."""
    height, width = field.shape
    for y in range(height):
        for x in range(width):
            out[y, x] = 0.0
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            if patch[dy + 1, dx + 1] == 0:
                continue
            for y in range(max(0, dy), min(height, height + dy)):
                for x in range(max(0, dx), min(width, width + dx)):
                    out[y, x] += field[y - dy, x - dx]


@compiled
def _draw_patch(state, patch):  # type: ignore[no-untyped-def]
    drawn = 0
    while drawn == 0:
        for i in range(9):
            patch[i // 3, i % 3] = below(state, 2)
            drawn += patch[i // 3, i % 3]


@compiled
def _paint_hue(state, density, picture):  # type: ignore[no-untyped-def]
    # The authors' colouring: hue turns with the density, saturation and value are constant.
    shift = uniform(state)
    saturation = between(state, 0.3, 1.0)
    value = between(state, 0.5, 1.0)
    scale = 1.0 / max(density.max(), 1e-9)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            if density[y, x] > 0.0:
                for c in range(3):
                    picture[y, x, c] = byte(hue_channel(density[y, x] * scale + shift, saturation, value, c))


@compiled
def _paint_palette(state, density, histories, picture):  # type: ignore[no-untyped-def]
    palette = np.empty((LEVELS, PALETTE_SIZE, 3), np.float32)
    draw_palette(state, palette)
    shift = uniform(state)
    spread = between(state, 0.5, 1.2)
    by_density = between(state, 0.0, 0.35)
    scale = 1.0 / max(logarithm(1.0 + density.max()), 1e-9)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            if density[y, x] > 0.0:
                level = logarithm(1.0 + density[y, x]) * scale
                turns = shift + spread * histories[y, x] / density[y, x] + by_density * level
                opacity = min(1.0, 0.45 + 1.6 * level)
                light = 0.55 + 0.5 * level
                entry = position(turns)
                for c in range(3):
                    colour = palette[0, entry, c] * light * 255.0
                    picture[y, x, c] = np.uint8(
                        min(picture[y, x, c] + opacity * (colour - picture[y, x, c]) + 0.5, 255.0)
                    )


@compiled
def blur(picture, sigma):  # type: ignore[no-untyped-def]
    """Blur ``picture`` (uint8[h, w, 3]) in place by a 3 x 3 Gaussian; edges repeat."""
    side = exponential(-0.7213475204444817 / (sigma * sigma))  # exp(-1 / (2 sigma^2))
    height, width, _ = picture.shape
    rows = np.empty((height, width, 3))
    for y in range(height):
        for x in range(width):
            for c in range(3):
                ends = 1.0 * picture[y, max(x - 1, 0), c] + picture[y, min(x + 1, width - 1), c]
                rows[y, x, c] = (picture[y, x, c] + side * ends) / (1.0 + 2.0 * side)
    for y in range(height):
        for x in range(width):
            for c in range(3):
                ends = rows[max(y - 1, 0), x, c] + rows[min(y + 1, height - 1), x, c]
                picture[y, x, c] = np.uint8((rows[y, x, c] + side * ends) / (1.0 + 2.0 * side) + 0.5)


@compiled
def _draw_window(state, box, window):  # type: ignore[no-untyped-def]
    # The box of the points, shifted by up to a fifth of its extent and scaled by U(0.5, 2), per axis.
    for axis in range(2):
        extent = box[2 + axis] - box[axis]
        middle = box[axis] + 0.5 * extent + extent * between(state, -0.2, 0.2)
        window[2 + axis] = extent * between(state, 0.5, 2.0)
        window[axis] = middle - 0.5 * window[2 + axis]


@compiled
def _draw_system(state, plain, maps, table):  # type: ignore[no-untyped-def]
    if not plain:
        count = sample_contractive(state, maps)
        jitter(state, maps, count)
        choices(maps, count, table)
        return count
    count = sample_plain(state, maps)
    choices(maps, count, table)
    return count if filling_rate(state, maps, table) >= LEAST_FILLING else 0


@compiled
def paint(seed, salt, index, plain, picture, parameters):  # type: ignore[no-untyped-def]
    """Paint picture ``index`` of ``seed`` into ``picture``, uint8[s, s, 3]; returns the attempts it took.

    ``plain`` chooses FractalDB's sampling. Attempts whose fractal is too small, too large, runs away, or
    whose picture is dull are drawn anew from the next stream; the last one is kept whatever it shows.
    """
    size = picture.shape[0]
    points = max(20_000, POINTS_AT_256 * size * size // 65536)
    maps = np.zeros((MAPS_MOST, 6))
    table = np.empty(1 << TABLE_BITS, np.uint8)
    box = np.empty(4)
    window = np.empty(4)
    patch = np.empty((3, 3), np.int64)
    counts = np.empty((size, size), np.float32)
    histories = np.empty((size, size), np.float32)
    density = np.empty((size, size), np.float32)
    colours = np.empty((size, size), np.float32)
    for attempt in range(ATTEMPTS_MOST):
        last = attempt == ATTEMPTS_MOST - 1
        state = stream(seed, salt, index, attempt)
        count = _draw_system(state, plain, maps, table)
        if count == 0 or not survey(state, maps, table, box):
            continue
        _draw_window(state, box, window)
        counts[:] = 0.0
        histories[:] = 0.0
        chaos_game(state, maps, table, points, window, counts, histories)
        _draw_patch(state, patch)
        stamp(counts, patch, density)
        cover = (density > 0.0).sum() / (size * size)
        if not last and not LEAST_COVER <= cover <= MOST_COVER:
            continue
        stamp(histories, patch, colours)
        paint_background(state, picture)
        by_palette = uniform(state) < 0.5
        if by_palette:
            _paint_palette(state, density, colours, picture)
        else:
            _paint_hue(state, density, picture)
            if uniform(state) < 0.5:
                blur(picture, between(state, 0.5, 1.0))
        if last or not is_dull(picture):
            parameters[COUNT] = count
            parameters[LEFT : HIGH + 1] = window
            parameters[BY_PALETTE] = by_palette
            parameters[COVER] = cover
            parameters[MAPS : MAPS + 6 * count] = maps.ravel()[: 6 * count]
            return attempt + 1
    return ATTEMPTS_MOST


def describe(parameters: np.ndarray) -> dict[str, object]:
    """The numbers that :func:`paint` kept, named."""
    count = int(parameters[COUNT])
    return {
        "maps": parameters[MAPS : MAPS + 6 * count].reshape(count, 6).tolist(),
        "window": parameters[LEFT : HIGH + 1].tolist(),
        "colouring": "palette" if parameters[BY_PALETTE] else "hue",
        "cover": float(parameters[COVER]),
    }
