"""Declared ranges: their ends, and what is in none."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.core.ranges import SEED, Range, check_range, check_ranges, numbers


@pytest.mark.parametrize("value", [0, 5, np.int64(5), np.uint8(3), 2**63 - 1])
def test_whole_numbers_in_the_range_pass(value: Any) -> None:
    check_range("seed", value, SEED)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-1, "seed is at least 0, got -1"),
        (2**63, "seed is at most 9223372036854775807, got 9223372036854775808"),
        (1.0, r"seed is a whole number, got 1\.0"),
        (float("nan"), "seed is a whole number, got nan"),
        ("5", "seed is a whole number, got '5'"),
        (True, "seed is a whole number, got True"),
        (None, "seed is a whole number, got None"),
        (np.zeros(3), r"seed is a whole number, got array\("),
        pytest.param(10**5000, "seed is at most .*, got a number of thousands of digits", id="5000 digits"),
    ],
)
def test_other_things_are_no_seed(value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_range("seed", value, SEED)


@pytest.mark.parametrize(
    ("limits", "good", "bad", "message"),
    [
        (numbers(), 0, -1e-9, "x is a finite number of at least 0, got -1e-09"),
        (numbers(), 1e300, float("inf"), "x is a finite number of at least 0, got inf"),
        (numbers(), 10**300, 10**400, "x is a finite number of at least 0, got 1000"),
        (numbers(0, above=True), 1e-9, 0, "x is a finite number above 0, got 0"),
        (numbers(0, 1, below=True), 0, 1, "x is a share from 0 up to but not including 1, got 1"),
        (numbers(0, 1, above=True, below=True), 0.5, 0, "x is between 0 and 1, got 0"),
        (numbers(0, 1000), 1000, 1001, "x is a number of at least 0 and at most 1000, got 1001"),
        (numbers(0, 1000), 0.5, float("nan"), "x is a number of at least 0 and at most 1000, got nan"),
        (numbers(), 0.5, 1j, "x is a number, got 1j"),
    ],
)
def test_numbers(limits: Range, good: Any, bad: Any, message: str) -> None:
    check_range("x", good, limits)
    with pytest.raises(InputError, match=message):
        check_range("x", bad, limits)


def test_what_is_left_out_of_a_config_has_no_range() -> None:
    @dataclass
    class OneConfig:
        limit: int | None = None

    check_ranges(OneConfig(), {"limit": Range(1)})
    check_ranges(OneConfig(3), {"limit": Range(1)})
    with pytest.raises(InputError, match="limit is at least 1, got 0"):
        check_ranges(OneConfig(0), {"limit": Range(1)})
