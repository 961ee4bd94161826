"""Randomness as a pure function of (seed, epoch, index, view).

A :class:`Key` names one image's draw. It is hashed to a 64-bit starting point, and the n-th number of the
stream is ``mix(start + n * GOLDEN)``: a counter-based generator (SplitMix64; Steele, Lea and Flood, 2014), so
a draw depends on nothing but its key: not on the batch, the order, the thread or the process.

A *stream* is a ``uint64[1]`` array holding the counter. The functions below are compiled and may be called
from compiled code (in which a number costs about a nanosecond) or from plain Python.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ipmix.core.checking import check_indices, check_int64
from ipmix.core.compiling import compiled, embedded, helper

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""The counter's step: 2**64 divided by the golden ratio, odd."""

SHARED_VIEW = -1
"""The view whose stream holds what all views of one image have in common (its mixing image)."""


@dataclass(frozen=True, slots=True)
class Key:
    """The name of one draw: which run, which epoch, which image, which view of it.

    All four are integers in the range of int64. ``view`` counts the augmented versions of one image made
    in the same step (Jensen-Shannon training uses 0 and 1); -1 is :data:`SHARED_VIEW`.
    """

    seed: int
    epoch: int = 0
    index: int = 0
    view: int = 0

    def __post_init__(self) -> None:
        for name in ("seed", "epoch", "index", "view"):
            value = getattr(self, name)
            check_int64(f"a key's {name}", value)
            object.__setattr__(self, name, int(value))

    def stream(self) -> np.ndarray:
        """A fresh stream for this key: ``uint64[1]``."""
        state: np.ndarray = stream(self.seed, self.epoch, self.index, self.view)
        return state


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """The keys of a batch: one seed, epoch and view; ``indices`` (int64[N]) names the images."""

    seed: int
    epoch: int
    indices: np.ndarray
    view: int = 0

    @classmethod
    def of(cls, seed: int, epoch: int, indices: Any, view: int = 0) -> "Keys":
        """Checked keys from integers and anything that NumPy reads as integers, of shape [N]."""
        key = Key(seed, epoch, 0, view)
        return cls(key.seed, key.epoch, check_indices(indices), key.view)

    def __len__(self) -> int:
        return len(self.indices)

    def seeds(self) -> np.ndarray:
        """A number for each image that depends on its key alone, for a generator of one's own: uint64[N]."""
        return np.array([self[n].stream()[0] for n in range(len(self))], np.uint64)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """A random number for each image from ``low`` to ``high``: float64[N]."""
        return np.array([between(self[n].stream(), low, high) for n in range(len(self))], np.float64)

    def __getitem__(self, which: int) -> Key:
        return Key(self.seed, self.epoch, int(self.indices[which]), self.view)


@helper
def mix(value):
    """Scramble 64 bits (Stafford's variant 13 of the murmur finaliser): uint64 -> uint64, one to one."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@embedded
def start(state, seed, epoch, index, view):
    """Set a stream (``uint64[1]``) to the beginning of the key (seed, epoch, index, view)."""
    # Every word is scrambled before the next is added: nearby keys share no structure.
    value = mix(np.uint64(seed) + GOLDEN)
    value = mix((value ^ np.uint64(epoch)) + GOLDEN)
    value = mix((value ^ np.uint64(index)) + GOLDEN)
    state[0] = mix((value ^ np.uint64(view)) + GOLDEN)


@compiled
def stream(seed, epoch, index, view):
    """A new stream (``uint64[1]``) at the beginning of the key (seed, epoch, index, view)."""
    state = np.empty(1, np.uint64)
    start(state, np.int64(seed), np.int64(epoch), np.int64(index), np.int64(view))
    return state


@embedded
def bits(state):
    """The stream's next 64 bits, uint64."""
    state[0] += GOLDEN
    return mix(state[0])


@embedded
def uniform(state):
    """A float64 in [0, 1), a multiple of 2**-53."""
    return np.float64(bits(state) >> np.uint64(11)) * 1.1102230246251565e-16


@embedded
def between(state, low, high):
    """A float64 in [low, high)."""
    return low + (high - low) * uniform(state)


@embedded
def below(state, count):
    """An int64 in 0 .. count-1. The bias is under count / 2**53."""
    return np.int64(uniform(state) * count)


@embedded
def normal(state):
    """A standard normal float64 (Box and Muller; two uniforms, one of the pair is used)."""
    radius = math.sqrt(-2.0 * math.log(1.0 - uniform(state)))
    return radius * math.cos(2.0 * math.pi * uniform(state))


@embedded
def gamma(state, shape):
    """A float64 from the gamma distribution with this shape > 0 and scale 1 (Marsaglia and Tsang, 2000)."""
    if shape == 1.0:
        return -math.log(1.0 - uniform(state))
    boost = 1.0
    if shape < 1.0:
        # Gamma(a) = Gamma(a + 1) * U**(1/a): the rejection below needs a shape of at least 1.
        boost = (1.0 - uniform(state)) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(state)
        v = (1.0 + c * x) ** 3
        if v > 0.0 and math.log(1.0 - uniform(state)) < 0.5 * x * x + d - d * v + d * math.log(v):
            return boost * d * v


@embedded
def beta(state, a, b):
    """A float64 in [0, 1] from Beta(a, b), a and b > 0. One uniform where a or b is 1."""
    if a == 1.0:
        return 1.0 - uniform(state) ** (1.0 / b)
    if b == 1.0:
        return uniform(state) ** (1.0 / a)
    x = gamma(state, a)
    y = gamma(state, b)
    if x + y == 0.0:  # both underflowed: possible only for shapes far below 0.01, where Beta is 0 or 1
        return np.float64(below(state, 2))
    return x / (x + y)


@embedded
def dirichlet(state, alpha, out):
    """Fill ``out`` (float64[k]) from Dirichlet(alpha, ..., alpha): numbers in [0, 1] that sum to 1."""
    total = 0.0
    for i in range(out.size):
        out[i] = gamma(state, alpha)
        total += out[i]
    if total == 0.0:  # every gamma underflowed: the limit of a tiny alpha is one weight of 1
        out[:] = 0.0
        out[below(state, out.size)] = 1.0
        return
    for i in range(out.size):
        out[i] /= total


@helper
def mask_hash(seed, position):
    """32 hashed bits for one position of a patch: uint32, uint32 -> uint32.

    A mixing mask is never stored: position ``p`` of a patch with seed ``s`` takes the low 16 bits of
    ``mask_hash(s, p // 2)`` if p is even, the high 16 if it is odd, and is kept where they are below the
    threshold. (The "lowbias32" finaliser, C. Wellons, 2018, over a Weyl sequence.)
    """
    # Numba widens the product of two uint32 to 64 bits; every step is cut back to 32.
    x = np.uint32(np.uint32(seed) + np.uint32(np.uint32(position) * np.uint32(0x9E3779B9)))
    x = np.uint32((x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D))
    x = np.uint32((x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(x ^ (x >> np.uint32(16)))
