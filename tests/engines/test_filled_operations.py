"""Operations with a fill and an interpolation of their own: both engines, and what a recipe may say of them."""

from typing import Any

import numpy as np
import pytest

from ipmix.augmentation.batches import apply
from ipmix.core.errors import InputError
from ipmix.engines.compiled.rare import RARE
from ipmix.engines.reference import operate
from ipmix.recipe.format import NEAREST, WHOLE
from ipmix.recipe.operations import CODES, GROUPS, OPERATIONS, operation_names
from ipmix.recipe.recipe import Chain, Recipe, Step
from ipmix.recipe.table import RecipeTable

FILLED = [operation.name for operation in OPERATIONS if operation.filled]
BILINEAR = [name for name in FILLED if not name.startswith("translate")]
"""Those whose bilinear values may be one level beside the reference."""

ANGLES = [0, 1, -1, 8.5, 44, 45, 90, -90, 135, -135, 180, 270, 359, 1000]
SLOPES = [0, 0.003, -0.003, 0.3, -0.3, 0.99, -0.99, 1, -2.5, 50]
SHIFTS = [0, 1, -1, 10, 31, 32, 33, -33, 47, -48, 500]
SHAPES = [(33, 47), (32, 32), (1, 1), (2, 2), (1, 64), (64, 1), (3, 3)]


def levels(name: str) -> list[float]:
    numbers = ANGLES if name == "rotate_filled" else SHIFTS if name.startswith("translate") else SLOPES
    return [float(np.float32(number)) for number in numbers]


def one(height: int, width: int, *steps: Step) -> RecipeTable:
    return RecipeTable.pack([Recipe(height, width, 0, (Chain(WHOLE, steps),))])


def both(table: RecipeTable, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    got, expected = (apply(table, images, engine=engine).astype(int) for engine in ("compiled", "reference"))
    return got, expected


@pytest.mark.parametrize("interpolation", [0, 1])
@pytest.mark.parametrize("name", FILLED)
def test_engines_agree_for_any_size_and_number_of_channels(name: str, interpolation: int, make_images: Any) -> None:
    beside = interpolation and name in BILINEAR
    for height, width in SHAPES:
        for channels in (1, 2, 3, 5, 8):
            images = make_images(1, height, width, channels, seed=7)
            for level in levels(name):
                step = Step(operation=name, level=level, a=200.0, b=float(interpolation))
                got, expected = both(one(height, width, step), images)
                assert np.abs(got - expected).max() <= beside, (step, height, width, channels)


@pytest.mark.parametrize("name", FILLED)
def test_large_images_agree(name: str, make_images: Any) -> None:
    images = make_images(1, 224, 300)
    for level in levels(name):
        got, expected = both(one(224, 300, Step(operation=name, level=level, a=3.0)), images)
        assert np.array_equal(got, expected), level


@pytest.mark.parametrize("name", FILLED)
def test_bilinear_in_black_is_the_operation_without_a_fill(name: str, make_images: Any) -> None:
    image = make_images(1, 33, 47)[0]
    for level in levels(name):
        step = Step(operation=name, level=level, b=1.0)
        ours = apply(one(33, 47, step), image[None], engine="reference")[0].astype(int)
        assert np.abs(ours - operate(name.removesuffix("_filled"), image, level)).max() <= (level % 90 == 0), level


@pytest.mark.parametrize("name", FILLED)
def test_what_comes_from_outside_is_the_fill_and_nothing_else(name: str) -> None:
    """A white image: nearest pixels are white or the fill, bilinear ones too, since no fill is mixed in."""
    white = np.full((1, 20, 20, 3), 255, np.uint8)
    level = {"rotate_filled": 30.0}.get(name, 5.0 if name.startswith("translate") else 0.5)
    for b in (0.0, 1.0):
        out, _ = both(one(20, 20, Step(operation=name, level=level, a=9.0, b=b)), white)
        assert set(np.unique(out)) == {9, 255}
        share = (out == 9).mean()
        # A square turned by t covers 2 / (1 + cos t + sin t) of itself.
        assert share == pytest.approx({"rotate_filled": 0.155}.get(name, 0.25), abs=0.02)


def test_they_stand_in_chains_with_others(make_images: Any) -> None:
    """Behind pending tables, before them, and mixed with other chains."""
    images = make_images(4, 32, 32)
    steps = (
        *(Step(operation="equalize"), Step(operation="rotate_filled", level=30.0, a=128.0)),
        *(Step(operation="invert"), Step(operation="shear_y_filled", level=0.25, a=7.0)),
        *(Step(operation="color", level=0.5), Step(operation="translate_y_filled", level=-4.0)),
    )
    recipes = [Recipe(32, 32, 768, (Chain(16000, steps[: i + 2]), Chain(16000, steps[i:]))) for i in range(4)]
    got, expected = both(RecipeTable.pack(recipes), images)
    assert np.array_equal(got, expected)


def test_recipes_refuse_what_engines_can_not_do() -> None:
    for step, text in (
        (Step("add", "original", "rotate_filled", right=2, bottom=2), "works on whole images only"),
        (Step(operation="rotate_filled", a=256.0), "a must be"),
        (Step(operation="rotate_filled", a=0.5), "a of rotate_filled must be a whole number"),
        (Step(operation="shear_x_filled", b=2.0), "b must be"),
        (Step(operation="translate_y_filled", level=0.5), "whole pixels"),
        (Step(operation="rotate_filled", level=float("nan")), "level must be"),
    ):
        with pytest.raises(InputError, match=text):
            one(8, 8, step)


def test_they_belong_to_no_group_and_are_compiled_when_needed() -> None:
    assert not set(FILLED) & set(GROUPS["all"])
    assert set(FILLED) <= RARE
    assert FILLED == list(CODES)[18:]
    with pytest.raises(InputError, match="AutoAugment and its kin"):
        operation_names(["rotate", "rotate_filled"])


def test_they_say_what_they_are_and_go_to_json_and_back() -> None:
    step = Step(operation="rotate_filled", level=-27.0, a=128.0, b=1.0)
    assert str(step) == "rotate_filled -27° (bilinear, fill 128)"
    assert str(Step(operation="translate_x_filled", level=4.0)) == "translate_x_filled +4 px (nearest, fill 0)"
    for name in FILLED:
        recipe = Recipe(9, 9, 0, (Chain(WHOLE, (Step(operation=name, level=3.0, a=1.0, b=float(NEAREST)), step)),))
        assert Recipe.from_json(recipe.to_json()) == recipe
        assert RecipeTable.pack([recipe])[0] == recipe
