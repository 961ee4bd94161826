"""Is an image worth keeping? Entropy, largest single color and detail, measured on its pixels."""

import numpy as np

from ipmix.core.compiling import compiled
from ipmix.fractals.color import luma
from ipmix.fractals.elementary import logarithm

LEAST_ENTROPY = 3.2
"""Bits in the histogram of 64 luma levels (at most 6; photographs lie around 5.2)."""

DARKEST, LIGHTEST = 45.0, 225.0
"""Bounds of the mean luma, in 0..255."""

MOST_OF_ONE_COLOR = 0.5
"""Share of the pixels that may fall into one of 4096 colors (4 bits a channel)."""

LEAST_DETAIL = 2.0
"""Mean absolute luma step between neighbours, in levels."""

MOST_NOISE = 0.62
"""Mean squared luma step over twice the variance: 0 for a smooth image, 1 for white noise."""

MOST_PARALLEL = 0.65
"""Coherence of the luma gradient's direction: 0 for no direction, 1 for parallel stripes."""


@compiled
def measure(image):
    """Mean luma, entropy (bits), largest color's share, mean luma step, noise, coherence: uint8[h, w, 3].

    Steps are taken to the right and downwards, on every fourth line (every second one of a small image).
    """
    height, width, _ = image.shape
    levels = np.zeros(64, np.int64)
    colors = np.zeros(4096, np.int64)
    steps = np.int64(0)
    squares_x = np.int64(0)
    squares_y = np.int64(0)
    products = np.int64(0)
    sums = np.int64(0)
    squares = np.int64(0)
    n = 0
    line = np.empty(width, np.int32)
    below_it = np.empty(width, np.int32)
    apart = 4 if height >= 128 else 2
    lines = 0
    zero = np.int32(0)
    for y in range(0, height, apart):
        down = min(y + 1, height - 1)
        for x in range(np.uint64(width)):
            line[x] = luma(image[y, x, 0], image[y, x, 1], image[y, x, 2])
            below_it[x] = luma(image[down, x, 0], image[down, x, 1], image[down, x, 2])
        # A line's sums fit 32 bits, which are added twice as many at once: 4096 squares of 255 are 2**28.
        step_sum, square_x, square_y, product, level_sum, level_square = zero, zero, zero, zero, zero, zero
        for x in range(np.uint64(width - 1)):
            here = line[x]
            dx = np.int32(line[x + np.uint64(1)] - here)
            dy = np.int32(below_it[x] - here)
            step_sum = np.int32(step_sum + np.int32(abs(dx) + abs(dy)))
            square_x = np.int32(square_x + np.int32(dx * dx))
            square_y = np.int32(square_y + np.int32(dy * dy))
            product = np.int32(product + np.int32(dx * dy))
            level_sum = np.int32(level_sum + here)
            level_square = np.int32(level_square + np.int32(here * here))
        steps += step_sum
        squares_x += square_x
        squares_y += square_y
        products += product
        sums += level_sum
        squares += level_square
        for x in range(np.uint64(width)):
            r = np.uint64(image[y, x, 0]) >> np.uint64(4)
            g = np.uint64(image[y, x, 1]) >> np.uint64(4)
            b = np.uint64(image[y, x, 2]) >> np.uint64(4)
            levels[np.uint64(line[x]) >> np.uint64(2)] += 1
            colors[(r << np.uint64(8)) | (g << np.uint64(4)) | b] += 1
        n += width
        lines += 1
    entropy = 0.0
    for count in levels:
        if count > 0:
            entropy -= count / n * logarithm(count / n)
    pairs = max(n - lines, 1)
    variance = max(squares / pairs - (sums / pairs) * (sums / pairs), 1e-6)
    energy = max(float(squares_x + squares_y), 1.0)
    tilt = float(squares_x - squares_y)
    coherence = np.sqrt(tilt * tilt + 4.0 * float(products) * float(products)) / energy
    noise = energy / (4.0 * variance * pairs)
    middle = sums / pairs
    return middle, entropy, colors.max() / n, steps / (2.0 * pairs), noise, coherence


@compiled
def is_dull(image, most_parallel):
    """True for an image (uint8[h, w, 3]) nearly blank, of one color, flat, noise, or parallel stripes.

    ``most_parallel`` is the coherence from which an image counts as stripes, :data:`MOST_PARALLEL` for most.
    """
    height, width, _ = image.shape
    middle, entropy, largest, detail, noise, coherence = measure(image)
    # A small image has too few pixels to fill the histogram, and its detail is finer than its pixels.
    small = min(height, width) < 64
    least = min(LEAST_ENTROPY, 0.7 * logarithm(float(height * width)) - 1.0)
    if entropy < least or largest > MOST_OF_ONE_COLOR or detail < LEAST_DETAIL:
        return True
    if not DARKEST <= middle <= LIGHTEST:
        return True
    return coherence > most_parallel or (noise > MOST_NOISE and not small)
