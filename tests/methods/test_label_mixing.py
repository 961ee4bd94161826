"""MixUp and CutMix against loops over images and pixels, and what they do to labels."""

import math
from typing import Any

import numpy as np
import pytest

from ipmix import CutMix, MixUp, apply, draw
from ipmix.core.errors import InputError
from ipmix.core.randomness import Key, below, beta, uniform
from ipmix.methods import METHODS
from ipmix.methods.drawing import draw_partners, start_scope
from ipmix.recipe.format import HEAD_TYPE, WHOLE

INDICES = np.arange(100, 140)


def of_batch(view: int = 0) -> Any:
    """The stream that one batch's images share."""
    state = np.empty(1, np.uint64)
    start_scope(state, 5, 2, INDICES, view)
    return state


def permutation(stream: Any, count: int) -> list[int]:
    """Fisher and Yates, in plain Python."""
    order = list(range(count))
    for n in range(count - 1, 0, -1):
        other = below(stream, n + 1)
        order[n], order[other] = order[other], order[n]
    return order


@pytest.mark.parametrize("engine", ["compiled", "reference"])
@pytest.mark.parametrize(("alpha", "scope"), [(1.0, "batch"), (0.2, "batch"), (1.0, "image")])
def test_mixup_is_the_loop(alpha: float, scope: str, engine: str, make_images: Any) -> None:
    images, labels = make_images(40, 12, 17), np.arange(40) % 7
    table = draw(MixUp(alpha, scope), images.shape, seed=5, epoch=2, indices=INDICES)
    got, shares = apply(table, images, engine=engine), table.labels(labels, 7)
    stream = of_batch()
    share = beta(stream, alpha, alpha)
    partners = permutation(stream, 40)
    for n in range(40):
        if scope == "image":
            stream = Key(5, 2, int(INDICES[n])).stream()
            share = beta(stream, alpha, alpha)
            partners[n] = below(stream, 40)
        mixed = share * images[n] + (1 - share) * images[partners[n]]
        assert np.abs(got[n] - mixed).max() <= 0.51
        target = np.zeros(7)
        target[labels[n]] += share
        target[labels[partners[n]]] += 1 - share
        assert np.abs(shares[n] - target).max() < 1e-4
    assert shares.dtype == np.float32
    assert np.abs(shares.sum(axis=1) - 1).max() < 1e-6
    assert not np.array_equal(shares, np.eye(7)[labels]), "the comparison can't fail"


@pytest.mark.parametrize("engine", ["compiled", "reference"])
@pytest.mark.parametrize(("alpha", "scope"), [(1.0, "batch"), (1.0, "image"), (0.2, "image")])
def test_cutmix_is_the_loop(alpha: float, scope: str, engine: str, make_images: Any) -> None:
    images, labels = make_images(40, 12, 17), np.arange(40) % 7
    method = CutMix(alpha, 1.0 if scope == "batch" else 0.6, scope)
    table = draw(method, images.shape, seed=5, epoch=2, indices=INDICES)
    got, shares = apply(table, images, engine=engine), table.labels(labels, 7)
    stream = of_batch()
    untouched = 0
    partners: list[int] = []
    for n in range(40):
        if scope == "image":
            stream = Key(5, 2, int(INDICES[n])).stream()
        if scope == "image" or n == 0:
            mixes = uniform(stream) < method.probability
            if mixes:
                ratio = math.sqrt(1 - beta(stream, alpha, alpha))
                width, height = int(17 * ratio), int(12 * ratio)
                x, y = below(stream, 17), below(stream, 12)
                columns = range(max(x - width // 2, 0), min(x + width // 2, 17))
                rows = range(max(y - height // 2, 0), min(y + height // 2, 12))
        if n == 0 and scope == "batch":
            partners = permutation(stream, 40)
        expected, target = images[n].copy(), np.zeros(7)
        area = 0
        if mixes:
            partner = below(stream, 40) if scope == "image" else partners[n]
            for row in rows:
                for column in columns:
                    expected[row, column] = images[partner, row, column]
            area = len(rows) * len(columns)
            target[labels[partner]] += area / (12 * 17)
        untouched += area == 0
        target[labels[n]] += 1 - area / (12 * 17)
        assert np.array_equal(got[n], expected)
        assert np.abs(shares[n] - target).max() < 1e-4
    assert untouched < 39, "the comparison can't fail"


def test_how_often_a_batch_is_cut() -> None:
    """A batch as a whole is mixed or not, half of the time by default."""
    tables = [draw(CutMix(), (8, 32, 32, 3), seed=0, epoch=epoch) for epoch in range(600)]
    mixed = [(table.heads["partner"] >= 0) for table in tables]
    assert all(each.all() or not each.any() for each in mixed)
    assert abs(np.mean([each[0] for each in mixed]) - 0.5) < 0.06


def test_shares_of_mixup_are_beta() -> None:
    shares = draw(MixUp(0.2, "image"), (20_000, 8, 8, 3), seed=0).heads["clean"] / WHOLE
    assert abs(shares.mean() - 0.5) < 0.01
    assert abs(shares.var() - 1 / (4 * 1.4)) < 0.005  # Beta(a, a): 1 / (4 (2a + 1))


def test_partners_are_a_permutation_and_every_one_as_likely() -> None:
    heads = np.zeros(6, HEAD_TYPE)
    counts = np.zeros((6, 6))
    state = Key(0).stream()
    for _ in range(6000):
        draw_partners(state, heads)
        assert sorted(heads["partner"]) == list(range(6))
        counts[np.arange(6), heads["partner"]] += 1
    assert np.abs(counts / 1000 - 1).max() < 0.15


def test_another_batch_draws_other_numbers() -> None:
    first = draw(MixUp(), (8, 4, 4, 3), seed=0, indices=range(8)).heads
    for other in (
        draw(MixUp(), (8, 4, 4, 3), seed=0, indices=range(8, 16)).heads,
        draw(MixUp(), (8, 4, 4, 3), seed=0, epoch=1).heads,
        draw(MixUp(), (8, 4, 4, 3), seed=1).heads,
        draw(MixUp(), (8, 4, 4, 3), seed=0, view=1).heads,
        draw(MixUp(), (7, 4, 4, 3), seed=0).heads,
    ):
        assert first["clean"][0] != other["clean"][0]
    assert np.array_equal(first, draw(MixUp(), (8, 4, 4, 3), seed=0).heads)


@pytest.mark.parametrize("kind", [MixUp, CutMix])
def test_a_batch_of_one_or_none(kind: Any, make_images: Any) -> None:
    image = make_images(1, 9, 9)
    table = draw(kind(), image.shape, seed=0)
    assert np.array_equal(apply(table, image), image)  # its partner is itself
    assert np.allclose(table.labels(np.array([2]), 3), [[0, 0, 1]])
    assert len(draw(kind(), (0, 9, 9, 3), seed=0)) == 0


def test_a_partner_outside_the_batch_is_refused(make_images: Any) -> None:
    images = make_images(6, 9, 9)
    table = draw(MixUp(scope="image"), images.shape, seed=0)
    with pytest.raises(InputError, match=r"a recipe's partner is [3-5], and the batch has 3 images"):
        apply(table[:3], images[:3])


def test_presets_and_names() -> None:
    assert MixUp.preset("imagenet").alpha == CutMix.preset("imagenet").alpha == 0.2
    assert MixUp.preset("cifar") == MixUp()
    assert (CutMix().alpha, CutMix().probability) == (1.0, 0.5)
    for name, kind in (("mixup", MixUp), ("cutmix", CutMix)):
        assert METHODS[name] is kind
        assert kind().mixes_labels
        with pytest.raises(InputError, match="has no preset 'big'; presets are cifar, imagenet"):
            kind.preset("big")


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (MixUp, {"alpha": 0.0}, "alpha must be a positive number, got 0.0"),
        (MixUp, {"scope": "epoch"}, "scope must be one of batch, image, got 'epoch'"),
        (CutMix, {"alpha": -1}, "alpha must be a positive number, got -1"),
        (CutMix, {"probability": 1.5}, "probability must be in 0 .. 1, got 1.5"),
        (CutMix, {"scope": ""}, "scope must be one of batch, image, got ''"),
    ],
)
def test_impossible_options_are_refused(kind: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        kind(**options)
