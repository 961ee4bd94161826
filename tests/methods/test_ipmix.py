"""IPMix against Algorithm 1 written out in plain Python, and against the figures that follow from it."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from ipmix import IPMix
from ipmix.augmentation import draw
from ipmix.errors import InputError
from ipmix.methods import METHODS
from ipmix.operations import CODES, GROUPS, draw_level
from ipmix.randomness import SHARED_VIEW, Key, Keys, below, beta, bits, dirichlet, uniform
from ipmix.recipe import MIXERS, NO_OPERATION, NO_PICTURE, WHOLE, Chain, Recipe, RecipeTable, Scene, Step

SCENE = Scene(32, 32, 3, 100)


def drawn(method: IPMix, count: int = 3000, scene: Scene = SCENE, seed: int = 0, **key: int) -> RecipeTable:
    return method.draw(Keys.of(seed, key.get("epoch", 0), np.arange(count), key.get("view", 0)), scene)


# --- Algorithm 1 ------------------------------------------------------------------------------------------


def algorithm_1(method: IPMix, key: Key, scene: Scene) -> Recipe:
    """Algorithm 1 of the paper's appendix, line by line, for one picture; the choices that the appendix leaves
    open (a patch's place and shape, the coefficients) as in the authors' code.

    Every number comes from the key's stream. ``None`` options must be settled by the caller.
    """
    shared = Key(key.seed, key.epoch, key.index, SHARED_VIEW).stream()
    picture = below(shared, scene.pictures) if scene.pictures else NO_PICTURE
    crop_x, crop_y = int(bits(shared)) >> 32, int(bits(shared)) >> 32

    stream = key.stream()
    names = GROUPS[method.operations] if isinstance(method.operations, str) else method.operations

    def choice(options: Any) -> Any:
        return options[below(stream, len(options))] if len(options) > 1 else options[0]

    def pick(options: Any) -> Any:  # a choice that uses a number even if there is only one option
        return options[below(stream, len(options))]

    def operation() -> tuple[str, float]:
        name = pick(names)
        assert method.severity is not None
        level = draw_level(stream, CODES[name], float(method.severity), scene.height, scene.width)
        return name, float(np.float32(level))

    def patch() -> Step:
        size = pick(method.patch_sizes)  # line 9
        mixer = pick(method.mixers)  # line 10
        width, height = min(size, scene.width), min(size, scene.height)
        left, top = below(stream, scene.width - width + 1), below(stream, scene.height - height + 1)
        if choice(["square", "scar"] if method.patch_shape == "both" else [method.patch_shape]) == "scar":
            width = min(width, 2 + below(stream, max(width - 1, 1)))
            height = min(height, 2 + below(stream, max(height - 1, 1)))
        source = choice(["picture", "original"] if method.mix_with == "both" else [method.mix_with])  # line 11
        name, level = operation() if source == "original" else ("", 0.0)  # lines 12 to 16
        seed, b = 0, 0.0
        if mixer in ("add", "multiply"):
            strength = float(method.beta)  # type: ignore[arg-type]
            if choice([1, 2]) == 1:
                a, b = beta(stream, strength, 1.0), beta(stream, 1.0, strength)
            else:
                a, b = 1 + beta(stream, 1.0, strength), -beta(stream, 1.0, strength)
        else:
            a, seed = uniform(stream), int(bits(stream)) >> 32
        a, b = float(np.float32(a)), float(np.float32(b))
        return Step(mixer, source, name, level, left, top, left + width, top + height, a, b, seed)

    w = np.empty(method.k)
    dirichlet(stream, float(method.alpha), w)  # line 1
    m = beta(stream, float(method.alpha), float(method.alpha))  # line 2
    levels = (["P"] if {"patch", "pixel"} & set(method.levels) else []) + (["IMG"] if "image" in method.levels else [])
    chains = []
    for i in range(method.k):  # lines 4 and 5
        level = choice(levels)  # line 6
        steps = []
        for _ in range(method.min_ops + below(stream, method.t - method.min_ops + 1)):  # lines 8 and 18
            if level == "P":  # line 7
                steps.append(patch())
            else:
                name, strength = operation()  # line 19
                steps.append(Step(operation=name, level=strength))
        chains.append(Chain(int(m * w[i] * WHOLE), tuple(steps)))  # lines 21 and 22
    clean = WHOLE - sum(chain.share for chain in chains)
    while chains and chains[-1] == Chain(0):
        chains.pop()
    overflow = method.overflow
    return Recipe(scene.height, scene.width, clean, tuple(chains), picture, crop_x, crop_y, overflow)


SETTLED = {"patch_sizes": (4, 8, 16, 32), "severity": 3.0, "beta": 3.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "authors": {"min_ops": 0, "mix_with": "picture", "overflow": "wrap"},
    "wide": {"k": 6, "t": 5, "operations": "all", "severity": 10.0},
    "alpha": {"k": 2, "t": 1, "alpha": 0.4, "beta": 4.0},
    "square": {"patch_shape": "square", "operations": "photometric"},
    "scar": {"patch_shape": "scar", "mix_with": "original", "operations": ("rotate",)},
    "mixers": {"mixers": ("multiply", "random_elements")},
    "only patches": {"levels": ("patch",), "patch_sizes": (4, 8, 16)},
    "only image": {"levels": ("image",)},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_recipes_are_those_of_algorithm_1(name: str) -> None:
    method = IPMix(**{**SETTLED, **VARIANTS[name]})
    for scene in (SCENE, Scene(20, 31, 1, 7), Scene(32, 5, 4, 1)):
        if name == "only patches" and scene is not SCENE:
            continue
        for view in (0, 1):
            table = drawn(method, 150, scene, seed=11, epoch=4, view=view)
            expected = [algorithm_1(method, Key(11, 4, i, view), scene) for i in range(150)]
            assert list(table) == expected


def test_the_comparison_with_algorithm_1_can_fail() -> None:
    method = IPMix(**SETTLED)
    key, other = Key(1, 2, 3), IPMix(**{**SETTLED, "severity": 3.001})
    assert drawn(method, 4, seed=1, epoch=2)[3] == algorithm_1(method, key, SCENE)
    assert drawn(method, 4, seed=1, epoch=2)[3] != algorithm_1(method, Key(1, 2, 4), SCENE)
    tables = drawn(method, 100), drawn(other, 100)
    assert list(tables[0]) != list(tables[1])


# --- figures of the distribution --------------------------------------------------------------------------

MANY = 20_000


def used_steps(table: RecipeTable) -> np.ndarray:
    """All steps that are no padding, in one row."""
    places = np.arange(table.steps.shape[2])
    rows: np.ndarray = table.steps[places < table.chains["length"][..., None]]
    return rows


def boxes(steps: np.ndarray) -> np.ndarray:
    """left, top, right, bottom of the mixing steps: int[M, 4]."""
    mixing = steps[steps["mixer"] != 0]
    return np.stack([mixing[side] for side in ("left", "top", "right", "bottom")], axis=1).astype(np.int64)


def within(share: float, count: int) -> Any:
    """A share that was counted in ``count`` tries, within four standard deviations."""
    return pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / count) + 1e-9)


@pytest.mark.parametrize("t", [1, 2, 3, 5])
@pytest.mark.parametrize("min_ops", [0, 1])
def test_steps_per_chain(t: int, min_ops: int) -> None:
    lengths = drawn(IPMix(t=t, min_ops=min_ops), MANY).chains["length"].ravel()
    assert (lengths.min(), lengths.max()) == (min_ops, t)
    assert lengths.mean() == pytest.approx((min_ops + t) / 2, abs=4 * t / math.sqrt(12 * lengths.size))
    for length in range(min_ops, t + 1):
        assert (lengths == length).mean() == within(1 / (t - min_ops + 1), lengths.size)


def test_unchanged_chains_and_pictures_of_the_authors_code() -> None:
    """A quarter of the chains is empty, and all three in 1 of 64 pictures: those come back as they were."""
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


def test_a_scar_of_the_pictures_size_is_anchored_at_the_top_left() -> None:
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


def test_pictures_and_crops_are_uniform() -> None:
    heads = drawn(IPMix(), MANY, Scene(32, 32, 3, 7)).heads
    counts = np.bincount(heads["picture"], minlength=7)
    assert counts.size == 7
    assert np.abs(counts / MANY - 1 / 7).max() < 5 / math.sqrt(7 * MANY)
    for name in ("crop_x", "crop_y"):
        crops = np.sort(heads[name] / 2**32)
        assert np.abs(crops - (np.arange(MANY) + 0.5) / MANY).max() < 1.95 / math.sqrt(MANY)
    assert abs(np.corrcoef(heads["crop_x"], heads["crop_y"])[0, 1]) < 4 / math.sqrt(MANY)


# --- each knob changes what it says, and nothing else -----------------------------------------------------


def portrait(table: RecipeTable) -> dict[str, np.ndarray]:
    """What there is to know about a table's distribution, as shares of steps, chains or pictures."""
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
    ({"mix_with": "picture"}, {"sources", "operations of originals"}),
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
]


@pytest.mark.parametrize(("option", "expected"), KNOBS, ids=lambda value: str(value))
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
    """Table 10: without patches, every patch is the picture; without pixels, none is; without image, all chains mix."""
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


# --- sizes ------------------------------------------------------------------------------------------------


def square_sides(method: IPMix, height: int, width: int) -> set[tuple[int, int]]:
    square = method.with_options(patch_shape="square")
    found = boxes(used_steps(drawn(square, 2000, Scene(height, width, 3, 2))))
    return {(int(x), int(y)) for x, y in found[:, 2:] - found[:, :2]}


def test_defaults_go_by_the_pictures_size() -> None:
    assert square_sides(IPMix(), 32, 32) == {(s, s) for s in (4, 8, 16, 32)}
    assert square_sides(IPMix(), 64, 64) == {(s, s) for s in (4, 8, 16, 64)}
    assert square_sides(IPMix(), 224, 224) == {(s, s) for s in (4, 8, 16, 32, 64, 224)}
    assert square_sides(IPMix(), 33, 47) == {(4, 4), (8, 8), (16, 16), (47, 33)}
    assert square_sides(IPMix(), 10, 100) == {(4, 4), (8, 8), (16, 10), (32, 10), (64, 10), (100, 10)}
    for side, severity, strength in ((32, 3.0, 3.0), (64, 3.0, 3.0), (65, 1.0, 4.0), (224, 1.0, 4.0)):
        scene = Scene(side, side, 3, 2)
        settled = IPMix(severity=severity, beta=strength)
        assert list(drawn(IPMix(), 200, scene)) == list(drawn(settled, 200, scene))


def test_a_patch_larger_than_the_picture_becomes_the_picture() -> None:
    """The paper's ImageNet list ends with 256, for pictures of 224."""
    paper = IPMix.preset("paper-imagenet")
    assert paper.patch_sizes is not None
    assert paper.patch_sizes[-1] == 256
    as_large = paper.with_options(patch_sizes=(4, 8, 16, 32, 64, 224))
    scene = Scene(224, 224, 3, 2)
    assert list(drawn(paper, 300, scene)) == list(drawn(as_large, 300, scene))
    whole_only = boxes(used_steps(drawn(paper.with_options(levels=("pixel",)), 300, scene)))
    assert np.all(whole_only == (0, 0, 224, 224))


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 64), (64, 1), (2, 2), (2, 3), (3, 3), (33, 47), (47, 33), (500, 3)]
)
@pytest.mark.parametrize("preset", ["paper-cifar", "code-imagenet"])
def test_any_size_of_picture(height: int, width: int, preset: str) -> None:
    table = drawn(IPMix.preset(preset).with_options(operations="all"), 1000, Scene(height, width, 3, 2))
    list(table[:100])  # every recipe is checked as it is made
    left, top, right, bottom = boxes(used_steps(table)).T
    assert left.min() >= 0
    assert top.min() >= 0
    assert right.max() <= width
    assert bottom.max() <= height
    assert (right - left).min() >= min(2, width)
    assert (bottom - top).min() >= min(2, height)


# --- keys -------------------------------------------------------------------------------------------------


def test_a_recipe_depends_on_its_key_alone() -> None:
    method, indices = IPMix(min_ops=0, operations="all"), np.random.default_rng(0).permutation(1000)[:300]
    together = method.draw(Keys.of(5, 6, indices), SCENE)
    backwards = method.draw(Keys.of(5, 6, indices[::-1]), SCENE)
    assert list(together) == list(backwards)[::-1]
    assert [method.draw(Keys.of(5, 6, [i]), SCENE)[0] for i in indices] == list(together)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda part: list(method.draw(Keys.of(5, 6, part), SCENE)), np.split(indices, 10)))
    assert [recipe for part in parts for recipe in part] == list(together)


@pytest.mark.parametrize("change", [{"seed": 1}, {"epoch": 1}])
def test_another_seed_or_epoch_gives_other_recipes(change: dict[str, int]) -> None:
    first, second = drawn(IPMix(), 500), drawn(IPMix(), 500, **change)
    assert np.mean(first.heads["crop_x"] == second.heads["crop_x"]) == 0
    assert sum(a == b for a, b in zip(first, second)) == 0


def test_views_share_the_picture_and_its_crop_and_nothing_else() -> None:
    first, second = drawn(IPMix(), 2000), drawn(IPMix(), 2000, view=1)
    for name in ("picture", "crop_x", "crop_y"):
        assert np.array_equal(first.heads[name], second.heads[name])
    shares = first.chains["share"][:, 0].astype(float), second.chains["share"][:, 0].astype(float)
    assert np.mean(shares[0] == shares[1]) < 0.01
    assert abs(np.corrcoef(*shares)[0, 1]) < 4 / math.sqrt(2000)
    assert np.mean(first.chains["length"] == second.chains["length"]) == within(1 / 3, 6000)


def test_no_pictures() -> None:
    table = drawn(IPMix(mix_with="original"), 100, Scene(32, 32, 3, 0))
    assert np.all(table.heads["picture"] == NO_PICTURE)
    assert not IPMix(mix_with="original").needs_pictures
    assert not IPMix(levels=("image",)).needs_pictures
    assert IPMix(levels=("pixel",)).needs_pictures
    assert len(drawn(IPMix(), 0)) == 0


# --- options ----------------------------------------------------------------------------------------------


def test_presets() -> None:
    cifar = {"patch_sizes": (4, 8, 16, 32), "severity": 3.0, "beta": 3.0}
    imagenet = {"severity": 1.0, "beta": 4.0}
    assert IPMix.preset("paper-cifar") == IPMix(**cifar)
    assert IPMix.preset("paper-imagenet") == IPMix(patch_sizes=(4, 8, 16, 32, 64, 256), **imagenet)
    authors = {"min_ops": 0, "overflow": "wrap"}
    assert IPMix.preset("code-cifar") == IPMix(**cifar, **authors, mix_with="picture")
    assert IPMix.preset("code-imagenet") == IPMix(patch_sizes=(4, 8, 16, 32, 64, 224), **imagenet, **authors)
    plain = IPMix()
    assert (plain.k, plain.t, plain.alpha, plain.min_ops, plain.operations) == (3, 3, 1.0, 1, "core")
    assert (plain.patch_shape, plain.mix_with, plain.overflow) == ("both", "both", "clip")
    assert plain.mixers == MIXERS[1:]
    assert not plain.mixes_labels
    assert METHODS["ipmix"] is IPMix


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(InputError, match="no preset 'cifar'; presets are paper-cifar, paper-imagenet, code-cifar"):
        IPMix.preset("cifar")


def test_options_may_be_given_as_lists_and_alone() -> None:
    method = IPMix(mixers="add", levels=["pixel", "image"], patch_sizes=[4, 8], operations=["invert"])  # type: ignore[arg-type]
    assert (method.mixers, method.levels, method.patch_sizes) == (("add",), ("pixel", "image"), (4, 8))
    assert hash(method) == hash(
        IPMix(mixers=("add",), levels=("pixel", "image"), patch_sizes=(4, 8), operations=("invert",))
    )
    assert method.with_options(k=2).k == 2


@pytest.mark.parametrize(
    ("option", "message"),
    [
        *(
            ({name: value}, f"{name} must be a whole number of at least")
            for name in ("k", "t")
            for value in (0, -1, 1.5)
        ),
        ({"min_ops": -1}, "min_ops must be a whole number of at least 0, got -1"),
        ({"min_ops": 4}, "min_ops must be at most t = 3, got 4"),
        *(
            ({name: value}, f"{name} must be a positive number, got")
            for name in ("alpha", "beta", "severity")
            for value in (0, -1.0, float("nan"), float("inf"), "3")
        ),
        ({"severity": 0.05}, "severity must be in 0.1 .. 10, got 0.05"),
        ({"severity": 11}, "severity must be in 0.1 .. 10, got 11"),
        ({"patch_sizes": (4, 1)}, "a patch size must be a whole number of at least 2, got 1"),
        ({"patch_sizes": (4.0,)}, "a patch size must be a whole number of at least 2, got 4.0"),
        ({"patch_sizes": ()}, "patch_sizes is empty"),
        ({"patch_sizes": 8}, "patch_sizes must be .* got 8"),
        ({"patch_shape": "round"}, "patch_shape must be one of both, square, scar, got 'round'"),
        ({"mixers": ("add", "subtract")}, "each of mixers must be one of add, multiply, .* got 'subtract'"),
        ({"mixers": ()}, "mixers is empty"),
        ({"mix_with": "fractal"}, "mix_with must be one of both, picture, original, got 'fractal'"),
        ({"levels": ("images",)}, "each of levels must be one of image, patch, pixel, got 'images'"),
        ({"levels": ()}, "levels is empty"),
        ({"operations": "most"}, "operations='most' is no group"),
        ({"operations": ("rotate", "blur")}, "unknown operation 'blur'"),
        ({"operations": ()}, "operations is empty"),
        ({"overflow": "saturate"}, "overflow must be one of clip, wrap, got 'saturate'"),
    ],
    ids=str,
)
def test_bad_options_are_refused_by_name(option: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        IPMix(**option)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="width"):
        IPMix(width=3)  # type: ignore[call-arg]


def test_missing_pictures_are_asked_for() -> None:
    with pytest.raises(InputError, match=r"needs mixing pictures and got none: pass mixing=MixingSet.generate"):
        draw(IPMix(), (2, 32, 32, 3), 0, seed=0)


@pytest.mark.parametrize(("levels", "sizes"), [(("patch",), (32, 64)), (("image", "patch"), (40,))])
def test_levels_without_a_patch_size_are_refused(levels: tuple[str, ...], sizes: tuple[int, ...]) -> None:
    method = IPMix(levels=levels, patch_sizes=sizes)
    with pytest.raises(InputError, match=r"no patch size is left for levels .*patch.* on pictures of 32x32"):
        drawn(method, 1)


def test_pixel_level_needs_no_patch_size() -> None:
    found = boxes(used_steps(drawn(IPMix(levels=("pixel",), patch_sizes=(4, 8)), 100)))
    assert np.all(found == (0, 0, 32, 32))
