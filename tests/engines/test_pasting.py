"""Recipes that only paste or fill a box, without planes: byte for byte those of the large kernel and the reference."""

from typing import Any

import numpy as np
import pytest

from ipmix import CutMix, CutOut, IPMix, MixUp
from ipmix.augmentation.batches import apply, draw
from ipmix.engines import compiled as engine
from ipmix.engines.compiled.pasting import only_pastes
from ipmix.engines.output import make_output
from ipmix.recipe.format import FILL, NO_OPERATION, PARTNER, PASTE, WHOLE
from ipmix.recipe.table import RecipeTable

SHARES = (0, 1, WHOLE // 3, WHOLE // 2, WHOLE - 1, WHOLE)


def random_pastes(rng: np.random.Generator, count: int, height: int, width: int) -> RecipeTable:
    """Boxes of every kind: none, some, a row, a column, all; shares from nothing to all."""
    table = RecipeTable.empty(count, 1, 1, height, width)
    share = rng.choice([*SHARES, *rng.integers(0, WHOLE + 1, 6)], count)
    table.heads["clean"], table.chains[:, 0]["share"] = WHOLE - share, share
    table.heads["partner"] = rng.integers(0, count, count)
    table.chains[:, 0]["length"] = rng.random(count) < 0.9
    step = table.steps[:, 0, 0]
    step["mixer"] = np.where(rng.random(count) < 0.6, PASTE, FILL)
    step["source"], step["operation"] = PARTNER, NO_OPERATION
    for name in ("a", "b", "level"):  # the three channels' values
        step[name] = np.where(step["mixer"] == FILL, rng.integers(0, 256, count), 0)
    for first, last, side in (("left", "right", width), ("top", "bottom", height)):
        step[first] = rng.integers(0, side, count) * (rng.random(count) < 0.7)
        step[last] = np.where(
            rng.random(count) < 0.3, side, np.minimum(step[first] + rng.integers(0, side, count), side)
        )
    return table


def by_the_kernel(monkeypatch: pytest.MonkeyPatch, table: RecipeTable, images: np.ndarray) -> np.ndarray:
    with monkeypatch.context() as patch:
        patch.setattr(engine, "only_pastes", lambda *_: False)
        return apply(table, images)


@pytest.mark.parametrize(
    ("height", "width", "channels"), [(7, 5, 3), (1, 1, 1), (8, 9, 4), (5, 12, 8), (1, 40, 2), (33, 1, 3)]
)
@pytest.mark.parametrize("threads", [1, 3])
def test_equals_kernel_and_reference(
    height: int, width: int, channels: int, threads: int, make_images: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = random_pastes(np.random.default_rng(height), 300, height, width)
    images = make_images(300, height, width, channels)
    assert only_pastes(table, make_output("uint8", "nhwc", channels, None, None))
    got = apply(table, images, threads=threads)
    np.testing.assert_array_equal(got, apply(table, images, engine="reference"))
    np.testing.assert_array_equal(got, by_the_kernel(monkeypatch, table, images))
    assert not np.array_equal(got, images)


@pytest.mark.parametrize("method", [MixUp(), MixUp(scope="image"), CutMix(), CutMix(scope="image"), CutOut()], ids=str)
def test_methods_take_it(method: Any, make_images: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    images = make_images(64, 32, 32)
    table = draw(method, images.shape, seed=3)
    expected = by_the_kernel(monkeypatch, table, images)
    monkeypatch.setattr(engine, "apply_range", None)  # the large kernel is not asked
    np.testing.assert_array_equal(apply(table, images), expected)


def test_a_box_one_pixel_off_would_be_seen(make_images: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    images = make_images(64, 32, 32)
    table = draw(CutMix(), images.shape, seed=3)
    before = apply(table, images)
    table.steps["left"] += 1
    assert not np.array_equal(apply(table, images), before)


def test_only_bytes_pixel_by_pixel_and_only_such_recipes(make_images: Any) -> None:
    images = make_images(8, 16, 16)
    plain = make_output("uint8", "nhwc", 3, None, None)
    table = draw(MixUp(), images.shape, seed=1)
    assert only_pastes(table, plain)
    assert not only_pastes(table, make_output("uint8", "nchw", 3, None, None))
    assert not only_pastes(table, make_output("float32", "nhwc", 3, None, None))
    assert not only_pastes(draw(IPMix(k=1, t=1), images.shape, 5, seed=1), plain)
    table.steps["operation"][3] = 1
    assert not only_pastes(table, plain)
    table = draw(MixUp(), images.shape, seed=1)
    table.heads["clean"][2] -= 1  # shares that don't add up are the kernel's to deal with
    assert not only_pastes(table, plain)


def test_no_image(make_images: Any) -> None:
    images = make_images(1, 8, 8)[:0]
    assert apply(draw(MixUp(), images.shape, seed=1), images).shape == (0, 8, 8, 3)
