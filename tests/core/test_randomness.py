"""Streams against SplitMix64 written out in plain integers, and distributions against closed forms."""

import math
import threading
from collections.abc import Callable
from itertools import pairwise

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipmix.core.errors import InputError
from ipmix.core.randomness import (
    SHARED_VIEW,
    Key,
    Keys,
    below,
    beta,
    between,
    bits,
    dirichlet,
    gamma,
    mask_hash,
    normal,
    start,
    stream,
    uniform,
)

INT64 = st.integers(-(2**63), 2**63 - 1)
WORD = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
DRAWS = 20_000


# --- the plain version ------------------------------------------------------------------------------------


def plain_mix(value: int) -> int:
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & WORD
    return value ^ (value >> 31)


class PlainStream:
    """A stream in Python's own integers and floats."""

    def __init__(self, seed: int, epoch: int, index: int, view: int) -> None:
        value = 0
        for word in (seed, epoch, index, view):
            value = plain_mix(((value ^ (word & WORD)) + GOLDEN) & WORD)
        self.state = value

    def bits(self) -> int:
        self.state = (self.state + GOLDEN) & WORD
        return plain_mix(self.state)

    def uniform(self) -> float:
        return (self.bits() >> 11) / 2**53

    def normal(self) -> float:
        radius = math.sqrt(-2 * math.log(1 - self.uniform()))
        return radius * math.cos(2 * math.pi * self.uniform())

    def gamma(self, shape: float) -> float:
        if shape == 1:
            return -math.log(1 - self.uniform())
        if shape < 1:
            power = (1 - self.uniform()) ** (1 / shape)
            return power * self.gamma_from_one(shape + 1)
        return self.gamma_from_one(shape)

    def gamma_from_one(self, shape: float) -> float:
        d = shape - 1 / 3
        while True:
            x = self.normal()
            v = (1 + x / math.sqrt(9 * d)) ** 3
            if v > 0 and math.log(1 - self.uniform()) < x * x / 2 + d - d * v + d * math.log(v):
                return d * v

    def beta(self, a: float, b: float) -> float:
        if a == 1:
            return 1 - self.uniform() ** (1 / b)
        if b == 1:
            return self.uniform() ** (1 / a)
        x = self.gamma(a)
        return x / (x + self.gamma(b))


def plain_mask_hash(seed: int, position: int) -> int:
    x = (seed + position * 0x9E3779B9) % 2**32
    x = (x ^ (x >> 16)) * 0x7FEB352D % 2**32
    x = (x ^ (x >> 15)) * 0x846CA68B % 2**32
    return x ^ (x >> 16)


# --- streams ----------------------------------------------------------------------------------------------


def test_published_numbers_of_splitmix64() -> None:
    """The first outputs of the generator started at 0, as its public implementations print them."""
    state = np.zeros(1, np.uint64)
    assert [int(bits(state)) for _ in range(4)] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
        0xF88BB8A8724C81EC,
    ]


@given(INT64, INT64, INT64, INT64)
def test_a_stream_is_its_keys_plain_stream(seed: int, epoch: int, index: int, view: int) -> None:
    state = Key(seed, epoch, index, view).stream()
    plain = PlainStream(seed, epoch, index, view)
    assert state.dtype == np.uint64
    assert state.shape == (1,)
    assert [int(bits(state)) for _ in range(5)] == [plain.bits() for _ in range(5)]
    assert [uniform(state) for _ in range(5)] == [plain.uniform() for _ in range(5)]
    assert int(bits(state)) == plain.bits()


@given(INT64, INT64)
def test_start_and_stream_agree(seed: int, index: int) -> None:
    state = np.full(1, 77, np.uint64)
    start(state, seed, 3, index, SHARED_VIEW)
    assert state[0] == stream(seed, 3, index, SHARED_VIEW)[0] == PlainStream(seed, 3, index, -1).state


def test_numbers_made_from_bits_follow_their_plain_formulas() -> None:
    state, plain = Key(1, 2, 3, 4).stream(), PlainStream(1, 2, 3, 4)
    for _ in range(300):
        assert between(state, -2.0, 5.0) == pytest.approx(-2 + 7 * plain.uniform(), rel=1e-14)
        assert below(state, 7) == math.floor(plain.uniform() * 7)
        assert normal(state) == pytest.approx(plain.normal(), rel=1e-12, abs=1e-12)
        for shape in (0.3, 1.0, 2.5):
            assert gamma(state, shape) == pytest.approx(plain.gamma(shape), rel=1e-12)
        for a, b in ((1.0, 1.0), (3.0, 1.0), (1.0, 4.0), (0.5, 2.0)):
            assert beta(state, a, b) == pytest.approx(plain.beta(a, b), rel=1e-12)
        assert int(bits(state)) == plain.bits(), "both have used the same count of numbers"


@numba.njit
def draws_in_compiled_code(indices):
    out = np.empty((indices.size, 4))
    state = np.empty(1, np.uint64)
    for i in range(indices.size):
        start(state, np.int64(9), np.int64(1), indices[i], np.int64(0))
        out[i, 0] = uniform(state)
        out[i, 1] = below(state, 1000)
        out[i, 2] = normal(state)
        out[i, 3] = beta(state, 2.0, 3.0)
    return out


def draws_in_python(index: int) -> list[float]:
    state = Key(9, 1, index).stream()
    return [uniform(state), below(state, 1000), normal(state), beta(state, 2.0, 3.0)]


def test_a_keys_numbers_are_the_same_in_compiled_code_in_python_and_in_any_order() -> None:
    indices = np.random.default_rng(0).permutation(500).astype(np.int64)
    compiled = draws_in_compiled_code(indices)
    backwards = draws_in_compiled_code(np.ascontiguousarray(indices[::-1]))[::-1]
    assert np.array_equal(compiled, backwards)
    assert compiled.tolist() == [draws_in_python(index) for index in indices.tolist()]


def test_threads_do_not_disturb_each_other() -> None:
    found: dict[int, list[float]] = {}
    threads = [threading.Thread(target=lambda i=i: found.update({i: draws_in_python(i)})) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {i: draws_in_python(i) for i in range(8)}


def test_neighbouring_keys_are_unrelated() -> None:
    steps = {"seed": (1, 0, 0, 0), "epoch": (0, 1, 0, 0), "index": (0, 0, 1, 0), "view": (0, 0, 0, 1)}
    for name, step in steps.items():
        firsts = [int(bits(stream(*(5 + i * part for part in step)))) for i in range(DRAWS)]
        assert len(set(firsts)) == DRAWS
        numbers = np.array(firsts, np.float64) / 2**64
        assert distance(numbers, lambda x: x) < LIMIT, name
        for lag in (1, 2, 3):
            assert abs(np.corrcoef(numbers[:-lag], numbers[lag:])[0, 1]) < 4 / math.sqrt(DRAWS), name
        changed = [(a ^ b).bit_count() for a, b in pairwise(firsts)]
        assert np.mean(changed) == pytest.approx(32, abs=4 * 4 / math.sqrt(DRAWS)), name


def test_streams_of_the_parts_of_a_key_do_not_coincide() -> None:
    """A key's four parts are not interchangeable, nor do they add up."""
    keys = [(a, b, c, d) for a in range(4) for b in range(4) for c in range(4) for d in range(-1, 3)]
    assert len({int(bits(stream(*key))) for key in keys}) == len(keys)


# --- distributions ----------------------------------------------------------------------------------------

LIMIT = 1.95
"""A Kolmogorov-Smirnov distance times sqrt(n) above this happens once in a thousand."""

Function = Callable[[float], float]


def distance(numbers: np.ndarray, cumulated: Function) -> float:
    """The Kolmogorov-Smirnov distance between numbers and a cumulative distribution, times sqrt(n)."""
    expected = np.array([cumulated(x) for x in np.sort(numbers).tolist()])
    steps = np.arange(len(numbers) + 1) / len(numbers)
    return float(max(np.abs(expected - steps[1:]).max(), np.abs(expected - steps[:-1]).max()) * len(numbers) ** 0.5)


def arcsine(x: float) -> float:
    return 2 / math.pi * math.asin(math.sqrt(x))


CASES: dict[str, tuple[Callable[[np.ndarray], float], Function, float, float]] = {
    # what is drawn, its cumulative distribution, mean, variance
    "uniform": (uniform, lambda x: x, 1 / 2, 1 / 12),
    "between": (lambda s: between(s, 0.1, 3.0), lambda x: (x - 0.1) / 2.9, 1.55, 2.9**2 / 12),
    "normal": (normal, lambda x: (1 + math.erf(x / math.sqrt(2))) / 2, 0, 1),
    "gamma 0.5": (lambda s: gamma(s, 0.5), lambda x: math.erf(math.sqrt(x)), 0.5, 0.5),
    "gamma 1": (lambda s: gamma(s, 1.0), lambda x: 1 - math.exp(-x), 1, 1),
    "gamma 2": (lambda s: gamma(s, 2.0), lambda x: 1 - math.exp(-x) * (1 + x), 2, 2),
    "gamma 3": (lambda s: gamma(s, 3.0), lambda x: 1 - math.exp(-x) * (1 + x + x * x / 2), 3, 3),
    "beta 1 1": (lambda s: beta(s, 1.0, 1.0), lambda x: x, 1 / 2, 1 / 12),
    "beta 3 1": (lambda s: beta(s, 3.0, 1.0), lambda x: x**3, 3 / 4, 3 / 80),
    "beta 1 4": (lambda s: beta(s, 1.0, 4.0), lambda x: 1 - (1 - x) ** 4, 1 / 5, 4 / 150),
    "beta 2 2": (lambda s: beta(s, 2.0, 2.0), lambda x: 3 * x**2 - 2 * x**3, 1 / 2, 1 / 20),
    "beta 0.5 0.5": (lambda s: beta(s, 0.5, 0.5), arcsine, 1 / 2, 1 / 8),
}


@pytest.mark.parametrize("name", CASES)
def test_distribution(name: str) -> None:
    function, cumulated, mean, variance = CASES[name]
    state = Key(sum(name.encode())).stream()
    numbers = np.array([function(state) for _ in range(DRAWS)])
    assert distance(numbers, cumulated) < LIMIT
    assert numbers.mean() == pytest.approx(mean, abs=4 * math.sqrt(variance / DRAWS))
    assert numbers.var() == pytest.approx(variance, rel=0.06)


def test_the_distance_finds_a_distribution_that_is_a_little_off() -> None:
    state = Key(3).stream()
    numbers = np.array([uniform(state) for _ in range(DRAWS)])
    assert distance(numbers, lambda x: x) < LIMIT < distance(numbers**1.06, lambda x: x)


def test_below_takes_every_value_equally_often() -> None:
    state = Key(4).stream()
    counts = np.bincount([below(state, 7) for _ in range(7 * 3000)], minlength=7)
    assert counts.size == 7
    assert ((counts - 3000) ** 2 / 3000).sum() < 22.5  # chi-square of 6 degrees of freedom, 1 in 1000


@pytest.mark.parametrize(
    ("count", "alpha", "cumulated"),
    [(3, 1.0, lambda x: 1 - (1 - x) ** 2), (4, 1.0, lambda x: 1 - (1 - x) ** 3), (2, 0.5, arcsine), (1, 2.0, None)],
)
def test_dirichlet(count: int, alpha: float, cumulated: Function | None) -> None:
    state = Key(count, int(10 * alpha)).stream()
    rows = np.empty((5000, count))
    for row in rows:
        dirichlet(state, alpha, row)
    assert rows.min() >= 0
    assert np.abs(rows.sum(axis=1) - 1).max() < 1e-12
    if cumulated is not None:
        for i in range(count):
            assert distance(rows[:, i], cumulated) < LIMIT
    if count > 2:  # the weights share a sum of 1, and nothing else
        assert np.corrcoef(rows.T)[0, 1] == pytest.approx(-1 / (count - 1), abs=0.06)


def test_tiny_shapes_give_their_limits() -> None:
    """Where every gamma underflows, a beta is 0 or 1 and a Dirichlet gives all to one."""
    state = Key(8).stream()
    flips = [beta(state, 1e-6, 1e-6) for _ in range(400)]
    assert set(flips) == {0.0, 1.0}
    assert sum(flips) == pytest.approx(200, abs=50)
    row, chosen = np.empty(3), np.zeros(3)
    for _ in range(600):
        dirichlet(state, 1e-6, row)
        assert sorted(row) == [0, 0, 1]
        chosen += row
    assert chosen.min() > 150


# --- the mask's hash --------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_mask_hash_is_its_plain_version(seed: int, position: int) -> None:
    assert int(mask_hash(np.uint32(seed), np.uint32(position))) == plain_mask_hash(seed, position)


def test_mask_numbers_are_uniform_and_unrelated() -> None:
    """The 16-bit halves, over positions of one patch and over patches with neighbouring seeds."""
    words = np.array([[plain_mask_hash(s, p) for p in range(4000)] for s in (0, 1, 2, 123456789)], np.uint32)
    halves = np.stack([words & 0xFFFF, words >> 16], axis=-1).reshape(len(words), -1) / 2**16
    for row in halves:
        assert distance(row, lambda x: x) < LIMIT
        assert row.mean() == pytest.approx(0.5, abs=4 / math.sqrt(12 * row.size))
        for lag in (1, 2, 32, 64):
            assert abs(np.corrcoef(row[:-lag], row[lag:])[0, 1]) < 4 / math.sqrt(row.size)
    assert np.abs(np.corrcoef(halves) - np.eye(len(halves))).max() < 4 / math.sqrt(halves.shape[1])


# --- keys -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["seed", "epoch", "index", "view"])
@pytest.mark.parametrize("value", [1.0, True, "1", None, 2**63, -(2**63) - 1])
def test_a_bad_part_of_a_key_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(InputError, match=f"key's {name} ") as error:
        Key(**{"seed": 0, name: value})  # type: ignore[arg-type]
    assert str(value) in str(error.value)


def test_a_key_keeps_numpy_integers_as_integers() -> None:
    key = Key(np.int64(4), np.int32(3), np.uint8(2), -1)
    assert key == Key(4, 3, 2, SHARED_VIEW)
    assert type(key.seed) is int
    assert hash(key) == hash(Key(4, 3, 2, -1))


def test_keys_of_a_batch() -> None:
    keys = Keys.of(7, 2, [5, 3, 9], 1)
    assert len(keys) == 3
    assert keys[1] == Key(7, 2, 3, 1)
    assert keys.indices.dtype == np.int64
    assert keys.indices.flags.c_contiguous
    assert len(Keys.of(7, 2, [])) == 0
    assert Keys.of(0, 0, np.arange(9, dtype=np.uint8)[::2]).indices.tolist() == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("indices", [[1.0, 2.0], [[1, 2]], 3, ["a"], [True]])
def test_bad_indices_are_refused(indices: object) -> None:
    with pytest.raises(InputError, match="indices must be a one-dimensional array of integers"):
        Keys.of(0, 0, indices)


def test_bad_parts_of_a_batchs_keys_are_refused() -> None:
    with pytest.raises(InputError, match="key's epoch"):
        Keys.of(0, 1.5, [0])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="64 bits"):
        Keys.of(0, 0, np.array([2**63], np.uint64))
