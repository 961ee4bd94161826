"""Bilinear affine maps as Pillow computes them, of many images at a time.

Pillow turns one image after the other and finds every pixel's place anew for each; here a place is found once for all
images. The arithmetic and its order are those of Pillow's bilinear filter, so that the bytes are the same where the
compiler of Pillow keeps to them (x86-64; on ARM it may fuse a product with a sum).
"""

import math

import numpy as np

from ipmix.core.compiling import compiled


def map_all(images: np.ndarray, matrix: tuple[float, float, float, float, float, float]) -> np.ndarray:
    """Map uint8[n, H, W, C] by ``(a, b, c, d, e, f)``: a pixel shows the place (a x + b y + c, d x + e y + f).

    Places count from the upper left corner of the first pixel, whose centre is (0.5, 0.5); 0 outside.
    """
    out = np.empty_like(images)
    fill_mapped(images, out, np.array(matrix, np.float64))
    return out


@compiled
def fill_mapped(images, out, matrix):
    """Map uint8[n, H, W, C] to ``out`` of the same shape by float64[6]; see :func:`map_all`."""
    count, height, width, channels = images.shape
    sources = images.reshape(count, height * width * channels)
    targets = out.reshape(count, height * width * channels)
    # Unsigned places: a signed index would be checked for a negative one at every step.
    corners = np.empty((width, 4), np.uint64)
    inside = np.empty(width, np.bool_)
    share_x, share_y = np.empty(width), np.empty(width)
    for y in range(height):
        for x in range(width):
            place_x = matrix[0] * (x + 0.5) + matrix[1] * (y + 0.5) + matrix[2]
            place_y = matrix[3] * (x + 0.5) + matrix[4] * (y + 0.5) + matrix[5]
            inside[x] = place_x >= 0.0 and place_x < width and place_y >= 0.0 and place_y < height
            if not inside[x]:
                continue
            left, above = math.floor(place_x - 0.5), math.floor(place_y - 0.5)
            share_x[x], share_y[x] = place_x - 0.5 - left, place_y - 0.5 - above
            # Beside the outermost pixels the edge is repeated; below the last row the row itself stands in.
            first, second = max(left, 0), min(left + 1, width - 1)
            row = max(above, 0) * width
            below = (above + 1) * width if above + 1 < height else row
            corners[x, 0], corners[x, 1] = (row + first) * channels, (row + second) * channels
            corners[x, 2], corners[x, 3] = (below + first) * channels, (below + second) * channels
        for i in range(count):
            source, target = sources[i], targets[i]
            at = np.uint64(y * width * channels)
            for x in range(width):
                if inside[x]:
                    a, b, d, e = corners[x, 0], corners[x, 1], corners[x, 2], corners[x, 3]
                    across, down = share_x[x], share_y[x]
                    for c in range(np.uint64(channels)):
                        upper = source[a + c] + (np.float64(source[b + c]) - source[a + c]) * across
                        lower = source[d + c] + (np.float64(source[e + c]) - source[d + c]) * across
                        target[at + c] = np.uint8(np.int32(upper + (lower - upper) * down))
                else:
                    for c in range(np.uint64(channels)):
                        target[at + c] = np.uint8(0)
                at += np.uint64(channels)
