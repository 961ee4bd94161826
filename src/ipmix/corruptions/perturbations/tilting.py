"""A plane turned in space and seen in perspective."""

import numpy as np

from ipmix.core.compiling import compiled


def tilt_map(height: int, width: int, degrees: float) -> np.ndarray:
    """The map from a pixel of the tilted image back to the image, float64[3, 3], homogeneous (x, y, 1).

    The plane turns by ``degrees`` about both its axes, at the distance ``sqrt(W^2 + H^2)`` from a camera of
    that focal length.
    """
    angle, far = np.deg2rad(degrees), np.hypot(width, height)
    cosine, sine = np.cos(angle), np.sin(angle)
    plane = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1], [0, 0, 1]])
    about_x = np.array([[1, 0, 0, 0], [0, cosine, -sine, 0], [0, sine, cosine, 0], [0, 0, 0, 1]])
    about_y = np.array([[cosine, 0, -sine, 0], [0, 1, 0, 0], [sine, 0, cosine, 0], [0, 0, 0, 1]])
    away = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, far], [0, 0, 0, 1]])
    camera = np.array([[far, 0, width / 2, 0], [0, far, height / 2, 0], [0, 0, 1, 0]])
    inverse: np.ndarray = np.linalg.inv(camera @ away @ about_x @ about_y @ plane)
    return inverse


@compiled
def tilt_all(images, out, inverse):
    """Warp uint8[n, H, W, C], bilinear between places that are multiples of 1/32 pixel (as OpenCV), 0
    outside."""
    count, height, width, channels = images.shape
    for y in range(height):
        for x in range(width):
            depth = inverse[2, 0] * x + inverse[2, 1] * y + inverse[2, 2]
            scale = 32.0 / depth if depth != 0.0 else 0.0
            place_x = np.int64(np.rint((inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]) * scale))
            place_y = np.int64(np.rint((inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]) * scale))
            left, above = place_x >> 5, place_y >> 5
            share_x, share_y = (place_x & 31) / 32.0, (place_y & 31) / 32.0
            for i in range(count):
                for c in range(channels):
                    total = 0.5
                    for k in range(2):
                        row = above + k
                        if row < 0 or row >= height:
                            continue
                        part = share_y if k == 1 else 1.0 - share_y
                        if 0 <= left < width:
                            total += part * (1.0 - share_x) * images[i, row, left, c]
                        if 0 <= left + 1 < width:
                            total += part * share_x * images[i, row, left + 1, c]
                    out[i, y, x, c] = np.uint8(total)
