"""The forms of a result: the formula of normalised numbers, shapes, and what is refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipmix.core.errors import InputError
from ipmix.engines.output import make_output
from ipmix.recipe.format import WHOLE

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@pytest.mark.parametrize("numbers", [{}, {"mean": 0.5, "std": 0.5}, IMAGENET, {"std": 0.25}, {"mean": [0.1, 0.2, 0.3]}])
def test_floats_are_the_normalised_value_of_the_sum(numbers: dict[str, Any]) -> None:
    """(v / 255 - mean) / std in float64, for every byte and for sums between two bytes."""
    form = make_output("float32", "nhwc", 3, **numbers)
    sums = np.arange(0, 255 * WHOLE + 1, 997)[:, None]
    got = sums.astype(np.float32) * form.scale + form.bias
    expected = (sums / WHOLE / 255 - np.array(numbers.get("mean", 0.0))) / np.array(numbers.get("std", 1.0))
    assert got.dtype == np.float32
    assert np.abs(got - expected).max() < 2e-6
    wrong = make_output("float32", "nhwc", 3, mean=0.51, std=numbers.get("std"))
    assert np.abs(sums.astype(np.float32) * wrong.scale + wrong.bias - expected).max() > 1e-3


@given(st.integers(0, 5), st.integers(1, 70), st.integers(1, 70), st.integers(1, 9))
def test_shapes(count: int, height: int, width: int, channels: int) -> None:
    for kind in ("uint8", "float32"):
        assert make_output(kind, "nhwc", channels).shape(count, height, width) == (count, height, width, channels)
        assert make_output(kind, "nchw", channels).shape(count, height, width) == (count, channels, height, width)


@pytest.mark.parametrize(
    "value", [0.25, np.float32(0.25), np.float64(0.25), [0.25] * 4, (0.25,), np.full(4, 0.25, np.float32)]
)
def test_numbers_may_come_in_any_form(value: Any) -> None:
    form = make_output("float32", "nchw", 4, mean=value, std=value)
    plain = make_output("float32", "nchw", 4, mean=0.25, std=0.25)
    assert np.array_equal(form.scale, plain.scale)
    assert np.array_equal(form.bias, plain.bias)
    assert form.scale.shape == (4,)
    assert form.scale.dtype == form.bias.dtype == np.float32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "float16"}, "output must be one of uint8, float32, got 'float16'"),
        ({"layout": "hwc"}, "layout must be one of nhwc, nchw, got 'hwc'"),
        ({"kind": "uint8", "mean": 0.5}, 'pass output="float32" with them'),
        ({"kind": "uint8", "std": 0.5}, 'pass output="float32" with them'),
        ({"mean": (0.5, 0.5)}, r"mean needs one number or 3 \(one a channel\), got 2"),
        ({"std": (1, 1, 1, 1)}, r"std needs one number or 3 \(one a channel\), got 4"),
        ({"std": 0.0}, "std finite and above 0"),
        ({"std": (0.2, -0.2, 0.2)}, "std finite and above 0"),
        ({"std": float("nan")}, "std finite and above 0"),
        ({"mean": float("inf")}, "mean must be finite"),
        ({"mean": (123.7, 116.3, 103.5)}, r"mean is in the unit of images in \[0, 1\].*divide it by 255"),
        ({"mean": "half"}, "mean must be a number, or one number for each channel, got 'half'"),
        ({"std": [[0.1], [0.2, 0.3]]}, "std must be a number, or one number for each channel"),
        ({"std": object()}, "std must be a number, or one number for each channel"),
    ],
)
def test_bad_forms_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_output(**{"kind": "float32", "layout": "nhwc", "channels": 3, **options})
