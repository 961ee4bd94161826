"""Which function makes which corruption."""

from collections.abc import Callable

from ipmix.corruptions import blur, colour, compression, elastic, frost, noise, spatter, weather, zoom
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
    "brightness": colour.brightness,
    "contrast": colour.contrast,
    "elastic_transform": elastic.elastic_transform,
    "pixelate": compression.pixelate,
    "jpeg_compression": compression.jpeg_compression,
    "speckle_noise": noise.speckle_noise,
    "gaussian_blur": blur.gaussian_blur,
    "spatter": spatter.spatter,
    "saturate": colour.saturate,
}
"""Every corruption by its name: fills ``task.out`` from ``task.images``."""
