"""Recipes: how they print, JSON and tables there and back, and every way in which one can be malformed."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipmix.core.errors import InputError
from ipmix.recipe.format import CHAIN_TYPE, HEAD_TYPE, MIXERS, NO_MIXING_IMAGE, SOURCES, STEP_TYPE, WHOLE
from ipmix.recipe.operations import CODES, GROUPS
from ipmix.recipe.recipe import Chain, ImageSpec, Recipe, Step
from ipmix.recipe.table import RecipeSequence, RecipeTable

EXAMPLE = Recipe(
    height=24,
    width=32,
    clean=8192,
    chains=(
        Chain(16384, (Step(operation="rotate", level=-7.0), Step(operation="shear_x", level=0.046875))),
        Chain(
            8192,
            (
                Step("add", left=3, top=4, right=11, bottom=24, a=1.25, b=-0.5),
                Step("random_pixels", "original", "posterize", 3.0, 0, 0, 32, 24, a=0.75, seed=12345),
                Step("multiply", "original", right=4, bottom=4, a=0.5, b=0.125),
            ),
        ),
        Chain(0),
    ),
    mixing_image=17,
    crop_x=2**31,
    crop_y=2**30,
    overflow="wrap",
)


# --- printing ---------------------------------------------------------------------------------------------


def test_a_recipe_prints_readably() -> None:
    assert str(EXAMPLE) == "\n".join(
        (
            "32x24 image, mixing image 17 (cropped 50% across and 25% down), overflow: wrap",
            "   25.0%  clean",
            "   50.0%  rotate -7° -> shear_x +0.047",
            "   25.0%  add (a 1.25, b -0.50) with the mixing image in 8x20 at (3, 4)"
            " -> random pixels (keep 75%) with the original, posterize 3 bits in 32x24 at (0, 0)"
            " -> multiply (a 0.50, b +0.12) with the original in 4x4 at (0, 0)",
            "    0.0%  unchanged",
        )
    )


def test_a_recipe_without_a_image_prints_in_two_words() -> None:
    assert str(Recipe(5, 7, WHOLE)) == "7x5 image\n  100.0%  clean"


@pytest.mark.parametrize(
    ("name", "level", "text"),
    [
        ("equalize", 0.0, "equalize"),
        ("mirror", 0.0, "mirror"),
        ("solarize", 200.0, "solarize 200"),
        ("translate_y", -3.0, "translate_y -3 px"),
        ("autocontrast", 7.125, "autocontrast 7.12 %"),
        ("color", 0.46, "color 0.46"),
        ("shear_y", -0.0325, "shear_y -0.033"),
    ],
)
def test_an_operation_prints_with_its_unit(name: str, level: float, text: str) -> None:
    assert str(Step(operation=name, level=level)) == text


# --- any recipe -------------------------------------------------------------------------------------------

FLOAT32 = {"width": 32, "allow_nan": False}


@st.composite
def steps(draw: st.DrawFn, height: int, width: int, image: int) -> Step:
    mixer = draw(st.sampled_from(MIXERS))
    if mixer == "fill":
        a, b, level = (draw(st.integers(0, 255)) for _ in range(3))
        return Step(mixer, left=width // 2, right=width, bottom=height, a=a, b=b, level=level)
    source = (
        draw(st.sampled_from(["original", "partner"] if image == NO_MIXING_IMAGE else SOURCES))
        if mixer
        else "mixing_image"
    )
    names = [*GROUPS["all"], ""] if mixer else [*CODES]
    operation = draw(st.sampled_from(names)) if source != "partner" else ""
    if operation.endswith("_filled"):
        level = draw(st.floats(-400, 400, **FLOAT32))
        level = float(int(level)) if operation.startswith("translate") else level
        return Step(operation=operation, level=level, a=draw(st.integers(0, 255)), b=draw(st.integers(0, 1)))
    if operation not in GROUPS["all"] and operation:  # a seeded operation, with parameters of its own
        level = draw(st.floats(0, 400, **FLOAT32))
        first, second = (draw(st.integers(0, 1 if operation == "spectral" else 4096)) for _ in range(2))
        return Step(operation=operation, level=level, a=first, b=second, seed=draw(st.integers(0, 2**32 - 1)))
    low, high = {"posterize": (1, 8), "autocontrast": (0, 100)}.get(operation, (-400, 400))
    level = draw(st.floats(low, high, **FLOAT32)) if operation else 0.0
    if operation.startswith("translate"):
        level = float(int(level))
    if not mixer:
        return Step(operation=operation, level=level)
    top, left = draw(st.integers(0, height)), draw(st.integers(0, width))
    right, bottom = draw(st.integers(left, width)), draw(st.integers(top, height))
    a = draw(st.floats(0, 2 if mixer in ("add", "multiply") else 1, **FLOAT32))
    b = draw(st.floats(-1, 1, **FLOAT32))
    seed = draw(st.integers(0, 2**32 - 1))
    return Step(mixer, source, operation, level, left, top, right, bottom, a, b, seed)


@st.composite
def recipes(draw: st.DrawFn, height: int | None = None, width: int | None = None) -> Recipe:
    height = height or draw(st.integers(1, 300))
    width = width or draw(st.integers(1, 300))
    image = draw(st.integers(NO_MIXING_IMAGE, 2**31 - 1))
    cuts = sorted(draw(st.lists(st.integers(0, WHOLE), min_size=1, max_size=5)))
    shares = np.diff([0, *cuts, WHOLE]).tolist()
    chains = [Chain(s, tuple(draw(st.lists(steps(height, width, image), max_size=4)))) for s in shares[1:]]
    while chains and chains[-1] == Chain(0):  # the same as no chain, which is how a table gives it back
        chains.pop()
    crops = st.integers(0, 2**32 - 1)
    overflow = draw(st.sampled_from(["clip", "wrap", "round"]))
    partner, label = draw(st.integers(0, 2**31 - 1)), draw(st.integers(0, WHOLE))
    crop = (draw(crops), draw(crops))
    return Recipe(height, width, shares[0], tuple(chains), image, *crop, overflow, partner, label)


@given(recipes())
def test_json_gives_back_an_equal_recipe(recipe: Recipe) -> None:
    text = recipe.to_json()
    assert "\n" not in text
    assert Recipe.from_json(text) == recipe
    assert Recipe.from_json(text).to_json() == text


@given(st.floats(-8, 8, allow_nan=False), st.floats(-8, 8, allow_nan=False))
def test_json_keeps_every_digit(a: float, b: float) -> None:
    recipe = Recipe(1, 1, 0, (Chain(WHOLE, (Step("add", "original", a=a, b=b),)),))
    assert Recipe.from_json(recipe.to_json()) == recipe


@given(st.lists(recipes(height=31, width=17), max_size=6))
def test_a_table_gives_back_its_recipes(packed: list[Recipe]) -> None:
    table = RecipeTable.pack(packed)
    assert len(table) == len(packed)
    assert list(table) == packed
    assert [table[i] for i in range(len(table))] == packed
    assert list(table[1:4]) == packed[1:4]
    assert list(table[::-2]) == packed[::-2]
    again = RecipeTable.pack(list(table))
    assert all(np.array_equal(getattr(again, n), getattr(table, n)) for n in ("heads", "chains", "steps"))


@given(recipes())
def test_shares_sum_to_the_whole(recipe: Recipe) -> None:
    table = RecipeTable.pack([recipe])
    assert int(table.heads["clean"][0]) + int(table.chains["share"].sum()) == WHOLE


def test_the_comparison_sees_the_smallest_change() -> None:
    first = EXAMPLE.chains[0]
    other = replace(EXAMPLE, chains=(replace(first, steps=(replace(first.steps[0], level=-7.5),)), *EXAMPLE.chains[1:]))
    assert Recipe.from_json(other.to_json()) != EXAMPLE
    assert RecipeTable.pack([other])[0] != RecipeTable.pack([EXAMPLE])[0]


def test_json_names_only_what_a_step_uses() -> None:
    values = json.loads(EXAMPLE.to_json())
    assert values["chains"][0]["steps"][0] == {"operation": "rotate", "level": -7.0}
    assert (values["format"], values["clean"], values["overflow"]) == (2, 8192, "wrap")


# --- tables -----------------------------------------------------------------------------------------------


def test_an_empty_table_leaves_images_unchanged() -> None:
    table = RecipeTable.empty(3, 2, 4, 10, 20)
    assert (table.heads.dtype, table.chains.dtype, table.steps.dtype) == (HEAD_TYPE, CHAIN_TYPE, STEP_TYPE)
    assert (table.heads.shape, table.chains.shape, table.steps.shape) == ((3,), (3, 2), (3, 2, 4))
    assert list(table) == [Recipe(10, 20, WHOLE)] * 3


def test_a_table_of_nothing() -> None:
    assert len(RecipeTable.pack([])) == 0
    assert list(RecipeTable.empty(0, 3, 3, 8, 8)) == []


def test_a_table_ends_where_it_ends() -> None:
    table = RecipeTable.pack([EXAMPLE])
    assert table[-1] == table[0]
    with pytest.raises(IndexError):
        table[1]


def test_padding_steps_of_a_table_do_not_count() -> None:
    """What lies behind a chain's length is no part of the recipe."""
    table = RecipeTable.pack([EXAMPLE])
    table.steps[0, 0, 2]["operation"] = CODES["invert"]
    assert table[0] == replace(EXAMPLE, chains=EXAMPLE.chains[:2])


def test_one_table_holds_one_size() -> None:
    with pytest.raises(InputError, match="recipe 0 is 7x5, recipe 2 is 5x7"):
        RecipeTable.pack([Recipe(5, 7, WHOLE), Recipe(5, 7, WHOLE), Recipe(7, 5, WHOLE)])


@pytest.mark.parametrize("name", ["height", "width", "channels", "mixing_count"])
def test_a_scene_refuses_impossible_sizes(name: str) -> None:
    values = {"height": 1, "width": 1, "channels": 1, "mixing_count": 0}
    ImageSpec(**values)
    with pytest.raises(InputError, match=f"{name.replace('mixing_count', 'mixing images')}.*got -1"):
        ImageSpec(**{**values, name: -1})


# --- malformed --------------------------------------------------------------------------------------------


def changed(path: str, value: Any) -> str:
    """The example's JSON with the value at a path such as "chains/0/share" replaced, or removed if None."""
    values = json.loads(EXAMPLE.to_json())
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    item = values
    for part in parents:
        item = item[part]
    if value is None:
        del item[last]
    else:
        item[last] = value
    return json.dumps(values)


@pytest.mark.parametrize("text", ["", "{", "nonsense", "\x00", "[" * 200_000, "1" * 10_000, '{"format": 1,}'])
def test_what_is_no_json_is_no_recipe(text: str) -> None:
    with pytest.raises(InputError, match="no recipe"):
        Recipe.from_json(text)


@pytest.mark.parametrize("text", ["3", "null", "[]", "{}", '{"format": 3}', '"recipe"', '{"format": "1"}'])
def test_another_format_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no recipe of format 2"):
        Recipe.from_json(text)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("height", None, "recipe: height is missing"),
        ("clean", None, "recipe: clean is missing"),
        ("chains/0/share", None, "chain 0: share is missing"),
        ("height", "24", "recipe: height must be int, got '24'"),
        ("height", 24.0, "recipe: height must be int, got 24.0"),
        ("height", True, "recipe: height must be int, got True"),
        ("width", 0, "recipe: width must be in 1 .. .*, got 0"),
        ("color", 1, "recipe: unknown key 'color'; known are chains?, .*|recipe: unknown key 'color'; known are"),
        ("chains", {}, "recipe's chains must be a list"),
        ("chains/1", 5, "chain 1 of the recipe must be an object, got 5"),
        ("chains/1/shares", 5, "chain 1: unknown key 'shares'; known are share"),
        ("chains/1/share", 1.5, "chain 1: share must be int, got 1.5"),
        ("chains/1/share", 8193, "sum to 32768, got a sum of 32769"),
        ("clean", -1, "shares must be 0 or more"),
        ("chains/1/steps", "x", "chain 1 steps must be a list"),
        ("chains/1/steps/0", [], "chain 1, step 0 of the recipe must be an object"),
        ("chains/1/steps/0/size", 4, "chain 1, step 0: unknown key 'size'; known are a, b, bottom"),
        ("chains/1/steps/0/left", 1.5, "chain 1, step 0: left must be int, got 1.5"),
        ("chains/1/steps/0/a", "1", "chain 1, step 0: a must be int or float, got '1'"),
        ("chains/1/steps/0/mixer", "subtract", "chain 1, step 0: unknown mixer 'subtract'; known are add, multiply"),
        ("chains/1/steps/0/mixer", None, "chain 1, step 0: it has neither a mixer nor an operation"),
        ("chains/1/steps/1/source", "fractal", "chain 1, step 1: unknown source 'fractal'; known are mixing_image"),
        ("chains/0/steps/0/operation", "blur", "chain 0, step 0: unknown operation 'blur'; known are equalize"),
        ("chains/0/steps/0/operation", None, "chain 0, step 0: it has neither a mixer nor an operation"),
        ("chains/0/steps/0/level", float("nan"), "chain 0, step 0: level must be in -65536 .. 65536, got nan"),
        ("chains/0/steps/0/level", 1e300, "chain 0, step 0: level must be in"),
        ("chains/1/steps/1/level", 9, "chain 1, step 1: level must be in 1 .. 8, got 9"),
        ("chains/1/steps/0/left", -1, "chain 1, step 0: left must be in 0 .. 11, got -1"),
        ("chains/1/steps/0/left", 12, "chain 1, step 0: left must be in 0 .. 11, got 12"),
        ("chains/1/steps/0/right", 33, "chain 1, step 0: right must be in 0 .. 32, got 33"),
        ("chains/1/steps/0/bottom", 25, "chain 1, step 0: bottom must be in 0 .. 24, got 25"),
        ("chains/1/steps/0/a", float("inf"), "chain 1, step 0: a must be in -8 .. 8, got inf"),
        ("chains/1/steps/2/a", -0.5, "chain 1, step 2: a must be in 0 .. 8, got -0.5"),
        ("chains/1/steps/1/a", 1.01, "chain 1, step 1: a must be in 0 .. 1, got 1.01"),
        ("chains/1/steps/1/seed", 2**32, "chain 1, step 1: seed must be in 0 .. 4294967295"),
        ("mixing_image", -2, "recipe: mixing_image must be in -1"),
        ("mixing_image", -1, 'chain 1, step 0: source is "image", and the recipe\'s image is -1'),
        ("crop_x", 2**32, "recipe: crop_x must be in 0 .. 4294967295, got 4294967296"),
        ("crop_y", -1, "recipe: crop_y must be in"),
        ("overflow", "saturate", "recipe: unknown overflow 'saturate'; known are clip, wrap, round"),
        ("overflow", 3, "recipe: overflow must be str, got 3"),
    ],
)
def test_malformed_json_is_refused_by_its_key(path: str, value: Any, message: str) -> None:
    assert Recipe.from_json(EXAMPLE.to_json()) == EXAMPLE
    with pytest.raises(InputError, match=message):
        Recipe.from_json(changed(path, value))


@pytest.mark.parametrize(
    ("step", "recipe", "message"),
    [
        (Step("paste", "partner", right=2, bottom=2), {}, 'source is "partner", and the recipe\'s partner is -1'),
        (Step("paste", "partner", "invert"), {"partner": 0}, "a partner goes through no operation first, got 'invert'"),
        (Step("fill", operation="invert"), {}, "fill takes no operation, got 'invert'"),
        (Step("fill", a=0.5), {}, "a of fill must be a whole number, got 0.5"),
        (Step("fill", level=256), {}, "level must be in 0 .. 255, got 256"),
        (Step("fill"), {"label": 7}, "gives 7 of the label to a partner and names none"),
        (Step("fill"), {"label": WHOLE + 1, "partner": 2}, "label must be in 0 .. 32768, got 32769"),
        (Step("fill"), {"partner": -2}, "partner must be in -1"),
    ],
)
def test_impossible_partners_and_fills_are_refused(step: Step, recipe: dict[str, int], message: str) -> None:
    Recipe(4, 4, 0, (Chain(WHOLE, (Step("paste", "partner", right=4, bottom=4), Step("fill", a=9))),), partner=3)
    with pytest.raises(InputError, match=message):
        Recipe(4, 4, 0, (Chain(WHOLE, (step,)),), **recipe)


# --- labels -----------------------------------------------------------------------------------------------


def partnered(*pairs: tuple[int, int]) -> RecipeTable:
    return RecipeTable.pack([Recipe(2, 2, WHOLE, partner=partner, label=label) for partner, label in pairs])


def test_labels_are_the_shares_of_both_images() -> None:
    table = partnered((1, WHOLE // 4), (2, WHOLE), (-1, 0))
    expected = [[0.75, 0, 0.25], [0, 1, 0], [0, 1, 0]]
    assert table.labels(np.array([0, 2, 1]), 3).tolist() == expected
    assert table.labels(np.eye(3, dtype=np.float32)[[0, 2, 1]]).tolist() == expected


def test_a_sequence_mixes_labels_that_are_mixed_already() -> None:
    sequence = RecipeSequence((partnered((1, WHOLE // 2), (0, WHOLE // 2)), partnered((1, WHOLE // 2), (-1, 0))))
    assert sequence.labels(np.array([0, 1]), 2).tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert partnered((1, WHOLE // 2), (-1, 0)).labels(np.array([0, 1]), 2).tolist() == [[0.5, 0.5], [0, 1]]
    assert len(sequence) == 2
    assert sequence[1] == (sequence.tables[0][1], sequence.tables[1][1])
    assert list(sequence[:1]) == [sequence[0]]
    assert (sequence.height, sequence.width) == (2, 2)


def test_a_recipe_without_a_label_share_keeps_the_label_exactly() -> None:
    labels = np.array([2, 0, 1])
    assert np.array_equal(RecipeTable.empty(3, 1, 1, 2, 2).labels(labels, 3), np.eye(3)[labels])


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (np.array([0, 3]), 3, "labels must be in 0 .. 2, got 0 .. 3"),
        (np.array([-1, 0]), 3, "labels must be in 0 .. 2, got -1 .. 0"),
        (np.array([0]), 3, r"labels must be int\[2\]"),
        (np.array([0.0, 1.0]), 3, r"got float64\[2\]"),
        (np.array([0, 1]), None, "name how many classes there are"),
        (np.eye(2), 3, "shares of 2 classes, and classes is 3"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: np.ndarray, classes: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        RecipeTable.empty(2, 1, 1, 2, 2).labels(labels, classes)


def test_a_sequence_needs_tables_for_the_same_images() -> None:
    one = RecipeTable.empty(2, 1, 1, 2, 2)
    for tables in ((), (one, RecipeTable.empty(3, 1, 1, 2, 2)), (one, RecipeTable.empty(2, 1, 1, 2, 3))):
        with pytest.raises(InputError, match="a sequence needs one or more tables for the same images"):
            RecipeSequence(tables)


def test_translations_are_whole_pixels() -> None:
    Recipe(9, 9, 0, (Chain(WHOLE, (Step(operation="translate_x", level=-2.0),)),))
    with pytest.raises(InputError, match=r"chain 0, step 0: the level of translate_x must be whole pixels, got 1.5"):
        Recipe(9, 9, 0, (Chain(WHOLE, (Step(operation="translate_x", level=1.5),)),))


@pytest.mark.parametrize(("clean", "shares"), [(WHOLE, (1,)), (0, ()), (WHOLE + 1, (-1,)), (16384, (8192, 8191))])
def test_shares_that_do_not_sum_to_the_whole_are_refused(clean: int, shares: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="sum to 32768"):
        Recipe(4, 4, clean, tuple(Chain(share) for share in shares))
