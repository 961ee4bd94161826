"""LayerMix against its algorithm in plain Python, and its recipes against the image-by-image description."""

import math
from typing import Any

import numpy as np
import pytest
from ipmix_tables import SCENE, drawn, used_steps, within

from ipmix.augmentation.batches import apply
from ipmix.core.errors import InputError
from ipmix.core.randomness import SHARED_VIEW, Key, below, beta, between, bits, uniform
from ipmix.engines import reference
from ipmix.methods.layermix import IMAGE, SPATIAL, TEST_SET, VARIANTS, LayerMix
from ipmix.recipe.format import WHOLE
from ipmix.recipe.operations import CODES
from ipmix.recipe.recipe import Chain, ImageSpec, Recipe, Step


def by_hand(method: LayerMix, key: Key, scene: ImageSpec) -> Recipe:
    """The recipe of one image, drawn as the public code does (with this library's streams)."""
    shared = Key(key.seed, key.epoch, key.index, SHARED_VIEW).stream()
    image = below(shared, scene.mixing_count)
    crop_x, crop_y = int(bits(shared)) >> 32, int(bits(shared)) >> 32
    stream = key.stream()

    def strength(most: float, magnitude: float = method.magnitude) -> float:
        number: float = between(stream, 0.1, most * magnitude / 10)
        return number

    def signed(most: float) -> float:
        number = strength(most)
        return -number if below(stream, 2) == 1 else number

    def operation(name: str) -> dict[str, Any]:
        if name in ("equalize", "autocontrast"):
            found: tuple[str, float] = (name, 0.0)
        elif name == "greyscale":
            found = ("color", 0.0)
        elif name.startswith("posterize"):
            number = int(strength(4))
            left = 4 - number if name == "posterize_increasing" else number
            found = ("posterize", left) if left else ("brightness", 0.0)
        elif name == "solarize":
            found = (name, math.ceil(255 * strength(1)))
        elif name == "solarize_increasing":
            found = ("solarize", math.ceil(255 * strength(1, 1 - method.magnitude)))
        elif name == "rotate":
            found = (name, signed(30))
        elif name.startswith("shear"):
            found = (name, signed(0.3))
        elif name.startswith("translate"):
            side = scene.width if name == "translate_x" else scene.height
            found = (name, math.floor(signed(int(0.33 * side)) + 0.5))
        else:
            found = (name, 1 + signed(0.9))
        return {"operation": found[0], "level": float(np.float32(found[1])) + 0.0}

    def mixing() -> dict[str, Any]:
        mixer = method.mixers[below(stream, len(method.mixers))]
        box = {"mixer": mixer, "right": scene.width, "bottom": scene.height}
        if mixer.startswith("random"):
            return {**box, "a": float(np.float32(uniform(stream))), "seed": int(bits(stream)) >> 32}
        if below(stream, 2) == 0:
            a, b = beta(stream, method.beta, 1.0), beta(stream, 1.0, method.beta)
        else:
            a, b = 1 + beta(stream, 1.0, method.beta), -beta(stream, 1.0, method.beta)
        return {**box, "a": float(np.float32(a)), "b": float(np.float32(b))}

    layers = below(stream, 3)
    name = method.operations[below(stream, len(method.operations))]
    steps = [Step(**operation(name))]
    if layers >= 1:
        mix = mixing()
        steps.append(Step(**mix, source="original", **operation(name)))
    if layers == 2:
        steps += [Step(**mixing(), source="mixing_image"), Step(**operation(name))]
    return Recipe(scene.height, scene.width, 0, (Chain(WHOLE, tuple(steps)),), image, crop_x, crop_y, method.overflow)


@pytest.mark.parametrize(
    "method",
    [
        LayerMix(),
        LayerMix(magnitude=10, beta=1.5, operations=tuple(VARIANTS)),
        LayerMix(mixers=("random_elements",), operations=SPATIAL),
        LayerMix(overflow="clip"),
    ],
)
def test_recipes_are_those_drawn_by_hand(method: LayerMix) -> None:
    for scene in (SCENE, ImageSpec(20, 31, 1, 7), ImageSpec(2, 1, 4, 1)):
        table = drawn(method, 200, scene, seed=11, epoch=4, view=1)
        assert list(table) == [by_hand(method, Key(11, 4, i, 1), scene) for i in range(200)]


def test_the_comparison_can_fail() -> None:
    table = drawn(LayerMix(), 100)
    assert list(table) != [by_hand(LayerMix(magnitude=4), Key(0, 0, i), SCENE) for i in range(100)]


def test_images_are_those_of_the_layers_one_by_one(make_images: Any) -> None:
    """y = o(x); y = mix(y, o'(x)); y = mix(y, f); o''(y), each rounded to bytes."""
    images, mixing = make_images(40, 24, 24), make_images(5, 24, 24, seed=3)
    table = drawn(LayerMix(), 40, ImageSpec(24, 24, 3, 5))
    results = apply(table, images, mixing, engine="reference")
    seen = set()
    for image, recipe, result in zip(images, table, results):
        assert recipe.clean == 0
        (chain,) = recipe.chains
        steps = chain.steps
        seen.add(len(steps))
        y = reference.operate(steps[0].operation, image, steps[0].level)
        if len(steps) > 1:
            z = reference.operate(steps[1].operation, image, steps[1].level)
            y = reference.mix(steps[1], y, z, "round")
        if len(steps) > 2:
            y = reference.mix(steps[2], y, mixing[recipe.mixing_image], "round")
            y = reference.operate(steps[3].operation, y, steps[3].level)
        assert np.array_equal(result, y)
    assert seen == {1, 2, 4}


def test_shares_of_what_is_drawn() -> None:
    table = drawn(LayerMix(), 6000)
    lengths = table.chains["length"][:, 0]
    for length in (1, 2, 4):
        assert np.mean(lengths == length) == within(1 / 3, 6000)
    first = table.steps[:, 0, 0]
    assert np.mean(first["operation"] == CODES["rotate"]) == within(1 / 12, 6000)
    # Half of posterize takes int(U(0.1, 1.2)) bits, of which 9 in 11 leave nothing.
    assert np.mean(first["operation"] == CODES["brightness"]) == within(1 / 12 * 9 / 11, 6000)
    mixers = used_steps(table)["mixer"]
    mixers = mixers[mixers > 0]
    assert np.mean(mixers == 1) == within(1 / 3, len(mixers))
    assert np.mean(mixers == 4) == within(1 / 6, len(mixers))
    turns = np.abs(first["level"][first["operation"] == CODES["rotate"]])
    assert 0.1 <= turns.min() < 0.3
    assert 8.8 < turns.max() <= 9
    assert not {"contrast", "sharpness"} & {step.operation for r in table[:500] for step in r.chains[0].steps}


def test_options() -> None:
    assert LayerMix.preset("code") == LayerMix()
    assert IMAGE + SPATIAL + TEST_SET == tuple(VARIANTS)
    assert LayerMix(mixers=["add", "add"]).mixers == ("add", "add")  # type: ignore[arg-type]
    for options, text in (
        ({"magnitude": 11}, "magnitude must be at most 10"),
        ({"beta": 0}, "beta must be a positive number"),
        ({"operations": ("mirror",)}, "each of operations must be one of equalize"),
        ({"mixers": ("paste",)}, "each of mixers must be one of add"),
        ({"mixers": ()}, "mixers must be a list of"),
        ({"overflow": "wrap"}, "overflow must be one of clip, round"),
    ):
        with pytest.raises(InputError, match=text):
            LayerMix(**options)
    with pytest.raises(InputError, match="no preset"):
        LayerMix.preset("paper")
    with pytest.raises(InputError, match="needs mixing images"):
        drawn(LayerMix(), 3, ImageSpec(32, 32, 3, 0))
