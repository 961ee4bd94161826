"""Draw, then apply: one result for one key, and every bad input refused with a message that helps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ipmix
from ipmix import IPMix, MixingSet, RecipeTable
from ipmix.augmentation.batches import apply, augment, draw
from ipmix.core.errors import InputError
from ipmix.engines import reference
from ipmix.recipe.format import WHOLE
from ipmix.recipe.recipe import Chain, Recipe, Step

METHOD = IPMix(min_ops=0)


# --- one result for one key -------------------------------------------------------------------------------


def test_augment_is_draw_and_apply(images: np.ndarray, mixing_images: np.ndarray) -> None:
    table = draw(METHOD, images.shape, len(mixing_images), seed=3, epoch=2, view=1)
    assert isinstance(table, RecipeTable)
    expected = apply(table, images, mixing_images)
    got = augment(images, METHOD, mixing_images, seed=3, epoch=2, view=1)
    assert np.array_equal(got, expected)
    assert (got.dtype, got.shape) == (np.uint8, images.shape)
    assert np.mean(got == images) < 0.9


def test_the_public_names_are_these_functions() -> None:
    assert (ipmix.augment, ipmix.apply, ipmix.draw) == (augment, apply, draw)


@given(st.permutations(range(12)), st.integers(1, 5), st.integers(1, 12))
def test_a_image_gets_the_same_in_any_batch_and_order(order: list[int], threads: int, size: int) -> None:
    draws = np.random.default_rng(0)
    images = draws.integers(0, 256, (12, 9, 13, 3), dtype=np.uint8)
    mixing = draws.integers(0, 256, (5, 14, 14, 3), dtype=np.uint8)
    expected = augment(images, METHOD, mixing, seed=1, epoch=4)
    for begin in range(0, 12, size):
        chosen = order[begin : begin + size]
        got = augment(images[chosen], METHOD, mixing, seed=1, epoch=4, indices=chosen, threads=threads)
        assert np.array_equal(got, expected[chosen])


def test_image_five_alone(images: np.ndarray, mixing_images: np.ndarray) -> None:
    expected = augment(images, METHOD, mixing_images, seed=8)[5]
    alone = augment(images[5:6], METHOD, mixing_images, seed=8, indices=[5])
    assert np.array_equal(alone[0], expected)
    assert not np.array_equal(augment(images[5:6], METHOD, mixing_images, seed=8)[0], expected), "that is index 0"


@pytest.mark.parametrize("part", ["seed", "epoch", "view", "indices"])
def test_every_part_of_the_key_matters(part: str, images: np.ndarray, mixing_images: np.ndarray) -> None:
    key: dict[str, Any] = {"seed": 0}
    other = {**key, part: np.arange(100, 112) if part == "indices" else 1}
    first, second = (augment(images, METHOD, mixing_images, **k) for k in (key, other))
    assert not np.array_equal(first, second)


def test_indices_may_be_any_64_bit_integers(images: np.ndarray, mixing_images: np.ndarray) -> None:
    indices = np.array([-(2**63), 2**63 - 1, -1, 0])
    got = augment(images[:4], METHOD, mixing_images, seed=-5, indices=indices)
    for row, index in enumerate(indices.tolist()):
        alone = augment(images[row : row + 1], METHOD, mixing_images, seed=-5, indices=[index])
        assert np.array_equal(alone[0], got[row])


# --- forms of input and output ----------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["uint8", "float32"])
@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_an_empty_batch(output: str, layout: str, engine: str, mixing_images: np.ndarray) -> None:
    empty = np.empty((0, 32, 24, 3), np.uint8)
    got = augment(empty, METHOD, mixing_images, seed=0, output=output, layout=layout, engine=engine, threads=3)
    assert got.shape == ((0, 32, 24, 3) if layout == "nhwc" else (0, 3, 32, 24))
    assert got.dtype == output


def test_strided_and_reversed_input(make_images: Any, mixing_images: np.ndarray) -> None:
    large = make_images(6, 40, 66)
    for view in (large[:, 4:36, 2:66:2], large[::-1, 4:36, ::2][:, :, :32], large.transpose(0, 2, 1, 3)[:, :32, :32]):
        assert not view.flags.c_contiguous
        got = augment(view, METHOD, mixing_images[::-1], seed=0)
        copies = np.ascontiguousarray(view), np.ascontiguousarray(mixing_images[::-1])
        assert np.array_equal(got, augment(copies[0], METHOD, copies[1], seed=0))


def test_parts_of_a_table(images: np.ndarray, mixing_images: np.ndarray) -> None:
    table = draw(METHOD, images.shape, len(mixing_images), seed=0)
    expected = apply(table, images, mixing_images)
    assert np.array_equal(apply(table[3:7], images[3:7], mixing_images), expected[3:7])
    assert np.array_equal(apply(table[::-2], images[::-2], mixing_images), expected[::-2])


def test_a_recipe_from_json_does_the_same(images: np.ndarray, mixing_images: np.ndarray) -> None:
    table = draw(METHOD, images.shape, len(mixing_images), seed=0)
    again = RecipeTable.pack([Recipe.from_json(recipe.to_json()) for recipe in table])
    assert np.array_equal(apply(again, images, mixing_images), apply(table, images, mixing_images))


def test_out_is_filled_and_given_back(images: np.ndarray, mixing_images: np.ndarray) -> None:
    expected = augment(images, METHOD, mixing_images, seed=0, output="float32", layout="nchw")
    buffer = np.full((2, 12, 3, 32, 32), np.nan, np.float32)
    got = augment(images, METHOD, mixing_images, seed=0, output="float32", layout="nchw", out=buffer[1])
    assert got.base is buffer
    assert np.array_equal(buffer[1], expected)
    assert np.isnan(buffer[0]).all(), "nothing else is written"


# --- mixing images --------------------------------------------------------------------------------------


def test_a_mixing_set_and_its_planes_are_the_same(images: np.ndarray, mixing_images: np.ndarray) -> None:
    """36 is the side that a set resizes to for images of 32: nothing is resized, and both ways must agree."""
    expected = augment(images, METHOD, mixing_images, seed=0)
    mixing = MixingSet.array(mixing_images)
    assert mixing.planes(32, 32, 3).shape == (5, 3, 36, 36)
    assert np.array_equal(augment(images, METHOD, mixing, seed=0), expected)


def test_a_mixing_set_of_any_size_is_fitted(images: np.ndarray, make_images: Any) -> None:
    mixing = MixingSet.array(make_images(5, 11, 70))
    got = augment(images, METHOD, mixing, seed=0)
    planes = mixing.planes(32, 32, 3).transpose(0, 2, 3, 1)
    assert np.array_equal(got, augment(images, METHOD, np.ascontiguousarray(planes), seed=0))


def test_grey_images_take_the_luma_of_a_color_set(make_images: Any, mixing_images: np.ndarray) -> None:
    grey = make_images(4, 32, 32, 1)
    got = augment(grey, METHOD, MixingSet.array(mixing_images), seed=0)
    assert got.shape == grey.shape


def test_the_cropped_part_of_the_mixing_image_is_mixed_in(images: np.ndarray, make_images: Any) -> None:
    mixing = make_images(5, 50, 41, seed=9)
    step = Step("random_pixels", right=32, bottom=32, a=0.0)
    for image, crop_x, crop_y in ((0, 0, 0), (3, 2**32 - 1, 2**32 - 1), (4, 2**31, 2**30)):
        recipe = Recipe(32, 32, 0, (Chain(WHOLE, (step,)),), image, crop_x, crop_y)
        got = apply(RecipeTable.pack([recipe]), images[:1], mixing)[0]
        left, top = crop_x * 10 // 2**32, crop_y * 19 // 2**32
        expected = mixing[image, top : top + 32, left : left + 32]
        assert np.array_equal(got, expected)
        assert np.array_equal(reference.crop(recipe, mixing.transpose(0, 3, 1, 2)), expected)


def test_methods_that_need_no_images_do_without(images: np.ndarray) -> None:
    for method in (IPMix(mix_with="original"), IPMix(levels=("image",))):
        assert augment(images, method, seed=0).shape == images.shape


# --- bad input --------------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "images": np.zeros((2, 8, 6, 3), np.uint8),
    "method": IPMix(),
    "mixing": np.zeros((4, 10, 9, 3), np.uint8),
    "seed": 0,
}
READ_ONLY = np.zeros((2, 8, 6, 3), np.uint8)
READ_ONLY.flags.writeable = False

BAD: list[tuple[dict[str, Any], str]] = [
    (
        {"images": np.zeros((2, 8, 6, 3), np.float32)},
        r"images must be uint8\[N, H, W, C\], got float32.*: .*\(255 \* images\)",
    ),
    (
        {"images": np.full((2, 8, 6, 3), np.nan)},
        r"images must be uint8\[N, H, W, C\], got float64.*: numbers with NaN or infinite",
    ),
    (
        {"images": np.zeros((2, 8, 6, 3), np.uint16)},
        r"images must be uint8\[N, H, W, C\], got uint16.*: for 16-bit .*images >> 8",
    ),
    ({"images": np.zeros((2, 8, 6, 3), np.int64)}, r"images must be uint8\[N, H, W, C\], got int64"),
    ({"images": np.zeros((2, 8, 6, 3), bool)}, r"images must be uint8\[N, H, W, C\], got bool"),
    (
        {"images": np.zeros((8, 6, 3), np.uint8)},
        r"images must be uint8\[N, H, W, C\], got uint8\[8, 6, 3\]: .*image\[None\]",
    ),
    ({"images": np.zeros((2, 0, 6, 3), np.uint8)}, r"none of H, W, C zero, got uint8\[2, 0, 6, 3\]"),
    ({"images": np.zeros((2, 8, 6, 0), np.uint8)}, r"none of H, W, C zero, got uint8\[2, 8, 6, 0\]"),
    ({"images": [[1, 2], [3, 4]]}, r"images must be a NumPy array uint8\[N, H, W, C\], got list"),
    ({"images": None}, "images must be a NumPy array .* got NoneType"),
    ({"mixing": None}, "needs mixing images and got none: pass mixing=MixingSet"),
    ({"mixing": np.zeros((0, 10, 9, 3), np.uint8)}, "needs mixing images and got none"),
    ({"mixing": np.zeros((4, 10, 9, 1), np.uint8)}, "the images have 3 channels, the mixing images 1"),
    ({"mixing": np.zeros((4, 10, 9, 4), np.uint8)}, "the images have 3 channels, the mixing images 4"),
    ({"mixing": np.zeros((4, 7, 9, 3), np.uint8)}, r"at least as large as the images \(6x8\), got 9x7"),
    ({"mixing": np.zeros((4, 10, 5, 3), np.uint8)}, r"at least as large as the images \(6x8\), got 5x10"),
    ({"mixing": np.zeros((4, 10, 9, 3))}, r"mixing must be uint8\[N, H, W, C\], got float64"),
    ({"mixing": np.zeros((10, 9, 3), np.uint8)}, r"mixing must be uint8\[N, H, W, C\], got uint8\[10, 9, 3\]"),
    ({"mixing": [np.zeros((10, 9, 3), np.uint8)]}, "mixing must be a NumPy array .* got list"),
    ({"mixing": 4}, "mixing must be a MixingSet or .* got int"),
    ({"mixing": MixingSet.array(np.zeros((4, 9, 9, 4), np.uint8))}, "images of 3 channels need a mixing set of 3"),
    ({"seed": 1.5}, "a key's seed must be an integer of 64 bits, got 1.5"),
    ({"seed": 2**64}, "a key's seed must fit 64 bits"),
    ({"epoch": "first"}, "a key's epoch must be an integer of 64 bits, got 'first'"),
    ({"view": None}, "a key's view must be an integer of 64 bits, got None"),
    ({"indices": [1]}, "one number for each of the 2 images, got 1"),
    ({"indices": [1, 2, 3]}, "one number for each of the 2 images, got 3"),
    ({"indices": [0.0, 1.0]}, "indices must be a one-dimensional array of integers, got shape .2,., dtype float64"),
    ({"indices": [[0, 1]]}, r"indices must be a one-dimensional array of integers, got shape \(1, 2\)"),
    ({"engine": "gpu"}, "unknown engine 'gpu'; known are reference, compiled"),
    ({"output": "float64"}, "output must be one of uint8, float32, got 'float64'"),
    ({"layout": "chw"}, "layout must be one of nhwc, nchw, got 'chw'"),
    ({"engine": ["compiled"]}, r"unknown engine \['compiled'\]; known are reference, compiled"),
    ({"output": np.zeros((2, 2))}, "output must be one of uint8, float32, got array"),
    ({"mixing": 3}, "mixing must be a MixingSet or an array uint8.*, got int"),
    ({"mixing": list}, "mixing must be a MixingSet or an array uint8.*, got type"),
    ({"output": ["uint8"]}, "output must be one of uint8, float32, got"),
    ({"threads": 100_000}, "threads must be a whole number from 1 to 1024, got 100000"),
    ({"method": "ipmix"}, r"method must be an augmentation method such as IPMix\(\), got 'ipmix'"),
    ({"method": IPMix}, "method must be an augmentation method such as IPMix"),
    ({"method": None}, "method must be an augmentation method .* got None"),
    ({"seed": 10**5000}, "a key's seed must fit 64 bits, got a number of thousands of digits"),
    ({"mean": 0.5}, 'mean and std normalise numbers: pass output="float32"'),
    ({"output": "float32", "mean": (0.5, 0.5)}, "mean needs one number or 3"),
    ({"threads": 0}, "threads must be a whole number from 1 to 1024, got 0"),
    ({"threads": 1.5}, "threads must be a whole number from 1 to 1024, got 1.5"),
    ({"out": np.zeros((2, 8, 6, 4), np.uint8)}, r"out must be uint8\[2, 8, 6, 3\], got uint8\[2, 8, 6, 4\]"),
    ({"out": np.zeros((2, 8, 6, 3), np.float32)}, r"out must be uint8\[2, 8, 6, 3\], got float32"),
    ({"out": np.zeros((2, 8, 6, 3), np.uint8), "layout": "nchw"}, r"out must be uint8\[2, 3, 8, 6\], got"),
    ({"out": [1]}, r"out must be uint8\[2, 8, 6, 3\], got list"),
    ({"out": np.zeros((2, 8, 6, 6), np.uint8)[..., ::2]}, "out must be C-contiguous and writeable"),
    ({"out": READ_ONLY}, "out must be C-contiguous and writeable"),
    ({"out": GOOD["images"]}, "out must not share memory with images"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    assert augment(**GOOD).shape == (2, 8, 6, 3)
    with pytest.raises(InputError, match=message):
        augment(**{**GOOD, **change})


def test_nothing_is_written_when_something_is_refused() -> None:
    out = np.full((2, 8, 6, 3), 77, np.uint8)
    for change in ({"engine": "gpu"}, {"mixing": np.zeros((4, 7, 9, 3), np.uint8)}, {"indices": [1]}):
        with pytest.raises(InputError):
            augment(**{**GOOD, "out": out, **change})
    assert np.all(out == 77)


@pytest.mark.parametrize("shape", [(8, 6, 3), (2, 0, 6, 3), (2, 8, 6, 0), ()])
def test_draw_refuses_a_bad_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"shape must be|shape.s [HC] must be a whole number from 1"):
        draw(IPMix(), shape, 4, seed=0)


@pytest.mark.parametrize(
    ("shape", "count", "message"),
    [
        ((1, 2**40, 8, 3), 4, "shape's H must be a whole number from 1 to 65536, got 1099511627776"),
        ((10**12, 8, 8, 3), 4, "shape's N must be a whole number from 0 to 16777216"),
        (("a", 8, 8, 3), 4, "shape's N must be a whole number from 0 to 16777216, got 'a'"),
        (None, 4, r"shape must be \(N, H, W, C\), got None"),
        ((1, 8, 8, 3), 2**40, "mixing_count must be a whole number from 0 to 16777216, got 1099511627776"),
        ((1, 8, 8, 3), "x", "mixing_count must be a whole number from 0 to 16777216, got 'x'"),
    ],
)
def test_draw_refuses_what_no_memory_holds(shape: Any, count: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw(IPMix(), shape, count, seed=0)


def test_apply_refuses_recipes_that_do_not_fit() -> None:
    images, mixing = GOOD["images"], GOOD["mixing"]
    table = draw(IPMix(), images.shape, 4, seed=0)
    with pytest.raises(InputError, match="the recipes are for 2 images of 6x8, got 1 of 6x8"):
        apply(table, images[:1], mixing)
    with pytest.raises(InputError, match="the recipes are for 2 images of 6x8, got 2 of 8x6"):
        apply(table, np.zeros((2, 6, 8, 3), np.uint8), mixing)
    with pytest.raises(InputError, match="the recipes use mixing images, and mixing is None"):
        apply(table, images)
    table.heads["mixing_image"] = 4
    with pytest.raises(InputError, match="a recipe uses mixing image 4, and the set has 4"):
        apply(table, images, mixing)
    with pytest.raises(InputError, match="a recipe uses mixing image 4, and the set has 4"):
        apply(table, images, MixingSet.array(mixing))


def test_a_memory_mapped_image_is_an_image(tmp_path: Path, images: np.ndarray, mixing_images: np.ndarray) -> None:
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    expected = augment(images, METHOD, mixing_images, seed=3)
    np.testing.assert_array_equal(augment(mapped, METHOD, mixing_images, seed=3), expected)
    augmenter = ipmix.Augmenter(METHOD, mixing_images, shape=images.shape[1:], seed=3)
    assert type(mapped[1]) is np.memmap
    np.testing.assert_array_equal(augmenter(mapped[1], index=1, epoch=0), expected[1])
    with pytest.raises(InputError, match="takes uint8"):
        augmenter(images[1].tolist(), index=1, epoch=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["ipmix", None, ipmix.IPMix])
def test_an_augmenter_takes_methods_only(method: Any) -> None:
    with pytest.raises(InputError, match="must be an augmentation method such as IPMix"):
        ipmix.Augmenter(method, seed=0)


@pytest.mark.parametrize("table", [None, 3, [], "recipes", np.zeros((2, 2))])
def test_only_recipes_are_applied(table: Any) -> None:
    with pytest.raises(InputError, match="table must be the recipes that draw"):
        apply(table, GOOD["images"])


def test_only_a_mixing_set_is_mixed_in() -> None:
    recipes = draw(ipmix.Vanilla(), GOOD["images"].shape, seed=0)
    assert apply(recipes, GOOD["images"]).shape == (2, 8, 6, 3)
    with pytest.raises(InputError, match=r"mixing must be a MixingSet or an array uint8.*, got int"):
        apply(recipes, GOOD["images"], 3)  # type: ignore[arg-type]
