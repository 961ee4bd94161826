"""PixMix against its algorithm written out image by image, in Pillow and floating point."""

from typing import Any

import numpy as np
import pytest

from ipmix import PixMix, augment, draw
from ipmix.core.errors import InputError
from ipmix.core.randomness import SHARED_VIEW, Key, below, beta, bits
from ipmix.engines.reference import operate
from ipmix.methods import METHODS
from ipmix.methods.augmix import NINE
from ipmix.methods.drawing import draw_level
from ipmix.recipe.operations import CODES


def rounds(method: PixMix, image: np.ndarray, mixing: np.ndarray, key: Key) -> np.ndarray:
    """The public code's loop in numbers from 0 to 1, rounded or cut to bytes after each round as our engines do."""
    height, width, _ = image.shape
    shared = Key(key.seed, key.epoch, key.index, SHARED_VIEW).stream()
    mixing_image = mixing[below(shared, len(mixing))]
    left, top = (
        (int(bits(shared)) >> 32) * (side + 1) >> 32
        for side in (mixing_image.shape[1] - width, mixing_image.shape[0] - height)
    )
    mixing_image = mixing_image[top : top + height, left : left + width]
    stream = key.stream()

    def augmented() -> np.ndarray:
        name = method.operations[below(stream, len(method.operations))]
        level = 0.0
        if name != "autocontrast":
            level = float(np.float32(draw_level(stream, CODES[name], float(method.severity or 0), height, width)))
        return operate(name, image, level)

    mixed = augmented() if below(stream, 2) == 0 else image
    for _ in range(below(stream, method.k + 1)):
        other = augmented() if below(stream, 2) == 0 else mixing_image
        mixer = method.mixers[below(stream, len(method.mixers))]
        strength = float(method.beta or 0)
        if below(stream, 2) == 0:
            a, b = beta(stream, strength, 1.0), beta(stream, 1.0, strength)
        else:
            a, b = 1 + beta(stream, 1.0, strength), -beta(stream, 1.0, strength)
        if mixer == "add":  # on images from -1 to 1
            result = ((mixed / 127.5 - 1) * a + (other / 127.5 - 1) * b + 1) / 2
        else:  # on images from 0 to 2
            result = (mixed / 127.5) ** a * np.maximum(other / 127.5, 1e-37) ** b / 2
        half = 0.5 if method.overflow == "round" else 0.0
        # A hair, for what is whole but for rounding.
        mixed = (np.clip(result, 0, 1) * 255 + half + 1e-4).clip(0, 255).astype(np.uint8)
    return mixed


@pytest.mark.parametrize(
    "options", [{}, {"k": 1, "operations": NINE}, {"k": 7, "mixers": ("add",)}, {"overflow": "clip"}]
)
def test_images_are_those_of_the_loop(options: dict[str, Any], make_images: Any) -> None:
    method = PixMix(severity=3.0, beta=3.0, **options)
    images, mixing = make_images(60, 24, 31), make_images(5, 30, 33, seed=9)
    got = augment(images, method, mixing, seed=5, epoch=2, indices=range(7, 67), engine="reference")
    expected = np.stack([rounds(method, image, mixing, Key(5, 2, 7 + i)) for i, image in enumerate(images)])
    levels = np.abs(got.astype(int) - expected)
    assert np.mean(levels > 0) < 0.01
    assert np.mean(levels > 2) < 0.001
    assert np.mean(rounds(method, images[0], mixing, Key(6, 2, 7)) != got[0]) > 0.3, "the comparison can't fail"


def test_how_many_rounds() -> None:
    table = draw(PixMix(k=4), (6000, 32, 32, 3), 3, seed=2)
    first = table.steps["mixer"][:, 0, 0] == 0
    length = table.chains["length"][:, 0]
    before = first & (length > 0)  # an operation on the image itself, or no round at all
    counts = np.bincount(length - before, minlength=5) / len(table)
    assert np.abs(counts - 0.2).max() < 0.03


def test_all_views_of_a_image_share_its_mixing_image() -> None:
    heads = [draw(PixMix(), (50, 32, 32, 3), 9, seed=2, view=view).heads for view in (0, 1)]
    for name in ("mixing_image", "crop_x", "crop_y"):
        assert np.array_equal(heads[0][name], heads[1][name])


def test_presets_and_names() -> None:
    assert PixMix.preset("cifar") == PixMix(k=4, beta=3.0, severity=3.0)
    assert PixMix.preset("imagenet") == PixMix(k=4, beta=4.0, severity=1.0)
    assert PixMix.preset("nine-operations").operations == NINE
    assert METHODS["pixmix"] is PixMix
    assert PixMix().needs_mixing_images
    assert not PixMix().mixes_labels


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": -1}, "k must be a whole number of at least 0, got -1"),
        ({"beta": -1}, "beta must be a positive number, got -1"),
        ({"severity": 0.01}, "severity must be in 0.1 .. 10, got 0.01"),
        ({"mixers": ("random_pixels",)}, "each of mixers must be one of add, multiply, got 'random_pixels'"),
        ({"operations": ()}, "operations is empty"),
        ({"overflow": "wrap"}, "overflow must be one of clip, round, got 'wrap'"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PixMix(**options)


def test_without_mixing_images_it_says_what_is_missing() -> None:
    with pytest.raises(InputError, match="PixMix needs mixing images and got none"):
        draw(PixMix(), (2, 8, 8, 3), 0, seed=0)
    with pytest.raises(InputError, match="PixMix has no preset 'big'"):
        PixMix.preset("big")


def test_rounding_keeps_the_brightness_of_floats(make_images: Any) -> None:
    """The public code's floats, from the same recipes: cut to bytes, each round takes nearly half a level."""
    images, mixing = make_images(80, 16, 16), make_images(4, 16, 16, seed=9)
    darker = {}
    for overflow in ("round", "clip"):
        method = PixMix(mixers=("add",), operations=("invert",), overflow=overflow)
        table = draw(method, images.shape, len(mixing), seed=3)
        found: list[list[float]] = [[] for _ in range(5)]
        for image, recipe, got in zip(images, table, augment(images, method, mixing, seed=3)):
            mixed, count = image / 255, 0
            for step in recipe.chains[0].steps:
                source = image if step.source == "original" else mixing[recipe.mixing_image]
                if not step.mixer:
                    mixed = 1 - mixed
                    continue
                other = (255 - source if step.operation else source) / 255
                mixed = np.clip(((2 * mixed - 1) * step.a + (2 * other - 1) * step.b + 1) / 2, 0, 1)
                count += 1
            found[count].append(float(got.mean() - 255 * mixed.mean()))
        darker[overflow] = [float(np.mean(values)) for values in found]
    assert np.abs(darker["round"]).max() < 0.05
    assert darker["clip"][0] == pytest.approx(0, abs=1e-6)
    assert darker["clip"][1] < -0.3
    assert darker["clip"][4] < darker["clip"][2] < darker["clip"][1]
