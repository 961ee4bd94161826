"""The words and numbers that recipes are written in, and how they are packed into arrays."""

import numpy as np

WHOLE = 32768
"""Shares are counted in 32768ths and sum to exactly this, so that mixing is exact integer arithmetic."""

MIXERS = ("", "add", "multiply", "random_pixels", "random_elements", "paste", "fill")
"""A mixer's place here is its code in a table; 0 stands for "no mixing: an image operation"."""
OPERATION, ADD, MULTIPLY, RANDOM_PIXELS, RANDOM_ELEMENTS, PASTE, FILL = range(len(MIXERS))

SOURCES = ("mixing_image", "original", "partner")
"""What a box is mixed with: the mixing image, the clean image (after an operation, if one is named), or the
partner."""
MIXING_IMAGE, ORIGINAL, PARTNER = range(len(SOURCES))

MOST = 65536
"""The largest level of a step; far beyond what any operation can use."""

MOST_FREQUENCY = 4096
"""The highest frequency of a color curve or a displacement."""

INTERPOLATIONS = ("nearest", "bilinear")
"""How an operation that reads its fill from the step finds values between pixels; the place here is the step's b."""
NEAREST, BILINEAR = range(len(INTERPOLATIONS))

NO_OPERATION = 255
NO_MIXING_IMAGE = -1
NO_PARTNER = -1

OVERFLOWS = ("clip", "wrap", "round")
"""How what add and multiply give is written back to bytes: clipped to 0..255 and cut to the level below; cut and taken
modulo 256 (authors' code); or clipped and rounded to the nearest level, for methods that keep fractions."""
CLIP, WRAP, ROUND = range(len(OVERFLOWS))
CLIPPED = ("clip", "round")
"""Those that keep to 0..255."""

FORMAT = 2
"""The version of the JSON form; a reader refuses any other."""

HEAD_TYPE = np.dtype(
    [
        ("clean", np.uint32),  # the clean image's share
        ("mixing_image", np.int32),  # which mixing image
        ("crop_x", np.uint32),  # where it is cropped, in 2**32ths of the free width and height
        ("crop_y", np.uint32),
        ("partner", np.int32),  # which image of the batch
        ("label", np.uint32),  # the partner's share of the label
        ("overflow", np.uint8),
    ],
    align=True,
)
CHAIN_TYPE = np.dtype([("share", np.uint32), ("length", np.int32)], align=True)
STEP_TYPE = np.dtype(
    [
        ("mixer", np.uint8),
        ("source", np.uint8),
        ("operation", np.uint8),
        ("level", np.float32),
        ("left", np.int32),
        ("top", np.int32),
        ("right", np.int32),
        ("bottom", np.int32),
        ("a", np.float32),
        ("b", np.float32),
        ("seed", np.uint32),
    ],
    align=True,
)
