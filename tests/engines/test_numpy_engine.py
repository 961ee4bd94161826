"""The engine in NumPy against the compiled one: the same bytes."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from step_by_step import IMAGES, random_table
from test_prime_operations import SIZES, steps_of_all_kinds, table_of

from ipmix import METHODS, IPMix
from ipmix.augmentation.batches import apply, augment, draw
from ipmix.engines import ENGINES, numpy_prime
from ipmix.recipe.format import MIXERS, OVERFLOWS, WHOLE
from ipmix.recipe.operations import CODES
from ipmix.recipe.recipe import Chain, Recipe, Step
from ipmix.recipe.table import RecipeTable

SHAPES = [
    *((12, 9, 3, 1000), (9, 12, 1, 400), (11, 14, 4, 250), (13, 8, 8, 150), (1, 1, 3, 100), (1, 64, 3, 100)),
    *((64, 1, 3, 100), (64, 1, 4, 60), (2, 3, 3, 200), (33, 47, 3, 100), (32, 32, 3, 300), (224, 224, 3, 12)),
]

LEVELS = {
    "rotate": [0, 1, -1, 8, -29, 0.25, 44, 45, 90, -90, 135, 180, 270, 359, 360, 1000, -65536],
    "shear": [0, 0.003, -0.003, 0.09, 0.3, -0.3, 0.99, 1, -2.5, 50, 65536, -65536],
    "translate": [0, 1, -1, 3, -10, 31, 32, 33, 34, -33, 47, -48, 500, 65536, -65536],
}


def same(table: RecipeTable, images: np.ndarray, mixing: np.ndarray | None = None, **form: Any) -> bool:
    mixing = images if mixing is None else mixing
    got, expected = (apply(table, images, mixing, engine=engine, **form) for engine in ("numpy", "compiled"))
    assert got.dtype == expected.dtype
    return np.array_equal(got, expected)


@pytest.mark.parametrize(("height", "width", "channels", "count"), SHAPES)
def test_any_recipe(height: int, width: int, channels: int, count: int, make_images: Any) -> None:
    table = random_table(height * 1000 + width * 10 + channels + 1, count, height, width)
    images = make_images(count, height, width, channels, seed=height)
    mixing = make_images(IMAGES, height + 5, width + 3, channels, seed=98)
    assert same(table, images, mixing)
    assert same(table, images, mixing, output="float32", layout="nchw", mean=0.4, std=0.2)


def test_a_difference_would_be_seen(make_images: Any) -> None:
    """Pillow's own rotations and shears are beside in some of the same recipes."""
    images, mixing = make_images(300, 32, 32), make_images(IMAGES, 37, 35, seed=98)
    table = random_table(5, 300, 32, 32)
    results = [apply(table, images, mixing, engine=engine) for engine in ("reference", "compiled")]
    assert not np.array_equal(*results)


def one(step: Step, height: int, width: int, overflow: str = "clip") -> RecipeTable:
    return RecipeTable.pack([Recipe(height, width, 0, (Chain(WHOLE, (step,)),), 0, 0, 0, overflow)])


@pytest.mark.parametrize("name", [name for name in CODES if name.startswith(tuple(LEVELS))])
def test_moved_pixels_at_the_ends_of_their_range_and_beyond(name: str, make_images: Any) -> None:
    filled = name.endswith("_filled")
    for height, width in ((33, 47), (1, 1), (2, 2), (1, 64), (64, 1), (3, 3), (32, 32)):
        images = make_images(1, height, width, 3, seed=7)
        for level in LEVELS[name.split("_")[0]]:
            for a, b in ((200.0, 0.0), (7.0, 1.0)) if filled else ((0.0, 0.0),):
                step = Step(operation=name, level=float(np.float32(level)), a=a, b=b)
                assert same(one(step, height, width), images), (step, height, width)


@pytest.mark.parametrize("size", [(31, 32), (224, 224)])
def test_every_whole_angle(size: tuple[int, int], make_images: Any) -> None:
    images = make_images(1, *size)
    for level in range(-45, 46) if size[0] < 100 else range(-30, 31, 7):
        assert same(one(Step(operation="rotate", level=float(level)), *size), images), level
        assert same(one(Step(operation="rotate_filled", level=level + 0.37, b=0.0), *size), images), level


EVERY_BYTE = np.arange(256, dtype=np.uint8)
EVERY_PAIR = np.stack([np.repeat(EVERY_BYTE, 256), np.tile(EVERY_BYTE, 256)]).reshape(2, 1, 256, 256, 1)


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("mixer", MIXERS[1:5])
def test_mixers_on_every_pair_of_bytes(mixer: str, overflow: str) -> None:
    draws = np.random.default_rng(1)
    coefficients = [*draws.random((20, 2)), *((1 + a, -b) for a, b in draws.random((20, 2)))]
    if mixer in ("add", "multiply"):
        coefficients += [(0, 0), (1, 0), (2, -1), (1.5, -0.001), (8, 8), (8, -8), (0, -8), (0, 8)]
    for a, b in coefficients:
        share = mixer.startswith("random")
        values = {"a": float(np.float32(min(a, 1.0) if share else a)), "b": float(np.float32(b))}
        step = Step(mixer, right=256, bottom=256, seed=77, **values)
        assert same(one(step, 256, 256, overflow), *EVERY_PAIR), (a, b)


@pytest.mark.parametrize("name", METHODS)
def test_what_the_methods_draw(name: str, make_images: Any) -> None:
    method = METHODS[name]()
    for count, side in ((64, 32), (3, 224)):
        images, mixing = make_images(count, side, side), make_images(IMAGES, side + 5, side + 5, seed=5)
        table = draw(method, images.shape, IMAGES, seed=3)
        assert same(table, images, mixing), side


# --- PRIME's operations -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width", "channels"), [*SIZES, (3, 3, 1), (31, 31, 3), (40, 300, 3), (224, 200, 3)])
def test_primes_steps(height: int, width: int, channels: int, make_images: Any) -> None:
    draws = np.random.default_rng(height * 100 + width + 1)
    for image in make_images(8 if height < 200 else 2, height, width, channels, seed=5):
        for step in steps_of_all_kinds(draws):
            assert same(table_of(height, width, step), image[None]), step


@pytest.mark.parametrize(
    "step",
    [
        Step(operation="spatial", level=0.5, a=0.0),
        Step(operation="spatial", level=0.5, a=1.0),
        Step(operation="color_curve", level=0.5, a=3.0, b=3.0),
        Step(operation="color_curve", level=0.5, a=3.0, b=1.0),
        Step(operation="color_curve", level=0.5, a=3.0, b=0.0),
        Step(operation="color_curve", level=0.5, a=0.0, b=0.0),
    ],
    ids=str,
)
def test_no_waves_and_single_ones(step: Step, make_images: Any) -> None:
    for height, width in ((8, 8), (3, 5), (2, 9)):
        assert same(table_of(height, width, step), make_images(1, height, width, 3)), (height, width)


def test_products_and_sums_are_rounded_once() -> None:
    """Beside exact fractions, near to where a sum in float64 lies half way between two float32 numbers."""
    draws = np.random.default_rng(0)
    a, b = (draws.integers(-(2**24), 2**24, 20_000).astype(np.float32) for _ in range(2))
    c = (draws.standard_normal(20_000) * 2.0 ** draws.integers(20, 80, 20_000)).astype(np.float32)
    # 2**24 + 2, + 6, ... and nearly 1: half way to the next number but for 2**-46, which a float64 does not hold.
    a[:100], b[:100], c[:100] = 1 + 2.0**-23, 1 - 2.0**-23, 2.0**24 + 2 + 4 * np.arange(100)
    a[100:200], b[100:200], c[100:200] = -1.0, 1.0, c[:100]  # just half way
    got = numpy_prime._fused(a, b, c)
    exact = [Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z)) for x, y, z in zip(a, b, c)]
    for value, found in zip(exact, got):
        beside = [np.nextafter(found, np.float32(s * np.inf)) for s in (1, -1)]
        assert all(abs(Fraction(float(found)) - value) <= abs(Fraction(float(other)) - value) for other in beside)
    twice = (a.astype(np.float64) * b + c).astype(np.float32)
    assert (twice != got).any(), "rounding twice makes a difference here"


def test_every_engine_is_there_by_name(images: np.ndarray, mixing_images: np.ndarray) -> None:
    results = [augment(images, IPMix(operations=("invert",), mixers=("add",)), mixing_images, seed=0, engine=engine)
               for engine in ENGINES]  # fmt: skip
    assert len(results) == 3
    assert all(np.array_equal(result, results[0]) for result in results)
