"""C-bar: what bends the image: pinch and twirl, ripple, and refraction by caustic light."""

import math

import numpy as np

from ipmix.core.compiling import compiled, inlined
from ipmix.core.randomness import below, between, start
from ipmix.corruptions.bar.patterns import cut
from ipmix.corruptions.task import VIEW, Task

TURN = 6.28318530718
"""The circle as the public code writes it."""


def pinch_and_twirl(task: Task) -> None:
    """Cells of 3 x 3 (5 x 5 from 85 pixels on) are pinched and turned by level pi / 20 either way.

    The public code has 5 x 5 cells at 224 pixels and 3 x 3 at any other size; 85 is the geometric mean of
    32 and 224.
    """
    (level,) = task.constants()
    cells = 5 if task.side >= 85 else 3
    pinch_all(task.images, task.out, *task.key, np.int64(cells), level * math.pi / 20.0, 0.04 * level + 0.1)


def ripple(task: Task) -> None:
    """Rows and columns move by 0.0025 level side sin(2 pi p / wavelength + phase)."""
    (level,) = task.constants()
    ripple_all(task.images, task.out, *task.key, 0.0025 * level * task.side)


def caustic_refraction(task: Task) -> None:
    """As if seen through rippled water: refracted and lit by a caustic pattern."""
    (level,) = task.constants()
    refract_all(task.images, task.out, *task.key, 0.05 * level * task.side, 0.2 * level)


@inlined
def bilinear(image, y, x, c):
    """One channel of [H, W, C] between pixels, 0 outside."""
    height, width = image.shape[0], image.shape[1]
    above, left = math.floor(y), math.floor(x)
    share_y, share_x = y - above, x - left
    total = 0.0
    if 0 <= above < height:
        if 0 <= left < width:
            total += image[above, left, c] * (1.0 - share_x) * (1.0 - share_y)
        if 0 <= left + 1 < width:
            total += image[above, left + 1, c] * share_x * (1.0 - share_y)
    if 0 <= above + 1 < height:
        if 0 <= left < width:
            total += image[above + 1, left, c] * (1.0 - share_x) * share_y
        if 0 <= left + 1 < width:
            total += image[above + 1, left + 1, c] * share_x * share_y
    return total


@compiled
def pinch_cell(image, cell, top, left, radius, amount, angle):
    """Pinch and turn one cell of float32[H, W, C] in place; ``cell`` is room for it."""
    rows, columns, channels = cell.shape
    centre_y, centre_x = top + rows / 2.0, left + columns / 2.0
    for y in range(rows):
        for x in range(columns):
            dy, dx = top + y - centre_y, left + x - centre_x
            distance = math.sqrt(dy * dy + dx * dx)
            place_y, place_x = float(top + y), float(left + x)
            if distance <= radius and distance >= 0.0005:
                share = distance / radius
                stretch = math.sin(math.pi * 0.5 * share) ** (-amount)
                turn = angle * (1.0 - share) ** 2
                cosine, sine = math.cos(turn), math.sin(turn)
                dy, dx = dy * stretch, dx * stretch
                place_y = centre_y + dy * cosine - dx * sine
                place_x = centre_x + dy * sine + dx * cosine
            for c in range(channels):
                cell[y, x, c] = bilinear(image, place_y, place_x, c)
    image[top : top + rows, left : left + columns] = cell


@compiled
def pinch_all(images, out, indices, seed, salt, cells, angle, amount):
    """Pinch and twirl uint8[n, H, W, C]."""
    count, height, width, channels = images.shape
    rows, columns = height // cells, width // cells
    radius = min(rows, columns) / 2.0
    image = np.empty((height, width, channels), np.float32)
    cell = np.empty((rows, columns, channels), np.float32)
    state = np.empty(1, np.uint64)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        image[:] = images[i]
        # One cell after the other, in place: a cell's rim may show pixels of one that is done.
        for column in range(cells):
            for row in range(cells):
                turn = angle if below(state, 2) == 1 else -angle
                if rows > 0 and columns > 0:
                    pinch_cell(image, cell, row * rows, column * columns, radius, amount, turn)
        for y in range(height):
            for x in range(width):
                for c in range(channels):
                    out[i, y, x, c] = cut(np.float64(image[y, x, c]))


@compiled
def ripple_all(images, out, indices, seed, salt, amplitude):
    """Ripple uint8[n, H, W, C]."""
    count, height, width, channels = images.shape
    side = min(height, width)
    from_x = np.empty(width)
    state = np.empty(1, np.uint64)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        wave_y, wave_x = between(state, 0.1, 0.3) * side, between(state, 0.1, 0.3) * side
        phase_y, phase_x = between(state, 0.0, 2.0 * math.pi), between(state, 0.0, 2.0 * math.pi)
        for x in range(width):
            from_x[x] = x + amplitude * math.sin(2.0 * math.pi * x / wave_x + phase_x)
        for y in range(height):
            from_y = y + amplitude * math.sin(2.0 * math.pi * y / wave_y + phase_y)
            for x in range(width):
                for c in range(channels):
                    out[i, y, x, c] = cut(bilinear(images[i], from_y, from_x[x], c))


@compiled
def caustic(y, x, time):
    """The brightness of caustic light at a point (both coordinates in periods), in [0, 1]."""
    first, second = (y % 1.0) * TURN - 250.0, (x % 1.0) * TURN - 250.0
    i, j, total = first, second, 1.0
    for n in range(5):
        t = time * (1.0 - 3.5 / (n + 1))
        i, j = (
            first + math.cos(t - i) + math.sin(t + j),
            second + math.sin(t - j) + math.cos(t + i),
        )
        across, down = 0.005 * first / math.sin(i + t), 0.005 * second / math.cos(j + t)
        total += 1.0 / math.sqrt(across * across + down * down)
    light = 1.17 - (total / 5.0) ** 1.4
    light = light * light
    light = light * light
    return min(light * light, 1.0)


@compiled
def soften(field, out):
    """Gaussian filter of deviation 1 on float64[H, W], mirrored with the edge repeated, cut off at 4."""
    height, width = field.shape
    weights = np.exp(-0.5 * np.arange(5) ** 2)
    weights /= weights[0] + 2.0 * weights[1:].sum()
    across = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            total = weights[0] * field[y, x]
            for k in range(1, 5):
                total += weights[k] * (field[y, rim(x - k, width)] + field[y, rim(x + k, width)])
            across[y, x] = total
    for y in range(height):
        for x in range(width):
            total = weights[0] * across[y, x]
            for k in range(1, 5):
                total += weights[k] * (across[rim(y - k, height), x] + across[rim(y + k, height), x])
            out[y, x] = total


@inlined
def rim(i, n):
    """Index ``i`` in 0 .. n-1, mirrored with the edge pixel repeated."""
    i = i % (2 * n)
    return min(i, 2 * n - 1 - i)


@compiled
def refract_all(images, out, indices, seed, salt, lens, lighting):
    """Caustic refraction of uint8[n, H, W, C]."""
    count, height, width, channels = images.shape
    light, field = np.empty((height, width)), np.empty((height, width))
    padded = np.zeros((height + 2, width + 2))
    state = np.empty(1, np.uint64)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        time = between(state, 0.5, 2.0)
        size = between(state, 0.75, 1.25) * min(height, width)
        for y in range(height):
            for x in range(width):
                light[y, x] = caustic(y / size, x / size, time)
        soften(light, field)
        padded[1:-1, 1:-1] = field
        for y in range(height):
            for x in range(width):
                # The slope down and to the right, 0 outside the image.
                down = padded[y + 2, x + 1] - padded[y, x + 1]
                right = padded[y + 1, x + 2] - padded[y + 1, x]
                shift_y, shift_x = bend(down, right, lens)
                lit = lighting * (down - right)
                for c in range(channels):
                    value = bilinear(images[i], y + shift_y, x + shift_x, c) / 255.0 + lit
                    out[i, y, x, c] = np.uint8(min(max(value, 0.0), 1.0) * 255.0)


@compiled
def bend(down, right, lens):
    """Where a ray from straight above lands after refraction (index 4) at a surface of this slope."""
    length = math.sqrt(down * down + right * right + 1.0)
    normal_y, normal_x, normal_z = down / length, right / length, 1.0 / length
    if normal_z >= 1.0 - 1e-3:
        return 0.0, 0.0
    slant = math.asin(math.sin(math.acos(normal_z)) / 4.0)
    level = math.sqrt(normal_y * normal_y + normal_x * normal_x)
    scale = math.cos(slant) - math.sin(slant) * normal_z / level
    return np.round(normal_y * scale * lens, 3), np.round(normal_x * scale * lens, 3)
