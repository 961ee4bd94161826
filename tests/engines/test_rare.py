"""Parts of the kernel that are compiled only for recipes that need them."""

import numpy as np
import pytest

from ipmix import IPMix
from ipmix.augmentation.batches import apply, draw
from ipmix.engines import compiled as compiled_engine
from ipmix.engines.compiled import kernel
from ipmix.engines.compiled.rare import RARE, Needed, uses_rare
from ipmix.engines.compiled.workspace import make_workspace
from ipmix.engines.output import make_output
from ipmix.recipe.format import WHOLE
from ipmix.recipe.operations import CODES
from ipmix.recipe.recipe import Chain, Recipe, Step
from ipmix.recipe.table import RecipeTable


def one_step(name: str, level: float) -> RecipeTable:
    return RecipeTable.pack([Recipe(32, 32, 0, (Chain(WHOLE, (Step(operation=name, level=level),)),))])


def test_tables_with_rare_operations_are_told_from_others(images: np.ndarray, mixing_images: np.ndarray) -> None:
    for name, code in CODES.items():
        table = RecipeTable.empty(3, 2, 2, 32, 32)
        table.steps[1, 1, 0]["operation"] = code
        assert uses_rare(table) == (name in RARE), name
    table = draw(IPMix(), images.shape, len(mixing_images), seed=0)
    assert not uses_rare(table)
    assert not uses_rare(RecipeTable.empty(5, 2, 3, 32, 32))
    everything = draw(IPMix(operations="all"), images.shape, len(mixing_images), seed=0)
    assert uses_rare(everything)
    assert [uses_rare(everything[i : i + 1]) for i in range(12)] == [
        any(step.operation in RARE for chain in recipe.chains for step in chain.steps) for recipe in everything
    ]


def test_rare_operations_make_no_difference_to_others(
    images: np.ndarray, mixing_images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both forms of the machine code give the same bytes; a table that has none gets the smaller one."""
    table = draw(IPMix(), images.shape, len(mixing_images), seed=0)
    expected = apply(table, images, mixing_images)
    monkeypatch.setattr(compiled_engine, "uses_rare", lambda table: True)
    assert np.array_equal(apply(table, images, mixing_images), expected)


def test_the_kernel_without_rare_operations_stops_before_the_first(images: np.ndarray) -> None:
    recipes = [one_step("invert", 0.0)[0]] * 3 + [one_step("color", 0.5)[0]] + [one_step("invert", 0.0)[0]]
    table = RecipeTable.pack(recipes)
    out = np.full_like(images[:5], 7)
    form, planes = make_output("uint8", "nhwc", 3, None, None), np.zeros((1, 3, 32, 32), np.uint8)
    arguments = compiled_engine._arguments(table, images[:5], planes, form, out)
    space = make_workspace(32, 32, 3, 1)
    assert kernel.apply_range(space, 0, 5, *arguments, (), (), None) == 3
    assert np.array_equal(out[:3], 255 - images[:3])
    assert (out[3:] == 7).all()
    assert kernel.apply_range(space, 3, 5, *arguments, (), (), ()) == 5
    assert np.array_equal(out, apply(table, images[:5]))


def test_the_kernel_has_the_parts_that_tables_have_needed(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mixed boxes alone, then operations too: every form gives the bytes of the whole one; nothing goes back."""
    box = {"left": 3, "top": 5, "right": 20, "bottom": 30}
    pasted = Recipe(32, 32, 0, (Chain(WHOLE, (Step("paste", "partner", **box),) * 2),), partner=0)
    boxes, operations = RecipeTable.pack([pasted] * 4), RecipeTable.pack([one_step("invert", 0.0)[0]] * 4)
    expected = [apply(table, images[:4], engine="reference") for table in (boxes, operations)]
    for table, first, second in ((boxes, "boxes", "operations"), (operations, "operations", "boxes")):
        monkeypatch.setattr(Needed, "boxes", None)
        monkeypatch.setattr(Needed, "operations", None)
        assert np.array_equal(apply(table, images[:4]), expected[table is operations])
        assert (getattr(Needed, first), getattr(Needed, second)) == ((), None)
    assert np.array_equal(apply(boxes, images[:4]), expected[0])
    assert (Needed.boxes, Needed.operations) == ((), ())
    assert np.array_equal(apply(operations, images[:4]), expected[1])


def test_the_kernel_without_boxes_or_operations_stops_before_the_first(images: np.ndarray) -> None:
    box = {"left": 3, "top": 5, "right": 20, "bottom": 30}
    pasted = Recipe(32, 32, 0, (Chain(WHOLE, (Step("paste", "partner", **box),)),), partner=0)
    form, planes = make_output("uint8", "nhwc", 3, None, None), np.zeros((1, 3, 32, 32), np.uint8)
    for one, other, parts in (
        (pasted, one_step("invert", 0.0)[0], (None, ())),
        (one_step("invert", 0.0)[0], pasted, ((), None)),
    ):
        table = RecipeTable.pack([one, one, other, one])
        out = np.full_like(images[:4], 7)
        arguments = compiled_engine._arguments(table, images[:4], planes, form, out)
        assert kernel.apply_range(make_workspace(32, 32, 3, 1), 0, 4, *arguments, *parts, None) == 2
        assert np.array_equal(out[:2], apply(table[:2], images[:2], engine="reference"))
        assert (out[2:] == 7).all()


def test_an_applier_meets_its_first_rare_operation_late(images: np.ndarray) -> None:
    table, planes = one_step("invert", 0.0), np.zeros((1, 3, 32, 32), np.uint8)
    run = compiled_engine.applier(table, planes, make_output("uint8", "nhwc", 3, None, None))
    out = np.empty_like(images[0])
    for name, level in (("invert", 0.0), ("color", 0.5), ("invert", 0.0), ("contrast", 0.3)):
        table.steps[:] = one_step(name, level).steps
        run(np.ascontiguousarray(images[0]), out)
        assert np.array_equal(out, apply(table, images[:1])[0]), name
