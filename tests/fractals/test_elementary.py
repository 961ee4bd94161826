"""The functions of exactly rounded operations against the mathematics library."""

import math

import numba
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ipmix.fractals import elementary


@given(st.floats(-1000, 1000))
def test_sine_and_cosine_of_turns(turns):
    assert elementary.sine_of_turns(turns) == pytest.approx(math.sin(2 * math.pi * math.fmod(turns, 1)), abs=1e-9)
    assert elementary.cosine_of_turns(turns) == pytest.approx(math.cos(2 * math.pi * math.fmod(turns, 1)), abs=1e-9)


@given(st.floats(1e-300, 1e300))
def test_logarithm(x):
    assert elementary.logarithm(x) == pytest.approx(math.log2(x), abs=1e-9)
    assert elementary.rough_logarithm(x) == pytest.approx(math.log2(x), abs=2e-4)
    if 1e-30 < x < 1e30:
        assert elementary.single_logarithm(np.float32(x)) == pytest.approx(math.log2(x), abs=4e-4)


@given(st.floats(1e-30, 1), st.floats(0.01, 1))
def test_single_power(base, exponent):
    got = elementary.single_power(np.float32(base), np.float32(exponent))
    assert got == pytest.approx(base**exponent, rel=1e-3)


def test_logarithm_of_zero_is_finite():
    assert elementary.logarithm(0.0) < -1000
    assert math.isfinite(elementary.logarithm(0.0))


@given(st.floats(-900, 900))
def test_exponential(x):
    assert elementary.exponential(x) == pytest.approx(2.0**x, rel=1e-9)


@given(st.floats(1e-6, 1e6), st.floats(-3, 3))
def test_power(base, exponent):
    assert elementary.power(base, exponent) == pytest.approx(base**exponent, rel=1e-8)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_turns_of(y, x):
    assume(max(abs(x), abs(y)) > 1e-290)  # below, there is no direction: 0
    expected = math.atan2(y, x) / (2 * math.pi)
    difference = elementary.turns_of(y, x) - expected
    assert abs(difference - round(difference)) < 1e-9  # half a turn may come out as minus half a turn


LIBRARY = (
    "@sin",
    "@cos",
    "@log",
    "@exp",
    "@atan",
    "@pow",
    "@llvm.sin",
    "@llvm.cos",
    "@llvm.pow",
    "@llvm.log",
    "@llvm.exp",
)


def code_of(function):
    """What LLVM makes of a function under the options of all kernels (not cached: cached code can't be read)."""
    dispatcher = numba.njit(nogil=True, error_model="numpy")(function)
    dispatcher(0.3)
    return dispatcher.inspect_llvm(dispatcher.signatures[0])


def test_no_call_to_a_mathematics_library():
    # Another machine's sine may round differently: the compiled code must not contain one.
    def ours(x):
        return (
            elementary.sine_of_turns(x)
            + elementary.logarithm(x)
            + elementary.rough_logarithm(x)
            + elementary.exponential(x)
            + elementary.turns_of(x, 0.5)
            + elementary.power(x, 0.3)
        )

    def theirs(x):
        return math.sin(x) + math.exp(x)

    code = code_of(ours)
    assert not [name for name in LIBRARY if name in code]
    assert " fast " not in code
    assert " contract " not in code
    assert [name for name in LIBRARY if name in code_of(theirs)]


def test_the_compiled_form_equals_the_plain_one():
    for x in np.random.default_rng(0).uniform(0.01, 50, 200):
        assert elementary.sine_of_turns(x) == elementary.sine_of_turns.py_func(x)
        assert elementary.logarithm(x) == elementary.logarithm.py_func(x)
