"""Checks of single values: what passes, what is refused and how."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ipmix.core.checking import (
    check_choice,
    check_count,
    check_images,
    check_int64,
    check_known,
    check_out,
    check_positive,
    check_shard,
    check_share,
    check_subset,
    described,
    parse_shard,
)
from ipmix.core.errors import InputError


@pytest.mark.parametrize("value", [2, 3, 10**30, np.int64(2), np.uint8(200)])
def test_counts_pass(value: Any) -> None:
    check_count("k", value, 2)


@pytest.mark.parametrize("value", [1, 0, -5, 2.0, 2.5, "2", None, True, np.float64(3), float("nan"), [2]])
def test_what_is_no_count_is_refused(value: Any) -> None:
    with pytest.raises(InputError) as error:
        check_count("k", value, 2)
    assert str(error.value) == f"k must be a whole number of at least 2, got {value!r}"


@pytest.mark.parametrize("value", [None, 3, ["fog"], np.zeros((2, 2)), np.zeros(0), {}, ""])
def test_what_is_no_word_is_none_of_the_choices(value: Any) -> None:
    check_choice("form", "fog", ("fog", "snow"))
    check_known("corruption", "fog", ("fog", "snow"))
    with pytest.raises(InputError, match="form must be one of fog, snow, got") as error:
        check_choice("form", value, ("fog", "snow"))
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"unknown corruption .*; known are fog, snow"):
        check_known("corruption", value, ("fog", "snow"))


def test_a_misspelled_name_is_told_the_near_one() -> None:
    with pytest.raises(InputError, match="unknown corruption 'fogg'; did you mean 'fog'\\?"):
        check_known("corruption", "fogg", ("fog", "snow"))


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf"), "x", None, True, [0.5]])
def test_what_is_no_share_is_refused(value: Any) -> None:
    for share in (0, 1, 0.5, np.float32(0.25)):
        check_share("crop", share)
    with pytest.raises(InputError, match=r"crop must be a number in \[0, 1\], got"):
        check_share("crop", value)
    with pytest.raises(InputError, match=r"level must be a number in \(0, 1\), got 0"):
        check_share("level", 0, least=False, most=False)


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


def test_counts_with_a_most() -> None:
    for value in (1, 5, np.uint8(3)):
        check_count("severity", value, 1, 5)
    for value in (0, 6, 2.0, True, "3", None):
        with pytest.raises(InputError) as error:
            check_count("severity", value, 1, 5)
        assert str(error.value) == f"severity must be a whole number from 1 to 5, got {value!r}"


def test_images_pass_in_any_number() -> None:
    for shape in ((0, 4, 5, 3), (1, 1, 1, 1), (7, 4, 5, 6)):
        check_images(np.zeros(shape, np.uint8))
    check_images(np.zeros((2, 4, 5, 3), np.uint8)[:, ::2])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([[1]], r"^images must be a NumPy array uint8\[N, H, W, C\], got list$"),
        (np.zeros((2, 4, 4, 3)), r"got float64\[2, 4, 4, 3\]: numbers; for images in \[0, 1\], \(255 \* images\)"),
        (np.full((2, 4, 4, 3), np.nan), "numbers with NaN or infinite values; for"),
        (np.zeros((2, 4, 4, 3), np.uint16), r"for 16-bit images, \(images >> 8\)"),
        (np.zeros((2, 4, 4, 3), np.int64), r"got int64\[2, 4, 4, 3\]: convert"),
        (np.zeros((4, 4, 3), np.uint8), r"got uint8\[4, 4, 3\]: give one image as image\[None\]"),
        (np.zeros((2, 4, 0, 3), np.uint8), r"none of H, W, C zero, got uint8\[2, 4, 0, 3\]"),
        (np.zeros((2, 2, 4, 4, 3), np.uint8), r"got uint8\[2, 2, 4, 4, 3\]"),
        (np.uint8(3), "got uint8"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(images: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_images(images)
    with pytest.raises(InputError, match=r"^mixing must be"):
        check_images(images, "mixing")
    with pytest.raises(InputError, match=r"^a set: mixing must be"):
        check_images(images, "mixing", "a set")


def test_where_results_are_written() -> None:
    images = np.zeros((2, 4, 4, 3), np.uint8)
    check_out(np.empty_like(images), images.shape, np.uint8, images)
    check_out(np.empty((2, 3), np.float32), (2, 3), np.float32, images)
    fixed = np.empty_like(images)
    fixed.flags.writeable = False
    for out, message in (
        (None, r"out must be uint8\[2, 4, 4, 3\], got NoneType"),
        (np.empty((2, 4, 4, 3)), "got float64"),
        (np.empty((2, 4, 4), np.uint8), r"got uint8\[2, 4, 4\]"),
        (np.empty((2, 4, 8, 3), np.uint8)[:, :, ::2], "C-contiguous and writeable"),
        (fixed, "C-contiguous and writeable"),
        (images, "share no|not share memory"),
        (images.reshape(2, 4, 4, 3)[:], "not share memory"),
    ):
        with pytest.raises(InputError, match=message):
            check_out(out, images.shape, np.uint8, images)


def test_integers_of_64_bits() -> None:
    for value in (0, -(2**63), 2**63 - 1, np.int8(-3), np.uint64(7)):
        check_int64("seed", value)
    for value, message in (
        (2**63, "seed must fit 64 bits, got 9223372036854775808"),
        (-(2**63) - 1, "must fit 64 bits"),
        (np.uint64(2**64 - 1), "must fit 64 bits"),
        (1.0, r"seed must be an integer of 64 bits, got 1\.0 \(float\)"),
        (True, "must be an integer"),
        (None, "must be an integer"),
    ):
        with pytest.raises(InputError, match=message):
            check_int64("seed", value)


def test_shards() -> None:
    assert parse_shard("1/1") == (1, 1)
    assert parse_shard(" 3/16 ") == (3, 16)
    for text in (
        "",
        "3",
        "0/4",
        "5/4",
        "1/0",
        "-1/4",
        "1/4/2",
        "a/b",
        "1.0/4",
        "²/3",
        "1 /4",
        "1/99999999999",
        "9" * 5000 + "/" + "9" * 5000,
    ):
        with pytest.raises(InputError, match=r"^--shard is i/n with 1 <= i <= n <= 1,048,576, such as 3/16; got "):
            parse_shard(text)
    check_shard(4, 4)
    for shard, shards in ((0, 4), (5, 4), (1, 0)):
        with pytest.raises(InputError, match=f"part {shard} of {shards} does not exist"):
            check_shard(shard, shards)


def test_descriptions() -> None:
    assert described(np.zeros((2, 3), np.float32)) == "float32[2, 3]"
    assert described([1]) == "list"
    assert described(None) == "NoneType"
