"""The ablations of the paper's Tables 1, 2, 3 and 10 and the frameworks of its Figure 4."""

from typing import Any

import numpy as np
import pytest
from ipmix_tables import SCENE, boxes, drawn, used_steps, within

from ipmix import Augmenter, IPMix, apply, augment, draw
from ipmix.core.errors import InputError
from ipmix.core.randomness import Keys
from ipmix.engines import reference
from ipmix.methods.drawing import stage_seed
from ipmix.methods.ipmix import VARIANTS
from ipmix.recipe.format import MIXERS, WHOLE
from ipmix.recipe.table import RecipeSequence


def of_preset(name: str) -> Any:
    return drawn(IPMix.preset(name), 2000)


@pytest.mark.parametrize(("k", "t"), [(2, 2), (2, 3), (3, 2), (3, 3), (4, 2), (4, 3)])
def test_table_1_widths_and_depths(k: int, t: int) -> None:
    table = of_preset(f"k{k}-t{t}")
    assert table.chains.shape[1] == k
    lengths = table.chains["length"]
    assert (lengths.min(), lengths.max()) == (1, t)


@pytest.mark.parametrize(
    ("name", "mixers"),
    [
        ("mixers-arithmetic", {"add", "multiply"}),
        ("mixers-random-pixels", {"random_pixels"}),
        ("mixers-random-elements", {"random_elements"}),
    ],
)
def test_table_2_mixers(name: str, mixers: set[str]) -> None:
    assert {MIXERS[code] for code in used_steps(of_preset(name))["mixer"]} == {"", *mixers}


def test_table_3_shapes() -> None:
    square, scar = (boxes(used_steps(of_preset(name))) for name in ("square", "scar"))
    across, down = (square[:, 2] - square[:, 0]), (square[:, 3] - square[:, 1])
    assert np.array_equal(across, down)
    assert np.mean((scar[:, 2] - scar[:, 0]) != (scar[:, 3] - scar[:, 1])) > 0.5


def test_table_10_levels() -> None:
    steps = {name: used_steps(of_preset(f"without-{name}")) for name in ("patch", "pixel", "image")}
    whole = {name: (boxes(these) == (0, 0, 32, 32)).all(axis=1) for name, these in steps.items()}
    assert whole["patch"].all()
    assert not whole["pixel"].any()
    assert 0 < whole["image"].mean() < 1
    operations = {name: np.mean(these["mixer"] == 0) for name, these in steps.items()}
    assert operations["image"] == 0
    assert operations["patch"] == within(0.5, 2000)
    assert operations["pixel"] == within(0.5, 2000)


def test_figure_4_one_chain() -> None:
    """One chain in which image operations and patches follow each other as they come."""
    table = of_preset("framework-one-chain")
    assert table.chains.shape[1] == 1
    steps = table.steps[table.chains["length"][:, 0] == 3, 0]
    kinds = (steps["mixer"] != 0).sum(axis=1)
    assert np.bincount(kinds, minlength=4) / len(steps) == pytest.approx([1 / 8, 3 / 8, 3 / 8, 1 / 8], abs=0.08)
    together = drawn(IPMix.preset("framework-chains"), 2000)
    steps = together.steps[together.chains["length"] == 3]
    assert set((steps["mixer"] != 0).sum(axis=1)) == {0, 3}, "the comparison can't fail"


def test_figure_4_fed_back(make_images: Any) -> None:
    """x <- (1 - m) x + m chain(x), k times, each round a table of one chain with streams of its own."""
    images, mixing = make_images(20, 24, 24), make_images(4, 30, 30, seed=3)
    method = IPMix.preset("framework-fed-back")
    sequence = draw(method, images.shape, 4, seed=7)
    assert isinstance(sequence, RecipeSequence)
    assert [table.chains.shape[1] for table in sequence.tables] == [1, 1, 1]
    planes = mixing.transpose(0, 3, 1, 2)
    for i, image in enumerate(images):
        for recipe in sequence[i]:
            mixing_image = reference.crop(recipe, planes)
            (chain,) = recipe.chains or (None,)
            *_, last = (image, *(reference.run(recipe, chain, image, mixing_image) if chain else ()))
            m = (WHOLE - recipe.clean) / WHOLE
            image = np.round((1 - m) * image + m * last).astype(np.uint8)
        assert np.abs(image.astype(int) - apply(sequence, images, mixing, engine="reference")[i]).max() <= 1
    for name in ("mixing_image", "crop_x", "crop_y"):
        assert len({table.heads[name].tobytes() for table in sequence.tables}) == 1
    assert len({table.heads["clean"].tobytes() for table in sequence.tables}) == 3
    alone = IPMix.preset("framework-one-chain").with_options(framework="chains", k=1)
    second = alone.draw(Keys.of(stage_seed(7, 1), 0, range(20)), SCENE)
    assert np.array_equal(second.heads["clean"], sequence.tables[1].heads["clean"])


def test_fed_back_one_image_at_a_time(make_images: Any) -> None:
    images, mixing = make_images(4, 24, 24), make_images(4, 30, 30, seed=3)
    method = IPMix(framework="fed_back")
    settings: dict[str, Any] = {"output": "float32", "mean": 0.5, "std": 0.5, "layout": "nchw"}
    augmenter = Augmenter(method, mixing, shape=(24, 24, 3), seed=7, **settings)
    together = augment(images, method, mixing, seed=7, epoch=3, view=1, **settings)
    for i, image in enumerate(images):
        assert np.array_equal(augmenter(image, epoch=3, index=i, view=1), together[i])


def test_every_ablation_is_a_preset_of_the_papers_cifar_form() -> None:
    plain = IPMix.preset("paper-cifar")
    for name, changes in VARIANTS.items():
        assert IPMix.preset(name) == plain.with_options(**changes)
    assert IPMix.preset("k3-t3") == IPMix.preset("framework-chains") == plain
    with pytest.raises(InputError, match="framework must be one of chains, one_chain, fed_back, got 'tree'"):
        IPMix(framework="tree")
