"""Sampling systems of affine maps: Anderson and Farrell's, and FractalDB's.

A system is ``float64[MAPS_MOST, 6]``: row (a, b, c, d, e, f) maps (x, y) to (a x + b y + e, c x + d y + f).
Maps are chosen in proportion to \\|determinant\\|.
"""

import numpy as np

from ipmix.core.compiling import compiled
from ipmix.core.randomness import below, between, uniform
from ipmix.fractals.elementary import cosine_of_turns, sine_of_turns

MAPS_MOST = 8
TABLE_BITS = 12
"""Choices are read from a table of 4096 slots; every map has at least one."""

FILLING_SIDE = 128
FILLING_POINTS = 25_000
"""FractalDB counts 100,000 points on 512 x 512; this is the same density of points on a smaller grid, x4."""

SURVEY_POINTS = 4096


@compiled
def sample_singular_values(state, count, alpha, values):
    """Fill ``values[:count]`` with pairs (s1, s2), 0 <= s2 <= s1 <= 1 and sum(s1 + 2 s2) = alpha.

    Anderson and Farrell, "Improving Fractal Pre-training" (WACV 2022), section 3.2: ``alpha``, the
    sigma-factor, rules how full the fractal is. It must lie in [0, 3 count].
    """
    upper = alpha  # what is still to be spent
    lower = alpha - 3.0 * count + 3.0  # what must be spent now so that the rest can hold the remainder
    for i in range(count - 1):
        s1 = between(state, max(0.0, lower / 3.0), min(1.0, upper))
        lower -= s1
        upper -= s1
        s2 = between(state, max(0.0, lower / 2.0), min(s1, upper / 2.0))
        lower = lower - 2.0 * s2 + 3.0
        upper -= 2.0 * s2
        values[i, 0] = s1
        values[i, 1] = s2
    s2 = between(state, max(0.0, (upper - 1.0) / 2.0), upper / 3.0)
    values[count - 1, 0] = upper - 2.0 * s2
    values[count - 1, 1] = s2


@compiled
def sample_contractive(state, maps):
    """Draw a system of 2-4 contractive maps by singular values; returns how many."""
    count = 2 + below(state, 3)
    alpha = between(state, (5.0 + count) / 2.0, (6.0 + count) / 2.0)
    values = np.empty((MAPS_MOST, 2))
    sample_singular_values(state, count, alpha, values)
    for i in range(count):
        # A = U diag(s) V, U and V a rotation with random reflections.
        t = uniform(state)
        v = uniform(state)
        sign_u = np.float64(1 - 2 * below(state, 2))
        sign_v = np.float64(1 - 2 * below(state, 2))
        s1 = values[i, 0] * np.float64(1 - 2 * below(state, 2))
        s2 = values[i, 1] * np.float64(1 - 2 * below(state, 2))
        cu = cosine_of_turns(t)
        su = sine_of_turns(t)
        cv = cosine_of_turns(v)
        sv = sine_of_turns(v)
        # U = [[cu, -su * sign_u], [su, cu * sign_u]], V = [[cv, sv], [-sv * sign_v, cv * sign_v]].
        maps[i, 0] = cu * s1 * cv + su * sign_u * s2 * sv * sign_v
        maps[i, 1] = cu * s1 * sv - su * sign_u * s2 * cv * sign_v
        maps[i, 2] = su * s1 * cv - cu * sign_u * s2 * sv * sign_v
        maps[i, 3] = su * s1 * sv + cu * sign_u * s2 * cv * sign_v
        maps[i, 4] = between(state, -1.0, 1.0)
        maps[i, 5] = between(state, -1.0, 1.0)
    return count


@compiled
def largest_singular_value(a, b, c, d):
    """The 2-norm of [[a, b], [c, d]]."""
    square = a * a + b * b + c * c + d * d
    determinant = a * d - b * c
    inner = max(square * square - 4.0 * determinant * determinant, 0.0)
    return np.sqrt(0.5 * (square + np.sqrt(inner)))


@compiled
def jitter(state, maps, count):
    """Scale one random map's parameters by U(0.8, 1.1), if it stays contractive; True if it changed.

    Up to four tries, else the system stays as it is (the authors' generator does the same).
    """
    for _ in range(4):
        i = below(state, count)
        factor = between(state, 0.8, 1.1)
        m = maps[i]
        if largest_singular_value(m[0] * factor, m[1] * factor, m[2] * factor, m[3] * factor) <= 1.0:
            for k in range(6):
                maps[i, k] = maps[i, k] * factor
            return True
    return False


@compiled
def choices(maps, count, table):
    """Fill ``table`` (uint8[4096]) with map numbers in proportion to \\|determinant\\|, at least one each."""
    total = 0.0
    weights = np.empty(MAPS_MOST)
    for i in range(count):
        weights[i] = max(abs(maps[i, 0] * maps[i, 3] - maps[i, 1] * maps[i, 2]), 1e-9)
        total += weights[i]
    slots = table.size
    position = 0
    until = 0.0
    for i in range(count):
        until += weights[i] / total
        end = min(max(int(until * slots + 0.5), position + 1), slots - (count - 1 - i))
        if i == count - 1:
            end = slots
        table[position:end] = i
        position = end


@compiled
def fixed_point(maps, i):
    """Where map ``i`` stays put, (x, y); the origin if it has no single such point."""
    a = 1.0 - maps[i, 0]
    d = 1.0 - maps[i, 3]
    determinant = a * d - maps[i, 1] * maps[i, 2]
    if abs(determinant) < 1e-9:
        return 0.0, 0.0
    x = (d * maps[i, 4] + maps[i, 1] * maps[i, 5]) / determinant
    y = (maps[i, 2] * maps[i, 4] + a * maps[i, 5]) / determinant
    return x, y


@compiled
def survey(state, maps, table, box):
    """Play 4096 points; ``box`` becomes (x low, y low, x high, y high). False if the points run away."""
    x, y = fixed_point(maps, 0)
    box[0] = box[1] = np.inf
    box[2] = box[3] = -np.inf
    for n in range(SURVEY_POINTS):
        m = maps[table[below(state, table.size)]]
        new_x = m[0] * x + m[1] * y + m[4]
        y = m[2] * x + m[3] * y + m[5]
        x = new_x
        if not (abs(x) < 1e6 and abs(y) < 1e6):
            return False
        if n >= 20:
            box[0] = min(box[0], x)
            box[1] = min(box[1], y)
            box[2] = max(box[2], x)
            box[3] = max(box[3], y)
    return box[2] - box[0] > 1e-6 and box[3] - box[1] > 1e-6


@compiled
def sample_plain(state, maps):
    """FractalDB's draw: 2-7 maps, six parameters from U(-1, 1) each, not forced to contract."""
    count = 2 + below(state, 6)
    for i in range(count):
        for k in range(6):
            maps[i, k] = between(state, -1.0, 1.0)
    return count


@compiled
def filling_rate(state, maps, table):
    """The share of a square grid's cells that the fractal touches, in [0, 1]; 0 if its points run away.

    Kataoka et al., "Pre-training without Natural Images" (ACCV 2020), keep systems above a rate.
    """
    box = np.empty(4)
    if not survey(state, maps, table, box):
        return 0.0
    hit = np.zeros((FILLING_SIDE, FILLING_SIDE), np.uint8)
    # Their images keep a border of 6 of 512 pixels.
    inner = FILLING_SIDE * (500.0 / 512.0)
    border = 0.5 * (FILLING_SIDE - inner)
    x, y = fixed_point(maps, 0)
    filled = 0
    for _ in range(FILLING_POINTS):
        m = maps[table[below(state, table.size)]]
        new_x = m[0] * x + m[1] * y + m[4]
        y = m[2] * x + m[3] * y + m[5]
        x = new_x
        if not (abs(x) < 1e6 and abs(y) < 1e6):
            return 0.0
        column = int(min(max((x - box[0]) / (box[2] - box[0]), 0.0), 1.0) * inner + border)
        row = int(min(max((y - box[1]) / (box[3] - box[1]), 0.0), 1.0) * inner + border)
        if hit[row, column] == 0:
            hit[row, column] = 1
            filled += 1
    return filled / float(FILLING_SIDE * FILLING_SIDE)
