"""C-bar: what covers parts of the image: sparkles, checkerboard patches and lines."""

import math

import numpy as np

from ipmix.core.compiling import compiled
from ipmix.core.randomness import below, between, normal, start, uniform
from ipmix.corruptions.bar.patterns import cut
from ipmix.corruptions.task import VIEW, Task

MOST_RAYS = 200


def sparkles(task: Task) -> None:
    """Five white stars with 50 to 199 rays, of radius 0.01 level of the side."""
    (level,) = task.constants()
    sparkle_all(task.images, task.out, *task.key, 0.01 * level * task.side)


def inverse_sparkles(task: Task) -> None:
    """White everywhere but in one star of radius a quarter of the side; the level sharpens its rim."""
    (level,) = task.constants()
    inverse_sparkle_all(task.images, task.out, *task.key, 0.25 * task.side, 6.5 * level / 50.0)


def checkerboard_cutout(task: Task) -> None:
    """A share 0.1 level of the black squares of a turned checkerboard becomes grey."""
    (level,) = task.constants()
    checker_all(task.images, task.out, *task.key, 0.1 * level)


def lines(task: Task) -> None:
    """0.1 level side grey lines through random points, anti-aliased, about one direction."""
    (level,) = task.constants()
    line_all(task.images, task.out, *task.key, np.int64(0.1 * level * task.side))


@compiled
def brilliance(y, x, centre_y, centre_x, rays, power):
    """How bright a star is at a point, in [0, 1]; rays holds the length of each."""
    dy, dx = y - centre_y, x - centre_x
    place = (math.atan2(dx, dy) + math.pi) / (2.0 * math.pi) * rays.size
    ray = int(place)
    along = place - ray
    here, after = rays[ray % rays.size], rays[(ray + 1) % rays.size]
    length = here + along * (after - here)
    glow = length * length / (dy * dy + dx * dx + 1e-4)
    if power != 1.0:
        glow = glow**power
    along -= 0.5
    return min(max((1.0 - along * along) * glow, 0.0), 1.0)


@compiled
def sparkle_all(images, out, indices, seed, salt, radius):
    """Five stars on each of uint8[n, H, W, C]."""
    count, height, width, channels = images.shape
    image = np.empty((height, width, channels), np.float32)
    lengths = np.empty(MOST_RAYS)
    state = np.empty(1, np.uint64)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        image[:] = images[i]
        for _ in range(5):
            centre_y, centre_x = between(state, 0.0, height), between(state, 0.0, width)
            rays = lengths[: 50 + below(state, 150)]
            for k in range(rays.size):
                rays[k] = max(1.0, radius + 0.25 * radius * normal(state))
            for y in range(height):
                for x in range(width):
                    share = brilliance(y, x, centre_y, centre_x, rays, 1.0)
                    for c in range(channels):
                        value = np.float64(image[y, x, c])
                        image[y, x, c] = value + share * (255.0 - value)
        for y in range(height):
            for x in range(width):
                for c in range(channels):
                    out[i, y, x, c] = cut(np.float64(image[y, x, c]))


@compiled
def inverse_sparkle_all(images, out, indices, seed, salt, radius, power):
    """White around one star on each of uint8[n, H, W, C]."""
    count, height, width, channels = images.shape
    lengths = np.empty(MOST_RAYS)
    state = np.empty(1, np.uint64)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        centre_y, centre_x = between(state, 0.25, 0.75) * height, between(state, 0.25, 0.75) * width
        rays = lengths[: 50 + below(state, 150)]
        for k in range(rays.size):
            rays[k] = radius + 0.25 * radius * normal(state)
        for y in range(height):
            for x in range(width):
                share = brilliance(y, x, centre_y, centre_x, rays, power)
                for c in range(channels):
                    out[i, y, x, c] = cut(255.0 + share * (images[i, y, x, c] - 255.0))


@compiled
def checker_all(images, out, indices, seed, salt, fraction):
    """Grey squares on each of uint8[n, H, W, C]."""
    count, height, width, channels = images.shape
    state = np.empty(1, np.uint64)
    most = int(4 * max(height, width) // max(0.1 * min(height, width), 1.0)) + 1
    chosen = np.empty((most, most), np.bool_)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        angle = between(state, 0.0, 2.0 * math.pi)
        scale = max(between(state, 0.1, 0.25) * min(height, width), 1.0)
        size = int(4 * max(height, width) // scale)
        for a in range(size):
            for b in range(size):
                chosen[a, b] = uniform(state) < fraction
        cosine, sine = math.cos(angle), math.sin(angle)
        for y in range(height):
            for x in range(width):
                row, column = (cosine * y + sine * x) / scale, (-sine * y + cosine * x) / scale
                grey = False
                if int(row % 2.0) == int(column % 2.0):
                    # Cut towards zero; a negative cell counts from the far end, as a Python index does.
                    a, b = int(row), int(column)
                    grey = chosen[a + size if a < 0 else a, b + size if b < 0 else b]
                for c in range(channels):
                    out[i, y, x, c] = np.uint8(128) if grey else images[i, y, x, c]


@compiled
def trace_line(row, column, end_row, end_column, height, width, places, values):
    """An anti-aliased line (Zingl's form of Bresenham's): what of it lies inside the image.

    Fills places (int64[n, 2]) and values (float64[n], 1 on the line), returns how many. A pixel may come
    twice.
    """
    wide, high = abs(end_column - column), abs(end_row - row)
    step_column = 1 if column < end_column else -1
    step_row = 1 if row < end_row else -1
    error = wide - high
    length = math.sqrt(float(wide * wide + high * high)) if wide + high > 0 else 1.0
    count = 0
    while True:
        if 0 <= row < height and 0 <= column < width:
            places[count] = row, column
            values[count] = 1.0 - abs(error - wide + high) / length
            count += 1
        before, column_before = error, column
        if 2 * before >= -wide:
            if column == end_column:
                break
            if before + high < length and 0 <= row + step_row < height and 0 <= column < width:
                places[count] = row + step_row, column
                values[count] = 1.0 - abs(before + high) / length
                count += 1
            error -= high
            column += step_column
        if 2 * before <= high:
            if row == end_row:
                break
            beside = column_before + step_column
            if wide - before < length and 0 <= row < height and 0 <= beside < width:
                places[count] = row, beside
                values[count] = 1.0 - abs(wide - before) / length
                count += 1
            error += wide
            row += step_row
    return count


@compiled
def line_all(images, out, indices, seed, salt, number):
    """Grey lines on each of uint8[n, H, W, C]."""
    count, height, width, channels = images.shape
    reach = float(min(height, width))
    places = np.empty((8 * (height + width), 2), np.int64)
    values = np.empty(8 * (height + width))
    drawn = np.empty((8 * (height + width), channels), np.uint8)
    state = np.empty(1, np.uint64)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        angle, variation = between(state, 0.0, 2.0 * math.pi), between(state, 0.1, 1.0)
        image = out[i]
        image[:] = images[i]
        for _ in range(number):
            row, column = height * uniform(state), width * uniform(state)
            turn = angle + 2.0 * math.pi * variation * (uniform(state) - 0.5)
            across, along = math.cos(turn) * reach, math.sin(turn) * reach
            pixels = trace_line(
                int(row - across), int(column - along), int(row + across), int(column + along),
                height, width, places, values,
            )  # fmt: skip
            # All values are taken before any is set: a pixel that comes twice keeps its last one.
            for k in range(pixels):
                for c in range(channels):
                    old = image[places[k, 0], places[k, 1], c]
                    drawn[k, c] = np.uint8((1.0 - values[k]) * old + values[k] * 128.0)
            for k in range(pixels):
                for c in range(channels):
                    image[places[k, 0], places[k, 1], c] = drawn[k, c]
