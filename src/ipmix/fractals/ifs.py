"""Images of iterated function systems before clouds: Anderson and Farrell's, and FractalDB's sampling.

The chaos game plays 100,000 points at 256 x 256 (in proportion to the area at other sizes). Half of the
images are colored as the authors' generator does (hue by density, saturation and value constant), half
by a palette over the points' history with log density as opacity, which shows a fractal's inner structure.
"""

import numpy as np

from ipmix.core.compiling import compiled, inlined
from ipmix.core.randomness import below, between, bits, stream, uniform
from ipmix.fractals.background import paint_background, side_of
from ipmix.fractals.color import PALETTE_SIZE, byte, draw_colors, hue_channel, position
from ipmix.fractals.dull import MOST_PARALLEL, is_dull
from ipmix.fractals.elementary import exponential, rough_logarithm
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
from ipmix.fractals.walking import HISTORY_START, PERMUTES, walk

ATTEMPTS_MOST = 40
POINTS_AT_256 = 100_000
LEAST_FILLING = 0.2
"""FractalDB's filling rate."""

LEAST_COVER = 0.06
MOST_COVER = 0.9
"""The share of the pixels that the fractal, not the clouds, must take."""

PREVIEW_SIDE = 32
PREVIEW_POINTS = 2000
PREVIEW_COVER = 0.11

HISTORIES = 1024
COUNT_SHIFT = np.uint64(40)
ONE = np.uint64(1 << 40)
"""A cell of the chaos game holds its count in the upper 24 bits, the sum of histories in the lower 40."""

# The parameters kept for the manifest: maps in use, attempt-independent window, coloring, then the maps.
COUNT, LEFT, TOP, WIDE, HIGH, BY_PALETTE, COVER, MAPS = range(8)
PARAMETERS = MAPS + 6 * MAPS_MOST


@compiled
def to_pixels(maps, window, width, height, out):
    """The maps in an image's coordinates, so that no point needs be converted: float64[MAPS_MOST, 6] to ``out``."""
    scale_x = width / window[2]
    scale_y = height / window[3]
    for k in range(MAPS_MOST):
        a, b, c, d, e, f = maps[k]
        out[k, 0] = a
        out[k, 1] = b * scale_x / scale_y
        out[k, 2] = c * scale_y / scale_x
        out[k, 3] = d
        out[k, 4] = scale_x * (a * window[0] + b * window[1] + e - window[0])
        out[k, 5] = scale_y * (c * window[0] + d * window[1] + f - window[1])


@inlined
def _cell(x, y, width, height, outside):
    # Without a branch: whether a point lies outside can't be foretold.
    inside = (x >= 0.0) & (x < width) & (y >= 0.0) & (y < height)
    place = np.int64(y if inside else 0.0) * width + np.int64(x if inside else 0.0)
    return np.uint64(place if inside else outside)


@compiled
def chaos_game(state, maps, table, points, window, width, cells):
    """Play ``points`` points and add them up per pixel inside ``window`` (left, top, width, height).

    ``cells``, uint64[h * width + 1] (the last one takes the points outside), gets :data:`ONE` per point plus the
    point's history: the mean, halving at each step, of the numbers of the maps it went through, in
    0 .. HISTORIES - 1. Neighbours on the fractal share it. Four points walk in turns: one alone would spend its
    time waiting for its own last position.
    """
    width = np.int64(width)
    height = (cells.size - 1) // width
    own = np.empty(MAPS_MOST, np.uint64)
    maps_used = max(int(table[-1]), 1)
    for k in range(MAPS_MOST):
        own[k] = k * (HISTORIES - 1) // maps_used
    m = np.empty((MAPS_MOST, 6))
    to_pixels(maps, window, width, height, m)
    x, y = fixed_point(m, 0)
    rounds = (points + 3) // 4
    if PERMUTES:
        walk(rounds, state, table, m.T.copy(), own, x, y, width, height, ONE, cells)
    else:
        _walk_plainly(rounds, state, table, m, own, x, y, width, height, cells)


@compiled
def _walk_plainly(rounds, state, table, m, own, x, y, width, height, cells):
    # What :func:`walking.walk` does, for any processor.
    outside = width * height
    x2, x3, x4 = x, x, x
    y2, y3, y4 = y, y, y
    h = np.uint64(HISTORY_START)
    h2, h3, h4 = h, h, h
    mask = np.uint64((1 << TABLE_BITS) - 1)
    one = np.uint64(1)
    for _ in range(rounds):
        drawn = bits(state)
        i = np.uint64(table[drawn & mask])
        i2 = np.uint64(table[(drawn >> np.uint64(TABLE_BITS)) & mask])
        i3 = np.uint64(table[(drawn >> np.uint64(2 * TABLE_BITS)) & mask])
        i4 = np.uint64(table[(drawn >> np.uint64(3 * TABLE_BITS)) & mask])
        x, y = m[i, 0] * x + m[i, 1] * y + m[i, 4], m[i, 2] * x + m[i, 3] * y + m[i, 5]
        x2, y2 = m[i2, 0] * x2 + m[i2, 1] * y2 + m[i2, 4], m[i2, 2] * x2 + m[i2, 3] * y2 + m[i2, 5]
        x3, y3 = m[i3, 0] * x3 + m[i3, 1] * y3 + m[i3, 4], m[i3, 2] * x3 + m[i3, 3] * y3 + m[i3, 5]
        x4, y4 = m[i4, 0] * x4 + m[i4, 1] * y4 + m[i4, 4], m[i4, 2] * x4 + m[i4, 3] * y4 + m[i4, 5]
        h = (h + own[i]) >> one
        h2 = (h2 + own[i2]) >> one
        h3 = (h3 + own[i3]) >> one
        h4 = (h4 + own[i4]) >> one
        cells[_cell(x, y, width, height, outside)] += ONE + h
        cells[_cell(x2, y2, width, height, outside)] += ONE + h2
        cells[_cell(x3, y3, width, height, outside)] += ONE + h3
        cells[_cell(x4, y4, width, height, outside)] += ONE + h4


@compiled
def stamp(cells, patch, out):
    """Draw every point as the 3 x 3 binary ``patch`` instead of a dot: ``cells`` convolved into ``out``.

    Returns the share of the cells of ``out`` that are not empty.
    """
    size = cells.shape[0]
    filled = 0
    for y in range(size):
        row = out[y]
        row[:] = np.uint64(0)
        for dy in range(-1, 2):
            if not 0 <= y - dy < size:
                continue
            for dx in range(-1, 2):
                if patch[dy + 1, dx + 1] == 0:
                    continue
                first = max(0, dx)
                source = cells[y - dy, first - dx :]
                target = row[first:]
                for x in range(np.uint64(size - abs(dx))):
                    target[x] += source[x]
        for x in range(np.uint64(size)):
            filled += 1 if row[x] > 0 else 0
    return filled / out.size


@compiled
def _draw_patch(state, patch):
    drawn = 0
    while drawn == 0:
        for i in range(9):
            patch[i // 3, i % 3] = below(state, 2)
            drawn += patch[i // 3, i % 3]


@compiled
def _most(cells):
    # The largest count, at least 1.
    most = np.uint64(1)
    for cell in cells.ravel():
        most = max(most, cell >> COUNT_SHIFT)
    return np.float64(most)


@compiled
def _paint_hue(state, cells, image):
    # The authors' coloring: hue turns with the density, saturation and value are constant.
    shift = uniform(state)
    saturation = between(state, 0.3, 1.0)
    value = between(state, 0.5, 1.0)
    table = np.empty((256, 3), np.uint8)
    for n in range(256):
        for c in range(3):
            table[n, c] = byte(hue_channel(n / 256.0 + shift, saturation, value, c))
    scale = 255.0 / _most(cells)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if cells[y, x] > 0:
                entry = np.uint64(np.float64(cells[y, x] >> COUNT_SHIFT) * scale)
                image[y, x, 0] = table[entry, 0]
                image[y, x, 1] = table[entry, 1]
                image[y, x, 2] = table[entry, 2]


@compiled
def _paint_palette(state, cells, image):
    palette = np.empty((PALETTE_SIZE, 3))
    draw_colors(state, palette)
    shift = uniform(state)
    spread = between(state, 0.5, 1.2)
    by_density = between(state, 0.0, 0.35)
    scale = 1.0 / rough_logarithm(1.0 + _most(cells))
    from_history = spread / (HISTORIES - 1.0)
    mask = ONE - np.uint64(1)
    size = image.shape[0]
    levels = np.empty(size)
    entries = np.empty(size, np.int64)
    kept = np.empty(size, np.uint64)
    columns = np.empty(size, np.uint64)
    for y in range(size):
        # The row's cells that hold something, listed without a branch: a half or more are empty.
        n = np.uint64(0)
        for x in range(np.uint64(size)):
            cell = cells[y, x]
            kept[n] = cell
            columns[n] = x
            n += np.uint64(cell > 0)
        for k in range(n):
            count = np.float64(np.int64(kept[k] >> COUNT_SHIFT))
            level = rough_logarithm(1.0 + count) * scale
            history = np.float64(np.int64(kept[k] & mask))
            turns = shift + from_history * history / max(count, 1.0) + by_density * level
            entries[k] = position(turns)
            levels[k] = level
        for k in range(n):
            opacity = min(1.0, 0.45 + 1.6 * levels[k])
            light = (0.55 + 0.5 * levels[k]) * 255.0 * opacity
            entry = np.uint64(entries[k])
            x = columns[k]
            for c in range(3):
                value = image[y, x, c] * (1.0 - opacity) + palette[entry, c] * light
                image[y, x, c] = np.uint8(min(value + 0.5, 255.0))


@compiled
def blur(image, sigma):
    """Blur ``image`` (uint8[h, w, 3]) in place by a 3 x 3 Gaussian; edges repeat."""
    side = exponential(-0.7213475204444817 / (sigma * sigma))  # exp(-1 / (2 sigma^2))
    # Weights in 1/32768 and integers throughout: one row of sums, then one of results.
    outer = np.int32(32768.0 * side / (1.0 + 2.0 * side) + 0.5)
    inner = np.int32(32768) - np.int32(2) * outer
    height, width, _ = image.shape
    n = np.uint64(3 * width)
    lines = np.empty((3, 3 * width), np.int32)  # the line above, this one, the one below, blurred sideways
    flat = image.reshape(height, 3 * width)
    for y in range(-1, height):
        below_it = flat[min(y + 1, height - 1)]
        lines[0] = lines[1]
        lines[1] = lines[2]
        for i in range(np.uint64(3), n - np.uint64(3)):
            ends = np.int32(below_it[i - np.uint64(3)]) + np.int32(below_it[i + np.uint64(3)])
            lines[2, i] = (inner * np.int32(below_it[i]) + outer * ends) >> np.int32(7)
        for c in range(3):
            lines[2, c] = ((inner + outer) * below_it[c] + outer * below_it[min(c + 3, 3 * width - 3 + c)]) >> 7
            k = 3 * width - 3 + c
            lines[2, k] = ((inner + outer) * below_it[k] + outer * below_it[max(k - 3, c)]) >> 7
        if y < 0:
            lines[1] = lines[2]
            continue
        for i in range(n):
            sides = np.int64(lines[0, i]) + np.int64(lines[2, i])
            total = np.int64(inner) * lines[1, i] + np.int64(outer) * sides
            flat[y, i] = (total + np.int64(1 << 22)) >> np.int64(23)


@compiled
def _draw_window(state, box, window):
    # The box of the points, shifted by up to a fifth of its extent and scaled by U(0.5, 2), per axis.
    for axis in range(2):
        extent = box[2 + axis] - box[axis]
        middle = box[axis] + 0.5 * extent + extent * between(state, -0.2, 0.2)
        window[2 + axis] = extent * between(state, 0.5, 2.0)
        window[axis] = middle - 0.5 * window[2 + axis]


@compiled
def _cover(cells):
    # The share of the cells that are not empty.
    filled = 0
    for cell in cells.ravel():
        filled += 1 if cell > 0 else 0
    return filled / cells.size


@compiled
def _promises_little(state, maps, table, window):
    # A cheap look before the whole game: hardly any of the window's coarse cells are touched.
    coarse = np.zeros(PREVIEW_SIDE * PREVIEW_SIDE + 1, np.uint64)
    chaos_game(state, maps, table, PREVIEW_POINTS, window, PREVIEW_SIDE, coarse)
    return _cover(coarse[:-1]) < PREVIEW_COVER


@compiled
def _draw_system(state, plain, maps, table):
    if not plain:
        count = sample_contractive(state, maps)
        jitter(state, maps, count)
        choices(maps, count, table)
        return count
    count = sample_plain(state, maps)
    choices(maps, count, table)
    return count if filling_rate(state, maps, table) >= LEAST_FILLING else 0


def make_workspace(size: int) -> tuple[np.ndarray, ...]:
    """Arrays for :func:`paint` to work in: fresh ones for each image would cost a quarter of its time."""
    clouds = int(side_of(size)) ** 2
    cells = np.empty(size * size + 1, np.uint64), np.empty((size, size), np.uint64)
    return *cells, np.empty(clouds, np.float32), np.empty(2 * clouds, np.float32)


@compiled
def paint(seed, salt, index, plain, image, parameters, workspace):
    """Paint image ``index`` of ``seed`` into ``image``, uint8[s, s, 3]; returns the attempts it took.

    ``plain`` chooses FractalDB's sampling. Attempts whose fractal is too small, too large, runs away, or
    whose image is dull are drawn anew from the next stream; the last one is kept whatever it shows.
    ``workspace`` is :func:`make_workspace`'s for this size; what is in its arrays doesn't matter.
    """
    size = image.shape[0]
    points = max(20_000, POINTS_AT_256 * size * size // 65536)
    maps = np.zeros((MAPS_MOST, 6))
    table = np.empty(1 << TABLE_BITS, np.uint8)
    box = np.empty(4)
    window = np.empty(4)
    patch = np.empty((3, 3), np.int64)
    cells, stamped, clouds, spare = workspace
    for attempt in range(ATTEMPTS_MOST):
        last = attempt == ATTEMPTS_MOST - 1
        state = stream(seed, salt, index, attempt)
        count = _draw_system(state, plain, maps, table)
        if count == 0 or not survey(state, maps, table, box):
            continue
        _draw_window(state, box, window)
        if not last and _promises_little(state, maps, table, window):
            continue
        cells[:] = np.uint64(0)
        chaos_game(state, maps, table, points, window, size, cells)
        _draw_patch(state, patch)
        cover = stamp(cells[: size * size].reshape(size, size), patch, stamped)
        if not last and not LEAST_COVER <= cover <= MOST_COVER:
            continue
        paint_background(state, image, clouds, spare)
        by_palette = uniform(state) < 0.5
        if by_palette:
            _paint_palette(state, stamped, image)
        else:
            _paint_hue(state, stamped, image)
            if uniform(state) < 0.5:
                blur(image, between(state, 0.5, 1.0))
        if last or not is_dull(image, MOST_PARALLEL):
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
        "coloring": "palette" if parameters[BY_PALETTE] else "hue",
        "cover": float(parameters[COVER]),
    }
