"""Elastic transformation: a small random affine map, then a smooth random displacement of every pixel."""

from functools import lru_cache

import numpy as np

from ipmix.core.compiling import compiled, inlined
from ipmix.core.randomness import start
from ipmix.core.randomness import uniform as uniform_number
from ipmix.corruptions.kernels.filtering import level, mirrored, to_rows
from ipmix.corruptions.kernels.sampling import fill_uniform
from ipmix.corruptions.severities import between
from ipmix.corruptions.task import VIEW, Task

PUBLIC_SIDE = 244
"""What the public ImageNet code multiplies its shares with; its images have 224 pixels."""


def elastic_transform(task: Task) -> None:
    """Affine map of three points moved by up to ``reach``, then displacements ``amplitude * gaussian(U(-1,
    1))``.

    The three constants are shares of the side. Form "original": at 224 pixels the public code multiplies
    them with 244; "corrected": with the side. Other sizes keep the same proportion.
    """
    amplitude, sigma, reach = task.constants()
    side = float(task.side)
    if not task.corrected:
        side = between("l", 32.0, float(PUBLIC_SIDE), task.side)
    matrix_y = reflecting_gaussian(task.height, side * sigma)
    matrix_x = reflecting_gaussian(task.width, side * sigma)
    bend_all(task.images, task.out, *task.key, side * amplitude, side * reach, *matrix_y, *matrix_x)


@lru_cache(maxsize=32)
def reflecting_gaussian(size: int, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """A Gaussian filter along a line of ``size`` pixels that is mirrored at its edges (edge pixel repeated).

    Cut off at 3 deviations. Returns the filter as a matrix, float32[size, size], whose row k says where
    pixel k goes, and int64[size, 2], the part of each row that isn't 0. The mirrored tails are folded in: a
    filter wider than the image costs no more than the image.
    """
    radius = int(3.0 * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / max(sigma, 1e-9)) ** 2)
    weights /= weights.sum()
    matrix = np.zeros((size, size))
    for target in range(size):
        source = (target + offsets) % (2 * size)
        np.add.at(matrix[:, target], np.minimum(source, 2 * size - 1 - source), weights)
    bounds = np.array([(row[0], row[-1] + 1) for row in map(np.flatnonzero, matrix)], np.int64)
    return matrix.astype(np.float32), bounds


@compiled
def smooth(field, out, matrix_y, bounds_y, matrix_x, bounds_x):
    """Filter float32[H, W] with the matrices of :func:`reflecting_gaussian`, into ``out``."""
    height, width = field.shape
    across = np.zeros((height, width), np.float32)
    for y in range(height):
        for k in range(width):
            value = field[y, k]
            first, last = bounds_x[k]
            weights, target = matrix_x[k, first:last], across[y, first:last]
            for x in range(last - first):
                target[x] += value * weights[x]
    out[:] = np.float32(0.0)
    for k in range(height):
        first, last = bounds_y[k]
        row = across[k]
        for y in range(first, last):
            weight, target = matrix_y[k, y], out[y]
            for x in range(width):
                target[x] += weight * row[x]


@compiled
def inverse_affine(state, height, width, reach):
    """The map from a pixel back to its source: three points about the centre move by U(-reach, reach) each
    way."""
    middle_x, middle_y, third = float(width // 2), float(height // 2), float(min(height, width) // 3)
    x = np.array([middle_x + third, middle_x + third, middle_x - third])
    y = np.array([middle_y + third, middle_y - third, middle_y - third])
    moved = np.empty((3, 2))
    for k in range(3):
        moved[k, 0] = x[k] + reach * (2.0 * uniform_number(state) - 1.0)
        moved[k, 1] = y[k] + reach * (2.0 * uniform_number(state) - 1.0)
    # Barycentric: a pixel's place between the moved points is its place between the points.
    ax, ay = moved[0, 0] - moved[1, 0], moved[0, 1] - moved[1, 1]
    bx, by = moved[2, 0] - moved[1, 0], moved[2, 1] - moved[1, 1]
    area = ax * by - ay * bx
    result = np.zeros((2, 3))
    if abs(area) < 1e-12:  # the points fell on one line: only in images of a few pixels
        result[0, 0], result[1, 1] = 1.0, 1.0
        return result
    # u and v are a pixel's coordinates along the two sides that meet in the moved second point.
    u_x, u_y, v_x, v_y = by / area, -bx / area, -ay / area, ax / area
    for row in range(2):
        place = x if row == 0 else y
        along, beyond = place[0] - place[1], place[2] - place[1]
        result[row, 0] = along * u_x + beyond * v_x
        result[row, 1] = along * u_y + beyond * v_y
        result[row, 2] = place[1] - result[row, 0] * moved[1, 0] - result[row, 1] * moved[1, 1]
    return result


@inlined
def blend(rows, out, y, at, channels, above, below, left, right, share_y, share_x):
    """One pixel between four: into ``out[y, at : at + channels]``."""
    one = np.float32(1.0)
    a, b = (one - share_y) * (one - share_x), (one - share_y) * share_x
    c, d = share_y * (one - share_x), share_y * share_x
    left, right = left * channels, right * channels
    for k in range(channels):
        upper = a * rows[above, left + k] + b * rows[above, right + k]
        out[y, at + k] = upper + (c * rows[below, left + k] + d * rows[below, right + k])


@inlined
def _folded(place, size):
    # A coordinate mirrored at the outer rim of the first and last pixel.
    period = 2.0 * size
    place = (place + 0.5) % period
    return min(place, period - place) - 0.5


@compiled
def warp_affine(rows, out, channels, inverse):
    """Bilinear affine map of float32[H, W * C], mirrored at the edges (edge pixel not repeated).

    Source places are whole multiples of 1/32 of a pixel, as in OpenCV's ``warpAffine``.
    """
    height, width = rows.shape[0], rows.shape[1] // channels
    for y in range(height):
        from_x = np.int64(np.rint((inverse[0, 1] * y + inverse[0, 2]) * 1024.0)) + 16
        from_y = np.int64(np.rint((inverse[1, 1] * y + inverse[1, 2]) * 1024.0)) + 16
        for x in range(width):
            place_x = (from_x + np.int64(np.rint(inverse[0, 0] * x * 1024.0))) >> 5
            place_y = (from_y + np.int64(np.rint(inverse[1, 0] * x * 1024.0))) >> 5
            share_x = np.float32(place_x & 31) / np.float32(32.0)
            share_y = np.float32(place_y & 31) / np.float32(32.0)
            left, above = place_x >> 5, place_y >> 5
            right, below = left + 1, above + 1
            if left < 0 or above < 0 or right >= width or below >= height:
                left, right = mirrored(left, width), mirrored(right, width)
                above, below = mirrored(above, height), mirrored(below, height)
            blend(rows, out, y, x * channels, channels, above, below, left, right, share_y, share_x)


@compiled
def displace(rows, out, channels, shift_y, shift_x, amplitude):
    """Move every pixel's source by ``amplitude`` times the fields: bilinear, mirrored with the edge
    repeated."""
    height, width = rows.shape[0], rows.shape[1] // channels
    for y in range(height):
        for x in range(width):
            place_y = y + np.float64(np.float32(shift_y[y, x] * amplitude))
            place_x = x + np.float64(np.float32(shift_x[y, x] * amplitude))
            above, left = np.int64(np.floor(place_y)), np.int64(np.floor(place_x))
            if above < 0 or left < 0 or above + 1 >= height or left + 1 >= width:
                place_y, place_x = _folded(place_y, height), _folded(place_x, width)
                above, left = np.int64(np.floor(place_y)), np.int64(np.floor(place_x))
            share_y, share_x = np.float32(place_y - above), np.float32(place_x - left)
            below, right = min(above + 1, height - 1), min(left + 1, width - 1)
            above, left = max(above, np.int64(0)), max(left, np.int64(0))
            blend(rows, out, y, x * channels, channels, above, below, left, right, share_y, share_x)


@compiled
def bend_all(images, out, indices, seed, salt, amplitude, reach, matrix_y, bounds_y, matrix_x, bounds_x):
    """Elastic transformation of uint8[n, H, W, C]."""
    count, height, width, channels = images.shape
    rows = np.empty((height, width * channels), np.float32)
    warped = np.empty_like(rows)
    noise = np.empty((height, width), np.float32)
    shift_y, shift_x = np.empty_like(noise), np.empty_like(noise)
    state = np.empty(1, np.uint64)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        to_rows(images[i], rows)
        warp_affine(rows, warped, channels, inverse_affine(state, height, width, reach))
        if amplitude > 0.0:
            fill_uniform(state, noise.reshape(noise.size), -1.0, 1.0)
            smooth(noise, shift_x, matrix_y, bounds_y, matrix_x, bounds_x)
            fill_uniform(state, noise.reshape(noise.size), -1.0, 1.0)
            smooth(noise, shift_y, matrix_y, bounds_y, matrix_x, bounds_x)
            displace(warped, rows, channels, shift_y, shift_x, amplitude)
        else:
            rows, warped = warped, rows
        target = out[i].reshape(height, width * channels)
        for y in range(height):
            for x in range(width * channels):
                target[y, x] = level(rows[y, x])
