"""Gaussian, defocus, glass and motion blur."""

import math
from functools import lru_cache

import numpy as np

from ipmix.core.compiling import compiled
from ipmix.core.randomness import between, bits, start
from ipmix.corruptions.kernels.filtering import (
    blur,
    blur_as_scipy,
    gaussian_weights,
    level,
    mirrored,
    motion_weights,
    motion_width,
    scipy_weights,
    smear,
    to_levels,
    to_rows,
)
from ipmix.corruptions.task import VIEW, Task


def gaussian_blur(task: Task) -> None:
    """Gaussian filter of standard deviation c, edge repeated, cut off at 4 deviations.

    Form "original": SciPy's sums bit for bit, so that one just short of a whole level is cut to the level below.
    "corrected": one less than a thousandth short is that level.
    """
    (sigma,) = task.constants()
    soften_all(task.images, task.out, sigma, 4.0, task.corrected)


def defocus_blur(task: Task) -> None:
    """Filter with a disk whose rim is softened; the image is mirrored at its edges."""
    radius, softness = task.constants()
    defocus_all(task.images, task.out, *defocus_steps(radius, softness))


def glass_blur(task: Task) -> None:
    """Gaussian filter, then each pixel trades places with a near one, then the filter again.

    Form "original": the public code's exchange of two array views copies the near pixel and leaves that one
    as it is, and the filter's sums are SciPy's, cut off as in :func:`gaussian_blur`. "corrected": the two pixels are
    exchanged, and sums are cut off as in that function's corrected form.
    """
    sigma, reach, rounds = task.constants()
    moves = np.int64(max(round(reach), 1)), np.int64(rounds)
    if task.corrected:
        shatter_all(task.images, task.out, *task.key, gaussian_weights(sigma), *moves, True)
    else:
        shatter_as_published(task.images, task.out, *task.key, scipy_weights(sigma), *moves)


def motion_blur(task: Task) -> None:
    """Blur along a line at an angle from U(-45, 45) degrees, with the weights of a half Gaussian.

    The original calls ImageMagick, which rounded to the nearest level before October 2019; so does this.
    Later versions cut levels off: half a level darker.
    """
    radius, sigma = task.constants()
    smear_all(task.images, task.out, *task.key, motion_weights(radius, sigma), motion_width(radius))


def disk(radius: float, softness: float) -> np.ndarray:
    """The defocus kernel, float64[n, n] with odd n: a disk of sum 1, filtered with a small Gaussian.

    Where the disk touches the kernel's edge (radius 8 and 10) the filter mirrors it there, as OpenCV does, and the
    sum grows by one per cent: the public code brightens a little at these severities, and so does this.
    """
    if radius <= 8:
        line, taps = np.arange(-8, 9), 3
    else:
        line, taps = np.arange(-math.ceil(radius), math.ceil(radius) + 1), 5
    kernel = (line[:, None] ** 2 + line[None, :] ** 2 <= radius**2).astype(np.float64)
    kernel /= kernel.sum()
    offsets = np.arange(taps) - taps // 2
    weights = np.exp(-0.5 * (offsets / softness) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        # Mirrored at the kernel's own edge, which a disk of radius 8 or 10 reaches.
        padded = np.pad(kernel, [(taps // 2,) * 2 if a == axis else (0, 0) for a in (0, 1)], mode="reflect")
        length = len(line)
        kernel = sum(weight * np.take(padded, np.arange(k, k + length), axis) for k, weight in enumerate(weights))
    used = np.flatnonzero(kernel.max(axis=0) > 1e-9)
    return kernel[used[0] : used[-1] + 1, used[0] : used[-1] + 1]


def steps_of(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A kernel that is symmetric up and down, as the steps of its rows.

    A row of weights is a stair; with the running sum S of a line of the image, the row's sum is
    ``sum over steps of height * S[x + place]``: a disk's row has few steps. Returns for row offsets 0 ..
    radius the first step (int64[radius + 2]), and for each step its place (int64) and height (float32).
    """
    radius = len(kernel) // 2
    first, places, heights = [0], [], []
    for offset in range(radius + 1):
        row = np.concatenate(([0.0], kernel[radius + offset], [0.0]))
        change = row[:-1] - row[1:]
        for place in np.flatnonzero(np.abs(change) > 1e-10):
            places.append(place)
            heights.append(change[place])
        first.append(len(places))
    return np.array(first, np.int64), np.array(places, np.int64), np.array(heights, np.float32)


@lru_cache(maxsize=32)
def defocus_steps(radius: float, softness: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """:func:`steps_of` the :func:`disk`, kept."""
    return steps_of(disk(radius, softness))


def soften_all(images: np.ndarray, out: np.ndarray, sigma: float, truncate: float, corrected: bool) -> None:
    """Gaussian blur of uint8[n, H, W, C] in either form; see :func:`gaussian_blur`."""
    if corrected:
        blur_all(images, out, gaussian_weights(sigma, truncate))
    else:
        blur_all_as_scipy(images, out, scipy_weights(sigma, truncate))


@compiled
def blur_all(images, out, weights):
    """Gaussian blur of uint8[n, H, W, C]."""
    count, height, width, channels = images.shape
    rows = np.empty((height, width * channels), np.float32)
    blurred = np.empty_like(rows)
    for i in range(count):
        to_rows(images[i], rows)
        blur(rows, blurred, channels, weights)
        to_levels(blurred, out[i])


@compiled
def blur_all_as_scipy(images, out, weights):
    """Gaussian blur of uint8[n, H, W, C], cut off as the public code's is."""
    count, height, width, channels = images.shape
    rows, total = np.empty((height, width * channels)), np.empty(width * channels)
    line = np.empty((width + 2 * (weights.size - 1)) * channels)
    for i in range(count):
        blur_as_scipy(images[i], out[i], weights, rows, line, total)


@compiled
def defocus_all(images, out, first, places, heights):
    """Filter with a kernel given by :func:`steps_of`."""
    count, height, width, channels = images.shape
    radius = first.size - 2
    values = width * channels
    # sums[y, k] is the sum of the mirrored line's first k pixels: whole numbers, exact in float32.
    sums = np.zeros((height, (width + 2 * radius + 1) * channels), np.float32)
    pair = np.empty(sums.shape[1], np.float32)
    total = np.empty(values, np.float32)
    for i in range(count):
        for y in range(height):
            line = sums[y]
            for x in range(width + 2 * radius):
                source = images[i, y, mirrored(x - radius, width)]
                for c in range(channels):
                    line[(x + 1) * channels + c] = line[x * channels + c] + np.float32(source[c])
        for y in range(height):
            total[:] = np.float32(0.0)
            for offset in range(radius + 1):
                above, below = sums[mirrored(y - offset, height)], sums[mirrored(y + offset, height)]
                if offset == 0:
                    pair[:] = above
                else:
                    for x in range(pair.size):
                        pair[x] = above[x] + below[x]
                for step in range(first[offset], first[offset + 1]):
                    line = pair[places[step] * channels : places[step] * channels + values]
                    weight = heights[step]
                    for x in range(values):
                        total[x] += weight * line[x]
            target = out[i, y].reshape(values)
            for x in range(values):
                target[x] = level(total[x])


@compiled
def displace(image, state, reach, rounds, exchange):
    """Move each pixel of uint8[H, W, C] in place, from the lower right: up to ``reach`` away, ``rounds``
    times."""
    height, width, channels = image.shape
    for _ in range(rounds):
        for y in range(height - reach, reach, -1):
            for x in range(width - reach, reach, -1):
                word = bits(state)
                right = np.int64(((word & np.uint64(0xFFFFFFFF)) * np.uint64(2 * reach)) >> np.uint64(32))
                below = np.int64(((word >> np.uint64(32)) * np.uint64(2 * reach)) >> np.uint64(32))
                near_y, near_x = y + below - reach, x + right - reach
                for c in range(channels):
                    value = image[y, x, c]
                    image[y, x, c] = image[near_y, near_x, c]
                    if exchange:
                        image[near_y, near_x, c] = value


@compiled
def shatter_all(images, out, indices, seed, salt, weights, reach, rounds, exchange):
    """Glass blur of uint8[n, H, W, C]."""
    count, height, width, channels = images.shape
    rows = np.empty((height, width * channels), np.float32)
    blurred = np.empty_like(rows)
    state = np.empty(1, np.uint64)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        to_rows(images[i], rows)
        blur(rows, blurred, channels, weights)
        to_levels(blurred, out[i])
        displace(out[i], state, reach, rounds, exchange)
        to_rows(out[i], rows)
        blur(rows, blurred, channels, weights)
        to_levels(blurred, out[i])


@compiled
def shatter_as_published(images, out, indices, seed, salt, weights, reach, rounds):
    """Glass blur of uint8[n, H, W, C] with the public code's sums and its copies for exchanges."""
    count, height, width, channels = images.shape
    rows, total = np.empty((height, width * channels)), np.empty(width * channels)
    line = np.empty((width + 2 * (weights.size - 1)) * channels)
    state = np.empty(1, np.uint64)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        blur_as_scipy(images[i], out[i], weights, rows, line, total)
        displace(out[i], state, reach, rounds, False)
        blur_as_scipy(out[i], out[i], weights, rows, line, total)


@compiled
def smear_to(images, out, weights, degrees, steps):
    """Motion blur of uint8[n, H, W, C] at one angle, rounded to the nearest level."""
    count, height, width, channels = images.shape
    rows = np.empty((height, width * channels), np.float32)
    blurred = np.empty_like(rows)
    for i in range(count):
        to_rows(images[i], rows)
        smear(rows, blurred, channels, weights, degrees, steps)
        target = out[i].reshape(height, width * channels)
        for y in range(height):
            for x in range(width * channels):
                target[y, x] = level(blurred[y, x] + np.float32(0.5))


@compiled
def smear_all(images, out, indices, seed, salt, weights, steps):
    """Motion blur of uint8[n, H, W, C], each at an angle of its own."""
    state = np.empty(1, np.uint64)
    for i in range(images.shape[0]):
        start(state, seed, salt, indices[i], VIEW)
        smear_to(images[i : i + 1], out[i : i + 1], weights, between(state, -45.0, 45.0), steps)
