"""C-bar: brownish noise and blue noise sampling, both noise with a given power at each frequency.

The public code fills the Fourier plane with chosen amplitudes and random phases, mirrored by turning the
plane by 180 degrees, and keeps the real part of its inverse transform. The real part belongs to the plane's
Hermitian half, so that a real transform of half the size gives the same.
"""

from collections.abc import Iterator

import numpy as np

from ipmix.core.compiling import compiled
from ipmix.core.randomness import GOLDEN, mix, start
from ipmix.corruptions.task import VIEW, Task

PHASES = 4096
"""How many phases there are to draw from."""

TURNS = np.exp(2j * np.pi * np.arange(PHASES) / PHASES).astype(np.complex64)


def brownish_noise(task: Task) -> None:
    """x + 6.4 level n, with noise n of amplitude 1 / (k^2 + 1) at frequency k and deviation 1, per
    channel."""
    (level,) = task.constants()
    amplitudes = 1.0 / (distance_squared(task.height, task.width) + 1.0)
    for noise, image, out in _noises(task, amplitudes, task.channels):
        # A single pixel has no deviation, and no noise.
        deviation = np.maximum(noise.std(axis=(0, 1)), 1e-20)
        add_noise(image, out, noise, (6.4 * level / deviation * (deviation > 1e-20)).astype(np.float32))


def blue_noise_sample(task: Task) -> None:
    """Keep the pixels where blue noise (amplitude k, deviation 1) is above 0.3 level - 2.5; others turn
    black."""
    (level,) = task.constants()
    amplitudes = np.sqrt(distance_squared(task.height, task.width))
    for noise, image, out in _noises(task, amplitudes, 1):
        keep_above(image, out, noise[..., 0], np.float32((0.3 * level - 2.5) * noise.std()))


def distance_squared(height: int, width: int) -> np.ndarray:
    """Squared distance of each frequency from the middle of the plane: float64[H, W].

    In units of the shorter side: in an image that is not square a direction has the same spectrum as any
    other.
    """
    side = min(height, width)
    y = (np.arange(height) - height / 2) * (side / height)
    x = (np.arange(width) - width / 2) * (side / width)
    return y[:, None] ** 2 + x[None, :] ** 2


def _noises(task: Task, amplitudes: np.ndarray, channels: int) -> Iterator[tuple[np.ndarray, ...]]:
    # For each image its noise, float32[H, W, channels].
    height, width = amplitudes.shape
    amplitudes = amplitudes.astype(np.float32)
    spectrum = np.empty((channels, height, width // 2 + 1), np.complex64)
    for image, out, index in zip(task.images, task.out, task.indices):
        fill_spectrum(spectrum, amplitudes, TURNS, index, np.int64(task.seed), np.int64(task.salt))
        noise = np.fft.irfft2(spectrum, s=(height, width))
        yield np.ascontiguousarray(noise.transpose(1, 2, 0), np.float32), image, out


@compiled
def draw_phases(phases, counter):
    """Fill int16[H, W] with random phases, the right half the left turned by 180 degrees; returns the
    counter.

    A middle column (odd width) is mirrored in itself, with phase 0 in its middle.
    """
    height, width = phases.shape
    word = np.uint64(0)
    drawn = 0
    for x in range((width + 1) // 2):
        middle = width % 2 == 1 and x == width // 2
        for y in range((height + 1) // 2 if middle else height):
            if drawn % 5 == 0:
                counter += GOLDEN
                word = mix(counter)
            phase = np.int16(word & np.uint64(PHASES - 1))
            word >>= np.uint64(12)
            drawn += 1
            if middle and height % 2 == 1 and y == height // 2:
                phase = np.int16(0)
            phases[y, x] = phase
            phases[height - 1 - y, width - 1 - x] = phase
    return counter


@compiled
def fill_spectrum(spectrum, amplitudes, turns, index, seed, salt):
    """The Hermitian half of each channel's random plane: complex64[C, H, W // 2 + 1]."""
    channels, height, half = spectrum.shape
    width = amplitudes.shape[1]
    phases = np.empty((height, width), np.int16)
    state = np.empty(1, np.uint64)
    start(state, seed, salt, index, VIEW)
    counter = state[0]
    for channel in range(channels):
        counter = draw_phases(phases, counter)
        for y in range(height):
            # The plane is rolled by half its size: frequency 0 comes from the middle.
            row, mirror = (y - height // 2) % height, (-y - height // 2) % height
            for x in range(half):
                column, opposite = (x - width // 2) % width, (-x - width // 2) % width
                here = amplitudes[row, column] * turns[phases[row, column]]
                there = amplitudes[mirror, opposite] * turns[phases[mirror, opposite]]
                spectrum[channel, y, x] = here + np.conj(there)


@compiled
def add_noise(image, out, noise, scale):
    """image + scale * noise, of shape [H, W, C] with a scale per channel (float32[C]), cut to 0 .. 255 and
    cut off."""
    height, width, channels = image.shape
    for y in range(height):
        for x in range(width):
            for c in range(channels):
                value = np.float32(image[y, x, c]) + scale[c] * noise[y, x, c]
                out[y, x, c] = np.uint8(np.int32(min(max(value, np.float32(0.0)), np.float32(255.0))))


@compiled
def keep_above(image, out, noise, threshold):
    """Copy the pixels of uint8[H, W, C] where noise [H, W] exceeds the threshold; the others become 0."""
    height, width, channels = image.shape
    for y in range(height):
        for x in range(width):
            keep = np.uint8(noise[y, x] > threshold)
            for c in range(channels):
                out[y, x, c] = image[y, x, c] * keep
