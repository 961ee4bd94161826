"""Images by the escape-time algorithm: Mandelbrot and Julia sets, higher powers, with orbit traps.

z <- z**2 + c (also z**3, z**4, the conjugate and the burning ship): Mandelbrot images start at z = 0 with c
the pixel, Julia images start at the pixel with one c. Windows are found by zooming into places where
escaping takes long; Julia's c comes from just outside the Mandelbrot set, where its sets are richest.
"""

import numpy as np

from ipmix.core.compiling import compiled
from ipmix.core.randomness import below, between, stream, uniform
from ipmix.fractals.color import draw_palette, new_palette
from ipmix.fractals.dull import is_dull, measure
from ipmix.fractals.elementary import cosine_of_turns, sine_of_turns
from ipmix.fractals.orbits import BAILOUT, CX, CY, DEGREES, FIELDS, FORMULAS, PIXEL, QUADRATIC, ZX, ZY, iterate
from ipmix.fractals.shading import SHADES, draw_shading, shade
from ipmix.fractals.tiles import escape

STEPS_MOST = 200
ATTEMPTS_MOST = 40

MOST_PARALLEL_WINDOW = 0.45
"""Far from the boundary a window is all stripes: less of that is let through than elsewhere."""

PREVIEW_SIDE = 32
"""Mandelbrot windows are looked at this small first: a quarter of them is all stripes."""

BAND_PIXELS = 2048
SURVEY_SIDE = 24
TRIES = 64

NARROWEST = 0.002
"""The narrowest view: at 512 pixels a pixel is still 30 single-precision roundings of 1 wide."""

SINGLE_PRECISION_SIZE = 512
"""Up to this size orbits run in single precision, which is twice as fast and looks the same."""

RETURNED = 1e-8
"""The squared distance at which an orbit has come back: nothing that escapes in 200 steps passes so slowly."""

TRAPS = ("point", "line", "cross", "circle", "ellipse", "parabola", "hyperbola")
"""The traps' names; a trap's place here is its code."""
POINT, LINE, CROSS, CIRCLE, ELLIPSE, PARABOLA, HYPERBOLA = range(len(TRAPS))

# The parameters kept for the manifest.
FORMULA, JULIA, C_X, C_Y, VIEW_X, VIEW_Y, VIEW_WIDTH, VIEW_TURN, TRAP_SHAPE, CONIC = range(10)
SHADING = CONIC + 8
PARAMETERS = SHADING + SHADES


@compiled
def draw_trap(state, p):
    """Draw an orbit trap: a conic's six coefficients (and, for the loops, the constants 1 and bailout)."""
    shape = below(state, len(TRAPS))
    turn = uniform(state)
    cos = cosine_of_turns(turn)
    sin = sine_of_turns(turn)
    u = between(state, -0.6, 0.6)
    v = between(state, -0.6, 0.6)
    radius = between(state, 0.2, 1.0)
    squeeze = between(state, 0.3, 0.8)
    # In the turned frame, X = cos x + sin y - u and Y = cos y - sin x - v:
    # q = xx X^2 + xy X Y + yy Y^2 + x1 X + y1 Y + one.
    xx = xy = yy = x1 = y1 = one = 0.0
    if shape == POINT:
        xx = yy = 1.0
    elif shape == LINE:
        y1 = 1.0
    elif shape == CROSS:
        xy = 1.0
    elif shape == CIRCLE:
        xx = yy = 1.0
        one = -radius * radius
    elif shape == ELLIPSE:
        xx = squeeze * squeeze
        yy = 1.0
        one = -radius * radius * squeeze * squeeze
    elif shape == PARABOLA:
        xx = 1.0 / radius
        y1 = -1.0
    elif shape == HYPERBOLA:
        xy = 1.0
        one = -0.25 * radius * radius
    q = p[CONIC : CONIC + 8]
    q[0] = xx * cos * cos - xy * cos * sin + yy * sin * sin
    q[1] = 2.0 * (xx - yy) * cos * sin + xy * (cos * cos - sin * sin)
    q[2] = xx * sin * sin + xy * cos * sin + yy * cos * cos
    # The linear part, after moving by (u, v): d/dX at the origin and d/dY at the origin.
    at_x = x1 - 2.0 * xx * u - xy * v
    at_y = y1 - 2.0 * yy * v - xy * u
    q[3] = at_x * cos - at_y * sin
    q[4] = at_x * sin + at_y * cos
    q[5] = xx * u * u + xy * u * v + yy * v * v - x1 * u - y1 * v + one
    q[6] = 1.0
    q[7] = BAILOUT
    p[TRAP_SHAPE] = shape


@compiled
def fill(p, size, buffer, places, counts, norms, traps):
    """Run all orbits of the view in ``p`` on a ``size`` x ``size`` grid; see :func:`orbits.iterate`.

    The buffer's dtype, float32 or float64, is the precision of the orbits.
    """
    kind = buffer.dtype.type
    conic = p[CONIC : CONIC + 8].astype(buffer.dtype)
    step = p[VIEW_WIDTH] / size
    along_x = step * cosine_of_turns(p[VIEW_TURN])
    along_y = step * sine_of_turns(p[VIEW_TURN])
    julia = p[JULIA] > 0.0
    tolerance = kind(RETURNED)
    rows = max(1, BAND_PIXELS // size)
    # What changes from pixel to pixel: z for a Julia set, c for a Mandelbrot set.
    move_x, move_y = (ZX, ZY) if julia else (CX, CY)
    for first in range(0, size, rows):
        last = min(first + rows, size)
        n = 0
        for row in range(first, last):
            v = row - 0.5 * (size - 1)
            start_x = p[VIEW_X] - along_x * 0.5 * (size - 1) - along_y * v
            start_y = p[VIEW_Y] - along_y * 0.5 * (size - 1) + along_x * v
            for column in range(size):
                buffer[move_x, n + column] = start_x + along_x * column
                buffer[move_y, n + column] = start_y + along_y * column
            n += size
        if julia:
            buffer[CX, 0] = p[C_X]
            buffer[CY, 0] = p[C_Y]
            buffer[PIXEL, 0] = first * size
            escape(buffer, n, int(p[FORMULA]), STEPS_MOST, conic, counts, norms, traps)
        else:
            for i in range(n):
                buffer[ZX, i] = 0.0
                buffer[ZY, i] = 0.0
                buffer[PIXEL, i] = first * size + i
            iterate(buffer, n, int(p[FORMULA]), STEPS_MOST, tolerance, conic, places, counts, norms, traps)


@compiled
def zoom(state, p, levels, late_share, buffer, places):
    """Zoom the view ``levels`` times by 3-6 to one of the ``late_share`` of a coarse grid that escape last.

    Returns the share of the last grid's places that escape after 6 or more steps.
    """
    total = SURVEY_SIDE * SURVEY_SIDE
    counts = np.empty(total, buffer.dtype)
    norms = np.empty(total, buffer.dtype)
    traps = np.empty(total, buffer.dtype)
    for level in range(levels + 1):
        fill(p, SURVEY_SIDE, buffer, places, counts, norms, traps)
        if level == levels:
            break
        # Among the latest share; never a place that does not escape (-1). How far an orbit overshot tells those of
        # one count apart.
        for i in range(total):
            counts[i] += BAILOUT / norms[i] if counts[i] >= 0 else 0.0
        late = total - int(total * late_share)
        least = max(np.partition(counts, late)[late], 0.0)
        chosen = below(state, total)
        for _ in range(TRIES):
            if counts[chosen] >= least:
                break
            chosen = below(state, total)
        if counts[chosen] < least:
            return 0.0
        step = p[VIEW_WIDTH] / SURVEY_SIDE
        u = chosen % SURVEY_SIDE - 0.5 * (SURVEY_SIDE - 1)
        v = chosen // SURVEY_SIDE - 0.5 * (SURVEY_SIDE - 1)
        cos = cosine_of_turns(p[VIEW_TURN])
        sin = sine_of_turns(p[VIEW_TURN])
        p[VIEW_X] += step * (cos * u - sin * v)
        p[VIEW_Y] += step * (sin * u + cos * v)
        p[VIEW_WIDTH] = max(p[VIEW_WIDTH] / between(state, 3.0, 6.0), NARROWEST)
    late = 0
    for count in counts:
        if count >= 6.0:
            late += 1
    return late / total


@compiled
def _whole_plane(p, julia):
    # The view that holds the whole set.
    p[JULIA] = julia
    p[VIEW_X] = 0.0 if julia or DEGREES[int(p[FORMULA])] > 2.0 else -0.5
    p[VIEW_Y] = 0.0
    p[VIEW_WIDTH] = 3.0


@compiled
def draw(state, julia, p, buffer, places):
    """Draw a formula, a trap and a view; False if the view shows too little."""
    # Half of all images are the classical z**2 + c.
    p[FORMULA] = QUADRATIC if uniform(state) < 0.5 else below(state, len(FORMULAS))
    draw_trap(state, p)
    p[VIEW_TURN] = uniform(state)
    _whole_plane(p, False)
    if not julia:
        late = zoom(state, p, 1 + below(state, 4), 0.2, buffer, places)
        return late > 0.25
    if zoom(state, p, 2 + below(state, 2), 0.35, buffer, places) <= 0.0:
        return False
    p[C_X] = p[VIEW_X]
    p[C_Y] = p[VIEW_Y]
    _whole_plane(p, True)
    p[VIEW_TURN] = uniform(state)
    late = zoom(state, p, below(state, 3), 0.2, buffer, places)
    p[VIEW_WIDTH] *= between(state, 0.7, 1.1)
    return late > 0.25


@compiled
def _is_striped(p, palette, buffer, places, turns, glows):
    fields = np.empty((3, PREVIEW_SIDE * PREVIEW_SIDE), buffer.dtype)
    image = np.empty((PREVIEW_SIDE, PREVIEW_SIDE, 3), np.uint8)
    fill(p, PREVIEW_SIDE, buffer, places, fields[0], fields[1], fields[2])
    shades = p[SHADING : SHADING + SHADES]
    n = PREVIEW_SIDE * PREVIEW_SIDE
    degree = DEGREES[int(p[FORMULA])]
    shade(degree, shades, palette, fields[0], fields[1], fields[2], turns[:n], glows[:n], image)
    return measure(image)[5] > MOST_PARALLEL_WINDOW


@compiled
def paint(seed, salt, index, julia, image, parameters, workspace):
    """Paint image ``index`` of ``seed`` into ``image``, uint8[s, s, 3]; returns the attempts it took.

    ``workspace`` is :func:`make_workspace`'s for this size; what is in its arrays doesn't matter.
    """
    size = image.shape[0]
    buffer, places, fields, palette, spare = workspace
    counts = fields[0]
    norms = fields[1]
    traps = fields[2]
    for attempt in range(ATTEMPTS_MOST):
        last = attempt == ATTEMPTS_MOST - 1
        state = stream(seed, salt, index, attempt)
        if not draw(state, julia, parameters, buffer, places) and not last:
            continue
        draw_palette(state, palette)
        draw_shading(state, parameters[SHADING : SHADING + SHADES])
        if not julia and not last and _is_striped(parameters, palette, buffer, places, spare[0], spare[1]):
            continue
        fill(parameters, size, buffer, places, counts, norms, traps)
        shade(
            DEGREES[int(parameters[FORMULA])],
            parameters[SHADING : SHADING + SHADES],
            palette,
            counts,
            norms,
            traps,
            spare[0, : size * size],
            spare[1, : size * size],
            image,
        )
        if last or not is_dull(image, MOST_PARALLEL_WINDOW):
            return attempt + 1
    return ATTEMPTS_MOST


def make_workspace(size: int) -> tuple[np.ndarray, ...]:
    """Arrays for :func:`paint` to work in; the dtype of the first, float32 or float64, is the orbits' precision."""
    precision = np.float32 if size <= SINGLE_PRECISION_SIZE else np.float64
    band = max(BAND_PIXELS, SURVEY_SIDE * SURVEY_SIDE, size)
    return (
        np.empty((FIELDS, band + 16), precision),
        np.empty((2, band + 16), np.int32),
        np.empty((3, size * size), precision),
        new_palette(),
        np.empty((2, max(size, PREVIEW_SIDE) ** 2), np.float32),
    )


def describe(parameters: np.ndarray) -> dict[str, object]:
    """The numbers that :func:`paint` kept, named."""
    told: dict[str, object] = {
        "formula": FORMULAS[int(parameters[FORMULA])],
        "centre": parameters[[VIEW_X, VIEW_Y]].tolist(),
        "width": float(parameters[VIEW_WIDTH]),
        "turn": float(parameters[VIEW_TURN]),
        "trap": TRAPS[int(parameters[TRAP_SHAPE])],
        "conic": parameters[CONIC : CONIC + 6].tolist(),
        "shading": parameters[SHADING : SHADING + SHADES].tolist(),
    }
    if parameters[JULIA]:
        told["c"] = parameters[[C_X, C_Y]].tolist()
    return told
