"""PRIME against its algorithm in plain Python; options."""

import math
from typing import Any

import numpy as np
import pytest
from ipmix_tables import SCENE, drawn, used_steps, within

from ipmix.core.errors import InputError
from ipmix.core.randomness import Key, below, beta, between, bits, dirichlet
from ipmix.methods.prime import PRIME, PRIMITIVES
from ipmix.recipe.format import WHOLE
from ipmix.recipe.operations import CODES
from ipmix.recipe.recipe import Chain, ImageSpec, Recipe, Step

CIFAR = {"color_frequencies": 100, "color_temperature": 0.01, "color_band": 0, "most_cut": 100}


def by_hand(method: Any, key: Key, scene: ImageSpec) -> Recipe:
    """The recipe of one image: AugMix's mixture, every step one of the primitives. No option may be None."""
    stream = key.stream()
    random = method.strengths == "drawn"

    def step() -> Step:
        name = method.primitives[below(stream, len(method.primitives))]
        seed = int(bits(stream)) >> 32
        a: float
        b = 0.0
        if name == "spectral":
            level = between(stream, 0.0, method.sigma) if random else method.sigma
            a = float(method.filter_form == "off-centre")
        elif name == "color_curve":
            top = 1 + below(stream, method.color_frequencies) if random else method.color_frequencies
            level = between(stream, 0.0, method.color_temperature) if random else method.color_temperature
            a, b = 1, top
            if method.color_band:
                a = 1 + below(stream, top)
                b = min(a + method.color_band - 1, top)
        else:
            top = method.most_cut
            if random:
                top = method.least_cut + 1 + below(stream, top - method.least_cut)
            a = method.least_cut + below(stream, top - method.least_cut + 1)
            n = min(scene.height, scene.width)
            low = 1 / (math.pi * n**2 * math.log(a))
            level = between(stream, low, max(low, 4 / (math.pi**3 * a**2 * math.log(a))))
        return Step(operation=name, level=float(np.float32(level)), a=float(a), b=float(b), seed=seed)

    w = np.empty(method.k)
    dirichlet(stream, method.alpha, w)
    m = beta(stream, method.alpha, method.alpha)
    chains = tuple(
        Chain(int(m * share * WHOLE), tuple(step() for _ in range(1 + below(stream, method.t)))) for share in w
    )
    return Recipe(scene.height, scene.width, WHOLE - sum(chain.share for chain in chains), chains)


@pytest.mark.parametrize(
    "method",
    [
        PRIME(**CIFAR),  # type: ignore[arg-type]
        PRIME.preset("code-imagenet"),
        PRIME.preset("imagenet").with_options(strengths="drawn", k=2, t=5),
        PRIME(**CIFAR, strengths="drawn", primitives=("spatial", "color_curve")),  # type: ignore[arg-type]
    ],
)
def test_recipes_are_those_drawn_by_hand(method: PRIME) -> None:
    for scene in (SCENE, ImageSpec(224, 200, 3, 0), ImageSpec(1, 9, 1, 0)):
        table = drawn(method, 120, scene, seed=11, epoch=4, view=1)
        for i, recipe in enumerate(table):
            expected = by_hand(method, Key(11, 4, i, 1), scene)
            assert recipe == expected


def test_the_comparison_can_fail() -> None:
    method = PRIME(**CIFAR)  # type: ignore[arg-type]
    first = drawn(method, 1)[0]
    assert first == by_hand(method, Key(0), SCENE)
    assert first != by_hand(method, Key(1), SCENE)
    assert first != by_hand(method.with_options(sigma=4.5, most_cut=90), Key(0), SCENE)


def test_shares_of_what_is_drawn() -> None:
    table = drawn(PRIME(), 3000)
    steps = used_steps(table)
    for name in PRIMITIVES:
        assert np.mean(steps["operation"] == CODES[name]) == within(1 / 3, len(steps))
    for length in (1, 2, 3):
        assert np.mean(table.chains["length"] == length) == within(1 / 3, 9000)
    assert len(np.unique(steps["seed"])) > 0.999 * len(steps)
    clean = table.heads["clean"] / WHOLE
    assert np.mean(clean) == pytest.approx(1 / 2, abs=4 * math.sqrt(1 / 12 / 3000))
    assert np.all(table.heads["label"] == 0)


def test_defaults_go_by_the_images_size() -> None:
    for side, preset in ((32, "cifar"), (64, "cifar"), (65, "imagenet"), (224, "imagenet")):
        scene = ImageSpec(side, side, 3, 0)
        assert list(drawn(PRIME(), 50, scene)) == list(drawn(PRIME.preset(preset), 50, scene))


def test_options() -> None:
    assert PRIME.preset("code-cifar").filter_form == "off-centre"
    assert PRIME(primitives=["spatial"]).primitives == ("spatial",)  # type: ignore[arg-type]
    assert drawn(PRIME(least_cut=200), 20)  # above the most that small images get by default
    for options, text in (
        ({"k": 0}, "k must be a whole number"),
        ({"least_cut": 1}, "least_cut must be a whole number from 2 to 65536"),
        ({"most_cut": 1}, "most_cut must be a whole number of at least 2"),
        ({"most_cut": 5000}, "at most 4096"),
        ({"sigma": 0}, "sigma must be a positive number"),
        ({"color_temperature": 2000}, "at most 1000"),
        ({"filter_form": "corner"}, "filter_form must be one of centred"),
        ({"strengths": "some"}, "strengths must be one of"),
        ({"primitives": ()}, "primitives is empty"),
    ):
        with pytest.raises(InputError, match=text):
            PRIME(**options)
    with pytest.raises(InputError, match="no preset"):
        PRIME.preset("paper")
