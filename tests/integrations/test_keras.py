"""Keras: the layer's bytes and floats, its messages, and a model that is saved and loaded."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ipmix
from ipmix.core.errors import InputError

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="the extra keras is not installed")
if keras.backend.backend() != "torch":
    pytest.skip("the layer needs Keras's torch backend", allow_module_level=True)

from ipmix.integrations.keras import AugmentationLayer  # noqa: E402 - after Keras is there

pytestmark = pytest.mark.filterwarnings("default")  # the library's own


def given(layer: Any, images: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(layer(images, training=True)))


def test_bytes_are_0_to_255_by_their_type(images: np.ndarray) -> None:
    """They came out black: divided by 255, as floats from 0 to 1, and cut to whole numbers."""
    made = {
        value_range: given(AugmentationLayer("ipmix", value_range=value_range, seed=5), images)
        for value_range in (1, 255)
    }
    floats = given(AugmentationLayer("ipmix", seed=5), (images / 255).astype(np.float32))
    for of_bytes in made.values():
        assert of_bytes.dtype == np.uint8
        assert np.array_equal(of_bytes, np.rint(floats * 255))
    assert not np.array_equal(made[1], images)
    assert np.array_equal(given(AugmentationLayer("vanilla"), images), images)
    wide = given(AugmentationLayer("ipmix", value_range=255, seed=5), images.astype(np.float32))
    assert np.array_equal(wide.round(), made[255])


def test_floats_up_to_255_are_refused_with_what_to_do(images: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"go up to 2.*value_range is 1: pass value_range=255, .*Rescaling\(1 / 255\)"):
        AugmentationLayer("augmix")(images.astype(np.float32), training=True)


@pytest.mark.parametrize("value_range", [0, -1, "255", None, (0, 255), float("nan"), True])
def test_other_ranges_are_refused(value_range: Any) -> None:
    with pytest.raises(InputError, match=r"value_range .*must be a positive number"):
        AugmentationLayer("augmix", value_range=value_range)
    with pytest.raises(InputError, match="data_format must be channels_last or channels_first, got 'nchw'"):
        AugmentationLayer("augmix", data_format="nchw")


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_batches_of_the_other_data_format_are_refused(images: np.ndarray, data_format: str) -> None:
    other = {"channels_last": "channels_first", "channels_first": "channels_last"}[data_format]
    right = images if data_format == "channels_last" else images.transpose(0, 3, 1, 2)
    wrong = images if data_format == "channels_first" else images.transpose(0, 3, 1, 2)
    layer = AugmentationLayer("augmix", data_format=data_format, seed=0)
    assert given(layer, np.ascontiguousarray(right)).shape == right.shape
    with pytest.raises(InputError, match=f"data_format is {data_format}, and .* pass data_format='{other}'"):
        given(layer, np.ascontiguousarray(wrong))
    with pytest.raises(InputError, match="takes batches of images, four axes, got"):
        given(layer, images[0])


METHODS = ["ipmix-k2", ipmix.IPMix(k=2, operations="photometric"), ipmix.Vanilla(), ipmix.PixMix(k=3)]


@pytest.mark.parametrize("method", METHODS, ids=["name", "ipmix", "vanilla", "pixmix"])
def test_a_saved_model_loads(method: Any, images: np.ndarray, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((*images.shape[1:],)), AugmentationLayer(method, seed=4)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    floats = (images / 255).astype(np.float32)
    assert np.array_equal(given(loaded, floats), given(model, floats)), "from the same seed"
    if not isinstance(method, str):
        layer = loaded.layers[-1].method
        assert layer == method or type(layer) is type(method) is ipmix.Vanilla


def test_it_loads_in_a_process_that_imports_the_integration(images: np.ndarray, tmp_path: Path) -> None:
    keras.Sequential([keras.Input((*images.shape[1:],)), AugmentationLayer("augmix")]).save(tmp_path / "model.keras")
    program = f"import keras, ipmix.integrations.keras\nkeras.saving.load_model({str(tmp_path / 'model.keras')!r})"
    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True).returncode == 0


def darker(images: np.ndarray, keys: Any) -> np.ndarray:
    return images // 2


def test_a_method_without_a_name_is_not_saved(tmp_path: Path) -> None:
    for method in (ipmix.PixelMethod(darker), ipmix.Combined((ipmix.IPMix(), ipmix.CutOut()))):
        with pytest.raises(InputError, match=r"names its method, and .* has no name: give it as a text"):
            AugmentationLayer(method).get_config()


def test_fractions_below_1_are_no_numbers_of_0_to_255() -> None:
    layer = AugmentationLayer("augmix", value_range=255, data_format="channels_last")
    with pytest.raises(InputError, match="go up to 1 in fractions, and value_range is 255: leave value_range out"):
        layer(np.linspace(0, 1, 2 * 12 * 12 * 3, dtype=np.float32).reshape(2, 12, 12, 3), training=True)
    layer(np.ones((2, 12, 12, 3), np.float32), training=True)  # a black image of 0 to 255
