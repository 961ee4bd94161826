"""AugMax's views, against AugMix of the same keys; its starting points, against a plain loop."""

import numpy as np
import pytest

from ipmix.augmentation.batches import apply, augment, draw
from ipmix.augmentation.single import Augmenter
from ipmix.core.errors import InputError
from ipmix.core.randomness import Key, Keys, uniform
from ipmix.methods.augmax import START_SALT, AugMax
from ipmix.methods.augmix import NINE, AugMix
from ipmix.recipe.format import WHOLE
from ipmix.recipe.recipe import Chain, Recipe

SHAPE = (40, 16, 16, 3)


def sample_images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)


def test_view_0_is_an_augmix() -> None:
    got = draw(AugMax(), SHAPE, seed=3, epoch=2)
    expected = draw(AugMix(severity=3.0), SHAPE, seed=3, epoch=2)
    assert [got[i] for i in range(40)] == [expected[i] for i in range(40)]


@pytest.mark.parametrize("view", [1, 2, 3])
def test_the_other_views_are_one_whole_chain_each(view: int) -> None:
    table = draw(AugMax(), SHAPE, seed=3, view=view)
    alone = draw(AugMix(k=1, severity=3.0), SHAPE, seed=3, view=view)
    lengths = set()
    for i in range(40):
        recipe = table[i]
        assert (recipe.clean, len(recipe.chains), recipe.chains[0].share) == (0, 1, WHOLE)
        assert recipe.chains[0].steps == alone[i].chains[0].steps
        assert all(step.operation in NINE and not step.mixer for step in recipe.chains[0].steps)
        lengths.add(len(recipe.chains[0].steps))
    assert lengths == {1, 2, 3}


def test_views_differ_and_images_are_those_of_the_chains() -> None:
    images = sample_images()
    views = [augment(images, AugMax(), seed=1, view=view) for view in range(AugMax().views)]
    assert len(views) == 4
    for i in range(1, 4):
        for j in range(i):
            assert not np.array_equal(views[i], views[j])
    # A chain image is its operations one after the other: the same as recipes of one step each.
    table = draw(AugMax(), SHAPE, seed=1, view=2)
    expected = images.copy()
    for i in range(len(images)):
        for step in table[i].chains[0].steps:
            one = type(table).pack([Recipe(16, 16, 0, (Chain(WHOLE, (step,)),))])
            expected[i] = apply(one, expected[i : i + 1], engine="reference")[0]
    assert np.array_equal(augment(images, AugMax(), seed=1, view=2, engine="reference"), expected)


def test_one_image_at_a_time_gives_the_same() -> None:
    images = sample_images()
    single = Augmenter(AugMax(), shape=SHAPE[1:], seed=5)
    for view in (0, 3, 1, 0):
        expected = augment(images, AugMax(), seed=5, epoch=1, view=view)
        for index in (0, 7, 39):
            assert np.array_equal(single(images[index], epoch=1, index=index, view=view), expected[index])


def test_starting_points_are_functions_of_the_key() -> None:
    method, keys = AugMax(k=2), Keys.of(7, 3, [5, 0, 9])
    blend, logits = method.starts(keys)
    assert (blend.dtype, blend.shape, logits.dtype, logits.shape) == (np.float32, (3,), np.float32, (3, 2))
    for n, index in enumerate((5, 0, 9)):
        stream = Key(7 ^ START_SALT, 3, index, 0).stream()
        expected = np.array([uniform(stream) for _ in range(3)], np.float32)
        assert np.array_equal(np.array([blend[n], *logits[n]]), expected)
    many = np.concatenate([part.ravel() for part in AugMax().starts(Keys.of(0, 0, range(2000)))])
    assert 0 <= many.min() <= many.max() < 1
    assert abs(many.mean() - 0.5) < 0.02


def test_presets_and_options() -> None:
    assert AugMax.preset("imagenet").steps == 5
    assert AugMax.preset("cifar") == AugMax()
    assert AugMax().with_options(k=5).views == 6
    assert not AugMax().mixes_labels
    with pytest.raises(InputError, match="presets are cifar, imagenet"):
        AugMax.preset("paper")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k"),
        ({"depth": 0}, "depth"),
        ({"steps": -1}, "steps"),
        ({"step_size": 0.0}, "step_size"),
        ({"budget": 0}, "budget"),
        ({"severity": 11.0}, "severity"),
        ({"operations": ("blur",)}, "blur"),
    ],
)
def test_bad_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        AugMax(**options)


@pytest.mark.parametrize(("name", "steps"), [("cifar", 10), ("imagenet", 5)])
def test_presets_of_the_code_stop_no_image(name: str, steps: int) -> None:
    meant, published = AugMax.preset(name), AugMax.preset(f"code-{name}")
    assert (meant.steps, meant.budget) == (steps, 1)
    assert published == meant.with_options(budget=None)
