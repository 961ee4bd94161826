"""The perturbation sequences, one generator of frames each."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ipmix.core.randomness import stream
from ipmix.corruptions.common import noise
from ipmix.corruptions.common.blur import smear_to, soften_all
from ipmix.corruptions.common.color import brighten, brightness_tables
from ipmix.corruptions.common.spatter import WATER, lay, overlay_color, pool, water_mask
from ipmix.corruptions.common.weather import fall_all, snow_layer
from ipmix.corruptions.common.zoom import zoom_line
from ipmix.corruptions.kernels.affine import map_all
from ipmix.corruptions.kernels.filtering import gaussian_weights, motion_weights, motion_width
from ipmix.corruptions.kernels.sampling import fill_normal, normal_table
from ipmix.corruptions.perturbations.tilting import tilt_all, tilt_map
from ipmix.corruptions.severities import PERTURBATIONS, perturbation_constants
from ipmix.corruptions.task import VIEW

SALT = 1 << 20
"""Where the salts of the sequences begin: far above those of the corruptions."""

MIDDLE = 15
"""The frame of a sequence of 31 at which nothing is changed."""

TRAILS = (np.array([0.2, 0.8]), np.array([0.05, 0.1, 0.15, 0.7]))
"""How spattered water runs down from frame to frame, at 32 and at 224 pixels."""

Frames = Iterator[np.ndarray]


@dataclass(frozen=True, slots=True)
class SequenceTask:
    """A chunk of images for one sequence; every frame is uint8[n, H, W, C]."""

    images: np.ndarray
    indices: np.ndarray
    seed: int
    name: str
    difficulty: int
    crop: int | None
    corrected: bool

    @property
    def cropped(self) -> np.ndarray:
        """The images, or their middles where the frames are to be cropped."""
        return centre(self.images, self.crop)

    def constants(self) -> tuple[float, ...]:
        """The constants of this sequence at the size of its frames."""
        height, width = self.cropped.shape[1:3]
        return perturbation_constants(self.name, height, width)

    def salt(self, frame: int = 0) -> np.int64:
        """What tells this sequence, its difficulty and a frame from all others."""
        return np.int64(SALT + ((PERTURBATIONS.index(self.name) * 4 + self.difficulty) << 8) + frame)

    def stream(self, image: int) -> np.ndarray:
        """The stream of one image of the chunk, for what stays the same over its frames."""
        state: np.ndarray = stream(self.seed, int(self.salt()), int(self.indices[image]), VIEW)
        return state


def centre(images: np.ndarray, crop: int | None) -> np.ndarray:
    """The middle ``crop`` x ``crop`` pixels of uint8[n, H, W, C], contiguous."""
    if crop is None:
        return images
    top, left = (round((side - crop) / 2.0) for side in images.shape[1:3])
    return np.ascontiguousarray(images[:, top : top + crop, left : left + crop])


def frame_count(name: str, height: int, width: int) -> int:
    """How many frames a sequence has at this size of its frames."""
    return int(perturbation_constants(name, height, width)[0])


def _noise(scene: SequenceTask, law: Callable[[float], tuple[np.ndarray, np.ndarray]]) -> Frames:
    constants = scene.constants()
    images = scene.cropped
    flat = images.reshape(len(images), -1)
    yield images
    tables = law(constants[scene.difficulty])
    for frame in range(1, int(constants[0])):
        out = np.empty_like(flat)
        noise.resample(flat, out, scene.indices, np.int64(scene.seed), scene.salt(frame), *tables)
        yield out.reshape(images.shape)


def gaussian_noise(scene: SequenceTask) -> Frames:
    """The clean image, then Gaussian noise, new in each frame."""
    return _noise(scene, noise.gaussian_law)


def shot_noise(scene: SequenceTask) -> Frames:
    """The clean image, then shot noise, new in each frame."""
    return _noise(scene, noise.poisson_law)


def speckle_noise(scene: SequenceTask) -> Frames:
    """The clean image, then speckle noise, new in each frame."""
    return _noise(scene, noise.speckle_law)


def motion_blur(scene: SequenceTask) -> Frames:
    """Motion blur whose angle turns."""
    frames, radius, sigma, first, step = scene.constants()
    images, weights = scene.cropped, motion_weights(radius, sigma)
    for frame in range(int(frames)):
        out = np.empty_like(images)
        smear_to(images, out, weights, first + step * frame, motion_width(radius))
        yield out


def gaussian_blur(scene: SequenceTask) -> Frames:
    """Gaussian blur that grows."""
    frames, sigma, step, truncate = scene.constants()
    images = scene.cropped
    for frame in range(int(frames)):
        out = np.empty_like(images)
        soften_all(images, out, sigma + step * frame, truncate, scene.corrected)
        yield out


def brightness(scene: SequenceTask) -> Frames:
    """Value (of hue, saturation and value) from below to above the image's own."""
    frames, step = scene.constants()
    images = scene.cropped
    pixels = images.reshape(-1, images.shape[3])
    for frame in range(int(frames)):
        out = np.empty_like(pixels)
        brighten(pixels, out, *brightness_tables((frame - MIDDLE) * step))
        yield out.reshape(images.shape)


def translate(scene: SequenceTask) -> Frames:
    """Shifted one pixel further to the right in each frame; black comes in."""
    frames, offset = scene.constants()
    width = scene.images.shape[2]
    for frame in range(int(frames)):
        shift = frame - int(offset)
        out = np.zeros_like(scene.images)
        if abs(shift) < width:
            out[:, :, max(shift, 0) : width + min(shift, 0)] = scene.images[
                :, :, max(-shift, 0) : width - max(shift, 0)
            ]
        yield centre(out, scene.crop)


def rotate(scene: SequenceTask) -> Frames:
    """Turned by -15 to 15 degrees, bilinear; black comes in."""
    (frames,) = scene.constants()
    for frame in range(int(frames)):
        yield centre(affine(scene, angle=float(frame - MIDDLE)), scene.crop)


def scale(scene: SequenceTask) -> Frames:
    """Scaled from smaller to larger, bilinear; black comes in."""
    frames, first, step = scene.constants()
    for frame in range(int(frames)):
        yield centre(affine(scene, factor=first + step * frame), scene.crop)


def shear(scene: SequenceTask) -> Frames:
    """Sheared by -15 to 15 degrees, bilinear; black comes in."""
    (frames,) = scene.constants()
    for frame in range(int(frames)):
        yield centre(affine(scene, slant=float(frame - MIDDLE)), scene.crop)


def zoom_blur(scene: SequenceTask) -> Frames:
    """The running mean of the image and its enlargements by 1.004, 1.008, ..."""
    frames, step = scene.constants()
    images = scene.cropped
    yield images
    total = images.astype(np.uint32)
    for frame in range(1, int(frames)):
        total += centre(affine(scene, factor=1.0 + step * frame), scene.crop)
        # A level k / 255 in float32 times 255 may fall below k, and is then cut off; these are whole sums.
        yield (total // (frame + 1)).astype(np.uint8)


def tilt(scene: SequenceTask) -> Frames:
    """Turned in space about both axes of the plane, seen in perspective; black comes in."""
    frames, step = scene.constants()
    height, width = scene.images.shape[1:3]
    for frame in range(int(frames)):
        out = np.empty_like(scene.images)
        tilt_all(scene.images, out, tilt_map(height, width, (frame - MIDDLE) * step))
        yield centre(out, scene.crop)


def snow(scene: SequenceTask) -> Frames:
    """The same flakes, falling at an angle that turns."""
    frames, mean, deviation, zoom, threshold, radius, sigma, share = scene.constants()
    images = scene.cropped
    height, width = images.shape[1:3]
    down, across = (zoom_line(max(zoom, 1.0), side, scene.corrected) for side in (height, width))
    layers = np.empty((len(images), height, width), np.float32)
    for i, layer in enumerate(layers):
        snow_layer(scene.stream(i), layer, mean, deviation, threshold, normal_table(), down, across)
    weights = motion_weights(radius, sigma)
    for frame in range(int(frames)):
        out = np.empty_like(images)
        fall_all(images, out, layers, weights, 4.0 * frame - 150.0, motion_width(radius), share)
        yield out


def spatter(scene: SequenceTask) -> Frames:
    """The same drops of water, running down.

    Form "original": where none is left, the public code divides 0 by 0 and the frame is black. "corrected": it is the
    image.
    """
    frames, mean, deviation, sigma, threshold, strength, trail = scene.constants()
    images = scene.cropped
    height, width, channels = images.shape[1:]
    color, weights = overlay_color(WATER, channels), gaussian_weights(sigma)
    liquids = np.empty((len(images), height, width), np.float32)
    drops = np.empty((height, width), np.float32)
    for i, liquid in enumerate(liquids):
        fill_normal(scene.stream(i), drops.reshape(-1), mean, deviation, normal_table())
        pool(drops, liquid, threshold, weights)
    mask = np.empty((height, width), np.float32)
    for _ in range(int(frames)):
        out = np.empty_like(images)
        for image, target, liquid in zip(images, out, liquids):
            if water_mask(liquid, mask, strength) or scene.corrected:
                lay(image, target, mask, color, False)
            else:
                target[:] = 0
        yield out
        liquids = run_down(liquids, TRAILS[int(trail)])


def run_down(liquids: np.ndarray, trail: np.ndarray) -> np.ndarray:
    """Filter the columns of float32[n, H, W] as NumPy's ``convolve(column, trail, "same")`` does."""
    height = liquids.shape[1]
    before = (len(trail) - 1) // 2
    padded = np.pad(liquids, ((0, 0), (len(trail) - 1 - before, len(trail) - 1), (0, 0)))
    total = np.zeros_like(liquids)
    for k, weight in enumerate(trail):
        begin = len(trail) - 1 - k
        total += np.float32(weight) * padded[:, begin : begin + height]
    return total


def affine(scene: SequenceTask, angle: float = 0.0, factor: float = 1.0, slant: float = 0.0) -> np.ndarray:
    """Turn, scale and shear images about their centre, bilinear as Pillow does it; 0 outside.

    The shear is that of torchvision when -P was made: it also stretches the columns by 1 / cos(slant).
    """
    height, width = scene.images.shape[1:3]
    off = 0.0 if scene.corrected else 0.5
    middle_x, middle_y = width * 0.5 + off, height * 0.5 + off
    turn, lean = math.radians(angle), math.radians(angle + slant)
    share = 1.0 / (factor * (math.cos(lean) * math.cos(turn) + math.sin(lean) * math.sin(turn)))
    a, b = math.cos(lean) * share, math.sin(lean) * share
    d, e = -math.sin(turn) * share, math.cos(turn) * share
    matrix = (a, b, middle_x - a * middle_x - b * middle_y, d, e, middle_y - d * middle_x - e * middle_y)
    return map_all(scene.images, matrix)


SEQUENCES: dict[str, Callable[[SequenceTask], Frames]] = {
    "gaussian_noise": gaussian_noise,
    "shot_noise": shot_noise,
    "motion_blur": motion_blur,
    "zoom_blur": zoom_blur,
    "spatter": spatter,
    "snow": snow,
    "brightness": brightness,
    "translate": translate,
    "rotate": rotate,
    "tilt": tilt,
    "scale": scale,
    "speckle_noise": speckle_noise,
    "gaussian_blur": gaussian_blur,
    "shear": shear,
}
"""Every sequence by its name."""
