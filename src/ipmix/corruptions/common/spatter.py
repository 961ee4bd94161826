"""Spatter: drops of water or specks of mud on the lens.

The public code leans on OpenCV for the water: Canny's edges of the liquid, the distance to them, a histogram
equalisation and an emboss filter. They are written out here, with OpenCV's integer and rounding rules.
"""

import numpy as np

from ipmix.core.compiling import compiled
from ipmix.core.randomness import start
from ipmix.corruptions.kernels.filtering import blur, gaussian_weights, level, mirrored
from ipmix.corruptions.kernels.sampling import fill_normal, normal_table
from ipmix.corruptions.task import VIEW, Task

WATER = np.array([175.0, 238.0, 238.0], np.float32)
"""Pale turquoise, in the channel order in which the public code adds it."""

MUD = np.array([63.0, 42.0, 20.0], np.float32)
LUMA = np.array([0.299, 0.587, 0.114])

FAR = np.float32(1e9)
LOW_EDGE, HIGH_EDGE = 50, 150
STRAIGHT, DIAGONAL, KNIGHT = np.float32(1.0), np.float32(1.4), np.float32(2.1969)
"""Steps of the 5 x 5 distance transform."""


def spatter(task: Task) -> None:
    """Smoothed normal noise above a threshold is liquid: water (brightens, embossed) or mud (covers).

    Form "original": an image without a drop of water is black, since the public code divides 0 by 0 there.
    "corrected": it is left as it is.
    """
    mean, deviation, sigma, threshold, strength, mud = task.constants()
    spatter_all(
        task.images,
        task.out,
        *task.key,
        (mean, deviation, threshold, strength),
        normal_table(),
        gaussian_weights(sigma),
        gaussian_weights(strength * max(task.side / 224, 1.0)) if mud else gaussian_weights(0.0),
        overlay_color(MUD if mud else WATER, task.channels),
        bool(mud),
        task.corrected,
    )


def overlay_color(color: np.ndarray, channels: int) -> np.ndarray:
    """A color for three channels; its luma in every channel for any other number."""
    if channels == 3:
        return color
    return np.full(channels, float(color @ LUMA), np.float32)


@compiled
def _gradient(image, across, down):
    # Sobel's derivatives with the edge repeated, int32.
    height, width = image.shape
    for y in range(height):
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            a, b, c = np.int32(image[above, left]), np.int32(image[above, x]), np.int32(image[above, right])
            d, e = np.int32(image[y, left]), np.int32(image[y, right])
            f, g, h = np.int32(image[below, left]), np.int32(image[below, x]), np.int32(image[below, right])
            across[y, x] = (c - a) + 2 * (e - d) + (h - f)
            down[y, x] = (f - a) + 2 * (g - b) + (h - c)


@compiled
def edges(image, marks):
    """Canny's edges of uint8[H, W] (thresholds 50 and 150, |dx| + |dy|): ``marks`` (uint8[H, W]) becomes 2
    on them."""
    height, width = image.shape
    across, down = np.empty((height, width), np.int32), np.empty((height, width), np.int32)
    _gradient(image, across, down)
    # A rim of zeros stands for the outside.
    size = np.zeros((height + 2, width + 2), np.int32)
    for y in range(height):
        for x in range(width):
            size[y + 1, x + 1] = abs(across[y, x]) + abs(down[y, x])
    waiting = np.empty((height * width, 2), np.int64)
    count = 0
    for y in range(height):
        for x in range(width):
            marks[y, x] = 0
            here = size[y + 1, x + 1]
            if here <= LOW_EDGE:
                continue
            dx, dy = np.int64(abs(across[y, x])), np.int64(abs(down[y, x])) << 15
            flat = dx * 13573  # tan(22.5 degrees) * 2**15
            if dy < flat:
                crest = here > size[y + 1, x] and here >= size[y + 1, x + 2]
            elif dy > flat + (dx << 16):
                crest = here > size[y, x + 1] and here >= size[y + 2, x + 1]
            else:
                slant = -1 if (across[y, x] ^ down[y, x]) < 0 else 1
                crest = here > size[y, x + 1 - slant] and here > size[y + 2, x + 1 + slant]
            if crest:
                marks[y, x] = 1
                if here > HIGH_EDGE:
                    marks[y, x] = 2
                    waiting[count] = y, x
                    count += 1
    while count > 0:
        count -= 1
        y, x = waiting[count]
        for near_y in range(max(y - 1, 0), min(y + 2, height)):
            for near_x in range(max(x - 1, 0), min(x + 2, width)):
                if marks[near_y, near_x] == 1:
                    marks[near_y, near_x] = 2
                    waiting[count] = near_y, near_x
                    count += 1


@compiled
def distances(marks, out):
    """Distance of each pixel to the nearest mark 2, by the two-pass 5 x 5 chamfer transform, at most 20."""
    height, width = marks.shape
    padded = np.full((height + 4, width + 4), FAR, np.float32)
    for y in range(height):
        for x in range(width):
            if marks[y, x] == 2:
                padded[y + 2, x + 2] = np.float32(0.0)
                continue
            p = padded[y : y + 3, x : x + 5]
            best = min(p[0, 1] + KNIGHT, p[0, 3] + KNIGHT)
            best = min(best, min(p[1, 0] + KNIGHT, p[1, 4] + KNIGHT))
            best = min(best, min(p[1, 1] + DIAGONAL, p[1, 3] + DIAGONAL))
            padded[y + 2, x + 2] = min(best, min(p[1, 2] + STRAIGHT, p[2, 1] + STRAIGHT))
    for y in range(height - 1, -1, -1):
        for x in range(width - 1, -1, -1):
            p = padded[y + 2 : y + 5, x : x + 5]
            best = min(p[0, 2], min(p[2, 1] + KNIGHT, p[2, 3] + KNIGHT))
            best = min(best, min(p[1, 0] + KNIGHT, p[1, 4] + KNIGHT))
            best = min(best, min(p[1, 1] + DIAGONAL, p[1, 3] + DIAGONAL))
            best = min(best, min(p[1, 2] + STRAIGHT, p[0, 3] + STRAIGHT))
            p[0, 2] = best
            out[y, x] = min(best, np.float32(20.0))


@compiled
def _box(source, out, rounding):
    # The mean of 3 x 3 pixels, mirrored at the edges; plus ``rounding``, cut off to whole numbers.
    height, width = source.shape
    for y in range(height):
        above, below = mirrored(y - 1, height), mirrored(y + 1, height)
        for x in range(width):
            left, right = mirrored(x - 1, width), mirrored(x + 1, width)
            total = np.float64(source[above, left]) + source[above, x] + source[above, right]
            total += np.float64(source[y, left]) + source[y, x] + source[y, right]
            total += np.float64(source[below, left]) + source[below, x] + source[below, right]
            out[y, x] = np.floor(np.float32(total * (1.0 / 9.0)) + rounding)


@compiled
def _equalise(image):
    # Histogram equalisation in place, whole numbers 0 .. 255 in float32.
    counts = np.zeros(256, np.int64)
    flat = image.reshape(image.size)
    for p in range(flat.size):
        counts[int(flat[p])] += 1
    least = 0
    while counts[least] == 0:
        least += 1
    if counts[least] == flat.size:
        return
    scale = np.float32(255.0) / np.float32(flat.size - counts[least])
    table = np.zeros(256, np.float32)
    total = 0
    for v in range(least + 1, 256):
        total += counts[v]
        table[v] = np.rint(np.float32(total) * scale)
    for p in range(flat.size):
        flat[p] = table[int(flat[p])]


@compiled
def _emboss(source, out):
    # [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], cut to 0 .. 255.
    height, width = source.shape
    two = np.float32(2.0)
    for y in range(height):
        above, below = mirrored(y - 1, height), mirrored(y + 1, height)
        for x in range(width):
            left, right = mirrored(x - 1, width), mirrored(x + 1, width)
            total = source[y, x] + source[y, right] + source[below, x] + two * source[below, right]
            total -= two * source[above, left] + source[above, x] + source[y, left]
            out[y, x] = min(max(total, np.float32(0.0)), np.float32(255.0))


@compiled
def water_mask(liquid, mask, strength):
    """How much water brightens each pixel, 0 .. strength: float32[H, W] from the liquid's depth in [0, 1].

    Returns whether there is any: the public code divides by the largest value, 0 by 0 where there is none.
    """
    height, width = liquid.shape
    depth = np.empty((height, width), np.uint8)
    marks = np.empty((height, width), np.uint8)
    relief, other = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            # Rarely deeper than 1: the public code's cast to 8 bits wraps around there.
            depth[y, x] = np.uint8(np.int32(liquid[y, x] * np.float32(255.0)) & 255)
    edges(depth, marks)
    distances(marks, relief)
    _box(relief, other, np.float32(0.0))
    _equalise(other)
    _emboss(other, relief)
    _box(relief, other, np.float32(0.5))
    most = np.float32(0.0)
    for y in range(height):
        for x in range(width):
            mask[y, x] = np.float32(depth[y, x]) * other[y, x]
            most = max(most, mask[y, x])
    scale = np.float32(strength) / most if most > 0.0 else np.float32(0.0)
    for y in range(height):
        for x in range(width):
            mask[y, x] *= scale
    return most > 0.0


@compiled
def mud_mask(liquid, mask, threshold, weights):
    """How much mud covers each pixel, 0 or 0.8 .. 1: float32[H, W] from the liquid's depth in [0, 1]."""
    height, width = liquid.shape
    covered = np.empty((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            covered[y, x] = np.float32(1.0) if liquid[y, x] > threshold else np.float32(0.0)
    blur(covered, mask, 1, weights)
    for y in range(height):
        for x in range(width):
            if mask[y, x] < np.float32(0.8):
                mask[y, x] = np.float32(0.0)


@compiled
def pool(noise, liquid, threshold, weights):
    """Smooth noise (float32[H, W]) and keep what reaches the threshold, in ``liquid``; 0 elsewhere."""
    blur(noise, liquid, 1, weights)
    for y in range(liquid.shape[0]):
        for x in range(liquid.shape[1]):
            if liquid[y, x] < threshold:
                liquid[y, x] = np.float32(0.0)


@compiled
def lay(image, out, mask, color, mud):
    """Add ``mask`` times a color to uint8[H, W, C]; mud covers what is below."""
    height, width, channels = image.shape
    for y in range(height):
        for x in range(width):
            share = mask[y, x]
            keep = np.float32(1.0) - share if mud else np.float32(1.0)
            for c in range(channels):
                out[y, x, c] = level(np.float32(image[y, x, c]) * keep + share * color[c])


@compiled
def spatter_all(images, out, indices, seed, salt, numbers, table, weights, mud_weights, color, mud, corrected):
    """Spatter uint8[n, H, W, C]."""
    count, height, width, _ = images.shape
    mean, deviation, threshold, strength = numbers
    noise, liquid = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
    mask = np.empty((height, width), np.float32)
    state = np.empty(1, np.uint64)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        fill_normal(state, noise.reshape(noise.size), mean, deviation, table)
        pool(noise, liquid, threshold, weights)
        if mud:
            mud_mask(liquid, mask, threshold, mud_weights)
        elif not water_mask(liquid, mask, strength) and not corrected:
            out[i] = 0
            continue
        lay(images[i], out[i], mask, color, mud)
