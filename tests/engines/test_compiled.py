"""The compiled engine against the reference, which is the definition.

What is claimed, for every recipe that the language can express, and how it is checked. A recipe is taken apart
into its steps: the compiled engine carries out every chain up to every step (:func:`prefixes`), and each result
is compared with the *reference's* step on the *compiled* result before it. Rotations, shears and multiplications
may be one level beside the reference, every other step must be equal. So the bound holds for each step of any
chain: an error is not hidden by the steps behind it, nor does one that a later step magnifies (an inversion at a
threshold turns one level into 255) count against it. The recipe's result must then be the exact sum of its chains.
"""

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ipmix import IPMix, MixingSet
from ipmix.augmentation import Augmenter, apply, augment, draw
from ipmix.engines import reference
from ipmix.engines.compiled import kernel
from ipmix.operations import CODES, GROUPS, draw_level
from ipmix.randomness import Key
from ipmix.recipe import (
    MIXERS,
    NO_OPERATION,
    OPERATION,
    ORIGINAL,
    WHOLE,
    Chain,
    Recipe,
    RecipeTable,
    Step,
)

BESIDE = {"rotate", "shear_x", "shear_y", "multiply"}
"""What may be one level beside the reference."""

PICTURES = 4


# --- any recipe -------------------------------------------------------------------------------------------


def random_step(draws: np.random.Generator, height: int, width: int, names: list[str]) -> Step:
    """A step as wild as the language allows, levels up to severity 10."""
    mixer = str(draws.choice(["", *MIXERS[1:]], p=[0.4, 0.15, 0.15, 0.15, 0.15]))
    source = str(draws.choice(["picture", "original"]))
    name = str(draws.choice(names))
    if mixer and (source == "picture" or draws.random() < 0.2):
        name = ""
    level = 0.0
    if name:
        severity = draws.choice([0.2, 1.0, 3.0, 10.0])
        state = Key(int(draws.integers(2**40))).stream()
        level = float(np.float32(draw_level(state, CODES[name], severity, height, width)))
    if not mixer:
        return Step(operation=name, level=level)
    left, right = sorted(draws.integers(0, width + 1, 2).tolist())
    top, bottom = sorted(draws.integers(0, height + 1, 2).tolist())
    if draws.random() < 0.3:
        left, top, right, bottom = 0, 0, width, height
    a, b = draws.random(2)
    if mixer in ("add", "multiply"):
        a, b = (1 + a, -b) if draws.random() < 0.5 else (a, b)
    elif draws.random() < 0.1:
        a = draws.choice([0.0, 1.0])
    seed = int(draws.integers(2**32))
    return Step(mixer, source, name, level, left, top, right, bottom, float(np.float32(a)), float(np.float32(b)), seed)


def random_recipe(draws: np.random.Generator, height: int, width: int, names: list[str]) -> Recipe:
    """Up to six chains of up to four steps; shares of nothing and of everything among them."""
    count = int(draws.choice([0, 1, 2, 3, 4, 6], p=[0.02, 0.18, 0.2, 0.3, 0.2, 0.1]))
    shares = draws.multinomial(WHOLE, draws.dirichlet(np.full(count + 1, draws.choice([0.01, 0.3, 1.0]))))
    chains = tuple(
        Chain(share, tuple(random_step(draws, height, width, names) for _ in range(draws.integers(0, 5))))
        for share in shares[1:].tolist()
    )
    crops = draws.integers(0, 2**32, 2).tolist()
    picture = int(draws.integers(PICTURES))
    return Recipe(height, width, int(shares[0]), chains, picture, *crops, str(draws.choice(["clip", "wrap"])))


def random_table(
    seed: int, count: int, height: int, width: int, names: list[str] | tuple[str, ...] = GROUPS["all"]
) -> RecipeTable:
    draws = np.random.default_rng(seed)
    return RecipeTable.pack([random_recipe(draws, height, width, list(names)) for _ in range(count)])


# --- step by step -----------------------------------------------------------------------------------------


def prefixes(table: RecipeTable) -> tuple[np.ndarray, RecipeTable]:
    """Every chain cut off after each of its steps, alone and with all of the share.

    The first result, int[R, 3], says for each row of the table which recipe, chain and step it ends with.
    """
    lengths = table.chains["length"]
    places = np.array(
        [(i, j, s) for i, j in np.ndindex(lengths.shape) for s in range(lengths[i, j])], np.int64
    ).reshape(-1, 3)
    recipe, chain, step = places.T
    heads = table.heads[recipe]
    heads["clean"] = 0
    chains = np.zeros((len(places), 1), table.chains.dtype)
    chains["share"][:, 0] = WHOLE
    chains["length"][:, 0] = step + 1
    return places, RecipeTable(table.height, table.width, heads, chains, table.steps[recipe, chain][:, None])


def operated_originals(places: np.ndarray, table: RecipeTable, images: np.ndarray) -> dict[int, np.ndarray]:
    """What the compiled engine makes of the clean picture, for the rows that mix with that."""
    steps = table.steps[tuple(places.T)]
    rows = np.flatnonzero(
        (steps["mixer"] != OPERATION) & (steps["source"] == ORIGINAL) & (steps["operation"] != NO_OPERATION)
    )
    steps = steps[rows][:, None, None].copy()
    steps["mixer"] = OPERATION
    single = RecipeTable.empty(len(rows), 1, 1, table.height, table.width)
    single.heads["clean"] = 0
    single.chains["share"] = WHOLE
    single.chains["length"] = 1
    single = RecipeTable(table.height, table.width, single.heads, single.chains, steps)
    return dict(zip(rows.tolist(), apply(single, images[places[rows, 0]])))


def difference(got: np.ndarray, expected: np.ndarray, *, around: bool = False) -> np.ndarray:
    """Levels between two pictures; ``around``: 255 and 0 are neighbours, as they are where values wrap."""
    levels = np.abs(got.astype(np.int16) - expected)
    return np.minimum(levels, 256 - levels) if around else levels


def check(table: RecipeTable, images: np.ndarray, mixing: np.ndarray) -> dict[str, float]:
    """Check a table as this file's beginning says; how many of the bytes were one level beside, by step."""
    planes = mixing.transpose(0, 3, 1, 2)
    recipes = list(table)
    crops = [reference.crop(recipe, planes) for recipe in recipes]
    places, cut = prefixes(table)
    results = apply(cut, images[places[:, 0]], mixing, threads=2)
    originals = operated_originals(places, table, images)
    beside: dict[str, list[float]] = {}
    totals = table.heads["clean"][:, None, None, None] * images.astype(np.int64)
    for i, j in np.argwhere(table.chains["length"] == 0):
        totals[i] += int(table.chains[i, j]["share"]) * images[i].astype(np.int64)

    def compare(name: str, got: np.ndarray, expected: np.ndarray, row: int, *, around: bool = False) -> None:
        levels = difference(got, expected, around=around)
        i, j, s = places[row]
        most = levels.max(initial=0)
        assert most <= (name in BESIDE), f"{name} is {most} levels off in chain {j}, step {s} of\n{recipes[i]}"
        beside.setdefault(name, []).append(float(levels.mean()) if levels.size else 0.0)

    for row, (i, j, s) in enumerate(places.tolist()):
        recipe, clean = recipes[i], images[i]
        step = recipe.chains[j].steps[s]
        before = clean if s == 0 else results[row - 1]
        if not step.mixer:
            compare(step.operation, results[row], reference.operate(step.operation, before, step.level), row)
        else:
            other = crops[i]
            if step.source == "original":
                other = originals.get(row, clean)
                if step.operation:
                    compare(step.operation, other, reference.operate(step.operation, clean, step.level), row)
            box = (slice(step.top, step.bottom), slice(step.left, step.right))
            mixed = reference.mix(step, before[box], other[box], recipe.overflow)
            compare(step.mixer, results[row][box], mixed, row, around=recipe.overflow == "wrap")
            outside = before.copy()
            outside[box] = results[row][box]
            assert np.array_equal(results[row], outside), f"{step} has changed pixels outside its box"
        if s == len(recipe.chains[j].steps) - 1:
            totals[i] += recipe.chains[j].share * results[row].astype(np.int64)

    assert np.array_equal(apply(table, images, mixing), (totals + WHOLE // 2) // WHOLE)
    return {name: float(np.mean(shares)) for name, shares in beside.items()}


# 10,610 recipes in all, with those drawn by IPMix below.
SHAPES = [
    *((12, 9, 3, 5000), (9, 12, 1, 1200), (11, 14, 4, 1000), (13, 8, 8, 600)),
    *((1, 1, 3, 300), (1, 1, 1, 100), (1, 1, 8, 60)),
    *((1, 64, 3, 150), (1, 64, 1, 60), (64, 1, 3, 150), (64, 1, 4, 60), (2, 3, 3, 300), (3, 2, 4, 100)),
    *((33, 47, 3, 150), (33, 47, 1, 60), (33, 47, 4, 40), (33, 47, 8, 30), (47, 33, 3, 60)),
    *((32, 32, 3, 500), (32, 32, 1, 100), (32, 32, 4, 60), (32, 32, 8, 40)),
    *((224, 224, 3, 30), (224, 224, 1, 20)),
]


@pytest.mark.parametrize(("height", "width", "channels", "count"), SHAPES)
def test_every_step_is_the_references(height: int, width: int, channels: int, count: int, make_pictures: Any) -> None:
    table = random_table(height * 1000 + width * 10 + channels, count, height, width)
    images = make_pictures(count, height, width, channels, seed=height)
    mixing = make_pictures(PICTURES, height + 5, width + 3, channels, seed=99)
    beside = check(table, images, mixing)
    if count >= 500:  # enough to have met everything
        assert beside.keys() == {*GROUPS["all"], *MIXERS[1:]}
        assert all(share == 0 for name, share in beside.items() if name not in BESIDE)
        assert max(beside.values()) < 0.02


def test_recipes_in_all() -> None:
    assert sum(count for *_, count in SHAPES) + 4 * 150 + 50 >= 10_000


@pytest.mark.parametrize("preset", ["paper-cifar", "paper-imagenet", "code-cifar", "code-imagenet"])
def test_what_ipmix_draws(preset: str, make_pictures: Any) -> None:
    images, mixing = make_pictures(150, 32, 32), make_pictures(PICTURES, 36, 36, seed=5)
    method = IPMix.preset(preset).with_options(operations="all", severity=10.0, k=6, t=4)
    check(draw(method, images.shape, PICTURES, seed=3), images, mixing)


def test_what_ipmix_draws_for_large_pictures(make_pictures: Any) -> None:
    images, mixing = make_pictures(50, 224, 224), make_pictures(PICTURES, 256, 256, seed=5)
    check(draw(IPMix(t=2), images.shape, PICTURES, seed=4), images, mixing)


# --- single operations ------------------------------------------------------------------------------------


def one(height: int, width: int, *steps: Step, overflow: str = "clip") -> RecipeTable:
    """The table of one recipe that is one chain."""
    return RecipeTable.pack([Recipe(height, width, 0, (Chain(WHOLE, steps),), 0, 0, 0, overflow)])


def both(table: RecipeTable, images: np.ndarray, mixing: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    mixing = images if mixing is None else mixing
    got, expected = (apply(table, images, mixing, engine=engine) for engine in ("compiled", "reference"))
    return got, expected


LEVELS: dict[str, list[float]] = {
    "posterize": [1, 2, 3, 4, 7, 8],
    "rotate": [0, 1, -1, 8, -29, 0.25, 44, 45, 90, -90, 135, 180, 270, 359, 360, 1000],
    "solarize": [-1, 0, 1, 100, 128, 255, 256, 300],
    "shear_x": [0, 0.003, -0.003, 0.09, 0.3, -0.3, 1, -2.5, 50],
    "translate_x": [0, 1, -1, 3, -10, 31, 32, 33, 34, -33, 47, -48, 500],
    "autocontrast": [0, 0.1, 1, 5, 9.9, 20, 49, 50, 51, 99, 100],
    "color": [0, 0.1, 0.118, 0.5, 1, 1.5, 1.9, -1, 5],
}
LEVELS |= {"shear_y": LEVELS["shear_x"], "translate_y": LEVELS["translate_x"]}
LEVELS |= dict.fromkeys(("contrast", "brightness", "sharpness"), LEVELS["color"])


@pytest.mark.parametrize("name", CODES)
def test_single_operations_at_the_ends_of_their_range_and_beyond(name: str, make_pictures: Any) -> None:
    flat = np.full((1, 64, 64, 3), (0, 128, 255), np.uint8)
    for channels in (1, 3, 4, 8):
        for height, width in ((33, 47), (1, 1), (2, 2), (1, 64), (64, 1), (3, 3)):
            images = make_pictures(3, height, width, channels, seed=7)
            batches = [images, flat[:, :height, :width]] if channels == 3 else [images]
            for level in LEVELS.get(name, [0]):
                step = Step(operation=name, level=float(np.float32(level)))
                for batch in batches:
                    table = RecipeTable.pack(list(one(height, width, step)) * len(batch))
                    got, expected = both(table, batch)
                    assert difference(got, expected).max() <= (name in BESIDE), (step, height, width, channels)


@pytest.mark.parametrize("mixer", MIXERS[1:])
@pytest.mark.parametrize("box", [(0, 0, 0, 0), (5, 0, 5, 9), (0, 9, 9, 9), (9, 9, 9, 9)])
def test_an_empty_box_changes_nothing(mixer: str, box: tuple[int, int, int, int], make_pictures: Any) -> None:
    images = make_pictures(1, 9, 9)
    step = Step(mixer, "picture", "", 0.0, *box, 0.5, 0.5)
    got, expected = both(one(9, 9, step), images)
    assert np.array_equal(got, images)
    assert np.array_equal(expected, images)


def test_chains_of_turns_and_shears_stay_within_a_level_for_each_step(make_pictures: Any) -> None:
    """Interpolation magnifies nothing: n steps are at most n levels away from the reference's whole chain."""
    draws = np.random.default_rng(0)
    images = make_pictures(200, 24, 21)
    names = ["rotate", "shear_x", "shear_y", "translate_x", "mirror"]
    chains = []
    for _ in images:
        steps: list[Step] = []
        while len(steps) < 6:
            step = random_step(draws, 24, 21, names)
            steps += [step] if not step.mixer else []
        chains.append(steps)
    table = RecipeTable.pack([next(iter(one(24, 21, *steps))) for steps in chains])
    for image, got, expected, steps in zip(images, *both(table, images), chains):
        assert difference(got, expected).max() <= sum(step.operation in BESIDE for step in steps), image.shape


EVERY_BYTE = np.arange(256, dtype=np.uint8)
EVERY_PAIR = np.stack([np.repeat(EVERY_BYTE, 256), np.tile(EVERY_BYTE, 256)]).reshape(2, 1, 256, 256, 1)


@pytest.mark.parametrize("overflow", ["clip", "wrap"])
@pytest.mark.parametrize("mixer", ["add", "multiply"])
def test_mixers_on_every_pair_of_bytes(mixer: str, overflow: str) -> None:
    draws = np.random.default_rng(0)
    coefficients = [*draws.random((20, 2)), *((1 + a, -b) for a, b in draws.random((20, 2)))]
    coefficients += [(0, 0), (1, 0), (0, 1), (1, 1), (2, -1), (1, -1), (1.5, -0.001), (0.001, 0.999)]
    shares = []
    for a, b in coefficients:
        step = Step(mixer, right=256, bottom=256, a=float(np.float32(a)), b=float(np.float32(b)))
        got, expected = both(one(256, 256, step, overflow=overflow), *EVERY_PAIR)
        levels = difference(got, expected, around=overflow == "wrap")
        assert levels.max() <= (mixer in BESIDE), (a, b)
        shares.append((levels > 0).mean())
    assert np.mean(shares) < 0.001


def test_recipes_without_steps_that_may_differ_are_equal_as_a_whole(make_pictures: Any) -> None:
    names = [name for name in GROUPS["all"] if name not in BESIDE]
    mixers = [name for name in MIXERS[1:] if name not in BESIDE]
    images, mixing = make_pictures(250, 32, 32), make_pictures(PICTURES, 36, 36, seed=5)
    for overflow in ("clip", "wrap"):
        method = IPMix(k=4, operations=tuple(names), mixers=tuple(mixers), overflow=overflow, severity=10.0)
        forms = [augment(images, method, mixing, seed=1, engine=engine) for engine in ("compiled", "reference")]
        assert np.array_equal(*forms)


def test_whole_recipes_are_nearly_always_equal(make_pictures: Any) -> None:
    """Even with everything in it: what is one level beside in a chain mostly vanishes in the rounded sum."""
    images, mixing = make_pictures(250, 32, 32), make_pictures(PICTURES, 36, 36, seed=5)
    got, expected = (augment(images, IPMix(), mixing, seed=2, engine=engine) for engine in ("compiled", "reference"))
    assert (difference(got, expected) > 0).mean() < 0.003
    assert (difference(got, expected) > 1).mean() < 0.0003


# --- shares -----------------------------------------------------------------------------------------------

INVERT = (Step(operation="invert"),)
SHARES = [
    (WHOLE, [0]),
    (0, [WHOLE]),
    (WHOLE, [0, 0]),
    (0, [0, WHOLE]),
    (WHOLE - 1, [1]),
    (1, [WHOLE - 1, 0]),
    (0, [16384, 16384]),
    (WHOLE, [0, 0, 0]),
    (0, [0, 0, WHOLE]),
    (0, [WHOLE, 0, 0, 0, 0]),
    (10922, [10923, 10923]),
    (5462, [5461, 5461, 5461, 5461, 5462]),
]


@pytest.mark.parametrize(("clean", "shares"), SHARES)
@pytest.mark.parametrize("output", ["uint8", "float32"])
@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
def test_shares_of_nothing_and_of_everything(
    clean: int, shares: list[int], output: str, layout: str, images: np.ndarray
) -> None:
    recipe = Recipe(32, 32, clean, tuple(Chain(share, INVERT) for share in shares))
    table = RecipeTable.pack([recipe] * len(images))
    got, expected = (apply(table, images, engine=e, output=output, layout=layout) for e in ("compiled", "reference"))
    assert np.array_equal(got, expected)


def test_sums_at_the_edge_of_rounding() -> None:
    """Every byte blended with its inverse by shares around one half."""
    image = np.broadcast_to(EVERY_BYTE[None, None, :, None], (1, 1, 256, 3))
    for clean in (*range(16380, 16389), 1, 2, 16384 // 3, WHOLE - 1):
        table = RecipeTable.pack([Recipe(1, 256, clean, (Chain(WHOLE - clean, INVERT),))])
        got = apply(table, image)[0, 0, :, 0]
        values = EVERY_BYTE.astype(np.int64)
        assert np.array_equal(got, (clean * values + (WHOLE - clean) * (255 - values) + WHOLE // 2) // WHOLE)


# --- forms, threads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 4, 8])
@pytest.mark.parametrize("chains", [2, 3, 6])
def test_every_form_of_the_result_tells_the_same(channels: int, chains: int, make_pictures: Any) -> None:
    count, height, width = 24, 19, 23
    images = make_pictures(count, height, width, channels)
    mixing = make_pictures(PICTURES, 25, 27, channels, seed=5)
    exact = [name for name in GROUPS["all"] if name not in BESIDE]
    method = IPMix(k=chains, operations=tuple(exact), mixers=("add", "random_pixels", "random_elements"), severity=10.0)
    table = draw(method, images.shape, PICTURES, seed=chains)
    mean, std = np.linspace(0.3, 0.6, channels), np.linspace(0.2, 0.4, channels)
    for output, numbers in (("uint8", {}), ("float32", {}), ("float32", {"mean": mean, "std": std})):
        expected = apply(table, images, mixing, engine="reference", output=output, **numbers)  # type: ignore[arg-type]
        for layout in ("nhwc", "nchw"):
            wanted = expected if layout == "nhwc" else expected.transpose(0, 3, 1, 2)
            for threads in (1, 2, 3, 7, 40):
                out = np.full(wanted.shape, 77, output)
                got = apply(table, images, mixing, output=output, layout=layout, threads=threads, out=out, **numbers)  # type: ignore[arg-type]
                assert got is out
                assert np.array_equal(got, wanted), (output, layout, threads)


def test_float32_is_the_formula_of_the_sum(images: np.ndarray, mixing_pictures: np.ndarray) -> None:
    """Also where steps may be one level beside: with no chain but a rotation, the sum is the bytes."""
    table = RecipeTable.pack(list(one(32, 32, Step(operation="rotate", level=5.0))) * len(images))
    values = apply(table, images, mixing_pictures).astype(np.float64)
    got = apply(table, images, mixing_pictures, output="float32", mean=0.5, std=0.25)
    assert np.abs(got - (values / 255 - 0.5) / 0.25).max() < 2e-6


def test_calls_from_many_threads_at_once(images: np.ndarray, mixing_pictures: np.ndarray) -> None:
    expected = [augment(images, IPMix(), mixing_pictures, seed=s) for s in range(4)]
    found: dict[int, np.ndarray] = {}

    def work(seed: int) -> None:
        for _ in range(5):
            found[seed] = augment(images, IPMix(), mixing_pictures, seed=seed, threads=2)

    threads = [threading.Thread(target=work, args=(s,)) for s in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[s], expected[s]) for s in range(4))


def test_inputs_are_left_alone(images: np.ndarray, mixing_pictures: np.ndarray) -> None:
    copies = images.copy(), mixing_pictures.copy()
    table = draw(IPMix(k=6, operations="all"), images.shape, len(mixing_pictures), seed=0)
    before = [array.tobytes() for array in (table.heads, table.chains, table.steps)]
    apply(table, images, mixing_pictures)
    assert np.array_equal(images, copies[0])
    assert np.array_equal(mixing_pictures, copies[1])
    assert [array.tobytes() for array in (table.heads, table.chains, table.steps)] == before


def test_nothing_is_compiled_twice(images: np.ndarray, mixing_pictures: np.ndarray) -> None:
    """Neither for read-only or sliced arrays, nor for parts of tables: compiling takes many seconds, and
    :class:`Augmenter` counts on there being one form of the machine code."""
    table = draw(IPMix(), images.shape, len(mixing_pictures), seed=0)
    writeable, pictures = images.copy(), mixing_pictures.copy()
    assert writeable.flags.writeable
    assert not images.flags.writeable
    expected = apply(table, writeable, pictures)
    assert np.array_equal(apply(table, images, mixing_pictures), expected)
    assert np.array_equal(apply(table[::2], images[::2], pictures), expected[::2])
    assert np.array_equal(apply(table, images, MixingSet.array(mixing_pictures)), expected)
    table.steps.flags.writeable = False
    assert np.array_equal(apply(table, images, pictures), expected)
    assert apply(table, images, pictures, output="float32", layout="nchw", mean=0.5).shape == (12, 3, 32, 32)
    augmenter = Augmenter(IPMix(), mixing_pictures, shape=images.shape[1:], seed=0)
    for index in (3, 0, 11):
        assert np.array_equal(augmenter(images[index], index=index), expected[index])
    assert len(kernel.apply_range.overloads) == 1


def test_the_result_does_not_depend_on_what_was_done_before(make_pictures: Any) -> None:
    """Working space is reused from picture to picture: nothing of the last one may show."""
    images, mixing = make_pictures(60, 17, 13, 4), make_pictures(PICTURES, 20, 20, 4, seed=5)
    table = random_table(5, 60, 17, 13)
    together = apply(table, images, mixing)
    backwards = apply(table[::-1], images[::-1], mixing)[::-1]
    alone = np.concatenate([apply(table[i : i + 1], images[i : i + 1], mixing) for i in range(60)])
    assert np.array_equal(together, backwards)
    assert np.array_equal(together, alone)


# --- the comparison can fail ------------------------------------------------------------------------------

SOUND = Recipe(
    32,
    32,
    8000,
    (
        Chain(12000, (Step(operation="posterize", level=3.0), Step("add", "picture", "", 0.0, 2, 3, 30, 31, 0.8, 0.3))),
        Chain(12768, (Step("random_pixels", "original", "invert", 0.0, 4, 4, 20, 24, 0.5, 0.0, 77),)),
    ),
    2,
    2**31,
    2**31,
    "wrap",
)
MUTATIONS: dict[str, Any] = {
    "clean": {"clean": 7000, "chain": {"share": 13000}},
    "picture": {"picture": 1},
    "crop_x": {"crop_x": 0},
    "crop_y": {"crop_y": 2**32 - 1},
    "overflow": {"overflow": "clip"},
    "length": {"chain": {"steps": SOUND.chains[0].steps[:1]}},
    **{
        f"{name} {place}": {"place": place, "step": {name: value}}
        for place, name, value in (
            *((0, "operation", "solarize"), (0, "level", 2.0), (1, "mixer", "multiply"), (1, "source", "original")),
            *((1, "left", 3), (1, "top", 4), (1, "right", 29), (1, "bottom", 30), (1, "a", 0.81), (1, "b", 0.25)),
        )
    },
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_wrong_field_is_noticed(name: str, images: np.ndarray, mixing_pictures: np.ndarray) -> None:
    changes = dict(MUTATIONS[name])
    first = replace(SOUND.chains[0], **changes.pop("chain", {}))
    if "place" in changes:
        steps = list(first.steps)
        place = changes.pop("place")
        steps[place] = replace(steps[place], **changes.pop("step"))
        first = replace(first, steps=tuple(steps))
    wrong = replace(SOUND, chains=(first, SOUND.chains[1]), **changes)
    count = len(images)
    sound = apply(RecipeTable.pack([SOUND] * count), images, mixing_pictures)
    assert np.array_equal(sound, apply(RecipeTable.pack([SOUND] * count), images, mixing_pictures, engine="reference"))
    other = apply(RecipeTable.pack([wrong] * count), images, mixing_pictures, engine="reference")
    assert not np.array_equal(sound, other)


@pytest.mark.parametrize(("name", "value"), [("seed", 78), ("a", 0.49), ("operation", "mirror"), ("mixer", "add")])
def test_a_wrong_field_of_a_random_mixer_is_noticed(name: str, value: Any, images: np.ndarray) -> None:
    step = SOUND.chains[1].steps[0]
    got, expected = both(one(32, 32, step), images[:1])
    assert np.array_equal(got, expected)
    _, other = both(one(32, 32, replace(step, **{name: value})), images[:1])
    assert not np.array_equal(got, other)


def test_a_step_that_is_two_levels_off_is_noticed(
    images: np.ndarray, mixing_pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = random_table(11, len(images), 32, 32)
    check(table, images, mixing_pictures)
    operate = reference.operate
    monkeypatch.setattr(
        reference, "operate", lambda name, image, level: operate(name, image, level) ^ (2 * (name == "rotate"))
    )
    with pytest.raises(AssertionError, match=r"rotate is [23]"):
        check(random_table(12, 12, 32, 32, ["rotate"]), images, mixing_pictures)
