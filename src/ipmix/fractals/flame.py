"""Fractal flames: systems of affine maps with non-linear variations, colored by history, log density.

S. Draves and E. Reckase, "The Fractal Flame Algorithm" (2003). 512 points walk at once. At each step they are
shuffled and cut into one run per map, in proportion to the maps' weights: each point meets each map with the
right probability, and a whole run is mapped by one loop without branches.
"""

import numpy as np

from ipmix.core.compiling import compiled
from ipmix.core.randomness import below, between, bits, stream, uniform
from ipmix.fractals.background import side_of
from ipmix.fractals.color import LEVELS, PALETTE_SIZE, draw_palette
from ipmix.fractals.dull import MOST_PARALLEL, is_dull
from ipmix.fractals.elementary import cosine_of_turns, sine_of_turns
from ipmix.fractals.tone import paint_light
from ipmix.fractals.variations import VARIATIONS, vary

WALKERS = 512
MAPS_MOST = 6
STEPS_AT_256 = 640
STEPS_LEAST = 160
WARM_UP = 16
SURVEY_STEPS = 16
LEAST_CONTRAST = 0.5
SURVEY_SIDE = 24
ATTEMPTS_MOST = 40

HUE_STEPS = 4096
HUE_STEP = np.float32(1.0 / (HUE_STEPS - 1.0))
COUNT_SHIFT = np.uint64(40)
ONE = np.uint64(1 << 40)
"""A cell holds the points that fell on it in the upper 24 bits, the sum of their hues (12 bits each) in the lower."""

# One row per map: the affine map's six numbers, then these.
WEIGHT, HUE, FIRST, FIRST_SHARE, SECOND, SECOND_SHARE = range(6, 12)
MAP_NUMBERS = 12

# The parameters kept for the manifest: counts and view, then the maps.
COUNT, FOLDS, VIEW_X, VIEW_Y, VIEW_WIDTH, VIEW_TURN, MAPS = range(7)
PARAMETERS = MAPS + MAPS_MOST * MAP_NUMBERS


@compiled
def draw_flame(state, p):
    """Draw 2-5 maps with one or two variations each, and a rotational symmetry for some."""
    count = 2 + below(state, 4)
    p[COUNT] = count
    p[FOLDS] = 2 + below(state, 5) if uniform(state) < 0.3 else 1
    # Flames are more coherent when their maps share a variation.
    shared = below(state, len(VARIATIONS))
    for i in range(count):
        m = p[MAPS + i * MAP_NUMBERS : MAPS + (i + 1) * MAP_NUMBERS]
        turn = uniform(state)
        other = turn + between(state, -0.12, 0.12) + 0.5 * below(state, 2)
        long = between(state, 0.45, 1.05)
        short = long * between(state, 0.45, 1.0)
        m[0] = long * cosine_of_turns(turn)
        m[2] = long * sine_of_turns(turn)
        m[1] = -short * sine_of_turns(other)
        m[3] = short * cosine_of_turns(other)
        m[4] = between(state, -1.0, 1.0)
        m[5] = between(state, -1.0, 1.0)
        m[WEIGHT] = between(state, 0.3, 1.0)
        m[HUE] = (i + uniform(state) * 0.6) / count
        m[FIRST] = shared if uniform(state) < 0.6 else below(state, len(VARIATIONS))
        share = 1.0 if uniform(state) < 0.5 else between(state, 0.4, 0.9)
        m[FIRST_SHARE] = share
        m[SECOND] = below(state, len(VARIATIONS))
        m[SECOND_SHARE] = 1.0 - share


@compiled
def start_walkers(state, walkers):
    """Put the walkers (float64[3, WALKERS]: x, y and hue) at random places."""
    for i in range(WALKERS):
        walkers[0, i] = between(state, -1.0, 1.0)
        walkers[1, i] = between(state, -1.0, 1.0)
        walkers[2, i] = uniform(state)


@compiled
def step(state, p, walkers, scratch):
    """Move every walker through one map. ``scratch`` is float64[3, WALKERS]."""
    count = int(p[COUNT])
    total = 0.0
    for i in range(count):
        total += p[MAPS + i * MAP_NUMBERS + WEIGHT]
    # An affine shuffle of the positions: odd strides permute a power of two.
    drawn = bits(state)
    stride = (drawn >> np.uint64(40)) | np.uint64(1)
    mask = np.uint64(WALKERS - 1)
    shift = drawn & mask
    x = walkers[0]
    y = walkers[1]
    hue = walkers[2]
    old_x = scratch[0]
    old_y = scratch[1]
    old_hue = scratch[2]
    for i in range(np.uint64(WALKERS)):
        j = (i * stride + shift) & mask
        old_x[i] = x[j]
        old_y[i] = y[j]
        old_hue[i] = hue[j]
    first = 0
    until = 0.0
    # The cuts between runs fall on a random offset, so that shares smaller than a walker are kept on average.
    offset = uniform(state)
    for k in range(count):
        m = p[MAPS + k * MAP_NUMBERS : MAPS + (k + 1) * MAP_NUMBERS]
        until += m[WEIGHT] / total
        last = WALKERS if k == count - 1 else min(int(until * WALKERS + offset), WALKERS)
        a, b, c, d, e, f = m[0], m[1], m[2], m[3], m[4], m[5]
        own = m[HUE]
        for i in range(np.uint64(first), np.uint64(last)):
            new_x = a * old_x[i] + b * old_y[i] + e
            old_y[i] = c * old_x[i] + d * old_y[i] + f
            old_x[i] = new_x
            hue[i] = 0.5 * (old_hue[i] + own)
            x[i] = 0.0
            y[i] = 0.0
        vary(int(m[FIRST]), m[FIRST_SHARE], first, last, old_x, old_y, x, y)
        if m[SECOND_SHARE] > 0.0:
            vary(int(m[SECOND]), m[SECOND_SHARE], first, last, old_x, old_y, x, y)
        first = last
    folds = int(p[FOLDS])
    if folds > 1:
        turn = below(state, folds) / folds
        cos = cosine_of_turns(turn)
        sin = sine_of_turns(turn)
        for i in range(np.uint64(WALKERS)):
            new_x = cos * x[i] - sin * y[i]
            y[i] = sin * x[i] + cos * y[i]
            x[i] = new_x
    for i in range(np.uint64(WALKERS)):
        # One that ran away starts again near the middle (its hue is as good a number as any).
        lost = not (abs(x[i]) + abs(y[i]) < 1e4)
        x[i] = hue[i] - 0.5 if lost else x[i]
        y[i] = 0.5 - hue[i] if lost else y[i]


@compiled
def survey(state, p, walkers, scratch):
    """Find a view that holds most of the flame; False if what it shows is a few dots or one blob."""
    start_walkers(state, walkers)
    for _ in range(WARM_UP):
        step(state, p, walkers, scratch)
    n = SURVEY_STEPS * WALKERS
    xs = np.empty(n)
    ys = np.empty(n)
    for t in range(SURVEY_STEPS):
        step(state, p, walkers, scratch)
        xs[t * WALKERS : (t + 1) * WALKERS] = walkers[0]
        ys[t * WALKERS : (t + 1) * WALKERS] = walkers[1]
    low = n // 25
    cut_x = np.partition(xs, (low, n - low))
    cut_y = np.partition(ys, (low, n - low))
    wide = cut_x[n - low] - cut_x[low]
    high = cut_y[n - low] - cut_y[low]
    extent = max(wide, high)
    if not extent > 1e-3 or min(wide, high) < 0.15 * extent:
        return False
    p[VIEW_X] = 0.5 * (cut_x[n - low] + cut_x[low]) if p[FOLDS] == 1 else 0.0
    p[VIEW_Y] = 0.5 * (cut_y[n - low] + cut_y[low]) if p[FOLDS] == 1 else 0.0
    p[VIEW_WIDTH] = extent * between(state, 0.75, 1.15)
    p[VIEW_TURN] = uniform(state)
    cells = np.zeros((SURVEY_SIDE, SURVEY_SIDE))
    places = np.empty(WALKERS, np.int32)
    for t in range(SURVEY_STEPS):
        part = slice(t * WALKERS, (t + 1) * WALKERS)
        locate(p, SURVEY_SIDE, xs[part], ys[part], places)
        for place in places:
            if place < SURVEY_SIDE * SURVEY_SIDE:
                cells[place // SURVEY_SIDE, place % SURVEY_SIDE] += 1.0
    return _has_structure(cells)


@compiled
def _has_structure(cells):
    # Enough of the view is reached, no spot outshines it, and neighbours differ by more than chance would
    # have it: a blob or a fog does not.
    total = max(cells.sum(), 1.0)
    filled = (cells > 0.0).sum() / cells.size
    differences = 0.0
    for y in range(cells.shape[0] - 1):
        for x in range(cells.shape[1] - 1):
            differences += abs(cells[y, x] - cells[y, x + 1]) + abs(cells[y, x] - cells[y + 1, x])
    contrast = 0.5 * differences / total
    return filled > 0.3 and cells.max() < 0.08 * total and contrast > LEAST_CONTRAST


@compiled
def locate(p, size, x, y, places):
    """The pixel (row * size + column) in which each walker stands, size * size outside of the view: int32."""
    scale = size / p[VIEW_WIDTH]
    cos = cosine_of_turns(p[VIEW_TURN]) * scale
    sin = sine_of_turns(p[VIEW_TURN]) * scale
    # The view's middle is the image's.
    left = 0.5 * size - cos * p[VIEW_X] + sin * p[VIEW_Y]
    top = 0.5 * size - sin * p[VIEW_X] - cos * p[VIEW_Y]
    wide = np.int32(size)
    outside = np.int32(size * size)
    for i in range(np.uint64(x.size)):
        column = cos * x[i] - sin * y[i] + left
        row = sin * x[i] + cos * y[i] + top
        inside = (column >= 0.0) & (column < size) & (row >= 0.0) & (row < size)
        place = np.int32(np.int32(row if inside else 0.0) * wide + np.int32(column if inside else 0.0))
        places[i] = place if inside else outside


@compiled
def _add_light(cells, places, hues):
    # The cell behind the last pixel takes what falls outside: no branch, which could not be foretold.
    scale = HUE_STEPS - 1.0
    for i in range(np.uint64(places.size)):
        cells[np.uint64(places[i])] += ONE + np.uint64(np.int32(hues[i] * scale))


@compiled
def paint(seed, salt, index, image, parameters, workspace):
    """Paint image ``index`` of ``seed`` into ``image``, uint8[s, s, 3]; returns the attempts it took.

    ``workspace`` is :func:`make_workspace`'s for this size; what is in its arrays doesn't matter.
    """
    size = image.shape[0]
    steps = max(STEPS_LEAST, STEPS_AT_256 * size * size // 65536)
    walkers = np.empty((3, WALKERS))
    scratch = np.empty((3, WALKERS))
    places = np.empty(WALKERS, np.int32)
    cells, light, palette, clouds, spare = workspace
    for attempt in range(ATTEMPTS_MOST):
        last = attempt == ATTEMPTS_MOST - 1
        state = stream(seed, salt, index, attempt)
        draw_flame(state, parameters)
        if not survey(state, parameters, walkers, scratch) and not last:
            continue
        draw_palette(state, palette)
        cells[:] = np.uint64(0)
        for _ in range(steps):
            step(state, parameters, walkers, scratch)
            locate(parameters, size, walkers[0], walkers[1], places)
            _add_light(cells, places, walkers[2])
        for i in range(np.uint64(size * size)):
            light[0, 2 * i] = np.float32(np.int64(cells[i] >> COUNT_SHIFT))
            light[0, 2 * i + 1] = np.float32(np.int64(cells[i] & (ONE - np.uint64(1)))) * HUE_STEP
        paint_light(state, palette, light, clouds, spare, image)
        if last or not is_dull(image, MOST_PARALLEL):
            return attempt + 1
    return ATTEMPTS_MOST


def make_workspace(size: int) -> tuple[np.ndarray, ...]:
    """Arrays for :func:`paint` to work in: fresh ones for each image would take as long as its tone mapping."""
    clouds = int(side_of(size)) ** 2
    return (
        np.empty(size * size + 1, np.uint64),
        np.empty((4, 2 * size * size), np.float32),
        np.empty((LEVELS, PALETTE_SIZE, 3), np.float32),
        np.empty(clouds, np.float32),
        np.empty(2 * clouds, np.float32),
    )


def describe(parameters: np.ndarray) -> dict[str, object]:
    """The numbers that :func:`paint` kept, named."""
    maps = []
    for m in parameters[MAPS:].reshape(MAPS_MOST, MAP_NUMBERS)[: int(parameters[COUNT])]:
        shares = {VARIATIONS[int(m[FIRST])]: float(m[FIRST_SHARE])}
        if m[SECOND_SHARE] > 0:
            second = VARIATIONS[int(m[SECOND])]
            shares[second] = shares.get(second, 0.0) + float(m[SECOND_SHARE])
        maps.append({"affine": m[:6].tolist(), "weight": float(m[WEIGHT]), "variations": shares})
    return {
        "maps": maps,
        "symmetry": int(parameters[FOLDS]),
        "centre": parameters[[VIEW_X, VIEW_Y]].tolist(),
        "width": float(parameters[VIEW_WIDTH]),
        "turn": float(parameters[VIEW_TURN]),
    }
