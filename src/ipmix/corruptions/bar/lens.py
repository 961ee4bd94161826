"""C-bar: faults of a lens or a turning camera: transverse chromatic aberration and circular motion blur."""

import math
from functools import lru_cache

import numpy as np

from ipmix.core.compiling import compiled, compiled_disjoint, inlined
from ipmix.core.randomness import below, start
from ipmix.corruptions.kernels.filtering import mirrored
from ipmix.corruptions.task import VIEW, Task

POLE = math.sqrt(3.0) - 2.0
"""The pole of the cubic B-spline's prefilter."""

TURNS = 21

TOGETHER, ROOM = 8, 2**17
"""Images that are turned at a time, at least, and the numbers that they may take where that allows for more: where a
pixel comes from is found once for all of them."""


def transverse_chromatic_abberation(task: Task) -> None:
    """The channels are enlarged by 1, 1 + 0.025 level and 1 + 0.05 level, in random order.

    Cubic B-splines without the prefilter, as in the public code: even the channel with factor 1 is softened.
    """
    (level,) = task.constants()
    factors = (1.0, 1.0 + 0.025 * level, 1.0 + 0.05 * level)
    down = [spline_line(factor, task.height) for factor in factors]
    across = [spline_line(factor, task.width) for factor in factors]
    enlarge_all(
        task.images,
        task.out,
        *task.key,
        np.stack([line[0] for line in down]),
        np.stack([line[1] for line in down]),
        np.stack([line[0] for line in across]),
        np.stack([line[1] for line in across]),
    )


def circular_motion_blur(task: Task) -> None:
    """The weighted mean of 21 rotations by up to 1.5 level degrees either way; black comes in at the
    corners."""
    (level,) = task.constants()
    share = np.linspace(-1.0, 1.0, TURNS)
    weights = np.exp(-2.0 * share**2)
    turn_all(task.images, task.out, np.deg2rad(share * 1.5 * level), weights / weights.sum())


@lru_cache(maxsize=64)
def spline_line(factor: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each of the ``size`` middle pixels of an enlarged line comes from.

    Returns the four pixels (int64[size, 4], mirrored at the ends) and their weights (float32[size, 4]).
    """
    enlarged = max(round(size * factor), 1)
    ratio = (size - 1) / (enlarged - 1) if enlarged > 1 else 0.0
    places, weights = np.empty((size, 4), np.int64), np.empty((size, 4), np.float32)
    for pixel in range(size):
        place = min((pixel + (enlarged - size) // 2) * ratio, size - 1.0)
        left = math.floor(place)
        weights[pixel] = spline_weights.py_func(place - left)
        places[pixel] = [mirrored.py_func(left + k, size) for k in range(-1, 3)]
    return places, weights


@compiled
def spline_weights(t):
    """The cubic B-spline's weights of the pixels at -1, 0, 1 and 2, for a place t in [0, 1) past pixel 0."""
    u = 1.0 - t
    inner = (t * t * (3.0 * t - 6.0) + 4.0) / 6.0
    return u * u * u / 6.0, inner, (u * u * (3.0 * u - 6.0) + 4.0) / 6.0, t * t * t / 6.0


@compiled
def enlarge_all(images, out, indices, seed, salt, from_y, weight_y, from_x, weight_x):
    """Enlarge the channels of uint8[n, H, W, C] by three factors in random order (a fourth takes the first
    again)."""
    count, height, width, channels = images.shape
    column = np.empty(width, np.float32)
    order = np.empty(3, np.int64)
    state = np.empty(1, np.uint64)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        for k in range(3):
            order[k] = k
        for k in range(2, 0, -1):
            other = below(state, k + 1)
            order[k], order[other] = order[other], order[k]
        for c in range(channels):
            f = order[c % 3]
            for y in range(height):
                a, b, d, e = from_y[f, y]
                w = weight_y[f, y]
                for x in range(width):
                    upper = w[0] * images[i, a, x, c] + w[1] * images[i, b, x, c]
                    column[x] = upper + w[2] * images[i, d, x, c] + w[3] * images[i, e, x, c]
                for x in range(width):
                    value = np.float32(0.5)
                    for k in range(4):
                        value += weight_x[f, x, k] * column[from_x[f, x, k]]
                    out[i, y, x, c] = np.uint8(np.int32(min(value, np.float32(255.0))))


@compiled
def _prefilter_line(line):
    # Values to cubic B-spline coefficients in place, mirrored at the ends (end pixel not repeated).
    n = line.size
    if n == 1:
        return
    power, far = POLE, POLE ** (n - 1)
    first = line[0] + far * line[n - 1]
    back = far * far / POLE
    for k in range(1, n - 1):
        first += (power + back) * line[k]
        power *= POLE
        back /= POLE
    line[0] = first / (1.0 - far * far)
    for k in range(1, n):
        line[k] += POLE * line[k - 1]
    line[n - 1] = (POLE * line[n - 2] + line[n - 1]) * POLE / (POLE * POLE - 1.0)
    for k in range(n - 2, -1, -1):
        line[k] = POLE * (line[k + 1] - line[k])
    for k in range(n):
        line[k] *= 6.0


@compiled
def coefficients(image, out):
    """The cubic B-spline through uint8[H, W, C]: float32[H + 4, W + 4, C], with mirrored rims.

    One pixel before and two (and one of room) after.
    """
    height, width, channels = image.shape
    plane = np.empty((height, width))
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                plane[y, x] = image[y, x, c]
            _prefilter_line(plane[y])
        line = np.empty(height)
        for x in range(width):
            for y in range(height):
                line[y] = plane[y, x]
            _prefilter_line(line)
            for y in range(height):
                plane[y, x] = line[y]
        for y in range(height + 4):
            row = mirrored(y - 1, height)
            for x in range(width + 4):
                out[y, x, c] = plane[row, mirrored(x - 1, width)]


@inlined
def _spline(t):
    u = np.float32(1.0) - t
    sixth, three, six, four = np.float32(1.0 / 6.0), np.float32(3.0), np.float32(6.0), np.float32(4.0)
    second = (t * t * (three * t - six) + four) * sixth
    third = (u * u * (three * u - six) + four) * sixth
    return u * u * u * sixth, second, third, t * t * t * sixth


@compiled
def find_row(y, height, width, angle, weight, places, shares):
    """Where the pixels of row ``y`` of a rotation about the centre come from; gives how many come from inside.

    places: int64[W, 3], a pixel's place in the row, and the row and column of the first value in :func:`coefficients`;
    shares: float32[W, 16], the weights of the 4 x 4 values from there on, times ``weight``.
    """
    middle_y, middle_x = (height - 1) / 2.0, (width - 1) / 2.0
    cosine, sine = math.cos(angle), math.sin(angle)
    count = 0
    for x in range(width):
        from_y = cosine * (y - middle_y) + sine * (x - middle_x) + middle_y
        from_x = -sine * (y - middle_y) + cosine * (x - middle_x) + middle_x
        if from_y < 0.0 or from_x < 0.0 or from_y > height - 1 or from_x > width - 1:
            continue
        above, left = int(from_y), int(from_x)
        down = _spline(np.float32(from_y - above))
        across = _spline(np.float32(from_x - left))
        places[count, 0], places[count, 1], places[count, 2] = x, above, left
        for k in range(4):
            row = down[k] * np.float32(weight)
            for m in range(4):
                shares[count, 4 * k + m] = row * across[m]
        count += 1
    return count


@compiled_disjoint
def add_row(splines, totals, values, places, shares, count):
    """Add what :func:`find_row` found to a row of all images.

    splines: float32[H + 4, (W + 4) V] and totals: float32[W V], the V values of a pixel (all channels of all images)
    side by side, so that one wide instruction takes many of them; values: float32[V], room.
    """
    n = values.size
    for pixel in range(count):
        share, total = shares[pixel], totals[places[pixel, 0] * n : (places[pixel, 0] + 1) * n]
        values[:] = np.float32(0.0)
        for k in range(4):
            row = splines[places[pixel, 1] + k, places[pixel, 2] * n : (places[pixel, 2] + 4) * n]
            first, second, third, fourth = row[:n], row[n : 2 * n], row[2 * n : 3 * n], row[3 * n :]
            a, b, c, d = share[4 * k], share[4 * k + 1], share[4 * k + 2], share[4 * k + 3]
            for v in range(n):
                values[v] = values[v] + a * first[v] + b * second[v] + c * third[v] + d * fourth[v]
        for v in range(n):
            total[v] += values[v]


@compiled
def turn_all(images, out, angles, weights):
    """The weighted mean of rotations of uint8[n, H, W, C] about the centre, cubic, 0 outside."""
    count, height, width, channels = images.shape
    most = max(TOGETHER, ROOM // ((height + 4) * (width + 4) * channels))
    for begin in range(0, count, most):
        some = min(most, count - begin)
        turn_some(images[begin : begin + some], out[begin : begin + some], angles, weights)


@compiled
def turn_some(images, out, angles, weights):
    """:func:`turn_all` for as many images as are held in memory as floats."""
    count, height, width, channels = images.shape
    values = np.empty(count * channels, np.float32)
    splines = np.empty((height + 4, width + 4, values.size), np.float32)
    lines = splines.reshape(height + 4, (width + 4) * values.size)
    totals = np.zeros((height, width * values.size), np.float32)
    places, shares = np.empty((width, 3), np.int64), np.empty((width, 16), np.float32)
    for i in range(count):
        coefficients(images[i], splines[:, :, i * channels : (i + 1) * channels])
    for turn in range(angles.size):
        for y in range(height):
            found = find_row(y, height, width, angles[turn], weights[turn], places, shares)
            add_row(lines, totals[y], values, places, shares, found)
    for i in range(count):
        for y in range(height):
            for x in range(width):
                for c in range(channels):
                    value = totals[y, (x * count + i) * channels + c]
                    out[i, y, x, c] = np.uint8(np.int32(min(max(value, np.float32(0.0)), np.float32(255.0))))
