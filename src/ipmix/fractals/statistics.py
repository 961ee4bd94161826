"""How images are built, in four numbers, to compare generated ones with photographs."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Structure:
    """One image's numbers.

    ``slope``: of log power over log spatial frequency, rotationally averaged (photographs: about -2; white
    noise: 0). ``entropy``: bits of the histogram of 256 luma levels, 0 to 8. ``colorfulness``: Hasler and
    Suesstrunk (2003), about 0 for grey and 110 for extremely colorful. ``contrast``: standard deviation of
    the luma over its range, 0 to 0.5.
    """

    slope: float
    entropy: float
    colorfulness: float
    contrast: float


def structure(image: np.ndarray) -> Structure:
    """The numbers of ``image``, uint8[h, w, 3], h and w at least 16."""
    values = image.astype(np.float64)
    luma = values @ LUMA
    return Structure(
        slope=spectral_slope(luma),
        entropy=entropy(luma),
        colorfulness=colorfulness(values),
        contrast=float(luma.std() / 255.0),
    )


def spectral_slope(luma: np.ndarray) -> float:
    """The slope of log power over log frequency of float[h, w], from 4 cycles an image to half of Nyquist's."""
    height, width = luma.shape
    window = np.hanning(height)[:, None] * np.hanning(width)[None, :]
    power = np.abs(np.fft.fft2((luma - luma.mean()) * window)) ** 2
    fy = np.fft.fftfreq(height)[:, None]
    fx = np.fft.fftfreq(width)[None, :]
    frequency = np.sqrt(fy * fy + fx * fx)
    edges = np.geomspace(4.0 / min(height, width), 0.25, 13)
    logs, means = [], []
    for low, high in pairwise(edges):
        ring = (frequency >= low) & (frequency < high)
        if ring.any():
            logs.append(np.log(frequency[ring]).mean())
            means.append(np.log(power[ring].mean() + 1e-12))
    return float(np.polyfit(logs, means, 1)[0])


def entropy(luma: np.ndarray) -> float:
    """Bits of the histogram of the luma's 256 levels."""
    counts = np.bincount(np.clip(luma, 0, 255).astype(np.int64).ravel(), minlength=256)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def colorfulness(values: np.ndarray) -> float:
    """Hasler and Suesstrunk, "Measuring colorfulness in natural images" (2003), of float[h, w, 3] in 0..255."""
    red_green = values[..., 0] - values[..., 1]
    yellow_blue = 0.5 * (values[..., 0] + values[..., 1]) - values[..., 2]
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))
