"""The compiled engine against the reference, step by step (see ``step_by_step.py``) and as a whole."""

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numba import none
from step_by_step import BESIDE, IMAGES, check, difference, random_step, random_table

from ipmix import IPMix, MixingSet
from ipmix.augmentation.batches import apply, augment, draw
from ipmix.augmentation.single import Augmenter
from ipmix.engines import compiled as compiled_engine
from ipmix.engines import reference
from ipmix.engines.compiled import kernel
from ipmix.engines.compiled.workspace import make_workspace
from ipmix.recipe.format import MIXERS, OVERFLOWS, WHOLE
from ipmix.recipe.operations import CODES, GROUPS
from ipmix.recipe.recipe import Chain, Recipe, Step
from ipmix.recipe.table import RecipeTable

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
def test_every_step_is_the_references(height: int, width: int, channels: int, count: int, make_images: Any) -> None:
    table = random_table(height * 1000 + width * 10 + channels, count, height, width)
    images = make_images(count, height, width, channels, seed=height)
    mixing = make_images(IMAGES, height + 5, width + 3, channels, seed=99)
    beside = check(table, images, mixing)
    if count >= 500:  # enough to have met everything
        assert beside.keys() == {*GROUPS["all"], *MIXERS[1:]}
        assert all(share == 0 for name, share in beside.items() if name not in BESIDE)
        assert max(beside.values()) < 0.02


def test_recipes_in_all() -> None:
    assert sum(count for *_, count in SHAPES) + 4 * 150 + 50 >= 10_000


@pytest.mark.parametrize("preset", ["paper-cifar", "paper-imagenet", "code-cifar", "code-imagenet"])
def test_what_ipmix_draws(preset: str, make_images: Any) -> None:
    images, mixing = make_images(150, 32, 32), make_images(IMAGES, 36, 36, seed=5)
    method = IPMix.preset(preset).with_options(operations="all", severity=10.0, k=6, t=4)
    check(draw(method, images.shape, IMAGES, seed=3), images, mixing)


def test_what_ipmix_draws_for_large_images(make_images: Any) -> None:
    images, mixing = make_images(50, 224, 224), make_images(IMAGES, 256, 256, seed=5)
    check(draw(IPMix(t=2), images.shape, IMAGES, seed=4), images, mixing)


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
def test_single_operations_at_the_ends_of_their_range_and_beyond(name: str, make_images: Any) -> None:
    flat = np.full((1, 64, 64, 3), (0, 128, 255), np.uint8)
    for channels in (1, 3, 4, 8):
        for height, width in ((33, 47), (1, 1), (2, 2), (1, 64), (64, 1), (3, 3)):
            images = make_images(3, height, width, channels, seed=7)
            batches = [images, flat[:, :height, :width]] if channels == 3 else [images]
            for level in LEVELS.get(name, [0]):
                step = Step(operation=name, level=float(np.float32(level)))
                for batch in batches:
                    table = RecipeTable.pack(list(one(height, width, step)) * len(batch))
                    got, expected = both(table, batch)
                    assert difference(got, expected).max() <= (name in BESIDE), (step, height, width, channels)


@pytest.mark.parametrize("mixer", MIXERS[1:])
@pytest.mark.parametrize("box", [(0, 0, 0, 0), (5, 0, 5, 9), (0, 9, 9, 9), (9, 9, 9, 9)])
def test_an_empty_box_changes_nothing(mixer: str, box: tuple[int, int, int, int], make_images: Any) -> None:
    images = make_images(1, 9, 9)
    step = Step(mixer, "mixing_image", "", 0.0, *box, *((7, 7) if mixer == "fill" else (0.5, 0.5)))
    got, expected = both(one(9, 9, step), images)
    assert np.array_equal(got, images)
    assert np.array_equal(expected, images)


def test_chains_of_turns_and_shears_stay_within_a_level_for_each_step(make_images: Any) -> None:
    """Interpolation magnifies nothing: n steps are at most n levels away from the reference's whole chain."""
    draws = np.random.default_rng(0)
    images = make_images(200, 24, 21)
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


@pytest.mark.parametrize("overflow", OVERFLOWS)
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


def test_recipes_without_steps_that_may_differ_are_equal_as_a_whole(make_images: Any) -> None:
    names = [name for name in GROUPS["all"] if name not in BESIDE]
    mixers = [name for name in IPMix().mixers if name not in BESIDE]
    images, mixing = make_images(250, 32, 32), make_images(IMAGES, 36, 36, seed=5)
    for overflow in OVERFLOWS:
        method = IPMix(k=4, operations=tuple(names), mixers=tuple(mixers), overflow=overflow, severity=10.0)
        forms = [augment(images, method, mixing, seed=1, engine=engine) for engine in ("compiled", "reference")]
        assert np.array_equal(*forms)


def test_whole_recipes_are_nearly_always_equal(make_images: Any) -> None:
    """Even with everything in it: what is one level beside in a chain mostly vanishes in the rounded sum."""
    images, mixing = make_images(250, 32, 32), make_images(IMAGES, 36, 36, seed=5)
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
def test_every_form_of_the_result_tells_the_same(channels: int, chains: int, make_images: Any) -> None:
    count, height, width = 24, 19, 23
    images = make_images(count, height, width, channels)
    mixing = make_images(IMAGES, 25, 27, channels, seed=5)
    exact = [name for name in GROUPS["all"] if name not in BESIDE]
    method = IPMix(k=chains, operations=tuple(exact), mixers=("add", "random_pixels", "random_elements"), severity=10.0)
    table = draw(method, images.shape, IMAGES, seed=chains)
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


@pytest.mark.parametrize("channels", [1, 3, 4, 8])
@pytest.mark.parametrize("chains", [2, 3, 6])
def test_streamed_results_and_images_of_which_only_rows_are_copied(
    channels: int, chains: int, make_images: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large images keep only the mixed rows of a chain, and large results pass by the caches, wherever they lie."""
    count, height, width = 6, 101, 97
    assert height * width > kernel.SMALL
    images = make_images(count, height, width, channels)
    mixing = make_images(IMAGES, 103, 99, channels, seed=5)
    exact = [name for name in GROUPS["all"] if name not in BESIDE]
    method = IPMix(
        k=chains, operations=tuple(exact), mixers=("add", "random_pixels", "random_elements"), severity=10.0,
        patch_sizes=(4, 16, 40, 101),
    )  # fmt: skip
    table = draw(method, images.shape, IMAGES, seed=chains)
    for output, numbers in (("uint8", {}), ("float32", {"mean": 0.4, "std": 0.3})):
        expected = apply(table, images, mixing, engine="reference", output=output, **numbers)  # type: ignore[arg-type]
        for layout, wanted in (("nhwc", expected), ("nchw", expected.transpose(0, 3, 1, 2))):
            for streamed, ahead in ((0, 0), (0, 1), (0, 13), (2**40, 3)):
                monkeypatch.setattr(compiled_engine, "STREAMED", streamed)
                whole = np.full(wanted.size + ahead + 1, 77, output)
                out = whole[ahead : ahead + wanted.size].reshape(wanted.shape)
                apply(table, images, mixing, output=output, layout=layout, out=out, **numbers)  # type: ignore[arg-type]
                assert np.array_equal(out, wanted), (output, layout, streamed, ahead)
                assert (whole[:ahead] == 77).all()
                assert whole[-1] == 77


def test_float32_is_the_formula_of_the_sum(images: np.ndarray, mixing_images: np.ndarray) -> None:
    """Also where steps may be one level beside: with no chain but a rotation, the sum is the bytes."""
    table = RecipeTable.pack(list(one(32, 32, Step(operation="rotate", level=5.0))) * len(images))
    values = apply(table, images, mixing_images).astype(np.float64)
    got = apply(table, images, mixing_images, output="float32", mean=0.5, std=0.25)
    assert np.abs(got - (values / 255 - 0.5) / 0.25).max() < 2e-6


def test_calls_from_many_threads_at_once(images: np.ndarray, mixing_images: np.ndarray) -> None:
    expected = [augment(images, IPMix(), mixing_images, seed=s) for s in range(4)]
    found: dict[int, np.ndarray] = {}

    def work(seed: int) -> None:
        for _ in range(5):
            found[seed] = augment(images, IPMix(), mixing_images, seed=seed, threads=2)

    threads = [threading.Thread(target=work, args=(s,)) for s in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[s], expected[s]) for s in range(4))


def test_inputs_are_left_alone(images: np.ndarray, mixing_images: np.ndarray) -> None:
    copies = images.copy(), mixing_images.copy()
    table = draw(IPMix(k=6, operations="all"), images.shape, len(mixing_images), seed=0)
    before = [array.tobytes() for array in (table.heads, table.chains, table.steps)]
    apply(table, images, mixing_images)
    assert np.array_equal(images, copies[0])
    assert np.array_equal(mixing_images, copies[1])
    assert [array.tobytes() for array in (table.heads, table.chains, table.steps)] == before


def test_nothing_is_compiled_twice(images: np.ndarray, mixing_images: np.ndarray) -> None:
    """Neither for read-only or sliced arrays, nor for parts of tables: compiling takes many seconds, and
    :class:`Augmenter` looks for the one form of the machine code that fits."""
    table = draw(IPMix(), images.shape, len(mixing_images), seed=0)
    writeable, sample_images = images.copy(), mixing_images.copy()
    assert writeable.flags.writeable
    assert not images.flags.writeable
    expected = apply(table, writeable, sample_images)
    assert np.array_equal(apply(table, images, mixing_images), expected)
    assert np.array_equal(apply(table[::2], images[::2], sample_images), expected[::2])
    assert np.array_equal(apply(table, images, MixingSet.array(mixing_images)), expected)
    table.steps.flags.writeable = False
    assert np.array_equal(apply(table, images, sample_images), expected)
    assert apply(table, images, sample_images, output="float32", layout="nchw", mean=0.5).shape == (12, 3, 32, 32)
    augmenter = Augmenter(IPMix(), mixing_images, shape=images.shape[1:], seed=0)
    for index in (3, 0, 11):
        assert np.array_equal(augmenter(images[index], index=index, epoch=0), expected[index])
    forms = [types[-3:] for types in kernel.apply_range.overloads]
    assert len(forms) == len(set(forms))
    whole = [form[2] for form in forms if none not in form[:2]]  # with rare operations, and without them
    assert 0 < len(whole) <= 2


def test_the_result_does_not_depend_on_what_was_done_before(make_images: Any) -> None:
    """Working space is reused from image to image: nothing of the last one may show."""
    images, mixing = make_images(60, 17, 13, 4), make_images(IMAGES, 20, 20, 4, seed=5)
    table = random_table(5, 60, 17, 13)
    partners = table.heads["partner"].copy()
    together = apply(table, images, mixing)

    def moved(rows: list[int], partners: Any) -> RecipeTable:
        """Some rows of the table, with the places where their partners are now."""
        heads = table.heads[rows]
        heads["partner"] = partners
        return RecipeTable(17, 13, heads, table.chains[rows], table.steps[rows])

    backwards = apply(moved(list(range(59, -1, -1)), 59 - partners[::-1]), images[::-1], mixing)[::-1]
    alone = np.stack([apply(moved([i, i], 1), images[[i, partners[i]]], mixing)[0] for i in range(60)])
    assert np.array_equal(together, backwards)
    assert np.array_equal(together, alone)


# --- the comparison can fail ------------------------------------------------------------------------------

SOUND = Recipe(
    32,
    32,
    8000,
    (
        Chain(
            12000,
            (Step(operation="posterize", level=3.0), Step("add", "mixing_image", "", 0.0, 2, 3, 30, 31, 0.8, 0.3)),
        ),
        Chain(12768, (Step("random_pixels", "original", "invert", 0.0, 4, 4, 20, 24, 0.5, 0.0, 77),)),
    ),
    2,
    2**31,
    2**31,
    "wrap",
)
MUTATIONS: dict[str, Any] = {
    "clean": {"clean": 7000, "chain": {"share": 13000}},
    "mixing_image": {"mixing_image": 1},
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
def test_a_wrong_field_is_noticed(name: str, images: np.ndarray, mixing_images: np.ndarray) -> None:
    changes = dict(MUTATIONS[name])
    first = replace(SOUND.chains[0], **changes.pop("chain", {}))
    if "place" in changes:
        steps = list(first.steps)
        place = changes.pop("place")
        steps[place] = replace(steps[place], **changes.pop("step"))
        first = replace(first, steps=tuple(steps))
    wrong = replace(SOUND, chains=(first, SOUND.chains[1]), **changes)
    count = len(images)
    sound = apply(RecipeTable.pack([SOUND] * count), images, mixing_images)
    assert np.array_equal(sound, apply(RecipeTable.pack([SOUND] * count), images, mixing_images, engine="reference"))
    other = apply(RecipeTable.pack([wrong] * count), images, mixing_images, engine="reference")
    assert not np.array_equal(sound, other)


@pytest.mark.parametrize(("name", "value"), [("seed", 78), ("a", 0.49), ("operation", "mirror"), ("mixer", "add")])
def test_a_wrong_field_of_a_random_mixer_is_noticed(name: str, value: Any, images: np.ndarray) -> None:
    step = SOUND.chains[1].steps[0]
    got, expected = both(one(32, 32, step), images[:1])
    assert np.array_equal(got, expected)
    _, other = both(one(32, 32, replace(step, **{name: value})), images[:1])
    assert not np.array_equal(got, other)


def test_a_step_that_is_two_levels_off_is_noticed(
    images: np.ndarray, mixing_images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = random_table(11, len(images), 32, 32)
    check(table, images, mixing_images)
    operate = reference.operate
    monkeypatch.setattr(
        reference, "operate", lambda name, image, level: operate(name, image, level) ^ (2 * (name == "rotate"))
    )
    with pytest.raises(AssertionError, match=r"rotate is [23]"):
        check(random_table(12, 12, 32, 32, ["rotate"]), images, mixing_images)


def test_autocontrast_looks_for_the_ends_only(make_images: Any) -> None:
    """By itself, behind a table, behind another histogram, with a cutoff, and in a box: all as the reference has it."""
    images = make_images(20, 32, 32) // 3 + 40
    auto, equalize, solarize = (Step(operation=name, level=90.0) for name in ("autocontrast", "equalize", "solarize"))
    auto, cut = replace(auto, level=0.0), replace(auto, level=10.0)
    boxed = Step("add", "original", "autocontrast", 0.0, 3, 4, 20, 30, a=1.0, b=0.5)
    for steps in ([auto], [auto, auto], [solarize, auto], [equalize, auto], [cut], [auto, cut], [boxed], [boxed, auto]):
        for before in ([], [equalize]):
            chains = (Chain(WHOLE // 2, tuple(before)), Chain(WHOLE // 2, tuple(steps)))
            table = RecipeTable.pack([Recipe(32, 32, 0, chains)] * len(images))
            got, expected = both(table, images)
            assert np.array_equal(got, expected), steps


def test_a_thread_keeps_the_workspace_of_small_images_only(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int, ...]] = []

    def counted(*size: int) -> Any:
        made.append(size)
        return make_workspace(*size)

    monkeypatch.setattr(compiled_engine, "make_workspace", counted)
    monkeypatch.setattr(compiled_engine, "KEPT_MOST", 20 * 20 * 3)
    for side, calls in ((20, 1), (21, 3)):
        images = np.zeros((2, side, side, 3), np.uint8)
        table = RecipeTable.empty(2, 7, 1, side, side)
        for _ in range(3):
            assert np.array_equal(apply(table, images), images)
        assert made == [(side, side, 3, 7)] * calls
        made.clear()
