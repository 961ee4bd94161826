"""The definition against what it is defined by: Pillow for operations, the authors' formulas for mixers."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from ipmix.core.errors import InputError
from ipmix.core.randomness import Key
from ipmix.engines import ENGINES, engine, reference
from ipmix.engines.output import make_output
from ipmix.methods.drawing import draw_level
from ipmix.recipe.format import WHOLE
from ipmix.recipe.operations import CODES, OPERATIONS
from ipmix.recipe.recipe import Chain, Recipe, Step
from ipmix.recipe.table import RecipeTable

BILINEAR, AFFINE = Image.Resampling.BILINEAR, Image.Transform.AFFINE

PILLOW: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "equalize": lambda p, _: ImageOps.equalize(p),
    "posterize": lambda p, level: ImageOps.posterize(p, int(level)),
    "rotate": lambda p, level: p.rotate(level, resample=BILINEAR),
    "solarize": lambda p, level: ImageOps.solarize(p, int(level)),
    "shear_x": lambda p, level: p.transform(p.size, AFFINE, (1, level, 0, 0, 1, 0), resample=BILINEAR),
    "shear_y": lambda p, level: p.transform(p.size, AFFINE, (1, 0, 0, level, 1, 0), resample=BILINEAR),
    "translate_x": lambda p, level: p.transform(p.size, AFFINE, (1, 0, level, 0, 1, 0), resample=BILINEAR),
    "translate_y": lambda p, level: p.transform(p.size, AFFINE, (1, 0, 0, 0, 1, level), resample=BILINEAR),
    "mirror": lambda p, _: ImageOps.mirror(p),
    "invert": lambda p, _: ImageOps.invert(p),
    "autocontrast": lambda p, level: ImageOps.autocontrast(p, cutoff=level),
    "color": lambda p, level: ImageEnhance.Color(p).enhance(level),
    "contrast": lambda p, level: ImageEnhance.Contrast(p).enhance(level),
    "brightness": lambda p, level: ImageEnhance.Brightness(p).enhance(level),
    "sharpness": lambda p, level: ImageEnhance.Sharpness(p).enhance(level),
}
"""The operations of the authors' code, as calls of Pillow."""


def levels(name: str, height: int, width: int) -> list[float]:
    state = Key(CODES[name]).stream()
    return [draw_level(state, CODES[name], severity, height, width) for severity in (1.0, 3.0, 10.0) for _ in range(6)]


def test_all_operations_are_compared() -> None:
    assert list(PILLOW) == [operation.name for operation in OPERATIONS if not (operation.seeded or operation.filled)]


@pytest.mark.parametrize("name", PILLOW)
@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 47), (1, 1), (1, 64), (64, 1), (2, 3)])
def test_color_images_are_pillows(name: str, height: int, width: int, make_images: Any) -> None:
    for image in make_images(4, height, width):
        before = image.copy()
        for level in levels(name, height, width):
            expected = np.asarray(PILLOW[name](Image.fromarray(image), level))
            assert np.array_equal(reference.operate(name, image, level), expected), level
        assert np.array_equal(image, before)


@pytest.mark.parametrize("name", [name for name in PILLOW if name not in ("color", "contrast")])
@pytest.mark.parametrize("channels", [1, 2, 4, 8])
def test_other_images_are_pillows_channel_by_channel(name: str, channels: int, make_images: Any) -> None:
    for image in make_images(2, 20, 31, channels):
        for level in levels(name, 20, 31):
            got = reference.operate(name, image, level)
            assert got.shape == image.shape
            for c in range(channels):
                band = Image.fromarray(np.ascontiguousarray(image[:, :, c]))
                assert np.array_equal(got[:, :, c], np.asarray(PILLOW[name](band, level)))


@pytest.mark.parametrize("channels", [1, 2, 4, 8])
def test_grey_versions_of_other_images(channels: int, make_images: Any) -> None:
    """color blends with the rounded mean of the channels, contrast with the rounded mean of that."""
    image = make_images(1, 9, 11, channels)[0]
    grey = np.floor(image.astype(np.float64).mean(axis=2) + 0.5)
    for name, other in (("color", grey[:, :, None]), ("contrast", math.floor(grey.mean() + 0.5))):
        for level in (0.0, 0.118, 0.5, 1.0, 1.9):
            expected = np.clip(other + level * (image.astype(np.float64) - other), 0, 255)
            got = reference.operate(name, image, level)
            assert np.all((got <= expected + 1e-3) & (got > expected - 1 - 1e-3)), "the fraction is cut"
    if channels == 1:  # a grey image is its own grey version
        assert np.array_equal(reference.operate("color", image, 0.3), image)
        expected = np.asarray(ImageEnhance.Contrast(Image.fromarray(image[:, :, 0])).enhance(0.3))
        assert np.array_equal(reference.operate("contrast", image, 0.3)[:, :, 0], expected)


# --- mixers -----------------------------------------------------------------------------------------------


def plain_mix(step: Step, a: float, b: float) -> float:
    """The authors' formulas for images in [0, 1], in Python's floats: before clipping, in [0, 1] and beyond."""
    if step.mixer == "add":
        return (step.a * (2 * a - 1) + step.b * (2 * b - 1) + 1) / 2
    return float((2 * a) ** step.a * max(2 * b, 1e-37) ** step.b / 2)


@pytest.mark.parametrize("mixer", ["add", "multiply"])
@pytest.mark.parametrize("overflow", ["clip", "wrap", "round"])
def test_arithmetic_mixers_are_the_authors_formulas(mixer: str, overflow: str) -> None:
    draws = np.random.default_rng(1)
    tried = 0
    for _ in range(60):
        a, b = draws.random(2)
        if draws.random() < 0.5:
            a, b = 1 + a, -b
        step = Step(mixer, a=float(np.float32(a)), b=float(np.float32(b)))
        first, second = draws.integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
        second.flat[:3] = 0
        got = reference.mix(step, first, second, overflow)
        for x, y, z in zip(first.ravel().tolist(), second.ravel().tolist(), got.ravel().tolist()):
            value = 255 * plain_mix(step, x / 255, y / 255)
            edge = value + 0.5 if overflow == "round" else value
            if abs(edge - round(edge)) < 1e-4 * max(1, abs(value)):
                continue  # float32 may be on the other side of a whole number
            tried += 1
            if overflow == "clip":
                assert z == int(min(max(value, 0), 255))
            elif overflow == "round":
                assert z == round(min(max(value, 0), 255))
            elif abs(value) < 10_000:
                assert z == math.trunc(value) % 256
    assert tried > 3000


def test_bytes_of_values_outside_as_measured_on_the_authors_code() -> None:
    """torchvision's ToPILImage on x86: multiplied by 255, cut, modulo 256."""
    measured = {-0.5: 129, -0.01: 254, 0.0: 0, 0.5: 127, 1.0: 255, 1.01: 1, 1.5: 126, 2.0: 254}
    values = np.array(list(measured), np.float32) * np.float32(255)
    assert reference.to_bytes(values, "wrap").tolist() == list(measured.values())
    strange = np.array([np.inf, -np.inf, np.nan, 1e30, -1e30, 2.0**32, -(2.0**32), 2.0**33], np.float32)
    assert reference.to_bytes(strange, "wrap").tolist() == [0] * len(strange)
    clipped = np.array([-np.inf, -1e30, -1.0, -0.001, 0.999, 254.999, 255.0, 256.0, 1e30, np.inf], np.float32)
    assert reference.to_bytes(clipped, "clip").tolist() == [0, 0, 0, 0, 0, 254, 255, 255, 255, 255]


@given(st.floats(-1e9, 1e9, width=32))
def test_wrapping_is_cutting_modulo_256(value: float) -> None:
    assert reference.to_bytes(np.array([value], np.float32), "wrap")[0] == math.trunc(value) % 256


def plain_keep(seed: int, keep: float, position: int, pairs_before: int) -> bool:
    """Whether the pixel at ``position`` of a row is kept; ``pairs_before``: hashes used by the rows before."""
    word = 2**32
    x = (seed + (pairs_before + position // 2) * 0x9E3779B9) % word
    x = (x ^ (x >> 16)) * 0x7FEB352D % word
    x = (x ^ (x >> 15)) * 0x846CA68B % word
    x ^= x >> 16
    number = x % 2**16 if position % 2 == 0 else x >> 16
    return number < int(keep * 65536)


@pytest.mark.parametrize("mixer", ["random_pixels", "random_elements"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 4), (5, 7)])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.999, 1.0])
def test_random_mixers_choose_by_hash(mixer: str, height: int, width: int, keep: float) -> None:
    channels, seed = 3, 4_000_000_000
    step = Step(mixer, a=float(np.float32(keep)), seed=seed)
    a, b = np.zeros((height, width, channels), np.uint8), np.ones((height, width, channels), np.uint8)
    got = reference.mix(step, a, b, "clip")
    pairs = (width + 1) // 2
    for y in range(height):
        for x in range(width):
            for c in range(channels):
                plane = c if mixer == "random_elements" else 0
                kept = plain_keep(seed, step.a, x, (plane * height + y) * pairs)
                assert got[y, x, c] == (0 if kept else 1)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_random_mixers_keep_the_share_that_was_asked_for(keep: float) -> None:
    shares, planes = [], []
    for seed in range(40):
        mask = reference.keep_mask(Step("random_elements", a=keep, seed=seed * 7919), (32, 32, 3))
        shares.append(mask.mean())
        planes.append([mask[:, :, 0].mean(), (mask[:, :, 0] & mask[:, :, 1]).mean()])
    spread = math.sqrt(keep * (1 - keep) / 3072)
    assert np.mean(shares) == pytest.approx(keep, abs=4 * spread / math.sqrt(40))
    assert np.std(shares) == pytest.approx(spread, rel=0.5)
    assert np.mean(planes, axis=0)[1] == pytest.approx(keep**2, abs=0.01), "channels are independent"


# --- recipes ----------------------------------------------------------------------------------------------


def test_a_chain_is_its_steps_one_after_the_other(images: np.ndarray, mixing_images: np.ndarray) -> None:
    clean, image = images[0], mixing_images[0][2:34, 1:33]
    steps = (
        Step(operation="invert"),
        Step("add", "mixing_image", "", 0.0, 3, 5, 20, 30, 0.75, 0.25),
        Step("random_pixels", "original", "mirror", 0.0, 0, 0, 32, 32, 0.5, 0.0, 9),
    )
    recipe = Recipe(32, 32, 0, (Chain(WHOLE, steps),), 0)
    first, second, third = reference.run(recipe, recipe.chains[0], clean, image)
    assert np.array_equal(first, 255 - clean)
    inside = np.zeros((32, 32), bool)
    inside[5:30, 3:20] = True
    assert np.array_equal(second[~inside], first[~inside])
    assert np.array_equal(second[5:30, 3:20], reference.mix(steps[1], first[5:30, 3:20], image[5:30, 3:20], "clip"))
    assert not np.array_equal(second, first)
    mask = reference.keep_mask(steps[2], (32, 32, 3))
    assert np.array_equal(third, np.where(mask, second, clean[:, ::-1])), "the original is mirrored, not the chain"


def test_an_original_without_an_operation_is_the_clean_image(images: np.ndarray) -> None:
    step = Step("random_pixels", "original", right=32, bottom=32, a=0.0)
    assert np.array_equal(reference.other_of(step, images[0], None), images[0])


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(3, 9), st.integers(2, 9))
def test_crops_lie_inside_and_reach_every_place(crop_x: int, crop_y: int, height: int, width: int) -> None:
    planes = np.arange(9 * 9, dtype=np.uint8).reshape(1, 1, 9, 9)
    recipe = Recipe(height, width, WHOLE, (), 0, crop_x, crop_y)
    got = reference.crop(recipe, planes)
    assert got is not None
    left, top = (crop_x * (9 - width + 1)) // 2**32, (crop_y * (9 - height + 1)) // 2**32
    assert 0 <= left <= 9 - width
    assert 0 <= top <= 9 - height
    assert np.array_equal(got[:, :, 0], planes[0, 0, top : top + height, left : left + width])


def test_crops_reach_both_ends() -> None:
    planes = np.arange(9 * 9, dtype=np.uint8).reshape(1, 1, 9, 9)
    corners = [reference.crop(Recipe(5, 5, WHOLE, (), 0, c, c), planes) for c in (0, 2**32 - 1)]
    assert [int(corner[0, 0, 0]) for corner in corners if corner is not None] == [0, 4 * 9 + 4]
    assert reference.crop(Recipe(5, 5, WHOLE), planes) is None


@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
def test_the_combination_is_the_weighted_sum(layout: str, images: np.ndarray) -> None:
    """Against float64: the convex combination of the chains' images, rounded to nearest."""
    draws = np.random.default_rng(3)
    names = ["invert", "mirror", "equalize", "posterize"]
    shares = draws.multinomial(WHOLE, draws.dirichlet(np.ones(4), len(images))[:, :].mean(axis=0), len(images))
    recipes = [
        Recipe(
            32,
            32,
            int(row[0]),
            tuple(Chain(s, (Step(operation=n, level=3.0),)) for s, n in zip(row[1:].tolist(), names)),
        )
        for row in shares
    ]
    table, planes = RecipeTable.pack(recipes), np.zeros((1, 3, 32, 32), np.uint8)
    exact = np.stack(
        [
            recipe.clean / WHOLE * image.astype(np.float64)
            + sum(
                chain.share / WHOLE * reference.operate(chain.steps[0].operation, image, 3.0).astype(np.float64)
                for chain in recipe.chains
            )
            for recipe, image in zip(recipes, images)
        ]
    )
    exact = exact if layout == "nhwc" else exact.transpose(0, 3, 1, 2)
    for kind, mean, std in (("uint8", None, None), ("float32", (0.4, 0.5, 0.6), 0.25)):
        form = make_output(kind, layout, 3, mean, std)
        out = np.empty(form.shape(len(images), 32, 32), kind)
        reference.apply(table, images, planes, form, 1, out)
        if kind == "uint8":
            assert np.array_equal(out, np.floor(exact + 0.5))
        else:
            centre = np.reshape(mean, (3,) if layout == "nhwc" else (3, 1, 1))
            assert np.abs(out - (exact / 255 - centre) / 0.25).max() < 3e-6


def test_engines_by_name() -> None:
    assert [engine(name).__name__ for name in ENGINES] == list(ENGINES.values())
    with pytest.raises(InputError, match="unknown engine 'fast'; known are reference, compiled"):
        engine("fast")
