"""Which function makes which corruption."""

from collections.abc import Callable

from ipmix.corruptions.bar import cover, fourier, lens, patterns, warp
from ipmix.corruptions.common import blur, color, compression, elastic, frost, noise, spatter, weather, zoom
from ipmix.corruptions.task import Task

RUN: dict[str, Callable[[Task], None]] = {
    "gaussian_noise": noise.gaussian_noise,
    "shot_noise": noise.shot_noise,
    "impulse_noise": noise.impulse_noise,
    "defocus_blur": blur.defocus_blur,
    "glass_blur": blur.glass_blur,
    "motion_blur": blur.motion_blur,
    "zoom_blur": zoom.zoom_blur,
    "snow": weather.snow,
    "frost": frost.frost,
    "fog": weather.fog,
    "brightness": color.brightness,
    "contrast": color.contrast,
    "elastic_transform": elastic.elastic_transform,
    "pixelate": compression.pixelate,
    "jpeg_compression": compression.jpeg_compression,
    "speckle_noise": noise.speckle_noise,
    "gaussian_blur": blur.gaussian_blur,
    "spatter": spatter.spatter,
    "saturate": color.saturate,
    "blue_noise_sample": fourier.blue_noise_sample,
    "brownish_noise": fourier.brownish_noise,
    "checkerboard_cutout": cover.checkerboard_cutout,
    "circular_motion_blur": lens.circular_motion_blur,
    "inverse_sparkles": cover.inverse_sparkles,
    "lines": cover.lines,
    "pinch_and_twirl": warp.pinch_and_twirl,
    "ripple": warp.ripple,
    "sparkles": cover.sparkles,
    "transverse_chromatic_abberation": lens.transverse_chromatic_abberation,
    "caustic_refraction": warp.caustic_refraction,
    "cocentric_sine_waves": patterns.cocentric_sine_waves,
    "perlin_noise": patterns.perlin_noise,
    "plasma_noise": patterns.plasma_noise,
    "single_frequency_greyscale": patterns.single_frequency_greyscale,
}
"""Every corruption by its name: fills ``task.out`` from ``task.images``."""
