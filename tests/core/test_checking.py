"""Checks of single values: what passes, what is refused and how."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ipmix.core.checking import check_choice, check_count, check_positive, check_subset
from ipmix.core.errors import InputError


@pytest.mark.parametrize("value", [2, 3, 10**30, np.int64(2), np.uint8(200)])
def test_counts_pass(value: Any) -> None:
    check_count("k", value, 2)


@pytest.mark.parametrize("value", [1, 0, -5, 2.0, 2.5, "2", None, True, np.float64(3), float("nan"), [2]])
def test_what_is_no_count_is_refused(value: Any) -> None:
    with pytest.raises(InputError) as error:
        check_count("k", value, 2)
    assert str(error.value) == f"k must be a whole number of at least 2, got {value!r}"


@pytest.mark.parametrize("value", [1, 0.001, 1e300, np.float32(0.5), np.int32(7)])
def test_positive_numbers_pass(value: Any) -> None:
    check_positive("alpha", value)


@pytest.mark.parametrize("value", [0, 0.0, -1, float("nan"), float("inf"), "1", None, True, 1j, np.array([1.0])])
def test_what_is_not_positive_is_refused(value: Any) -> None:
    with pytest.raises(InputError) as error:
        check_positive("alpha", value)
    assert str(error.value) == f"alpha must be a positive number, got {value!r}"


def test_choices() -> None:
    check_choice("layout", "nhwc", ("nhwc", "nchw"))
    with pytest.raises(InputError, match=r"^layout must be one of nhwc, nchw, got 'hwc'$"):
        check_choice("layout", "hwc", ("nhwc", "nchw"))
    with pytest.raises(InputError, match="got None"):
        check_choice("layout", None, ("nhwc", "nchw"))


@pytest.mark.parametrize(
    ("values", "expected"),
    [("add", ("add",)), (["multiply", "add", "multiply"], ("multiply", "add")), (("add",), ("add",))],
)
def test_subsets_keep_their_order_and_each_value_once(values: Any, expected: tuple[str, ...]) -> None:
    assert check_subset("mixers", values, ("add", "multiply")) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "mixers is empty; give at least one of add, multiply"),
        ("divide", "each of mixers must be one of add, multiply, got 'divide'"),
        (["add", 3], "each of mixers must be one of add, multiply, got 3"),
        (5, "mixers must be one or several of add, multiply, got 5"),
        ([["add"]], "each of mixers must be one of add, multiply"),
    ],
)
def test_bad_subsets_are_refused(values: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_subset("mixers", values, ("add", "multiply"))


@pytest.mark.parametrize("check", [check_choice, check_subset])
def test_known_values_may_come_from_any_iterable(check: Callable[..., Any]) -> None:
    check("mixers", "add", iter(["add", "multiply"]))
    with pytest.raises(InputError, match="add, multiply"):
        check("mixers", "divide", iter(["add", "multiply"]))


def test_an_input_error_is_a_value_error() -> None:
    assert issubclass(InputError, ValueError)
