"""The methods as torchvision's transforms: every kind of image, torch's randomness, boxes and masks."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms as v1
from torchvision import tv_tensors
from torchvision.transforms import v2

import ipmix
from ipmix import transforms
from ipmix.core.errors import InputError
from ipmix.methods.choosing import named_method
from ipmix.methods.moving import moves_pixels, photometric

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 18, 3), dtype=np.uint8)
MIXING = ipmix.MixingSet.array(np.random.default_rng(1).integers(0, 256, (5, 24, 24, 3), dtype=np.uint8))


def key_after(seed: int) -> int:
    torch.manual_seed(seed)
    return int(torch.empty((), dtype=torch.int64).random_())


def expected(seed: int, pixels: np.ndarray = PIXELS, method: Any = None, mixing: Any = MIXING) -> np.ndarray:
    return ipmix.augment(pixels[None], method or ipmix.IPMix(), mixing, seed=0, indices=[key_after(seed)])[0]


def given(seed: int, image: Any, transform: Any = None) -> Any:
    torch.manual_seed(seed)
    return (transform or transforms.IPMix(mixing=MIXING))(image)


@pytest.mark.parametrize("compose", [v1.Compose, v2.Compose], ids=["v1", "v2"])
def test_a_pillow_image_in_either_compose(compose: Any) -> None:
    transform = compose([transforms.IPMix(mixing=MIXING)])
    got = given(3, Image.fromarray(PIXELS), transform)
    assert got.mode == "RGB"
    assert np.array_equal(np.asarray(got), expected(3))
    assert not np.array_equal(np.asarray(given(4, Image.fromarray(PIXELS), transform)), expected(3))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK"])
def test_modes_of_pillow(mode: str) -> None:
    image = Image.fromarray(PIXELS).convert(mode)
    pixels = np.asarray(image).reshape(20, 18, -1)
    got = given(1, image, transforms.AugMix())
    assert got.mode == mode
    assert np.array_equal(np.asarray(got).reshape(pixels.shape), expected(1, pixels, ipmix.AugMix(), None))


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "LAB"])
def test_a_mode_whose_channels_are_no_light_is_refused(mode: str) -> None:
    image = Image.new(mode, (20, 18))
    for given in (image, (image, 3)):
        with pytest.raises(InputError, match=rf"mode {mode} has no channels of light to augment: convert it first"):
            transforms.AugMix()(given)


@pytest.mark.parametrize("mode", ["1", "P", "I", "F", "I;16"])
def test_a_mode_without_bytes_is_refused(mode: str) -> None:
    with pytest.raises(InputError, match=rf"an image of mode {mode} has no 8-bit channels.*convert\('RGB'\)"):
        transforms.IPMix(mixing=MIXING)(Image.new(mode, (8, 8)))


def test_grey_images_with_the_sample_of_color() -> None:
    assert given(1, Image.fromarray(PIXELS[:, :, 0])).mode == "L"


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_of_each_dtype(dtype: Any) -> None:
    tensor = v2.functional.to_dtype(torch.from_numpy(PIXELS).permute(2, 0, 1), dtype, scale=True)
    got = given(2, tensor)
    assert (got.dtype, got.shape, type(got)) == (dtype, tensor.shape, torch.Tensor)
    right = torch.from_numpy(expected(2)).permute(2, 0, 1)
    assert torch.equal(got, right if dtype == torch.uint8 else (right.float() / 255).to(dtype))


@pytest.mark.parametrize("kind", [tv_tensors.Image, tv_tensors.Video])
def test_tensors_that_say_what_they_are(kind: Any) -> None:
    shape = (3, 20, 18) if kind is tv_tensors.Image else (4, 3, 20, 18)
    got = given(2, kind(torch.from_numpy(PIXELS).permute(2, 0, 1).expand(shape).contiguous()))
    assert type(got) is kind
    right = torch.from_numpy(expected(2)).permute(2, 0, 1)
    assert torch.equal(got.as_subclass(torch.Tensor), right.expand(shape)), "frames share a recipe"


def test_every_image_of_a_batch_has_its_own_recipe() -> None:
    batch = torch.from_numpy(PIXELS).permute(2, 0, 1).expand(6, 3, 20, 18)
    got = given(2, batch)
    assert torch.equal(got[0], torch.from_numpy(expected(2)).permute(2, 0, 1))
    assert len({image.numpy().tobytes() for image in got}) == 6
    assert torch.equal(got, given(2, batch))
    videos = given(2, tv_tensors.Video(batch.reshape(2, 3, 3, 20, 18)))
    assert torch.equal(videos[0, 0], videos[0, 2])
    assert not torch.equal(videos[0, 0], videos[1, 0])
    assert given(2, batch[:0]).shape == (0, 3, 20, 18)


def test_a_tensor_on_another_device_comes_back_there() -> None:
    tensor = torch.from_numpy(PIXELS).permute(2, 0, 1)
    if not torch.cuda.is_available():
        pytest.skip("there is no other device here")
    assert given(2, tensor.cuda()).device.type == "cuda"
    assert torch.equal(given(2, tensor.cuda()).cpu(), given(2, tensor))


def test_images_of_a_sample_share_the_key_and_the_rest_passes() -> None:
    image = tv_tensors.Image(torch.from_numpy(PIXELS).permute(2, 0, 1))
    first, second, label = given(5, (image, tv_tensors.Image(image), torch.tensor(7)))
    assert torch.equal(first, second)
    assert torch.equal(first.as_subclass(torch.Tensor), torch.from_numpy(expected(5)).permute(2, 0, 1))
    assert label == 7


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.full((3, 8, 8), 1.5), "holds numbers from 0 to 1, got 1.5 to 1.5: a resize or a blur"),
        (torch.full((3, 8, 8), -0.1), "goes beyond the ends"),
        (torch.full((3, 8, 8), -0.6), "before normalising"),
        (torch.full((3, 8, 8), float("nan")), "before normalising"),
        (torch.zeros((3, 8, 8), dtype=torch.int64), "holds torch.uint8 or numbers from 0 to 1, got torch.int64"),
        (torch.zeros((8, 8), dtype=torch.uint8), r"is \[C, H, W\] or \[N, C, H, W\], got \[8, 8\]"),
    ],
)
def test_tensors_that_are_no_images(tensor: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        transforms.IPMix(mixing=MIXING)(tensor)


BOXES = tv_tensors.BoundingBoxes([[1, 2, 8, 9]], format="XYXY", canvas_size=(20, 18))
MASK = tv_tensors.Mask(torch.zeros((20, 18), dtype=torch.uint8))


@pytest.mark.parametrize("beside", [BOXES, MASK], ids=["boxes", "mask"])
def test_what_would_have_to_move_with_the_pixels_is_refused(beside: Any) -> None:
    sample = {"image": Image.fromarray(PIXELS), "target": beside}
    with pytest.raises(InputError, match=r'moves pixels.*boxes="photometric".*operations="photometric"'):
        transforms.IPMix(mixing=MIXING)(sample)
    with pytest.raises(InputError, match="randaugment moves pixels"):
        transforms.RandAugment()(sample)
    got = given(3, sample, transforms.IPMix(mixing=MIXING, boxes="photometric"))
    assert np.array_equal(np.asarray(got["image"]), expected(3, method=ipmix.IPMix(operations="photometric")))
    assert got["target"] is beside
    assert transforms.CutOut()(sample)["target"] is beside
    assert transforms.IPMix(mixing=MIXING, operations="photometric")(sample)["target"] is beside


@pytest.mark.parametrize("name", ["ipmix", "augmix", "pixmix", "layermix", "prime", "augmax"])
def test_photometric_forms_move_nothing(name: str) -> None:
    method = named_method(name)
    assert moves_pixels(method)
    kept = photometric(method)
    assert not moves_pixels(kept)
    assert photometric(kept) is kept


@pytest.mark.parametrize("name", ["autoaugment", "randaugment", "trivialaugment"])
def test_methods_without_a_photometric_form(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} moves pixels and has no form that doesn't"):
        transforms.from_name(name, boxes="photometric")


@pytest.mark.parametrize("name", sorted(transforms._CLASSES))
def test_every_method_by_its_class(name: str, tmp_path: Path) -> None:
    transform = getattr(transforms, name)(mixing=MIXING)
    method = getattr(ipmix, name)()
    assert np.array_equal(np.asarray(given(3, Image.fromarray(PIXELS), transform)), expected(3, method=method))
    for other in (pickle.loads(pickle.dumps(transform)), copy.deepcopy(transform)):
        assert np.array_equal(np.asarray(given(3, Image.fromarray(PIXELS), other)), expected(3, method=method))


def test_labels_are_mixed_elsewhere_and_unknown_options_named() -> None:
    with pytest.raises(InputError, match=r"cutmix mixes labels: take ipmix.transforms.collate"):
        transforms.MethodTransform(ipmix.CutMix())
    with pytest.raises(InputError, match="unexpected keyword argument 'widht'"):
        transforms.IPMix(widht=3)
    assert transforms.IPMix.preset("paper-imagenet", mixing=MIXING).method == ipmix.IPMix.preset("paper-imagenet")


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("ipmix", ipmix.IPMix()),
        ("ipmix-k3-t3", ipmix.IPMix(k=3, t=3)),
        ("ipmix-m2-k4-t2", ipmix.IPMix(severity=2.0, k=4, t=2)),
        ("IPMix-paper-imagenet", ipmix.IPMix.preset("paper-imagenet")),
        ("augmix-m5-w4-d2", ipmix.AugMix(severity=5.0, k=4, depth=2)),
        ("randaugment-m7-n3", ipmix.RandAugment(magnitude=7, num_ops=3)),
        ("ipmix-a0.5", ipmix.IPMix(alpha=0.5)),
        ("vanilla", ipmix.Vanilla()),
    ],
)
def test_names(name: str, method: Any) -> None:
    got = named_method(name)
    assert got == method or type(got) is type(method) is ipmix.Vanilla
    assert transforms.from_name(name, MIXING).method.name == method.name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ipmax", "there is no method 'ipmax'; did you mean ipmix"),
        ("ipmix-q3", "'q3' in 'ipmix-q3' is no option of ipmix .*k.* and IPMix has no preset 'q3'"),
        ("randaugment-k3", "'k3' in 'randaugment-k3' is no option of randaugment .*magnitude.*no presets"),
        ("ipmix-k0", "k must be a whole number"),
        (3, "a method's name is text"),
    ],
)
def test_names_that_stand_for_nothing(name: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        named_method(name)


def test_the_sample_is_taken_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    transform = transforms.IPMix()
    assert len(transform.mixing) == 480
    assert transforms.AugMix().mixing is None
    assert "480 mixing images" in repr(transform)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK"])
def test_one_image_alone_is_treated_as_torchvision_treats_it_in_a_sample(mode: str) -> None:
    """The short way for one image: the same key, the same bytes, the same mode; and an image of its own."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, len(Image.new(mode, (1, 1)).getbands())), dtype=np.uint8)
    image = Image.frombytes(mode, (7, 9), pixels.tobytes())
    transform = ipmix.transforms.AugMix()
    torch.manual_seed(3)
    short = [transform(image) for _ in range(4)]
    torch.manual_seed(3)
    whole = [transform(image, 5)[0] for _ in range(4)]
    assert [one.tobytes() for one in short] == [one.tobytes() for one in whole]
    assert {one.mode for one in short} == {mode}
    assert any(one.tobytes() != image.tobytes() for one in short)
    short[0].putpixel((0, 0), 0 if mode == "L" else (0,) * pixels.shape[2])
    assert image.tobytes() == pixels.tobytes()
    planes = torch.from_numpy(pixels.transpose(2, 0, 1).copy())
    torch.manual_seed(3)
    alone = transform(planes)
    torch.manual_seed(3)
    assert torch.equal(alone, transform(planes, 5)[0])


def test_an_array_is_augmented_alone_and_in_a_sample() -> None:
    assert np.array_equal(given(3, PIXELS), expected(3))
    assert np.array_equal(given(3, PIXELS[:, ::-1]), expected(3, np.ascontiguousarray(PIXELS[:, ::-1])))
    image, label, weights = given(3, (PIXELS, torch.tensor(7), np.ones(4)))
    assert np.array_equal(image, expected(3)), "and not the tensor, though it is one"
    assert (label, weights.tolist()) == (7, [1.0] * 4)
    got = given(3, {"label": np.int64(2), "image": PIXELS}, v2.Compose([transforms.IPMix(mixing=MIXING)]))
    assert np.array_equal(got["image"], expected(3))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (PIXELS[:, :, 0], r"got uint8\[20, 18\]: a grey image is image\[:, :, None\]"),
        (PIXELS[None], r"got uint8\[1, 20, 18, 3\]: for a batch, ipmix.augment"),
        (PIXELS / 255.0, r"got float64\[20, 18, 3\]: numbers; for images in \[0, 1\], \(255 \* image\)"),
        (
            PIXELS.astype(np.float32),
            r"got float32\[20, 18, 3\]: numbers up to 255; for images in 0\.\.255, image\.round",
        ),
        (PIXELS.astype(np.int64), r"got int64\[20, 18, 3\]: convert numbers from 0 to 255 with image\.astype"),
        (PIXELS[:0], r"got uint8\[0, 18, 3\]: it is no image"),
        (np.zeros(3, np.uint8), r"got uint8\[3\]: it is no image"),
    ],
)
def test_other_arrays_are_refused(array: np.ndarray, words: str) -> None:
    for sample in (array, (array, 7)):
        if array.ndim > 1 or sample is array:
            with pytest.raises(InputError, match=f"an array to augment is one image uint8.*{words}"):
                transforms.IPMix(mixing=MIXING)(sample)


@pytest.mark.parametrize("inputs", [(None,), ("a.png",), (3, 4), ({"image": None, "label": 3},), ((),), ()])
def test_a_call_without_an_image_is_refused(inputs: Any) -> None:
    for transform in (transforms.IPMix(mixing=MIXING), transforms.Vanilla()):
        with pytest.raises(InputError, match=r"there is no image to augment: expected one .*, got"):
            transform(*inputs)


PILLOW = Image.fromarray(PIXELS)
GREY = Image.new("L", (18, 20))


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ((PILLOW, GREY), "a Pillow image of mode L"),
        ({"mask": GREY, "image": PILLOW}, "a Pillow image of mode RGB"),
        ((tv_tensors.Image(torch.zeros(3, 20, 18)), GREY), "a Pillow image of mode L"),
        ((PIXELS, GREY), "a Pillow image of mode L|an array uint8"),
        ((PIXELS, PIXELS[:, :, :1]), r"an array uint8\[20, 18, 1\]"),
    ],
)
@pytest.mark.parametrize("boxes", ["refuse", "photometric"])
def test_a_second_image_that_may_be_a_mask_is_refused(sample: Any, words: str, boxes: str) -> None:
    """Torchvision's segmentation sets give masks as Pillow images; a method of colors would change their classes."""
    with pytest.raises(InputError, match=rf"several images.*({words}).*tv_tensors.Mask \(.*wrap_dataset_for_trans"):
        transforms.IPMix(mixing=MIXING, boxes=boxes)(sample)


def test_a_wrapped_mask_stays_as_it_is() -> None:
    got = transforms.IPMix(mixing=MIXING, boxes="photometric")((PILLOW, tv_tensors.Mask(GREY)))
    assert got[0].tobytes() != PILLOW.tobytes()
    assert torch.equal(got[1], tv_tensors.Mask(GREY))


def test_a_path_as_mixing_images_is_refused() -> None:
    for path in ("/a/folder", Path("/a/folder")):
        with pytest.raises(InputError, match=r"pass mixing=ipmix.MixingSet.folder\('/a/folder'\)"):
            transforms.IPMix(mixing=path)


@pytest.mark.parametrize("beyond", [1e-7, 0.4 / 255])
def test_numbers_that_rounding_took_beyond_the_ends_are_taken_for_them(beyond: float) -> None:
    planes = torch.from_numpy(PIXELS.transpose(2, 0, 1).copy()).float() / 255
    planes[0, 0, 0], planes[0, 0, 1] = 0, 1
    slightly = planes.clone()
    slightly[0, 0, 0], slightly[0, 0, 1] = -beyond, 1 + beyond
    assert torch.equal(given(2, slightly), given(2, planes))
    assert not torch.equal(given(2, planes), planes)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.1, 1.16, r"got -0.1 to 1.16: a resize or a blur .* tensor\.clamp\(0, 1\)"),
        (-2.1, 2.6, "augment before normalising"),
        (0.0, 250.0, "divide them by 255"),
        (0.0, float("nan"), "augment before normalising"),
    ],
)
def test_numbers_far_beyond_the_ends_are_refused(low: float, high: float, words: str) -> None:
    planes = torch.zeros(3, 8, 8)
    planes[0, 0, 0], planes[0, 0, 1] = low, high
    with pytest.raises(InputError, match=words):
        given(2, planes)


@pytest.mark.parametrize("tensor", [torch.zeros(3, 8, 8).to_sparse(), torch.zeros(3, 8, 8, device="meta")])
def test_a_tensor_that_is_not_dense_is_refused(tensor: torch.Tensor) -> None:
    with pytest.raises(InputError, match=r"an image tensor is dense, this one .*to_dense"):
        given(2, tensor)


def test_what_is_known_of_a_pillow_image_stays() -> None:
    for mode in ("RGB", "L"):
        image = Image.fromarray(PIXELS).convert(mode)
        image.info["icc_profile"] = b"profile"
        made = given(1, image, transforms.AugMix())
        assert made.info == {"icc_profile": b"profile"}
        made.info["dpi"] = 3
        assert "dpi" not in image.info


def test_a_function_says_whether_it_moves_pixels() -> None:
    def darker(images: np.ndarray, keys: Any) -> np.ndarray:
        return images // 2

    mask = np.zeros((20, 18), np.uint8)
    with pytest.raises(InputError, match="darker moves pixels"):
        transforms.MethodTransform(ipmix.PixelMethod(darker))(PIXELS, mask)
    darker.moves_pixels = False  # type: ignore[attr-defined]
    image, kept = transforms.MethodTransform(ipmix.PixelMethod(darker))(PIXELS, mask)
    assert np.array_equal(image, PIXELS // 2)
    assert kept is mask
    with pytest.raises(InputError, match="darker moves pixels"):
        transforms.MethodTransform(ipmix.PixelMethod(darker, moves_pixels=True))(PIXELS, mask)


@pytest.mark.parametrize("name", ["MixUp", "CutMix", "Combined"])
def test_methods_that_mix_labels_point_to_collate(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"collate\(ipmix\.{name}\(\), classes=\.\.\.\) to the DataLoader"):
        getattr(ipmix.transforms, name)


def test_a_method_given_for_an_option_is_told() -> None:
    with pytest.raises(InputError, match=r"the options of its method, got a method: take .*MethodTransform\(AugMix"):
        ipmix.transforms.IPMix(ipmix.AugMix())
