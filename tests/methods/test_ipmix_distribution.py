"""IPMix against figures that follow from Algorithm 1 or were measured on the authors' code; what each knob changes."""

import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from ipmix_tables import boxes, drawn, used_steps, within

from ipmix import IPMix
from ipmix.recipe.format import NO_OPERATION, WHOLE
from ipmix.recipe.operations import CODES
from ipmix.recipe.recipe import ImageSpec
from ipmix.recipe.table import RecipeTable

# --- figures of the distribution --------------------------------------------------------------------------

MANY = 20_000


@pytest.mark.parametrize("t", [1, 2, 3, 5])
@pytest.mark.parametrize("min_ops", [0, 1])
def test_steps_per_chain(t: int, min_ops: int) -> None:
    lengths = drawn(IPMix(t=t, min_ops=min_ops), MANY).chains["length"].ravel()
    assert (lengths.min(), lengths.max()) == (min_ops, t)
    assert lengths.mean() == pytest.approx((min_ops + t) / 2, abs=4 * t / math.sqrt(12 * lengths.size))
    for length in range(min_ops, t + 1):
        assert (lengths == length).mean() == within(1 / (t - min_ops + 1), lengths.size)


def test_unchanged_chains_and_images_of_the_authors_code() -> None:
    """A quarter of the chains is empty, and all three in 1 of 64 images: those come back as they were."""
    for preset in ("code-cifar", "code-imagenet"):
        lengths = drawn(IPMix.preset(preset), MANY).chains["length"]
        assert (lengths == 0).mean() == within(1 / 4, lengths.size)
        assert (lengths == 0).all(axis=1).mean() == within(1 / 64, len(lengths))
        assert lengths.mean() == pytest.approx(1.5, abs=0.02)
    for preset in ("paper-cifar", "paper-imagenet"):
        assert drawn(IPMix.preset(preset), MANY).chains["length"].mean() == pytest.approx(2, abs=0.02)


def test_half_of_the_chains_are_of_patches_and_no_chain_is_mixed() -> None:
    table = drawn(IPMix(), MANY)
    first = table.steps["mixer"][..., 0] != 0
    assert first.mean() == within(0.5, first.size)
    used = np.arange(3) < table.chains["length"][..., None]
    assert np.all(((table.steps["mixer"] != 0) == first[..., None]) | ~used)


def test_patches_of_cifar() -> None:
    """Figures measured on the authors' code: mean area, and how often a corner or the centre is covered."""
    found = boxes(used_steps(drawn(IPMix.preset("code-cifar"), MANY)))
    left, top, right, bottom = found.T
    assert ((right - left) * (bottom - top)).mean() / 32**2 == pytest.approx(0.217, abs=0.005)
    covered = {
        (x, y): ((left <= x) & (x < right) & (top <= y) & (y < bottom)).mean()
        for x, y in ((0, 0), (31, 0), (0, 31), (31, 31), (16, 16))
    }
    expected = {(0, 0): 0.254, (31, 0): 0.130, (0, 31): 0.131, (31, 31): 0.127, (16, 16): 0.326}
    assert covered == pytest.approx(expected, abs=0.008)
    whole = (right - left == 32) & (bottom - top == 32)
    # Half of the patches of size 32 are square; a scar is 32x32 once in 31 * 31.
    assert whole.mean() == within(1 / 8 + 1 / 8 / 31**2, len(whole))


def test_squares_lie_anywhere_and_scars_have_independent_sides() -> None:
    square = boxes(used_steps(drawn(IPMix(patch_shape="square", patch_sizes=(8,)), MANY)))
    assert np.all(square[:, 2:] - square[:, :2] == 8)
    for side in (0, 1):
        counts = np.bincount(square[:, side], minlength=25)
        assert counts.size == 25
        assert np.abs(counts / len(square) - 1 / 25).max() < 5 / math.sqrt(25 * len(square))
    scars = boxes(used_steps(drawn(IPMix(patch_shape="scar", patch_sizes=(8,)), MANY)))
    sides = scars[:, 2:] - scars[:, :2]
    for side in (0, 1):
        counts = np.bincount(sides[:, side], minlength=9)[2:]
        assert counts.size == 7
        assert np.abs(counts / len(sides) - 1 / 7).max() < 5 / math.sqrt(7 * len(sides))
    assert abs(np.corrcoef(sides.T)[0, 1]) < 4 / math.sqrt(len(sides))
    assert scars[:, :2].max() == 24, "the corner is that of the whole square"


def test_a_scar_of_the_images_size_is_anchored_at_the_top_left() -> None:
    found = boxes(used_steps(drawn(IPMix(patch_shape="scar", patch_sizes=(32,), levels=("pixel", "patch")), 2000)))
    assert np.all(found[:, :2] == 0)
    assert found[:, 2].min() == 2
    assert found[:, 2].max() == 32


@pytest.mark.parametrize("strength", [3.0, 4.0])
def test_coefficients(strength: float) -> None:
    """Half: a ~ Beta(s, 1), b ~ Beta(1, s). Half: a ~ 1 + Beta(1, s), b ~ -Beta(1, s)."""
    steps = used_steps(drawn(IPMix(beta=strength, mixers=("add", "multiply"), levels=("patch", "pixel")), MANY))
    a, b = steps["a"].astype(np.float64), steps["b"].astype(np.float64)
    low = b >= 0
    assert low.mean() == within(0.5, len(low))

    def rising(x: np.ndarray) -> np.ndarray:
        return x**strength

    def falling(x: np.ndarray) -> np.ndarray:
        return 1 - (1 - x) ** strength

    def distance(numbers: np.ndarray, cumulated: Callable[[np.ndarray], np.ndarray]) -> float:
        expected = (np.arange(len(numbers)) + 0.5) / len(numbers)
        return float(np.abs(cumulated(np.sort(numbers)) - expected).max() * math.sqrt(len(numbers)))

    assert distance(a[low], rising) < 1.95
    assert distance(b[low], falling) < 1.95
    assert distance(a[~low] - 1, falling) < 1.95
    assert distance(-b[~low], falling) < 1.95
    assert distance(a[low], falling) > 50
    for half in (low, ~low):
        assert abs(np.corrcoef(a[half], b[half])[0, 1]) < 4 / math.sqrt(half.sum())


def test_random_mixers_keep_any_share_and_have_seeds_of_their_own() -> None:
    steps = used_steps(drawn(IPMix(mixers=("random_pixels", "random_elements"), levels=("pixel",)), MANY))
    keep = np.sort(steps["a"].astype(np.float64))
    assert np.abs(keep - (np.arange(len(keep)) + 0.5) / len(keep)).max() < 1.95 / math.sqrt(len(keep))
    assert len(np.unique(steps["seed"])) > 0.999 * len(steps)
    assert np.all(steps["b"] == 0)


def test_shares() -> None:
    """m ~ U(0, 1) goes to the chains, by weights from a flat Dirichlet; together they are the whole."""
    table = drawn(IPMix(), MANY)
    chains = table.chains["share"].astype(np.int64)
    assert np.all(table.heads["clean"] + chains.sum(axis=1) == WHOLE)
    m = chains.sum(axis=1) / WHOLE
    assert np.abs(np.sort(m) - (np.arange(MANY) + 0.5) / MANY).max() < 1.95 / math.sqrt(MANY)
    large = m > 0.2
    weights = chains[large] / chains[large].sum(axis=1, keepdims=True)
    assert weights.mean(axis=0) == pytest.approx(np.full(3, 1 / 3), abs=0.01)
    assert weights.var(axis=0) == pytest.approx(np.full(3, 1 / 18), rel=0.05)  # Dirichlet(1, 1, 1): Beta(1, 2)
    narrow = drawn(IPMix(alpha=20.0), MANY)
    assert narrow.heads["clean"].std() / WHOLE == pytest.approx(math.sqrt(1 / 4 / 41), rel=0.05)  # Beta(20, 20)


def test_images_and_crops_are_uniform() -> None:
    heads = drawn(IPMix(), MANY, ImageSpec(32, 32, 3, 7)).heads
    counts = np.bincount(heads["mixing_image"], minlength=7)
    assert counts.size == 7
    assert np.abs(counts / MANY - 1 / 7).max() < 5 / math.sqrt(7 * MANY)
    for name in ("crop_x", "crop_y"):
        crops = np.sort(heads[name] / 2**32)
        assert np.abs(crops - (np.arange(MANY) + 0.5) / MANY).max() < 1.95 / math.sqrt(MANY)
    assert abs(np.corrcoef(heads["crop_x"], heads["crop_y"])[0, 1]) < 4 / math.sqrt(MANY)


# --- each knob changes what it says, and nothing else -----------------------------------------------------


def portrait(table: RecipeTable) -> dict[str, np.ndarray]:
    """What there is to know about a table's distribution, as shares of steps, chains or images."""
    steps, lengths = used_steps(table), table.chains["length"]
    mixing = steps[steps["mixer"] != 0]
    image = steps[steps["mixer"] == 0]
    found = boxes(steps)
    sides = found[:, 2:] - found[:, :2]
    shares = table.chains["share"] / WHOLE

    def counted(values: np.ndarray, size: int) -> np.ndarray:
        return np.bincount(values, minlength=size)[:size] / max(len(values), 1)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.array([values.astype(np.float64).mean() if values.size else -1.0])

    plain = mixing[np.isin(mixing["mixer"], (1, 2))]
    turns = image[image["operation"] == CODES["rotate"]]
    return {
        "chains": np.array([table.chains.shape[1]]),
        "lengths": counted(lengths.ravel(), 8),
        "clean": np.array([table.heads["clean"].mean(), table.heads["clean"].std()]) / WHOLE,
        "weights": np.array([shares.max(axis=1).mean()]),
        "levels": mean(table.steps["mixer"][..., 0][lengths > 0] != 0),
        "mixers": counted(mixing["mixer"], 5),
        "sources": counted(mixing["source"], 2),
        "operations": counted(image["operation"], 15),
        "operations of originals": counted(mixing["operation"][mixing["operation"] != NO_OPERATION], 15),
        "strength": mean(np.abs(turns["level"]) / 60),
        "coefficients": np.concatenate([mean(np.abs(plain["a"])), mean(np.abs(plain["b"]))]),
        "sides": counted(np.minimum(sides.max(axis=1), 39), 40) if len(sides) else np.zeros(40),
        "squares": mean(sides[:, 0] == sides[:, 1]),
        "overflow": np.unique(table.heads["overflow"]),
    }


KNOBS: list[tuple[dict[str, Any], set[str]]] = [
    ({"k": 2}, {"chains", "weights"}),
    ({"k": 5}, {"chains", "weights"}),
    ({"t": 2}, {"lengths"}),
    ({"min_ops": 0}, {"lengths"}),
    ({"alpha": 5.0}, {"clean", "weights"}),
    ({"patch_sizes": (2, 20)}, {"sides", "squares"}),
    ({"patch_shape": "square"}, {"sides", "squares"}),
    ({"patch_shape": "scar"}, {"sides", "squares"}),
    ({"mixers": ("add", "random_elements")}, {"mixers"}),
    ({"mixers": ("random_pixels",)}, {"mixers", "coefficients"}),
    ({"mix_with": "mixing_image"}, {"sources", "operations of originals"}),
    ({"mix_with": "original"}, {"sources"}),
    ({"levels": ("patch", "pixel")}, {"levels", "operations", "strength"}),
    ({"levels": ("image", "pixel")}, {"sides", "squares"}),
    ({"levels": ("image", "patch")}, {"sides", "squares"}),
    ({"levels": ("pixel",)}, {"sides", "squares", "levels", "operations", "strength"}),
    ({"operations": "all"}, {"operations", "operations of originals"}),
    ({"operations": "photometric"}, {"operations", "operations of originals", "strength"}),
    ({"severity": 10.0}, {"strength"}),
    ({"beta": 8.0}, {"coefficients"}),
    ({"overflow": "wrap"}, {"overflow"}),
    ({"framework": "one_chain"}, {"chains", "weights"}),
]


@pytest.mark.parametrize(
    ("option", "expected"), KNOBS, ids=lambda value: str(sorted(value) if isinstance(value, set) else value)
)
def test_a_knob_changes_what_it_says_and_nothing_else(option: dict[str, Any], expected: set[str]) -> None:
    plain, turned = portrait(drawn(IPMix(), 12_000)), portrait(drawn(IPMix(**option), 12_000, seed=1))
    changed = {
        name
        for name, values in plain.items()
        if values.shape != turned[name].shape or np.abs(values - turned[name]).max() > 0.012
    }
    if {"patch_sizes", "levels"} & set(option) and "squares" in expected - changed:
        expected = expected - {"squares"}  # a scar is square by chance more often where patches are small
    assert changed == expected


def test_every_knob_is_tried() -> None:
    assert {name for option, _ in KNOBS for name in option} == {field.name for field in fields(IPMix)}


def test_levels_that_leave_one_out() -> None:
    """Table 10: without patches, every patch is the image; without pixels, none is; without image, all chains mix."""
    whole = boxes(used_steps(drawn(IPMix(levels=("image", "pixel")), 2000)))
    assert np.all(whole == (0, 0, 32, 32))
    patches = boxes(used_steps(drawn(IPMix(levels=("image", "patch")), 2000)))
    assert (patches[:, 2:] - patches[:, :2]).max() == 16
    assert np.all(used_steps(drawn(IPMix(levels=("patch", "pixel")), 2000))["mixer"] != 0)
    assert np.all(used_steps(drawn(IPMix(levels=("image",)), 2000))["mixer"] == 0)


def test_some_knobs_change_only_their_own_numbers_in_the_very_same_recipes() -> None:
    """Where an option does not change how many numbers are drawn, everything else stays to the last bit."""

    def same_but(first: IPMix, second: IPMix, *names: str) -> None:
        tables = drawn(first, 500), drawn(second, 500)
        differ = set()
        for part in ("heads", "chains", "steps"):
            arrays = [getattr(table, part) for table in tables]
            for name in arrays[0].dtype.names:
                if not np.array_equal(arrays[0][name], arrays[1][name]):
                    differ.add(name)
        assert differ == set(names)

    same_but(IPMix(), IPMix())
    same_but(IPMix(), IPMix(overflow="wrap"), "overflow")
    same_but(IPMix(), IPMix(severity=5.0), "level")
    same_but(IPMix(), IPMix(beta=5.0), "a", "b")
    same_but(IPMix(mixers=("add",)), IPMix(mixers=("multiply",)), "mixer")
    same_but(IPMix(mixers=("random_pixels",)), IPMix(mixers=("random_elements",)), "mixer")
    same_but(IPMix(), IPMix(patch_sizes=(4, 8, 16, 30)), "left", "top", "right", "bottom")
