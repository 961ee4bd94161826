"""Color: palettes that close in a circle, kept at several blurs, hue-saturation-value and luma.

A *palette* is ``float32[LEVELS, PALETTE_SIZE, 3]`` of sRGB values in [0, 1], read cyclically by a position in
turns. Level n holds the colors averaged over 2**(n / 2) entries: where a fractal's bands are finer than a
pixel, a pixel takes the mean of the colors it covers and not one of them at random, which would be noise.
"""

import numpy as np

from ipmix.core.compiling import compiled, inlined
from ipmix.core.randomness import below, between, uniform
from ipmix.fractals.elementary import cosine_of_turns, exponential, power, sine_of_turns

PALETTE_SIZE = 512
"""Colors in a palette."""

LEVELS = 19
"""Half octaves of blur: the last one averages the whole circle."""

STOPS_MOST = 8

# Hue schemes, in turns from a base hue: the classical harmonies of the color wheel.
SCHEMES = np.array(
    [
        [0.0, 0.06, -0.06, 0.12],  # analogous
        [0.0, 0.5, 0.04, 0.54],  # complementary
        [0.0, 1 / 3, 2 / 3, 0.0],  # triadic
        [0.0, 0.42, 0.58, 0.0],  # split complementary
        [0.0, 0.25, 0.5, 0.75],  # tetradic
        [0.0, 0.12, 0.5, 0.62],  # two warm, two cold
    ]
)


@inlined
def srgb_of_linear(value):
    """The sRGB transfer curve (IEC 61966-2-1), clipped to [0, 1]."""
    value = min(max(value, 0.0), 1.0)
    curved = 1.055 * power(max(value, 1e-9), 1.0 / 2.4) - 0.055
    return min(12.92 * value if value <= 0.0031308 else curved, 1.0)


@compiled
def oklab_to_srgb(lightness, a, b, out):
    """Oklab (B. Ottosson, 2020) to sRGB in [0, 1], into ``out[3]``; colors out of gamut are clipped."""
    long = lightness + 0.3963377774 * a + 0.2158037573 * b
    medium = lightness - 0.1055613458 * a - 0.0638541728 * b
    short = lightness - 0.0894841775 * a - 1.2914855480 * b
    long = long * long * long
    medium = medium * medium * medium
    short = short * short * short
    out[0] = srgb_of_linear(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short)
    out[1] = srgb_of_linear(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short)
    out[2] = srgb_of_linear(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short)


@compiled
def harmony(state, colors):
    """Fill ``colors`` (float64[PALETTE_SIZE, 3]) with 4-8 stops of one hue harmony, joined in Oklab.

    Neighbouring stops alternate between dark and light: contrast is what survives being mixed into a photo.
    """
    scheme = SCHEMES[below(state, SCHEMES.shape[0])]
    hue = uniform(state)
    vivid = between(state, 0.7, 1.25)
    stops = 2 * (2 + below(state, STOPS_MOST // 2 - 1))
    lab = np.empty((STOPS_MOST, 3))
    for i in range(stops):
        turn = hue + scheme[below(state, 4)] + between(state, -0.03, 0.03)
        if i % 2 == 0:
            lightness = between(state, 0.12, 0.5)
            chroma = vivid * between(state, 0.06, 0.2)
        else:
            lightness = between(state, 0.62, 0.97)
            # Near white there is little room for chroma inside sRGB.
            chroma = vivid * between(state, 0.08, 0.22) * min(1.0, (1.08 - lightness) * 3.0)
        lab[i, 0] = lightness
        lab[i, 1] = chroma * cosine_of_turns(turn)
        lab[i, 2] = chroma * sine_of_turns(turn)
    _join(lab, stops, colors)


@compiled
def _join(lab, stops, colors):
    for n in range(PALETTE_SIZE):
        position = n * stops / PALETTE_SIZE
        i = int(position)
        j = (i + 1) % stops
        t = position - i
        t = t * t * (3.0 - 2.0 * t)
        oklab_to_srgb(
            lab[i, 0] + (lab[j, 0] - lab[i, 0]) * t,
            lab[i, 1] + (lab[j, 1] - lab[i, 1]) * t,
            lab[i, 2] + (lab[j, 2] - lab[i, 2]) * t,
            colors[n],
        )


@compiled
def cosines(state, colors):
    """Fill ``colors`` with a + b cos(2 pi (f t + phase)) per channel, whole f so that it closes."""
    for c in range(3):
        middle = between(state, 0.4, 0.6)
        swing = min(between(state, 0.35, 0.6), 1.2 - middle)
        frequency = 1.0 + below(state, 3)
        phase = uniform(state)
        for n in range(PALETTE_SIZE):
            value = middle + swing * cosine_of_turns(frequency * n / PALETTE_SIZE + phase)
            colors[n, c] = min(max(value, 0.0), 1.0)


@compiled
def draw_colors(state, colors):
    """Draw a circle of colors into float64[PALETTE_SIZE, 3]: two in three a hue harmony, else three cosines."""
    if uniform(state) < 0.67:
        harmony(state, colors)
    else:
        cosines(state, colors)


def new_palette() -> np.ndarray:
    """Memory for a palette, with one number more behind it, for those who read a color as four numbers."""
    numbers = LEVELS * PALETTE_SIZE * 3
    return np.empty(numbers + 1, np.float32)[:numbers].reshape(LEVELS, PALETTE_SIZE, 3)


@compiled
def draw_palette(state, palette):
    """Draw a palette with all its blurs into float32[LEVELS, PALETTE_SIZE, 3]."""
    n = 3 * PALETTE_SIZE
    colors = np.empty((PALETTE_SIZE, 3))
    draw_colors(state, colors)
    flat = colors.reshape(n)
    # Sums of all colors before, over two turns of the circle.
    sums = np.zeros(2 * n + 3)
    for i in range(2 * n):
        sums[i + 3] = sums[i] + flat[i if i < n else i - n]
    for level in range(LEVELS):
        span = min(int(exponential(0.5 * level) + 0.5), PALETTE_SIZE)
        scale = 1.0 / span
        row = palette[level].reshape(n)
        # Entry k averages the colors k - span // 2 onwards; the first few of these lie a turn later.
        back = 3 * (span // 2)
        for start, end, shift in ((0, back, n - back), (back, n, -back)):
            first = sums[start + shift :]
            last = sums[start + shift + 3 * span :]
            for i in range(np.uint64(end - start)):
                row[np.uint64(start) + i] = (last[i] - first[i]) * scale


@inlined
def position(turns):
    """The palette's entry at ``turns``: an integer in 0 .. PALETTE_SIZE - 1."""
    return np.int64(np.floor(turns * PALETTE_SIZE)) & (PALETTE_SIZE - 1)


@inlined
def single_position(turns):
    """:func:`position` of a float32, as an int32."""
    return np.int32(np.int32(np.floor(turns * np.float32(PALETTE_SIZE))) & np.int32(PALETTE_SIZE - 1))


@inlined
def blur_level(width):
    """The palette's level that averages ``width`` turns: half octaves, read off the number's own bits."""
    raw = np.float32(max(width, np.float32(1e-6)) * np.float32(PALETTE_SIZE)).view(np.int32)
    return min(max(np.int32((raw >> np.int32(22)) - np.int32(254)), np.int32(0)), np.int32(LEVELS - 1))


@inlined
def byte(value):
    """[0, 1] to uint8, rounded; what lies outside is clipped."""
    return np.uint8(min(max(value, 0.0), 1.0) * 255.0 + 0.5)


@inlined
def hue_channel(hue, saturation, value, channel):
    """One channel (0 red, 1 green, 2 blue) of a hue (turns, cyclic), saturation and value in [0, 1]."""
    k = 5.0 - 2.0 * channel + hue * 6.0
    k = k - 6.0 * np.floor(k * (1.0 / 6.0))
    return value - value * saturation * min(max(min(k, 4.0 - k), 0.0), 1.0)


@inlined
def luma(red, green, blue):
    """ITU-R BT.601 luma of uint8 channels, as Pillow rounds it."""
    return (np.int64(red) * 19595 + np.int64(green) * 38470 + np.int64(blue) * 7471 + 32768) >> 16
