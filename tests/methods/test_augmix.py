"""AugMix against its algorithm written out image by image, in Pillow and floating point."""

from typing import Any

import numpy as np
import pytest

from ipmix import AugMix, augment, draw
from ipmix.core.errors import InputError
from ipmix.core.randomness import Key, below, beta, dirichlet
from ipmix.engines.reference import operate
from ipmix.methods import METHODS
from ipmix.methods.augmix import NINE, THIRTEEN
from ipmix.methods.drawing import draw_level
from ipmix.recipe.format import WHOLE
from ipmix.recipe.operations import CODES
from ipmix.recipe.table import RecipeTable


def algorithm_1(method: AugMix, image: np.ndarray, key: Key, severity: float) -> np.ndarray:
    """Algorithm 1 of the AugMix paper, in floating point until the end: uint8[H, W, C]."""
    stream = key.stream()
    names = method.operations
    weights = np.empty(method.k)
    dirichlet(stream, method.alpha, weights)
    m = beta(stream, method.alpha, method.alpha)
    mixed = np.zeros(image.shape)
    for weight in weights:
        chain = image
        depth = method.depth or 1 + below(stream, 3)
        if method.depth:
            below(stream, 1)  # a draw that has no choice
        for _ in range(depth):
            name = names[below(stream, len(names))]
            level = 0.0
            if name != "autocontrast":
                level = float(np.float32(draw_level(stream, CODES[name], severity, *image.shape[:2])))
            chain = operate(name, chain, level)
        mixed += weight * chain
    return np.clip(np.round((1 - m) * image + m * mixed), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("options", [{}, {"k": 1, "depth": 4}, {"k": 5, "alpha": 0.3, "operations": THIRTEEN}])
def test_images_are_those_of_algorithm_1(options: dict[str, Any], make_images: Any) -> None:
    method = AugMix(severity=3.0, **options)
    images = make_images(40, 24, 31)
    got = augment(images, method, seed=5, epoch=2, indices=range(7, 47), view=1, engine="reference")
    expected = np.stack([algorithm_1(method, image, Key(5, 2, 7 + i, 1), 3.0) for i, image in enumerate(images)])
    assert np.abs(got.astype(int) - expected).max() <= 1  # shares are rounded to 32768ths
    assert np.mean(got != expected) < 0.02
    other = algorithm_1(method, images[0], Key(6, 2, 7, 1), 3.0)
    assert np.abs(got[0].astype(int) - other).max() > 1, "the comparison can't fail"


def test_the_sizes_choose_the_severity(make_images: Any) -> None:
    small, large = draw(AugMix(), (400, 32, 32, 3), seed=0), draw(AugMix(), (400, 224, 224, 3), seed=0)

    def strongest(table: RecipeTable) -> float:
        steps = [step for recipe in table for chain in recipe.chains for step in chain.steps]
        return max(abs(step.level) for step in steps if step.operation == "rotate")

    assert 6 <= strongest(small) <= 9
    assert 1 <= strongest(large) <= 3


def test_shares_are_dirichlet_and_beta() -> None:
    table = draw(AugMix(), (4000, 32, 32, 3), seed=1)
    clean = table.heads["clean"] / WHOLE
    assert abs(clean.mean() - 0.5) < 0.02  # 1 - m, m uniform
    assert abs(clean.std() - 12**-0.5) < 0.01
    of_mix = table.chains["share"][:, 0] / np.maximum(WHOLE - table.heads["clean"], 1)
    assert abs(of_mix.mean() - 1 / 3) < 0.02
    lengths = np.bincount(table.chains["length"].ravel(), minlength=4)[1:] / table.chains["length"].size
    assert np.abs(lengths - 1 / 3).max() < 0.02


def test_presets_and_names() -> None:
    assert AugMix.preset("cifar") == AugMix(severity=3.0, operations=NINE)
    assert AugMix.preset("imagenet") == AugMix(severity=1.0)
    assert AugMix.preset("all-operations").operations == THIRTEEN
    assert METHODS["augmix"] is AugMix
    assert not AugMix().mixes_labels
    assert not AugMix().needs_mixing_images


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k must be a whole number from 1 to 1024, got 0"),
        ({"depth": 0}, "depth must be a whole number from 1 to 1024, got 0"),
        ({"alpha": 0}, "alpha must be a positive number, got 0"),
        ({"severity": 11}, "severity must be in 0.1 .. 10, got 11"),
        ({"operations": ("spin",)}, "unknown operation 'spin'"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AugMix(**options)


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(InputError, match="AugMix has no preset 'big'; presets are cifar, imagenet, all-operations"):
        AugMix.preset("big")
