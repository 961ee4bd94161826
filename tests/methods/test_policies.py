"""AutoAugment, RandAugment and TrivialAugmentWide: what they draw, how often, and their images beside torchvision's."""

import math
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import product
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ipmix.augmentation.batches import apply, augment, draw
from ipmix.augmentation.explain import explain
from ipmix.augmentation.single import Augmenter
from ipmix.core.errors import InputError
from ipmix.data.datasets import ArrayDataset
from ipmix.methods import METHODS, AutoAugment, Combined, RandAugment, TrivialAugmentWide
from ipmix.methods.autoaugment import BINS, POLICIES
from ipmix.methods.magnitudes import NARROW, WIDE, Magnitudes, make_magnitudes
from ipmix.recipe.format import WHOLE
from ipmix.recipe.operations import CODES, OPERATIONS
from ipmix.recipe.table import RecipeTable
from ipmix.training.loader import Loader

THREE: list[Any] = [AutoAugment(), RandAugment(), TrivialAugmentWide()]
DRAWS = 100_000

Sequence = tuple[tuple[str, float], ...]
"""The operations of a recipe with their levels."""


# --- how often --------------------------------------------------------------------------------------------


def choices(magnitudes: Magnitudes, name: str, magnitude: int) -> dict[Sequence, float]:
    """What one operation at one magnitude may be, and how likely: two levels where there is a sign."""
    if not name:
        return {(): 1.0}
    which = list(magnitudes.codes).index(CODES[name])
    up, down = float(magnitudes.up[which, magnitude]), float(magnitudes.down[which, magnitude])
    found: dict[Sequence, float] = defaultdict(float)
    for level in (up, down) if magnitudes.signed[which] else (up,):
        found[((name, level),)] += 0.5 if magnitudes.signed[which] else 1.0
    return found


def one_after_the_other(*parts: dict[Sequence, float]) -> dict[Sequence, float]:
    found: dict[Sequence, float] = defaultdict(float)
    for chosen in product(*(part.items() for part in parts)):
        found[sum((sequence for sequence, _ in chosen), ())] += math.prod(p for _, p in chosen)
    return found


def mixture(*parts: dict[Sequence, float]) -> dict[Sequence, float]:
    """One of several, all as likely."""
    found: dict[Sequence, float] = defaultdict(float)
    for part in parts:
        for sequence, probability in part.items():
            found[sequence] += probability / len(parts)
    return found


def expected_of(method: Any, side: int) -> dict[Sequence, float]:
    """The probability of every recipe, from the published tables."""
    if isinstance(method, AutoAugment):
        magnitudes = make_magnitudes(NARROW | {"invert": 0.0}, BINS, side, side, "nearest", 0)
        pairs = POLICIES[method.policy or ("cifar10" if side <= 64 else "imagenet")]

        def perhaps(name: str, probability: float, magnitude: int) -> dict[Sequence, float]:
            drawn = choices(magnitudes, name, magnitude)
            return {(): 1 - probability} | {sequence: p * probability for sequence, p in drawn.items()}

        return mixture(*(one_after_the_other(*(perhaps(*choice) for choice in pair)) for pair in pairs))
    largest = {"": 0.0} | (NARROW if isinstance(method, RandAugment) else WIDE)
    magnitudes = make_magnitudes(largest, method.num_magnitude_bins, side, side, "nearest", 0)
    if isinstance(method, RandAugment):
        one = mixture(*(choices(magnitudes, name, method.magnitude) for name in largest))
        return one_after_the_other(*[one] * method.num_ops)
    return mixture(*(choices(magnitudes, name, bin) for name in largest for bin in range(method.num_magnitude_bins)))


def drawn(method: Any, side: int) -> Counter[Sequence]:
    table = draw(method, (DRAWS, side, side, 3), seed=3)
    assert isinstance(table, RecipeTable)
    assert np.all(table.heads["clean"] == 0)
    assert np.all(table.chains["share"] == WHOLE)
    lengths = table.chains["length"][:, 0].tolist()
    codes, levels = table.steps["operation"][:, 0].tolist(), table.steps["level"][:, 0].tolist()
    return Counter(
        tuple((OPERATIONS[code].name, level) for code, level in zip(codes[n][:length], levels[n]))
        for n, length in enumerate(lengths)
    )


def unlikely(seen: Counter[Sequence], expected: dict[Sequence, float]) -> list[Any]:
    """Recipes that are never to be drawn, and those more than 5.5 standard deviations from their frequency."""
    found: list[Any] = [sequence for sequence in seen if expected.get(sequence, 0.0) == 0.0]
    for sequence, probability in expected.items():
        spread = math.sqrt(DRAWS * probability * (1 - probability))
        if abs(seen[sequence] - DRAWS * probability) > 5.5 * spread + 1:
            found.append((sequence, seen[sequence], DRAWS * probability))
    return found


@pytest.mark.parametrize(
    ("method", "side"),
    [
        *((AutoAugment(policy), 32) for policy in POLICIES),
        *((AutoAugment(), 32), (AutoAugment(), 224)),
        *((RandAugment(), 32), (RandAugment(1, 30), 100), (RandAugment(3, 1, 4), 32)),
        *((TrivialAugmentWide(), 32), (TrivialAugmentWide(5), 8)),
    ],
    ids=str,
)
def test_every_recipe_is_as_frequent_as_the_tables_say(method: Any, side: int) -> None:
    expected = expected_of(method, side)
    assert sum(expected.values()) == pytest.approx(1, abs=1e-9)
    assert unlikely(drawn(method, side), expected) == []


def test_another_frequency_is_noticed() -> None:
    seen = drawn(RandAugment(), 32)
    assert unlikely(seen, expected_of(RandAugment(magnitude=10), 32))
    assert unlikely(seen, expected_of(RandAugment(num_ops=1), 32))
    assert unlikely(drawn(AutoAugment("svhn"), 32), expected_of(AutoAugment("cifar10"), 32))
    expected = expected_of(RandAugment(), 32)
    expected[()] *= 0.5
    assert len(unlikely(seen, expected)) == 1


def test_autoaugment_goes_by_the_images_size() -> None:
    for shape, policy in (((50, 32, 20, 3), "cifar10"), ((50, 64, 64, 3), "cifar10"), ((50, 9, 65, 3), "imagenet")):
        assert list(draw(AutoAugment(), shape, seed=0)) == list(draw(AutoAugment(policy), shape, seed=0))
        assert list(draw(AutoAugment(), shape, seed=0)) != list(draw(AutoAugment("svhn"), shape, seed=0))


# --- images -----------------------------------------------------------------------------------------------


def statistics(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Of each image its mean, spread, share of black, and mean change: float64[N, 4]."""
    numbers, pixels = after.astype(np.float64), (1, 2, 3)
    changed = np.abs(numbers - before).mean(pixels)
    return np.stack([numbers.mean(pixels), numbers.std(pixels), (after == 0).mean(pixels), changed], axis=1)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference of two sets' mean statistics, in standard errors."""
    errors = np.sqrt(one.var(0) / len(one) + other.var(0) / len(other))
    return float(np.max(np.abs(one.mean(0) - other.mean(0)) / errors))


@pytest.mark.parametrize("method", THREE, ids=str)
def test_images_are_as_torchvisions_on_average(method: Any, make_images: Any) -> None:
    torch = pytest.importorskip("torch", reason="compares with torchvision: the train extra is not installed")
    v2 = pytest.importorskip("torchvision.transforms.v2")
    policies = pytest.importorskip("torchvision.transforms").AutoAugmentPolicy
    their = (
        v2.AutoAugment(policies.CIFAR10) if isinstance(method, AutoAugment) else getattr(v2, type(method).__name__)()
    )
    images = np.tile(make_images(200, 32, 32), (8, 1, 1, 1))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        theirs = statistics(images, np.stack([np.asarray(their(Image.fromarray(image))) for image in images]))
    assert apart(statistics(images, augment(images, method, seed=1)), theirs) < 4
    other = TrivialAugmentWide() if isinstance(method, RandAugment) else RandAugment()
    assert apart(statistics(images, augment(images, other, seed=1)), theirs) > 4, "another method is noticed"


@pytest.mark.parametrize("engine", ["compiled", "reference"])
@pytest.mark.parametrize("kind", [AutoAugment, RandAugment, TrivialAugmentWide])
def test_engines_agree_to_the_byte_for_any_number_of_channels(kind: Any, engine: str, make_images: Any) -> None:
    for shape in ((60, 32, 32, 3), (60, 33, 20, 1), (60, 20, 31, 5), (20, 1, 1, 3)):
        images = make_images(*shape)
        table = draw(kind(fill=200), images.shape, seed=5)
        out = apply(table, images, engine=engine, threads=2)
        assert np.array_equal(out, apply(table, images, engine="reference"))
        assert np.array_equal(out, augment(images, kind(fill=200), seed=5, engine=engine))
    bilinear = draw(kind(interpolation="bilinear"), (60, 32, 32, 3), seed=5)
    images = make_images(60, 32, 32)
    got, nearest = apply(bilinear, images, engine=engine), augment(images, kind(), seed=5, engine=engine)
    assert not np.array_equal(got, nearest)


def test_options_reach_the_steps() -> None:
    table = draw(RandAugment(num_ops=4, magnitude=30, interpolation="bilinear", fill=99), (300, 32, 32, 3), seed=0)
    steps = [step for recipe in table for chain in recipe.chains for step in chain.steps]
    moving = [step for step in steps if step.operation.endswith("_filled")]
    assert len(moving) > 200
    assert {(step.a, step.b) for step in moving} == {(99.0, 1.0)}
    assert {(step.a, step.b) for step in steps if step not in moving} == {(0.0, 0.0)}
    assert {abs(step.level) for step in moving if step.operation == "rotate_filled"} == {30.0}
    assert max(len(recipe.chains[0].steps) for recipe in table if recipe.chains) == 4


# --- behind the same functions as other methods -----------------------------------------------------------


@pytest.mark.parametrize("method", THREE, ids=str)
def test_they_are_explained(method: Any, images: np.ndarray) -> None:
    recipes = draw(method, images.shape, seed=1)
    longest: Any = max(recipes, key=lambda recipe: sum(len(chain.steps) for chain in recipe.chains))
    place = list(recipes).index(longest)
    first, chain = explain(images[place], longest)
    result = first.images[-1][1]
    assert np.array_equal(result, augment(images, method, seed=1)[place])
    assert np.array_equal(chain.images[-1][1], result), "the chain is all of it"
    assert [label for label, _ in chain.images[1:]] == [str(step) for step in longest.chains[0].steps]


@pytest.mark.parametrize("method", THREE, ids=str)
def test_they_can_be_combined_and_made_ready(method: Any, images: np.ndarray) -> None:
    twice = augment(images, Combined((method, "augmix")), seed=2)
    assert not np.array_equal(twice, augment(images, method, seed=2))
    augmenter = Augmenter(method, shape=images.shape[1:], seed=7, output="float32", layout="nchw")
    whole = augment(images, method, seed=7, epoch=2, view=1, output="float32", layout="nchw")
    for i in (0, 11, 3):
        assert np.array_equal(augmenter(images[i], epoch=2, index=i, view=1), whole[i])


def test_the_loader_takes_them(make_images: Any) -> None:
    dataset = ArrayDataset(make_images(20, 16, 16), np.arange(20) % 2, ("a", "b"), "two")
    options: dict[str, Any] = {"batch_size": 8, "seed": 3, "method": TrivialAugmentWide(), "views": 2}
    first, second = (list(Loader(dataset, threads=threads, **options).epoch(1)) for threads in (1, 3))
    for one, other in zip(first, second, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one.images, other.images, strict=True))
        assert not np.array_equal(*one.images)


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        (AutoAugment, {"policy": "mnist"}, "policy must be one of cifar10"),
        (AutoAugment, {"fill": 256}, "fill must be a byte"),
        (RandAugment, {"num_ops": 0}, "num_ops"),
        (RandAugment, {"magnitude": 31}, "magnitude must be below num_magnitude_bins"),
        (TrivialAugmentWide, {"num_magnitude_bins": 1}, "num_magnitude_bins"),
        (TrivialAugmentWide, {"interpolation": "cubic"}, "interpolation"),
    ],
)
def test_wrong_options_say_what_is_expected(kind: Any, options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        kind(**options)
    with pytest.raises(InputError, match="no presets"):
        kind.preset("paper")


def test_they_need_neither_torch_nor_torchvision() -> None:
    code = (
        "import sys; sys.modules.update(torch=None, torchvision=None)\n"
        "import numpy, ipmix, ipmix.methods as m\n"
        "images = numpy.zeros((4, 8, 8, 3), numpy.uint8)\n"
        "for kind in (m.AutoAugment, m.RandAugment, m.TrivialAugmentWide): ipmix.draw(kind(), images.shape, seed=0)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_they_are_named() -> None:
    assert {METHODS[name] for name in ("autoaugment", "randaugment", "trivialaugment")} == {type(m) for m in THREE}
