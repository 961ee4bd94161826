"""Combinations against the methods applied by hand."""

from typing import Any

import numpy as np
import pytest

from ipmix import Augmenter, AugMix, Combined, CutMix, CutOut, IPMix, MixUp, PixMix, Vanilla, apply, augment, draw
from ipmix.core.errors import InputError
from ipmix.methods import METHODS
from ipmix.methods.combined import PRESETS
from ipmix.methods.drawing import stage_seed
from ipmix.recipe.table import RecipeSequence


def by_hand(
    methods: list[Any], images: np.ndarray, labels: np.ndarray, epoch: int, stages: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    shares = np.eye(5, dtype=np.float32)[labels]
    for stage, method in zip(stages or range(9), methods):
        table = draw(method, images.shape, seed=stage_seed(4, stage), epoch=epoch)
        images, shares = apply(table, images), table.labels(shares)
    return images, shares


def both(method: Combined, images: np.ndarray, labels: np.ndarray, epoch: int = 0) -> tuple[np.ndarray, np.ndarray]:
    sequence = draw(method, images.shape, seed=4, epoch=epoch)
    return apply(sequence, images), sequence.labels(labels, 5)


@pytest.mark.parametrize("name", ["augmix-mixup-cutmix", "augmix-cutmix-mixup", "augmix-k5-mixup-0.2-cutmix-0.5"])
def test_all_in_order(name: str, make_images: Any) -> None:
    images, labels = make_images(30, 16, 16), np.arange(30) % 5
    method = Combined.preset(name)
    results = [both(method, images, labels, epoch) for epoch in range(4)]
    for epoch, (got, shares) in enumerate(results):
        expected, targets = by_hand(list(method.methods), images, labels, epoch)
        assert np.array_equal(got, expected)
        assert np.array_equal(shares, targets)
        assert np.abs(shares.sum(axis=1) - 1).max() < 1e-5
    assert max((shares > 0).sum(axis=1).max() for _, shares in results) > 2  # labels mixed twice
    other, _ = by_hand([AugMix()], images, labels, 0)
    assert not np.array_equal(other, results[0][0]), "the comparison can't fail"


def test_one_of_several_anew_for_every_batch(make_images: Any) -> None:
    images, labels = make_images(8, 8, 8), np.arange(8) % 5
    combined = Combined.preset("augmix-one")
    chosen = []
    for epoch in range(120):
        got, shares = both(combined, images, labels, epoch)
        options = [
            by_hand([AugMix(), then], images, labels, epoch, (0, n)) for n, then in ((1, MixUp()), (2, CutMix()))
        ]
        same = [
            np.array_equal(got, sample_images) and np.array_equal(shares, targets) for sample_images, targets in options
        ]
        assert any(same)
        chosen.append(same.index(True))
    assert 0.35 < np.mean(chosen) < 0.65


def test_by_epoch(make_images: Any) -> None:
    images, labels = make_images(8, 8, 8), np.arange(8) % 5
    method = Combined.preset("augmix-by-epoch")
    for epoch, stage, then in (
        (0, 1, MixUp()),
        (49, 1, MixUp()),
        (50, 2, CutMix()),
        (99, 2, CutMix()),
        (200, 2, CutMix()),
    ):
        expected, _ = by_hand([AugMix(), then], images, labels, epoch, (0, stage))
        assert np.array_equal(both(method, images, labels, epoch)[0], expected), epoch


def test_what_is_combined_decides_what_is_needed(make_images: Any) -> None:
    keeps = Combined((AugMix(), CutOut(), PixMix(), Vanilla()))
    assert (keeps.mixes_labels, keeps.needs_mixing_images) == (False, True)
    assert (Combined().mixes_labels, Combined().needs_mixing_images) == (True, False)
    images, mixing = make_images(6, 16, 16), make_images(3, 16, 16, seed=1)
    sequence = draw(keeps, images.shape, 3, seed=4)
    labels = np.arange(6) % 5
    assert np.array_equal(sequence.labels(labels, 5), np.eye(5)[labels])
    augmenter = Augmenter(keeps, mixing, shape=(16, 16, 3), seed=4)
    together = augment(images, keeps, mixing, seed=4)
    for i, image in enumerate(images):
        assert np.array_equal(augmenter(image, index=i, epoch=0), together[i])


def test_sequences_inside_a_sequence(make_images: Any) -> None:
    images, mixing = make_images(5, 16, 16), make_images(3, 16, 16, seed=1)
    method = Combined((IPMix(framework="fed_back"), CutOut()))
    sequence = draw(method, images.shape, 3, seed=0)
    assert isinstance(sequence, RecipeSequence)
    assert len(sequence.tables) == 4
    got, expected = (augment(images, method, mixing, seed=0, engine=engine) for engine in ("compiled", "reference"))
    assert np.mean(got != expected) < 0.01


def test_a_label_mixing_method_has_no_single_images() -> None:
    with pytest.raises(InputError, match=r"combined mixes the images of a batch: use draw\(\) and apply\(\)"):
        Augmenter(Combined(), shape=(8, 8, 3), seed=0)


def test_the_papers_combinations_are_presets() -> None:
    assert len(PRESETS) == 4 + 8
    assert Combined.preset("augmix-k1-mixup-0.5-cutmix-0.2").methods == (AugMix(k=1), MixUp(0.5), CutMix(0.2))
    assert METHODS["combined"] is Combined
    assert Combined(("augmix", "cutout")).methods == (AugMix(), CutOut())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ()}, "methods must be a list of methods or their names"),
        ({"methods": "augmix"}, "methods must be a list of methods or their names, got 'augmix'"),
        ({"methods": ("blur",)}, "there is no method 'blur' to combine; methods are vanilla, augmix, pixmix"),
        ({"methods": (3,)}, "methods holds 3, which draws no recipes"),
        ({"choose": "some"}, "choose must be one of all, one, by_epoch, got 'some'"),
        ({"choose": "one", "always": 3}, "of 3 methods 3 are always carried out: none is left to choose from"),
        ({"switch": 0}, "switch must be a whole number from 1 to 1048576, got 0"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Combined(**options)
    with pytest.raises(InputError, match="Combined has no preset 'big'"):
        Combined.preset("big")
