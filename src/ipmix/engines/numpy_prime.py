"""PRIME's three operations in NumPy, with the arithmetic of ``compiled/prime.py`` and what it calls: the same bytes.

``prime_reference.py`` has the formulas. Here every sum is taken in the kernel's order, in float32, products and sums
rounded once where the kernel does that.
"""

import math

import numpy as np

from ipmix.core.randomness import GOLDEN, mix
from ipmix.engines import prime_reference
from ipmix.recipe.recipe import Step

F, U32, U64, I32 = np.float32, np.uint32, np.uint64, np.int32


def operate(step: Step, image: np.ndarray) -> np.ndarray:
    """Carry out one of the three on a whole image: uint8[H, W, C] -> uint8[H, W, C]."""
    if step.operation == "spectral":
        return _filter(step, image)
    if step.operation == "color_curve":
        return np.take_along_axis(_curves(step, image.shape[2]), image.reshape(-1, image.shape[2]), 0).reshape(
            image.shape
        )
    return _displace(step, image)


Numbers = np.ndarray | np.float32


def _fused(a: Numbers, b: Numbers, c: Numbers) -> np.ndarray:
    """``a * b + c`` of float32 numbers, at least one of them an array, rounded once."""
    product: np.ndarray = np.multiply(a, b, dtype=np.float64)  # exact
    total = product + c
    # Rounded to float64 first, a sum may come to lie just half way between two float32 numbers: there the rest counts.
    halfway = (total.view(U64) & U64(2**29 - 1)) == U64(2**28)
    if halfway.any():
        part = total - product
        rest = (product - (total - part)) + (c - part)
        total = np.where(halfway & (rest != 0), np.nextafter(total, np.copysign(np.inf, rest)), total)
    return total.astype(F)


# --- normal numbers ---------------------------------------------------------------------------------------

LOGARITHM = [
    F(c)
    for c in (
        *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1),
        *(-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
    )
]
"""ln(1 + f) is f - f**2 / 2 + f**3 times this polynomial, highest power first, from sqrt(1/2) to sqrt(2) (Moshier,
Cephes, logf)."""

SINE = [F(c) for c in (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)]
COSINE = [F(c) for c in (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)]
"""sin and cos from -pi/4 to pi/4 (Moshier, Cephes, sinf and cosf)."""

LN2 = F(math.log(2.0))
_ROOT_OF_HALF = U32(0x3F3504F3)


def _base(step: Step) -> np.ndarray:
    """Where the stream of the step's seed starts: uint64[1]."""
    value = np.zeros(1, U64)
    for word in (prime_reference.SALT, step.seed, 0, 0):
        value = mix.py_func((value ^ U64(word)) + GOLDEN)
    return value


def _pairs(base: np.ndarray, first: int, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs ``first`` and on of normal numbers of these variances, float32[n] -> float32[n], float32[n]."""
    bits = mix.py_func(base + np.arange(first + 1, first + 1 + len(spread), dtype=U64) * GOLDEN)
    upper, lower = (bits >> U64(32)).astype(U32), bits.astype(U32)
    word = ((upper.astype(F) + F(0.5)) * F(2.0**-32)).view(U32) - _ROOT_OF_HALF
    exponent = (word.view(I32) >> 23).astype(F)
    f = ((word & U32(0x7FFFFF)) + _ROOT_OF_HALF).view(F) - F(1)
    inner = _fused(_polynomial(LOGARITHM, f), f, F(-0.5))
    logarithm = _fused(exponent, LN2, _fused(f * f, inner, f))
    radius = np.sqrt(np.maximum(F(-2) * logarithm, F(0)) * spread)
    rest = (lower + U32(1 << 29)) & U32((1 << 30) - 1)
    t = (rest - U32(1 << 29)).view(I32).astype(F) * F(1.4629180792671596e-09)
    z = t * t
    sine = _fused(t * z, _polynomial(SINE, z), t)
    cosine = _fused(z * z, _polynomial(COSINE, z), _fused(F(-0.5), z, F(1)))
    return radius * _turned(lower, 0, cosine, sine), radius * _turned(lower, 1, cosine, sine)


def _polynomial(coefficients: list[np.float32], x: np.ndarray) -> np.ndarray:
    """Highest power first."""
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = _fused(total, x, coefficient)
    return total


def _turned(word: np.ndarray, quarters_back: int, cosine: np.ndarray, sine: np.ndarray) -> np.ndarray:
    quarter = word + U32(((1 << 29) - (quarters_back << 30)) % 2**32)
    size = np.where(quarter & U32(1 << 30), sine, cosine).view(U32)
    return (size ^ ((quarter + U32(1 << 30)) & U32(1 << 31))).view(F)


# --- the three --------------------------------------------------------------------------------------------


def _to_bytes(values: np.ndarray) -> np.ndarray:
    return (np.clip(values, F(0), F(255)) + F(0.5)).astype(np.uint8)


def _filter(step: Step, image: np.ndarray) -> np.ndarray:
    evens, odds = _pairs(_base(step), 0, np.ones(5, F))
    kernel = (step.level * np.stack([evens, odds], axis=1).ravel()[:9].astype(np.float64)).astype(F)
    kernel[4 + 4 * int(step.a)] += F(1)
    height, width, _ = image.shape
    wide = np.pad(image.astype(F), ((1, 1), (1, 1), (0, 0)))
    rows = []
    for y in range(3):
        a, b, c = (kernel[3 * y + x] * wide[y : y + height, x : x + width] for x in range(3))
        rows.append(a + b + c)
    return _to_bytes(rows[0] + rows[1] + rows[2])


SINES = np.sin(np.pi * np.arange(510) / 255)
"""All that a wave can be at a byte: float64[510], of sin(pi m / 255)."""


def _curves(step: Step, channels: int) -> np.ndarray:
    """The step's color curves as tables: uint8[256, C]."""
    first, last = int(step.a), int(step.b)
    base, pairs = _base(step), max((last - first + 2) // 2, 0)
    spread = np.full(pairs, 255.0 * 255.0 * step.level).astype(F)
    v = np.arange(128)
    twice = 2.0 - 4.0 * SINES[v] * SINES[v]
    waves = [_waves(twice, SINES[(first - 2 + k) * v % 510], SINES[(first + k) * v % 510], pairs) for k in range(2)]
    out = np.empty((256, channels), np.uint8)
    for c in range(channels):
        factors = _pairs(base, c * pairs, spread)
        if pairs and (last - first) % 2 == 0:  # an odd number of frequencies: the last one's partner is not used
            factors[1][-1] = 0
        sums = []
        for series, numbers in zip(waves, factors):
            total = np.zeros(128, F)
            for wave, number in zip(series, numbers):
                total = _fused(number, wave, total)
            sums.append(total)
        odd, even = sums if first % 2 == 1 else sums[::-1]
        out[v, c] = _to_bytes(v.astype(F) + (odd + even))
        out[255 - v, c] = _to_bytes((255 - v).astype(F) + (odd - even))
    return out


def _waves(twice: np.ndarray, before: np.ndarray, current: np.ndarray, count: int) -> list[np.ndarray]:
    """Waves of frequencies two apart, from the last one before them and the first: float32."""
    found = []
    for _ in range(count):
        found.append(current.astype(F))
        before, current = current, twice * current - before
    return found


def _displace(step: Step, image: np.ndarray) -> np.ndarray:
    height, width, _ = image.shape
    if min(height, width) < 3 or int(step.a) == 0:  # all waves vanish, or there are none
        return image
    across, down = _fields(step, height, width)
    far_x, far_y = np.clip(-across, F(-width), F(width)), np.clip(-down, F(-height), F(height))
    left, u = _split(far_x, np.arange(width, dtype=I32), width)
    top, v = _split(far_y, np.arange(height, dtype=I32)[:, None], height)
    values = image.astype(F)
    u, v = u[:, :, None], v[:, :, None]
    upper = (F(1) - u) * values[top, left] + u * values[top, left + 1]
    lower = (F(1) - u) * values[top + 1, left] + u * values[top + 1, left + 1]
    return ((F(1) - v) * upper + v * lower + F(0.5)).astype(np.uint8)


def _split(far: np.ndarray, place: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixel before each position, of those with one behind them, and the fraction from it on."""
    whole = np.floor(far)
    before = whole.astype(I32) + place
    fraction = np.where(before < 0, F(0), np.where(before > side - 2, F(1), far - whole))
    return np.clip(before, 0, side - 2), fraction


def _fields(step: Step, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """How far pixels move across and down: float32[H, W] each."""
    cut, base = int(step.a), _base(step)
    most_x, most_y = min(cut, width - 2), min(cut, height - 2)
    strength = math.sqrt(step.level)
    scale = F(strength * strength * width * width)
    rows = [
        _pairs(base, (j - 1) * most_x, _variances(j, cut, width, height)[:most_x] * scale) for j in range(1, most_y + 1)
    ]
    across = np.stack([row[0] for row in rows])
    down = np.stack([row[1] for row in rows]) * (F(height) / F(width))
    waves_x, waves_y = _grid_waves(width, most_x), _grid_waves(height, most_y)
    return _summed(across, waves_x, waves_y, height, width), _summed(down, waves_x, waves_y, height, width)


def _grid_waves(side: int, count: int) -> np.ndarray:
    """Waves of frequencies 1 to ``count`` on the first half of a side's pixels: float32[count, half]."""
    angles = [math.pi * x / (side - 1) for x in range((side + 1) // 2)]
    sine, cosine = np.array([math.sin(a) for a in angles]), np.array([math.cos(a) for a in angles])
    twice = 2.0 - 4.0 * sine * sine
    found = np.empty((count, len(angles)), F)
    for parity, (before, current) in enumerate([(-sine, sine), (np.zeros_like(sine), 2.0 * sine * cosine)]):
        places = found[parity::2]
        places[:] = _waves(twice, before, current, len(places)) if len(places) else places
    return found


def _summed(amplitudes: np.ndarray, waves_x: np.ndarray, waves_y: np.ndarray, height: int, width: int) -> np.ndarray:
    """``waves_y.T @ amplitudes @ waves_x`` on all pixels, amplitudes float32[frequencies down, frequencies across].

    Odd and even waves are summed apart, along both axes, on a quarter of the pixels.
    """
    half_y, half_x = waves_y.shape[1], waves_x.shape[1]
    columns = np.zeros((len(waves_y), 2, half_x), F)
    for i, wave in enumerate(waves_x):
        columns[:, i % 2] = _fused(amplitudes[:, i, None], wave, columns[:, i % 2])
    sums = np.zeros((2, half_y, 2, half_x), F)
    for j, wave in enumerate(waves_y):
        sums[j % 2] = _fused(wave[:, None, None], columns[j], sums[j % 2])
    row = np.arange(height)
    y = np.minimum(row, height - 1 - row)
    sign = np.where(row == y, F(1), F(-1))[:, None, None]
    odd, even = np.moveaxis(sums[0, y] + sign * sums[1, y], 1, 0)
    out = np.empty((height, width), F)
    out[:, :half_x] = odd + even
    out[:, width - half_x :] = (odd - even)[:, ::-1]
    return out


def _variances(j: int, cut: int, width: int, height: int) -> np.ndarray:
    """1 / r**2 of all frequencies that look like (i, j) on the pixels, summed: float32[width - 2]."""
    out = np.zeros(width - 2, F)
    period_x, period_y = width - 1, height - 1
    for turn in range(cut // period_y + 2):
        seen = turn * period_y + j if turn % 2 == 0 else (turn + 1) * period_y - j
        square = cut * cut + cut - seen * seen
        if seen > cut or square <= 0:
            continue
        most, seen_square = min(math.isqrt(square), cut), F(seen) * F(seen)
        for begin in range(0, most + 1, period_x):
            mirrored = begin // period_x % 2 == 1
            if mirrored:
                i = np.arange(max(begin + period_x - most, 1), period_x)
                r = (begin + period_x - i).astype(F)
            else:
                i = np.arange(1, min(most - begin, period_x - 1) + 1)
                r = (begin + i).astype(F)
            out[i - 1] += F(1) / (seen_square + r * r)
    return out
