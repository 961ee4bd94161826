"""What the compiled engine gives, byte for byte, in NumPy and Pillow: slower, and nothing has to be compiled for it.

The first images go this way while the kernel is being compiled (``compiled/beginning.py``), so that a program does not
wait for it and its images do not depend on when it is ready. What both engines have in common with the reference is
the reference's; here is what isn't: moved pixels, the multiplying mixer, PRIME's operations.
"""

import math

import numpy as np

from ipmix.engines import numpy_moves, numpy_prime, prime_reference, reference
from ipmix.engines.output import Output
from ipmix.recipe.operations import CODES
from ipmix.recipe.recipe import Step
from ipmix.recipe.table import RecipeTable


def apply(
    table: RecipeTable, images: np.ndarray, planes: np.ndarray, output: Output, threads: int, out: np.ndarray
) -> None:
    """Carry out ``table[i]`` on ``images[i]`` and write the results to ``out``; ``threads`` is not used.

    images uint8[N, H, W, C]; planes uint8[M, C, h, w], the mixing images, h >= H and w >= W.
    """
    reference.carry_out(table, images, planes, output, out, _ARITHMETIC)


_OTHERS = bytes(sorted(set(range(256)) - {CODES[name] for name in prime_reference.OPERATIONS}))

PRIME_TIMES = 16
"""How many times as long recipes with PRIME's operations take, about."""


def cost(table: RecipeTable) -> int:
    """The work of a table in pixels, each of which takes about a microsecond where images are small."""
    is_prime = bool(table.steps["operation"].tobytes().translate(None, _OTHERS))
    return len(table) * table.height * table.width * (PRIME_TIMES if is_prime else 1)


def operate(step: Step, image: np.ndarray) -> np.ndarray:
    """The step's operation on a whole image: uint8[H, W, C] -> uint8[H, W, C]."""
    if step.operation in numpy_moves.OPERATIONS:
        return numpy_moves.move(step, image)
    if step.operation in prime_reference.OPERATIONS:
        return numpy_prime.operate(step, image)
    return reference.operate_step(step, image)


def mix(step: Step, a: np.ndarray, b: np.ndarray, overflow: str) -> np.ndarray:
    """Mix two boxes, uint8[h, w, C] each, as the step says."""
    if step.mixer != "multiply":
        return reference.mix(step, a, b, overflow)
    left, right = _powers(step.a, 127.5), _powers(step.b, 1.0)
    if step.a > 0:
        left[0] = 0  # an exact zero, for which the logarithm has a stand-in
    with np.errstate(invalid="ignore", over="ignore"):
        return reference.to_bytes(left[a] * right[b], overflow)


LOG2 = np.log2(np.maximum(np.arange(256) * (2 / 255), 1e-37))
"""The logarithm of every byte as a number in [0, 2]."""

TERMS = np.array([math.log(2.0) ** n / math.factorial(n) for n in range(9, -1, -1)])
"""The series of 2**x, highest power first: its error is under 1e-11 for x in [-1/2, 1/2], far under float32's."""


def _powers(exponent: float, factor: float) -> np.ndarray:
    """``factor`` times a power of every byte as a number in [0, 2], float32[256]: 2**(exponent * log2), by a series."""
    x = exponent * LOG2
    whole = np.floor(x + 0.5)
    rest = x - whole
    total = np.full(256, TERMS[0])
    for term in TERMS[1:]:
        total = total * rest + term
    with np.errstate(over="ignore"):
        return np.ldexp(total * factor, whole.astype(np.int64)).astype(np.float32)


_ARITHMETIC = reference.Arithmetic(operate, mix)
