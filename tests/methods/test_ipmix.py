"""IPMix against Algorithm 1 written out in plain Python; sizes, keys and options."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from ipmix_tables import SCENE, boxes, drawn, used_steps, within

from ipmix import IPMix
from ipmix.augmentation.batches import draw
from ipmix.core.errors import InputError
from ipmix.core.randomness import SHARED_VIEW, Key, Keys, below, beta, bits, dirichlet, uniform
from ipmix.methods import METHODS
from ipmix.methods.drawing import draw_level
from ipmix.recipe.format import NO_MIXING_IMAGE, WHOLE
from ipmix.recipe.operations import CODES, GROUPS
from ipmix.recipe.recipe import Chain, ImageSpec, Recipe, Step

# --- Algorithm 1 ------------------------------------------------------------------------------------------


def algorithm_1(method: IPMix, key: Key, scene: ImageSpec) -> Recipe:
    """Algorithm 1 of the paper's appendix, line by line, for one image; the choices that the appendix leaves
    open (a patch's place and shape, the coefficients) as in the authors' code.

    Every number comes from the key's stream. ``None`` options must be settled by the caller.
    """
    shared = Key(key.seed, key.epoch, key.index, SHARED_VIEW).stream()
    image = below(shared, scene.mixing_count) if scene.mixing_count else NO_MIXING_IMAGE
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
        source = choice(["mixing_image", "original"] if method.mix_with == "both" else [method.mix_with])  # line 11
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
    return Recipe(scene.height, scene.width, clean, tuple(chains), image, crop_x, crop_y, overflow)


SETTLED = {"patch_sizes": (4, 8, 16, 32), "severity": 3.0, "beta": 3.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "authors": {"min_ops": 0, "mix_with": "mixing_image", "overflow": "wrap"},
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
    for scene in (SCENE, ImageSpec(20, 31, 1, 7), ImageSpec(32, 5, 4, 1)):
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


# --- sizes ------------------------------------------------------------------------------------------------


def square_sides(method: IPMix, height: int, width: int) -> set[tuple[int, int]]:
    square = method.with_options(patch_shape="square")
    found = boxes(used_steps(drawn(square, 2000, ImageSpec(height, width, 3, 2))))
    return {(int(x), int(y)) for x, y in found[:, 2:] - found[:, :2]}


def test_defaults_go_by_the_images_size() -> None:
    assert square_sides(IPMix(), 32, 32) == {(s, s) for s in (4, 8, 16, 32)}
    assert square_sides(IPMix(), 64, 64) == {(s, s) for s in (4, 8, 16, 64)}
    assert square_sides(IPMix(), 224, 224) == {(s, s) for s in (4, 8, 16, 32, 64, 224)}
    assert square_sides(IPMix(), 33, 47) == {(4, 4), (8, 8), (16, 16), (47, 33)}
    assert square_sides(IPMix(), 10, 100) == {(4, 4), (8, 8), (16, 10), (32, 10), (64, 10), (100, 10)}
    for side, severity, strength in ((32, 3.0, 3.0), (64, 3.0, 3.0), (65, 1.0, 4.0), (224, 1.0, 4.0)):
        scene = ImageSpec(side, side, 3, 2)
        settled = IPMix(severity=severity, beta=strength)
        assert list(drawn(IPMix(), 200, scene)) == list(drawn(settled, 200, scene))


def test_a_patch_larger_than_the_image_becomes_the_image() -> None:
    """The paper's ImageNet list ends with 256, for images of 224."""
    paper = IPMix.preset("paper-imagenet")
    assert paper.patch_sizes is not None
    assert paper.patch_sizes[-1] == 256
    as_large = paper.with_options(patch_sizes=(4, 8, 16, 32, 64, 224))
    scene = ImageSpec(224, 224, 3, 2)
    assert list(drawn(paper, 300, scene)) == list(drawn(as_large, 300, scene))
    whole_only = boxes(used_steps(drawn(paper.with_options(levels=("pixel",)), 300, scene)))
    assert np.all(whole_only == (0, 0, 224, 224))


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 64), (64, 1), (2, 2), (2, 3), (3, 3), (33, 47), (47, 33), (500, 3)]
)
@pytest.mark.parametrize("preset", ["paper-cifar", "code-imagenet"])
def test_any_size_of_image(height: int, width: int, preset: str) -> None:
    table = drawn(IPMix.preset(preset).with_options(operations="all"), 1000, ImageSpec(height, width, 3, 2))
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


def test_views_share_the_image_and_its_crop_and_nothing_else() -> None:
    first, second = drawn(IPMix(), 2000), drawn(IPMix(), 2000, view=1)
    for name in ("mixing_image", "crop_x", "crop_y"):
        assert np.array_equal(first.heads[name], second.heads[name])
    shares = first.chains["share"][:, 0].astype(float), second.chains["share"][:, 0].astype(float)
    assert np.mean(shares[0] == shares[1]) < 0.01
    assert abs(np.corrcoef(*shares)[0, 1]) < 4 / math.sqrt(2000)
    assert np.mean(first.chains["length"] == second.chains["length"]) == within(1 / 3, 6000)


def test_no_images() -> None:
    table = drawn(IPMix(mix_with="original"), 100, ImageSpec(32, 32, 3, 0))
    assert np.all(table.heads["mixing_image"] == NO_MIXING_IMAGE)
    assert not IPMix(mix_with="original").needs_mixing_images
    assert not IPMix(levels=("image",)).needs_mixing_images
    assert IPMix(levels=("pixel",)).needs_mixing_images
    assert len(drawn(IPMix(), 0)) == 0


# --- options ----------------------------------------------------------------------------------------------


def test_presets() -> None:
    cifar = {"patch_sizes": (4, 8, 16, 32), "severity": 3.0, "beta": 3.0}
    imagenet = {"severity": 1.0, "beta": 4.0}
    assert IPMix.preset("paper-cifar") == IPMix(**cifar)
    assert IPMix.preset("paper-imagenet") == IPMix(patch_sizes=(4, 8, 16, 32, 64, 256), **imagenet)
    authors = {"min_ops": 0, "overflow": "wrap"}
    assert IPMix.preset("code-cifar") == IPMix(**cifar, **authors, mix_with="mixing_image")
    assert IPMix.preset("code-imagenet") == IPMix(patch_sizes=(4, 8, 16, 32, 64, 224), **imagenet, **authors)
    plain = IPMix()
    assert (plain.k, plain.t, plain.alpha, plain.min_ops, plain.operations) == (3, 3, 1.0, 1, "core")
    assert (plain.patch_shape, plain.mix_with, plain.overflow) == ("both", "both", "clip")
    assert plain.mixers == ("add", "multiply", "random_pixels", "random_elements")
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
            ({name: value}, f"{name} must be a whole number from 1 to 1024, got")
            for name in ("k", "t")
            for value in (0, -1, 1.5, 999_999_999, "zero")
        ),
        ({"alpha": None}, "alpha must be a positive number, got None"),
        ({"min_ops": -1}, "min_ops must be a whole number of at least 0, got -1"),
        ({"min_ops": 4}, "min_ops must be at most t = 3, got 4"),
        *(
            ({name: value}, f"{name} must be a positive number, got")
            for name in ("alpha", "beta", "severity")
            for value in (0, -1.0, float("nan"), float("inf"), "3")
        ),
        ({"severity": 0.05}, "severity must be in 0.1 .. 10, got 0.05"),
        ({"severity": 11}, "severity must be in 0.1 .. 10, got 11"),
        ({"patch_sizes": (4, 1)}, "each of patch_sizes must be a whole number from 2 to 65536, got 1"),
        ({"patch_sizes": (4.0,)}, "each of patch_sizes must be a whole number from 2 to 65536, got 4.0"),
        ({"patch_sizes": ()}, "patch_sizes is empty"),
        ({"patch_sizes": 8}, "patch_sizes must be .* got 8"),
        ({"patch_shape": "round"}, "patch_shape must be one of both, square, scar, got 'round'"),
        ({"mixers": ("add", "subtract")}, "each of mixers must be one of add, multiply, .* got 'subtract'"),
        ({"mixers": ()}, "mixers is empty"),
        ({"mix_with": "fractal"}, "mix_with must be one of both, mixing_image, original, got 'fractal'"),
        ({"levels": ("images",)}, "each of levels must be one of image, patch, pixel, got 'images'"),
        ({"levels": ()}, "levels is empty"),
        ({"operations": "most"}, "operations='most' is no group"),
        ({"operations": ("rotate", "blur")}, "unknown operation 'blur'"),
        ({"operations": ()}, "operations is empty"),
        ({"overflow": "saturate"}, "overflow must be one of clip, wrap, round, got 'saturate'"),
    ],
    ids=str,
)
def test_bad_options_are_refused_by_name(option: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        IPMix(**option)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="width"):
        IPMix(width=3)  # type: ignore[call-arg]


def test_missing_images_are_asked_for() -> None:
    with pytest.raises(InputError, match=r"needs mixing images and got none: pass mixing=MixingSet.generate"):
        draw(IPMix(), (2, 32, 32, 3), 0, seed=0)


@pytest.mark.parametrize(("levels", "sizes"), [(("patch",), (32, 64)), (("image", "patch"), (40,))])
def test_levels_without_a_patch_size_are_refused(levels: tuple[str, ...], sizes: tuple[int, ...]) -> None:
    method = IPMix(levels=levels, patch_sizes=sizes)
    with pytest.raises(InputError, match=r"no patch size is left for levels .*patch.* on images of 32x32"):
        drawn(method, 1)


def test_pixel_level_needs_no_patch_size() -> None:
    found = boxes(used_steps(drawn(IPMix(levels=("pixel",), patch_sizes=(4, 8)), 100)))
    assert np.all(found == (0, 0, 32, 32))
