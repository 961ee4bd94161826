"""PRIME's operations: the formulas written out, and the compiled engine against the reference."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ipmix.augmentation.batches import apply, draw
from ipmix.core.errors import InputError
from ipmix.core.randomness import Keys, bits, start, stream
from ipmix.engines import prime_reference
from ipmix.engines.compiled.normals import fill_pairs
from ipmix.engines.prime_reference import Normals
from ipmix.methods.prime import PRIME
from ipmix.recipe.format import WHOLE
from ipmix.recipe.operations import GROUPS, operation_names
from ipmix.recipe.recipe import Chain, ImageSpec, Recipe, Step
from ipmix.recipe.table import RecipeTable

SIZES = [(32, 32, 3), (24, 31, 1), (33, 47, 4), (1, 1, 3), (2, 2, 1), (1, 64, 8), (64, 1, 3), (3, 2, 3)]


def steps_of_all_kinds(draws: np.random.Generator) -> list[Step]:
    seed, cut = int(draws.integers(2**32)), int(draws.integers(2, 150))
    first = int(draws.integers(1, 480))
    steps = [
        Step(operation="spectral", level=float(draws.uniform(0, 4)), seed=seed),
        Step(operation="spectral", level=0.05, a=1.0, seed=seed),
        Step(operation="color_curve", level=0.01, a=1.0, b=100.0, seed=seed),
        Step(operation="color_curve", level=0.05, a=float(first), b=float(first + 19), seed=seed),
        Step(operation="spatial", level=float(10 ** draws.uniform(-6, -1.5)), a=float(cut), seed=seed),
    ]
    return [replace(step, level=float(np.float32(step.level))) for step in steps]


def table_of(height: int, width: int, *steps: Step) -> RecipeTable:
    return RecipeTable.pack([Recipe(height, width, 0, (Chain(WHOLE, steps),))])


@pytest.mark.parametrize(("height", "width", "channels"), SIZES)
def test_compiled_steps_are_the_references(height: int, width: int, channels: int, make_images: Any) -> None:
    draws, beside, pixels = np.random.default_rng(height * 100 + width), 0, 0
    for image in make_images(12, height, width, channels, seed=5):
        for step in steps_of_all_kinds(draws):
            table = table_of(height, width, step)
            got, expected = (apply(table, image[None], engine=e).astype(int) for e in ("compiled", "reference"))
            assert np.abs(got - expected).max() <= 1, step
            beside += int((got != expected).sum())
            pixels += got.size
    assert beside <= 0.0001 * pixels + 1


def test_large_images(make_images: Any) -> None:
    images = make_images(3, 224, 200, seed=1)
    table = draw(PRIME(), images.shape, seed=2)
    got, expected = (apply(table, images, engine=engine).astype(int) for engine in ("compiled", "reference"))
    assert np.abs(got - expected).max() <= 1 + 1
    assert (got != expected).mean() < 0.001


def test_they_take_their_place_among_other_operations(make_images: Any) -> None:
    """Color curves are composed with other tables; the others wait for pending ones."""
    images = make_images(40, 20, 23)
    draws = np.random.default_rng(0)
    others = [
        Step(operation="equalize"),
        Step(operation="posterize", level=3.0),
        Step(operation="mirror"),
        Step(operation="invert"),
        Step(operation="autocontrast"),
    ]
    for image in images:
        pool = [*steps_of_all_kinds(draws), *others]
        steps = [pool[i] for i in draws.permutation(len(pool))[:5]]
        table = table_of(20, 23, *steps)
        before = image
        for step in steps:  # one by one, so that a difference of one level has no time to grow
            one = table_of(20, 23, step)
            got, after = (apply(one, before[None], engine=e)[0].astype(int) for e in ("compiled", "reference"))
            assert np.abs(got - after).max() <= 1
            before = after.astype(np.uint8)
        if not any(step.operation in ("spectral", "spatial") for step in steps):
            assert np.abs(apply(table, image[None])[0].astype(int) - before).max() <= 3


def test_a_chain_of_tables_is_its_steps_one_by_one(make_images: Any) -> None:
    (image,) = make_images(1, 16, 16)
    curve = Step(operation="color_curve", level=float(np.float32(0.01)), a=1.0, b=30.0, seed=3)
    for steps in (
        (Step(operation="equalize"), curve, Step(operation="equalize")),
        (curve, Step(operation="invert"), replace(curve, seed=4), Step(operation="autocontrast")),
    ):
        before = image
        for step in steps:
            before = apply(table_of(16, 16, step), before[None])[0]
        assert np.array_equal(apply(table_of(16, 16, *steps), image[None])[0], before)


# --- the formulas -----------------------------------------------------------------------------------------


def test_normals_are_box_and_muller_over_the_stream() -> None:
    state = stream(prime_reference.SALT, 77, 0, 0)
    expected: list[float] = []
    for _ in range(5):
        word = int(bits(state))
        radius, angle = math.sqrt(-2 * math.log(((word >> 32) + 0.5) / 2**32)), 2 * math.pi * (word % 2**32) / 2**32
        expected += [radius * math.cos(angle), radius * math.sin(angle)]
    normals = Normals(77)
    assert np.allclose(normals.draw(6), expected[:6], rtol=1e-12)
    assert np.allclose(normals.draw(3), expected[6:9], rtol=1e-12)
    many = Normals(1).draw(100_000)
    assert abs(many.mean()) < 4 / math.sqrt(1e5)
    assert abs(many.std() - 1) < 0.01


@pytest.mark.parametrize("offset", [0, 1])
def test_spectral_is_a_filter(offset: int, make_images: Any) -> None:
    image = make_images(1, 7, 6)[0]
    step = Step(operation="spectral", level=0.25, a=float(offset), seed=9)
    kernel = 0.25 * Normals(9).draw(9).reshape(3, 3)
    kernel[1 + offset][1 + offset] += 1
    got = prime_reference.operate(step, image)
    for y in range(7):
        for x in range(6):
            for c in range(3):
                total = sum(
                    kernel[i][j] * image[y + i - 1, x + j - 1, c] / 255
                    for i in range(3)
                    for j in range(3)
                    if 0 <= y + i - 1 < 7 and 0 <= x + j - 1 < 6
                )
                assert got[y, x, c] == int(255 * min(max(total, 0), 1) + 0.5)


def test_spectral_without_strength_is_nothing_or_a_shift(make_images: Any) -> None:
    image = make_images(1, 8, 8)[0]
    assert np.array_equal(prime_reference.operate(Step(operation="spectral", seed=1), image), image)
    moved = prime_reference.operate(Step(operation="spectral", a=1.0, seed=1), image)
    assert np.array_equal(moved[:-1, :-1], image[1:, 1:])
    assert not moved[-1].any()


def test_color_curve_is_a_sum_of_sines() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(2, axis=2)
    step = Step(operation="color_curve", level=float(np.float32(0.02)), a=3.0, b=9.0, seed=5)
    numbers = Normals(5)
    weights = [numbers.draw(7), numbers.draw(7)]
    got = prime_reference.operate(step, image)
    for v in range(256):
        for c in range(2):
            curve = v / 255 + math.sqrt(step.level) * sum(
                g * math.sin(math.pi * k * v / 255) for k, g in zip(range(3, 10), weights[c])
            )
            assert got[v // 16, v % 16, c] == int(255 * min(max(curve, 0), 1) + 0.5)
    assert got[0, 0, 0] == 0  # sines vanish at both ends
    assert got[15, 15, 1] == 255


def test_spatial_is_a_displacement(make_images: Any) -> None:
    height, width, cut = 9, 7, 4
    image = make_images(1, height, width)[0]
    step = Step(operation="spatial", level=float(np.float32(0.01)), a=float(cut), seed=6)
    waves = [(i, j) for j in range(1, cut + 1) for i in range(1, cut + 1)]
    weights = Normals(6).pairs(len(waves))

    def field(which: int) -> np.ndarray:
        out = np.zeros((height, width))
        for y in range(height):
            for x in range(width):
                for (i, j), g in zip(waves, weights[:, which]):
                    angle_x, angle_y = math.pi * i * x / (width - 1), math.pi * j * y / (height - 1)
                    if math.hypot(i, j) < cut + 0.5:
                        out[y, x] += g / math.hypot(i, j) * math.sin(angle_x) * math.sin(angle_y)
        return math.sqrt(step.level) * out

    across, down = width * field(0), height * field(1)
    got = prime_reference.operate(step, image)
    for y in range(height):
        for x in range(width):
            v, u = min(max(y - down[y, x], 0), height - 1), min(max(x - across[y, x], 0), width - 1)
            top, left = int(v), int(u)
            below, right = min(top + 1, height - 1), min(left + 1, width - 1)
            p, q = v - top, u - left
            value = (1 - p) * ((1 - q) * image[top, left] + q * image[top, right] * 1.0) + p * (
                (1 - q) * image[below, left] + q * image[below, right] * 1.0
            )
            assert np.array_equal(got[y, x], np.floor(value + 0.5))
    assert np.array_equal(got[0, 0], image[0, 0])  # waves vanish at the border
    assert not np.array_equal(got, image)


def test_the_comparison_can_fail(images: np.ndarray) -> None:
    step = Step(operation="spatial", level=float(np.float32(0.001)), a=12.0, seed=6)
    table = table_of(32, 32, step)
    for change in ({"seed": 7}, {"a": 13.0}, {"level": 0.002}):
        other = table_of(32, 32, replace(step, **change))
        difference = apply(table, images[:1]).astype(int) - apply(other, images[:1], engine="reference")
        assert np.abs(difference).max() > 1


# --- frequencies that pixels can't tell apart -----------------------------------------------------------------


def plain_waves(cut: int, height: int, width: int) -> np.ndarray:
    """Every wave of the formula on the pixels, times 1 / r: float64[waves, height * width]."""
    frequencies = [(i, j) for i in range(1, cut + 1) for j in range(1, cut + 1) if math.hypot(i, j) < cut + 0.5]
    x, y = np.linspace(0, 1, width), np.linspace(0, 1, height)
    return np.stack(
        [np.outer(np.sin(np.pi * j * y), np.sin(np.pi * i * x)).ravel() / math.hypot(i, j) for i, j in frequencies]
    )


def merged_waves(spread: np.ndarray, height: int, width: int) -> np.ndarray:
    """The waves that are drawn, times their standard deviations: float64[waves, height * width]."""
    x, y = np.linspace(0, 1, width), np.linspace(0, 1, height)
    return np.stack(
        [
            np.outer(np.sin(np.pi * (j + 1) * y), np.sin(np.pi * (i + 1) * x)).ravel() * math.sqrt(spread[j, i])
            for j in range(spread.shape[0])
            for i in range(spread.shape[1])
        ]
    )


@pytest.mark.parametrize(("height", "width", "cut"), [(9, 7, 60), (9, 7, 3), (12, 12, 11), (8, 12, 7), (3, 10, 25)])
def test_merged_frequencies_have_the_plain_forms_distribution(height: int, width: int, cut: int) -> None:
    """Both are sums of waves with independent normal numbers: of one distribution if of one covariance of pixels."""
    plain = plain_waves(cut, height, width)
    spread = prime_reference.variances(cut, height, width)
    merged = merged_waves(spread, height, width)
    assert spread.shape == (min(cut, height - 2), min(cut, width - 2))
    assert np.allclose(merged.T @ merged, plain.T @ plain, rtol=1e-9, atol=1e-12)
    spread[0, 0] *= 1.01  # the comparison can fail
    assert not np.allclose(merged_waves(spread, height, width).T @ merged_waves(spread, height, width), plain.T @ plain)


def test_drawn_fields_have_the_plain_forms_moments_and_spectrum() -> None:
    height, width, cut, count = 10, 8, 40, 4000
    plain = plain_waves(cut, height, width)
    fields = np.array([prime_reference._fields(Normals(seed), cut, height, width) for seed in range(count)])
    across, down = fields.reshape(count, 2, -1).transpose(1, 0, 2)
    numbers = np.random.default_rng(0).standard_normal((count, len(plain)))
    by_hand = numbers @ plain
    expected = np.sqrt((plain**2).sum(axis=0)).reshape(height, width)[1:-1, 1:-1].ravel()
    inner = np.arange(height * width).reshape(height, width)[1:-1, 1:-1].ravel()
    for drawn in (across[:, inner], down[:, inner], by_hand[:, inner]):
        scaled = drawn / expected
        assert np.abs(scaled.mean(axis=0)).max() < 4.5 / math.sqrt(count)
        assert np.abs((scaled**2).mean(axis=0) - 1).max() < 4.5 * math.sqrt(2 / count)
        assert np.abs((scaled**4).mean(axis=0) - 3).max() < 5 * math.sqrt(96 / count)
        spectrum = (drawn @ np.linalg.pinv(merged_waves(np.ones((8, 6)), height, width)[:, inner])) ** 2
        ratio = spectrum.mean(axis=0) / prime_reference.variances(cut, height, width).ravel()
        assert np.abs(ratio - 1).max() < 4.5 * math.sqrt(2 / count)
    assert np.abs((across * down)[:, inner].mean(axis=0) / expected**2).max() < 4.5 / math.sqrt(count)


def test_large_images_need_no_more_than_they_have_pixels() -> None:
    assert prime_reference.variances(500, 224, 224).shape == (222, 222)
    assert prime_reference.variances(500, 1, 5).size == 0
    square = np.array([[i * i + j * j for i in range(1, 101)] for j in range(1, 101)])
    small = prime_reference.variances(100, 224, 224)
    assert np.allclose(small[small > 0], 1 / square[small > 0])
    assert np.array_equal(small > 0, np.sqrt(square) < 100.5)


def test_compiled_normals_are_the_references() -> None:
    count = 200_000
    state, words = np.empty(1, np.uint64), np.empty((2, count), np.uint32)
    start(state, prime_reference.SALT, 5, 0, 0)
    got = np.empty((2, count), np.float32)
    fill_pairs(state[0], 0, count, np.ones(count, np.float32), words, got[0], got[1])
    expected = Normals(5).pairs(count)
    radius = np.hypot(*expected.T)
    assert (np.abs(got - expected.T) < 5e-7 * (radius + 1 / radius)).all()  # 1 / radius: where the logarithm is near 0
    assert np.abs(expected).max() > 4.4
    for numbers in (got[0], got[1]):
        assert abs(numbers.mean(dtype=np.float64)) < 4 / math.sqrt(count)
        assert abs(numbers.std(dtype=np.float64) - 1) < 4 / math.sqrt(2 * count)
        assert abs((numbers.astype(float) ** 4).mean() - 3) < 4 * math.sqrt(96 / count)
        below = [np.mean(numbers < x) for x in (-2, -1, 0, 1, 2)]
        assert np.abs(np.array(below) - [0.02275, 0.15866, 0.5, 0.84134, 0.97725]).max() < 2.5 / math.sqrt(count)


# --- their place in the language --------------------------------------------------------------------------


def test_recipes_refuse_what_engines_can_not_do() -> None:
    for step, text in (
        (Step("add", "original", "spectral", right=2, bottom=2), "works on whole images only"),
        (Step(operation="spectral", a=2.0), "a must be"),
        (Step(operation="spatial", a=2.5), "must be a whole number"),
        (Step(operation="spatial", a=5000.0), "a must be"),
        (Step(operation="color_curve", level=-1.0), "level must be"),
        (Step(operation="color_curve", seed=2**32), "seed must be"),
    ):
        with pytest.raises(InputError, match=text):
            table_of(8, 8, step)


def test_they_belong_to_no_group() -> None:
    assert len(GROUPS["all"]) == 15
    assert not {"spectral", "color_curve", "spatial"} & set(GROUPS["all"])
    with pytest.raises(InputError, match="PRIME's own"):
        operation_names(["rotate", "spatial"])


def test_recipes_go_to_json_and_back() -> None:
    for recipe in PRIME().draw(Keys.of(0, 0, range(50)), ImageSpec(32, 32, 3, 0)):
        assert Recipe.from_json(recipe.to_json()) == recipe
        assert str(recipe)
