"""The non-linear variations of fractal flames (S. Draves and E. Reckase, "The Fractal Flame Algorithm", 2003).

Each bends the plane; a flame's map is an affine map followed by a weighted sum of variations. They work on
many points at once and are made of exactly rounded operations only (see ``elementary``).
"""

import numpy as np

from ipmix.core.compiling import compiled
from ipmix.fractals.elementary import cosine_of_turns, exponential, sine_of_turns, turns_of

VARIATIONS = (
    "linear", "sinusoidal", "spherical", "swirl", "horseshoe", "polar", "handkerchief", "heart", "disc",
    "spiral", "hyperbolic", "diamond", "ex", "julia", "bent", "eyefish", "bubble", "cylinder", "exponential",
)  # fmt: skip
"""The variations' names; a variation's place here is its code."""

(
    LINEAR, SINUSOIDAL, SPHERICAL, SWIRL, HORSESHOE, POLAR, HANDKERCHIEF, HEART, DISC,
    SPIRAL, HYPERBOLIC, DIAMOND, EX, JULIA, BENT, EYEFISH, BUBBLE, CYLINDER, EXPONENTIAL,
) = range(len(VARIATIONS))  # fmt: skip

RADIANS = 0.15915494309189535
"""One radian in turns, 1 / (2 pi): the formulas' sines take radians, the ones here turns."""

TINY = 1e-12


@compiled
def vary(variation, weight, first, last, x, y, out_x, out_y):
    """Add ``weight`` times a variation of the points ``x``, ``y`` [first:last] to ``out_x``, ``out_y``.

    ``variation`` is a code: :data:`LINEAR`, :data:`SINUSOIDAL`, ...
    """
    low = np.uint64(first)
    high = np.uint64(last)
    if variation == LINEAR:
        for i in range(low, high):
            out_x[i] += weight * x[i]
            out_y[i] += weight * y[i]
    elif variation == SINUSOIDAL:
        for i in range(low, high):
            out_x[i] += weight * sine_of_turns(x[i] * RADIANS)
            out_y[i] += weight * sine_of_turns(y[i] * RADIANS)
    elif variation == SPHERICAL:
        for i in range(low, high):
            scale = weight / (x[i] * x[i] + y[i] * y[i] + TINY)
            out_x[i] += scale * x[i]
            out_y[i] += scale * y[i]
    elif variation == SWIRL:
        for i in range(low, high):
            turn = (x[i] * x[i] + y[i] * y[i]) * RADIANS
            sin = sine_of_turns(turn)
            cos = cosine_of_turns(turn)
            out_x[i] += weight * (x[i] * sin - y[i] * cos)
            out_y[i] += weight * (x[i] * cos + y[i] * sin)
    elif variation == HORSESHOE:
        for i in range(low, high):
            scale = weight / np.sqrt(x[i] * x[i] + y[i] * y[i] + TINY)
            out_x[i] += scale * (x[i] - y[i]) * (x[i] + y[i])
            out_y[i] += scale * 2.0 * x[i] * y[i]
    elif variation == POLAR:
        for i in range(low, high):
            out_x[i] += weight * 2.0 * turns_of(x[i], y[i])
            out_y[i] += weight * (np.sqrt(x[i] * x[i] + y[i] * y[i]) - 1.0)
    elif variation == HANDKERCHIEF:
        for i in range(low, high):
            r = np.sqrt(x[i] * x[i] + y[i] * y[i])
            turn = turns_of(x[i], y[i])
            out_x[i] += weight * r * sine_of_turns(turn + r * RADIANS)
            out_y[i] += weight * r * cosine_of_turns(turn - r * RADIANS)
    elif variation == HEART:
        for i in range(low, high):
            r = np.sqrt(x[i] * x[i] + y[i] * y[i])
            turn = turns_of(x[i], y[i]) * r
            out_x[i] += weight * r * sine_of_turns(turn)
            out_y[i] -= weight * r * cosine_of_turns(turn)
    elif variation == DISC:
        for i in range(low, high):
            half_turns = 0.5 * np.sqrt(x[i] * x[i] + y[i] * y[i])
            scale = weight * 2.0 * turns_of(x[i], y[i])
            out_x[i] += scale * sine_of_turns(half_turns)
            out_y[i] += scale * cosine_of_turns(half_turns)
    elif variation == SPIRAL:
        for i in range(low, high):
            r = np.sqrt(x[i] * x[i] + y[i] * y[i]) + 1e-3
            turn = turns_of(x[i], y[i])
            out_x[i] += weight / r * (cosine_of_turns(turn) + sine_of_turns(r * RADIANS))
            out_y[i] += weight / r * (sine_of_turns(turn) - cosine_of_turns(r * RADIANS))
    elif variation == HYPERBOLIC:
        for i in range(low, high):
            r = np.sqrt(x[i] * x[i] + y[i] * y[i]) + 1e-3
            turn = turns_of(x[i], y[i])
            out_x[i] += weight * sine_of_turns(turn) / r
            out_y[i] += weight * cosine_of_turns(turn) * r
    elif variation == DIAMOND:
        for i in range(low, high):
            r = np.sqrt(x[i] * x[i] + y[i] * y[i]) * RADIANS
            turn = turns_of(x[i], y[i])
            out_x[i] += weight * sine_of_turns(turn) * cosine_of_turns(r)
            out_y[i] += weight * cosine_of_turns(turn) * sine_of_turns(r)
    elif variation == EX:
        for i in range(low, high):
            r = np.sqrt(x[i] * x[i] + y[i] * y[i])
            turn = turns_of(x[i], y[i])
            p = sine_of_turns(turn + r * RADIANS)
            q = cosine_of_turns(turn - r * RADIANS)
            out_x[i] += weight * r * (p * p * p + q * q * q)
            out_y[i] += weight * r * (p * p * p - q * q * q)
    elif variation == JULIA:  # the square root, whose sign alternates from point to point
        for i in range(low, high):
            r = np.sqrt(np.sqrt(x[i] * x[i] + y[i] * y[i]))
            turn = 0.5 * turns_of(x[i], y[i]) + 0.5 * np.float64(i & np.uint64(1))
            out_x[i] += weight * r * cosine_of_turns(turn)
            out_y[i] += weight * r * sine_of_turns(turn)
    elif variation == BENT:
        for i in range(low, high):
            out_x[i] += weight * (x[i] if x[i] >= 0.0 else 2.0 * x[i])
            out_y[i] += weight * (y[i] if y[i] >= 0.0 else 0.5 * y[i])
    elif variation == EYEFISH:
        for i in range(low, high):
            scale = weight * 2.0 / (np.sqrt(x[i] * x[i] + y[i] * y[i]) + 1.0)
            out_x[i] += scale * x[i]
            out_y[i] += scale * y[i]
    elif variation == BUBBLE:
        for i in range(low, high):
            scale = weight * 4.0 / (x[i] * x[i] + y[i] * y[i] + 4.0)
            out_x[i] += scale * x[i]
            out_y[i] += scale * y[i]
    elif variation == CYLINDER:
        for i in range(low, high):
            out_x[i] += weight * sine_of_turns(x[i] * RADIANS)
            out_y[i] += weight * y[i]
    elif variation == EXPONENTIAL:
        for i in range(low, high):
            scale = weight * exponential((min(x[i], 20.0) - 1.0) * 1.4426950408889634)
            out_x[i] += scale * cosine_of_turns(0.5 * y[i])
            out_y[i] += scale * sine_of_turns(0.5 * y[i])
