"""The names and constants of every corruption, at 32 and at 224 pixels, and the rule for other sizes.

Sources: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations" (ICLR 2019) and its public code for -C and -P; Mintun, Kirillov and Xie, "On Interaction
Between Augmentations and Corruptions in Natural Corruption Robustness" (NeurIPS 2021) and its public code
for C-bar.

The rule for other sizes. Let ``side`` be the shorter side, and ``t = log(side / 32) / log(224 / 32)``, cut to
[0, 1]. A plain number is ``(1 - t) * small + t * large``. A length (in pixels) is interpolated as a share
of the side, ``side * ((1 - t) * small / 32 + t * large / 224)``, so that it keeps growing with the image
above 224 and shrinking below 32. A count or a kind is that of the nearer size. At 32 and 224 these are the
published tables.
"""

import math

CORRUPTIONS = (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur",
    "snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression",
)  # fmt: skip
"""The 15 test corruptions of CIFAR-10-C, CIFAR-100-C and ImageNet-C, in their usual order."""

VALIDATION = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
"""The 4 validation corruptions that come with -C."""

C_BAR_CIFAR = (
    "blue_noise_sample", "brownish_noise", "checkerboard_cutout", "circular_motion_blur", "inverse_sparkles",
    "lines", "pinch_and_twirl", "ripple", "sparkles", "transverse_chromatic_abberation",
)  # fmt: skip
"""The 10 corruptions of CIFAR-10-C-bar (the public name of the last one is spelled this way)."""

C_BAR_IMAGENET = (
    "blue_noise_sample", "brownish_noise", "caustic_refraction", "checkerboard_cutout", "cocentric_sine_waves",
    "inverse_sparkles", "perlin_noise", "plasma_noise", "single_frequency_greyscale", "sparkles",
)  # fmt: skip
"""The 10 corruptions of ImageNet-C-bar."""

C_BAR = tuple(dict.fromkeys(C_BAR_CIFAR + C_BAR_IMAGENET))
"""Both C-bar sets, each name once."""

PERTURBATIONS_CIFAR = (
    "gaussian_noise", "shot_noise", "motion_blur", "zoom_blur", "spatter", "brightness", "translate", "rotate",
    "tilt", "scale",
)  # fmt: skip
"""The 10 perturbation sequences of CIFAR-10-P."""

PERTURBATIONS_IMAGENET = (
    "gaussian_noise", "shot_noise", "motion_blur", "zoom_blur", "snow", "brightness", "translate", "rotate",
    "tilt", "scale",
)  # fmt: skip
"""The 10 perturbation sequences of ImageNet-P."""

PERTURBATIONS_VALIDATION = ("speckle_noise", "gaussian_blur", "spatter", "snow", "shear")
"""The validation sequences of -P (spatter is one for ImageNet, snow for CIFAR)."""

PERTURBATIONS = tuple(dict.fromkeys(PERTURBATIONS_CIFAR + PERTURBATIONS_IMAGENET + PERTURBATIONS_VALIDATION))
"""Every perturbation, each name once."""

ALL_CORRUPTIONS = CORRUPTIONS + VALIDATION + C_BAR
"""Every name that ``corrupt`` accepts."""

SMALL, LARGE = 32, 224
"""The two sizes that the public tables are made for."""

# One letter per constant: n a plain number, l a length in pixels, k a count or kind. Then severities 1 to 5
# at 32 pixels, and at 224.
_TABLES: dict[str, tuple[str, tuple[tuple[float, ...], ...], tuple[tuple[float, ...], ...]]] = {
    # standard deviation (image in [0, 1])
    "gaussian_noise": ("n", ((0.04,), (0.06,), (0.08,), (0.09,), (0.1,)),
                       ((0.08,), (0.12,), (0.18,), (0.26,), (0.38,))),
    # photons at white
    "shot_noise": ("n", ((500,), (250,), (100,), (75,), (50,)), ((60,), (25,), (12,), (5,), (3,))),
    # share of replaced values
    "impulse_noise": ("n", ((0.01,), (0.02,), (0.03,), (0.05,), (0.07,)),
                      ((0.03,), (0.06,), (0.09,), (0.17,), (0.27,))),
    "speckle_noise": ("n", ((0.06,), (0.1,), (0.12,), (0.16,), (0.2,)),
                      ((0.15,), (0.2,), (0.35,), (0.45,), (0.6,))),
    # disk radius, standard deviation of the kernel's antialiasing
    "defocus_blur": ("ln", ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
                     ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))),
    # sigma, largest displacement, iterations
    "glass_blur": ("llk", ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
                   ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))),
    # radius, sigma
    "motion_blur": ("ll", ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
                    ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))),
    # end of the range of zoom factors (the end itself excluded), step
    "zoom_blur": ("nn", ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
                  ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03))),
    "gaussian_blur": ("l", ((0.4,), (0.6,), (0.7,), (0.8,), (1,)), ((1,), (2,), (3,), (4,), (6,))),
    # mean, standard deviation, zoom (the flakes' size), threshold, radius, sigma, share of the image
    "snow": ("nnlnlln",
             ((0.1, 0.2, 1, 0.6, 8, 3, 0.95), (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
              (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9), (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
              (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8)),
             ((0.1, 0.3, 3, 0.5, 10, 4, 0.8), (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
              (0.55, 0.3, 4, 0.9, 12, 8, 0.7), (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
              (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55))),
    # weight of the image, weight of the frost
    "frost": ("nn", ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
              ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))),
    # weight of the fog, decay of its roughness
    "fog": ("nn", ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
            ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))),
    "brightness": ("n", ((0.05,), (0.1,), (0.15,), (0.2,), (0.3,)), ((0.1,), (0.2,), (0.3,), (0.4,), (0.5,))),
    "contrast": ("n", ((0.75,), (0.5,), (0.4,), (0.3,), (0.15,)), ((0.4,), (0.3,), (0.2,), (0.1,), (0.05,))),
    # amplitude, sigma and the affine's reach, as shares of the side
    "elastic_transform": ("nnn",
                          ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05),
                           (0.1, 0.03, 0.03)),
                          ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02),
                           (0.12, 0.01, 0.02))),
    # share of the side that is left
    "pixelate": ("n", ((0.95,), (0.9,), (0.85,), (0.75,), (0.65,)), ((0.6,), (0.5,), (0.4,), (0.3,), (0.25,))),
    # quality
    "jpeg_compression": ("n", ((80,), (65,), (58,), (50,), (40,)), ((25,), (18,), (15,), (10,), (7,))),
    # mean, standard deviation, sigma, threshold, strength (a length for mud), kind (0 water, 1 mud)
    "spatter": ("nnlnnk",
                ((0.62, 0.1, 0.7, 0.7, 0.5, 0), (0.65, 0.1, 0.8, 0.7, 0.5, 0), (0.65, 0.3, 1, 0.69, 0.5, 0),
                 (0.65, 0.1, 0.7, 0.69, 0.6, 1), (0.65, 0.1, 0.5, 0.68, 0.6, 1)),
                ((0.65, 0.3, 4, 0.69, 0.6, 0), (0.65, 0.3, 3, 0.68, 0.6, 0), (0.65, 0.3, 2, 0.68, 0.5, 0),
                 (0.65, 0.3, 1, 0.65, 1.5, 1), (0.67, 0.4, 1, 0.65, 1.5, 1))),
    # factor and offset of the saturation
    "saturate": ("nn", ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
                 ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2))),
}  # fmt: skip

# C-bar gives one number per severity, a level; most of its lengths are shares of the side already.
_BAR_CIFAR: dict[str, tuple[float, ...]] = {
    "blue_noise_sample": (0.7, 1.4, 2.1, 3.5, 4.2),
    "brownish_noise": (2.5, 4, 5.5, 6.5, 7),
    "checkerboard_cutout": (1, 2, 3, 4, 5),
    "circular_motion_blur": (2.8, 3.6, 4.4, 5.2, 6),
    "inverse_sparkles": (1, 1.5, 2.5, 4.5, 5),
    "lines": (0.5, 1, 1.5, 2, 2.5),
    "pinch_and_twirl": (5.5, 6, 6.5, 8.5, 10),
    "ripple": (5.5, 6, 6.5, 7.5, 8),
    "sparkles": (0.7, 3.5, 5.6, 6.3, 7),
    "transverse_chromatic_abberation": (1, 2, 5, 9, 10),
}
_BAR_IMAGENET: dict[str, tuple[float, ...]] = {
    "blue_noise_sample": (0.8, 1.6, 2.4, 4, 5.6),
    "brownish_noise": (1, 2, 3, 4, 5),
    "caustic_refraction": (2.35, 3.2, 4.9, 6.6, 9.15),
    "checkerboard_cutout": (2, 3, 4, 5, 6),
    "cocentric_sine_waves": (3, 5, 8, 9, 10),
    "inverse_sparkles": (1, 2, 4, 9, 10),
    "perlin_noise": (4.6, 5.2, 5.8, 7.6, 8.8),
    "plasma_noise": (4.75, 7, 8.5, 9.25, 10),
    "single_frequency_greyscale": (1, 1.5, 2, 4.5, 5),
    "sparkles": (1, 2, 3, 5, 6),
}

# The sequences: first the number of frames; letters and columns as above.
_PERTURBATIONS: dict[str, tuple[str, tuple[float, ...], tuple[float, ...]]] = {
    # deviation at the difficulties 1 to 3
    "gaussian_noise": ("knnn", (31, 0.02, 0.04, 0.06), (31, 0.03, 0.05, 0.08)),
    # photons at white at the difficulties 1 to 3
    "shot_noise": ("knnn", (31, 700, 400, 200), (31, 300, 120, 60)),
    "speckle_noise": ("knnn", (31, 0.05, 0.07, 0.1), (31, 0.05, 0.1, 0.15)),
    # radius, sigma, first angle and step in degrees
    "motion_blur": ("kllkk", (21, 6, 1.8, -180, 9), (31, 10, 3, -120, 4)),
    # step of the factor
    "zoom_blur": ("kn", (31, 0.004), (31, 0.004)),
    # mean, deviation, sigma, threshold, strength, how it runs down
    "spatter": ("knnlnnk", (31, 0.6, 0.265, 1.75, 0.7, 0.6, 0), (31, 0.65, 0.27, 3.7, 0.69, 0.6, 1)),
    # mean, deviation, zoom, threshold, radius, sigma, share of the image
    "snow": ("knnlnlln", (31, 0.05, 0.3, 2, 0.5, 10, 2, 0.85), (31, 0.05, 0.3, 3, 0.5, 14, 4, 0.85)),
    # step of the value
    "brightness": ("kn", (31, 0.015), (31, 0.02)),
    # the frame at which nothing is shifted
    "translate": ("kk", (16, 7), (41, 20)),
    "rotate": ("k", (31,), (31,)),
    # step in degrees
    "tilt": ("kn", (31, 0.75), (31, 1)),
    # first factor, step
    "scale": ("knn", (31, 0.7, 0.02), (31, 0.4, 0.025)),
    "shear": ("k", (31,), (31,)),
    # sigma of the first frame, step, where the kernel ends in deviations
    "gaussian_blur": ("kllk", (31, 0.3, 0.015, 7), (31, 0.25, 0.035, 6)),
}


def position(side: float) -> float:
    """Where a side lies between 32 (0.0) and 224 (1.0) on a logarithmic scale, cut to [0, 1]."""
    return min(max(math.log(side / SMALL) / math.log(LARGE / SMALL), 0.0), 1.0)


def between(kind: str, small: float, large: float, side: float) -> float:
    """One constant at a side in pixels. ``kind`` is "n" (number), "l" (length) or "k" (count or kind)."""
    if side == SMALL:
        return small
    if side == LARGE:
        return large
    t = position(side)
    if kind == "k":
        return large if t >= 0.5 else small
    if kind == "l":
        return side * ((1.0 - t) * small / SMALL + t * large / LARGE)
    return (1.0 - t) * small + t * large


def constants(name: str, severity: int, height: int, width: int) -> tuple[float, ...]:
    """The constants of a corruption at a severity (1 .. 5) for images of this height and width.

    Equal to the public CIFAR table where the shorter side is 32 and to the ImageNet table where it is 224.
    For C-bar a single number, the level (0 .. 10) that its public code calls severity.
    """
    side = min(height, width)
    if name in _TABLES:
        kinds, small, large = _TABLES[name]
        pairs = zip(kinds, small[severity - 1], large[severity - 1], strict=True)
        return tuple(float(between(kind, low, high, side)) for kind, low, high in pairs)
    # A corruption that only one of the two C-bar sets has keeps its levels at every size.
    at_small = _BAR_CIFAR.get(name) or _BAR_IMAGENET[name]
    at_large = _BAR_IMAGENET.get(name) or _BAR_CIFAR[name]
    return (float(between("n", at_small[severity - 1], at_large[severity - 1], side)),)


def perturbation_constants(name: str, height: int, width: int) -> tuple[float, ...]:
    """The number of frames of a sequence and its constants, for frames of this height and width."""
    side = min(height, width)
    kinds, small, large = _PERTURBATIONS[name]
    pairs = zip(kinds, small, large, strict=True)
    return tuple(float(between(kind, low, high, side)) for kind, low, high in pairs)
