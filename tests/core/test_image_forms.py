"""What was given where an image is expected: the cause and the cure are named, and the cure works."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ipmix
from ipmix.core.errors import InputError
from ipmix.core.image_forms import advice, looks_channels_first, looks_channels_last, pillow_advice

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("shape", "first", "last"),
    [
        ((3, 32, 40), True, False),
        ((8, 1, 28, 28), True, False),
        ((4, 9, 9), True, False),
        ((5, 1, 64, 8), False, False),  # one row of 64 pixels with 8 channels
        ((4, 8, 8), False, False),
        ((32, 40, 3), False, True),
        ((8, 28, 28, 1), False, True),
        ((64, 64, 13), False, False),  # thirteen bands of a satellite
        ((3, 4, 3), False, False),
        ((7, 4, 5, 6), False, False),
        ((2, 32, 40), False, False),
        ((3, 4, 40), False, False),  # as well a strip of 3 x 4
    ],
)
def test_which_axis_is_that_of_the_channels(shape: tuple[int, ...], first: bool, last: bool) -> None:
    assert looks_channels_first(shape) == first
    assert looks_channels_last(shape) == last


@pytest.mark.parametrize("method", [ipmix.IPMix(), ipmix.AugMix(), ipmix.Vanilla()], ids=["ipmix", "augmix", "vanilla"])
def test_arrays_with_channels_first_are_refused_by_every_method(method: Any) -> None:
    """Without a mixing set they went through: rows as columns, and columns as channels."""
    planes = np.ascontiguousarray(PIXELS.transpose(2, 0, 1))
    mixing = ipmix.MixingSet.sample()
    with pytest.raises(
        InputError, match=r"got \[1, 3, 12, 10\], which looks like channels first: images\.transpose\(0"
    ):
        ipmix.augment(planes[None], method, mixing, seed=0)
    augmenter = ipmix.Augmenter(method, mixing, seed=0)
    with pytest.raises(InputError, match=r"got \[3, 12, 10\], which looks like channels first: image\.transpose\(1, 2"):
        augmenter(planes, index=0, epoch=0)
    assert augmenter(PIXELS, index=0, epoch=0).shape == PIXELS.shape
    with pytest.raises(InputError, match="channels first"):
        augmenter(planes, index=0, epoch=0)
    with pytest.raises(InputError, match="channels first"):
        ipmix.corrupt(planes[None], "fog", 1, seed=0)


def test_a_shape_that_was_promised_is_taken_at_its_word() -> None:
    augmenter = ipmix.Augmenter(ipmix.AugMix(), shape=(3, 12, 10), seed=0)
    assert augmenter(np.zeros((3, 12, 10), np.uint8), index=0, epoch=0).shape == (3, 12, 10)


CASES: dict[str, tuple[Any, str]] = {
    "grey": (PIXELS[:, :, 0], "a grey image is image[:, :, None]"),
    "batch": (PIXELS[None], "for a batch, ipmix.augment(images, method, mixing, seed=...)"),
    "floats": (PIXELS / np.float32(255), "for images in [0, 1], (255 * image).round().astype(numpy.uint8)"),
    "floats of bytes": (PIXELS.astype(np.float32), "for images in 0..255, image.round().astype(numpy.uint8)"),
    "16 bits": (PIXELS.astype(np.uint16) << 8, "(image >> 8).astype(numpy.uint8)"),
    "integers": (PIXELS.astype(np.int64), "image.astype(numpy.uint8)"),
    "bits": (PIXELS > 99, "(255 * image).astype(numpy.uint8)"),
    "RGBA": (Image.fromarray(PIXELS).convert("RGBA"), "numpy.asarray(image.convert('RGB'))"),
    "P": (Image.fromarray(PIXELS).convert("P"), "numpy.asarray(image.convert('RGB'))"),
    "I;16": (Image.fromarray(PIXELS[:, :, 0].astype(np.uint16) * 257), "convert('RGB'))"),
    "a list of no image": ([1], ""),
}


@pytest.mark.parametrize(("given", "words"), CASES.values(), ids=CASES)
def test_one_image_with_what_to_do(given: Any, words: str) -> None:
    said = advice(given, "image", batch=False)
    assert said.endswith(words)
    assert bool(said) == bool(words)
    with pytest.raises(InputError, match="this augmenter takes uint8") as caught:
        ipmix.Augmenter(ipmix.AugMix(), seed=0)(given, index=0, epoch=0)
    assert str(caught.value).endswith(words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["grey", "floats", "floats of bytes", "16 bits", "integers", "bits", "RGBA", "P", "I;16"]
)
def test_the_cure_makes_an_image(name: str) -> None:
    import numpy
    import PIL.Image

    image = CASES[name][0]
    code = advice(image, "image", batch=False).rpartition(", numpy.asarray" if isinstance(image, Image.Image) else "#")
    expression = "numpy.asarray" + code[2] if code[1] else CASES[name][1].rpartition(", ")[2]
    if name == "grey":
        expression = "image[:, :, None]"
    made = eval(expression, {"numpy": numpy, "PIL": PIL, "image": image})
    assert (made.dtype, made.ndim) == (np.uint8, 3)
    assert ipmix.Augmenter(ipmix.AugMix(), seed=0)(made, index=0, epoch=0).shape == made.shape
    if name in ("floats", "floats of bytes", "16 bits", "integers", "RGBA"):
        assert np.array_equal(made, PIXELS)
    if name == "I;16":
        assert np.array_equal(made[:, :, 0], PIXELS[:, :, 0]), "not all white, as convert('RGB') alone gives it"


def test_batches_with_what_to_do() -> None:
    for given, words in (
        (PIXELS, "give one image as image[None]"),
        (PIXELS[:, :, 0], "a grey image is image[None, :, :, None]"),
        ([PIXELS, PIXELS], "of a list of arrays of one size, numpy.stack(images)"),
        (Image.fromarray(PIXELS), "of a Pillow image of mode RGB, numpy.asarray(image)[None]"),
        (b"\xff\xd8", "PIL.Image.open(io.BytesIO(data)).convert('RGB')"),
    ):
        with pytest.raises(InputError, match=r"images must be .*uint8\[N, H, W, C\], got") as caught:
            ipmix.augment(given, ipmix.AugMix(), seed=0)
        assert str(caught.value).endswith(words)


def test_tensors() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    planes = torch.from_numpy(PIXELS).permute(2, 0, 1)
    for given, words in (
        (planes, "got [3, 12, 10]: give one image as image[None]"),
        (torch.from_numpy(PIXELS), "looks like channels last: tensor.permute(2, 0, 1)"),
        (torch.from_numpy(PIXELS)[None], "looks like channels last: tensor.permute(0, 3, 1, 2)"),
        (planes[None].float(), "divide them by 255, or give bytes (tensor.round().to(torch.uint8))"),
        (planes[None].long(), "for numbers from 0 to 255, tensor.to(torch.uint8)"),
    ):
        with pytest.raises(InputError) as caught:
            ipmix.augment(given, ipmix.AugMix(), seed=0)
        assert str(caught.value).endswith(words)
    with pytest.raises(InputError, match=r"of a tensor \[C, H, W\] of bytes, tensor.permute\(1, 2, 0\).numpy\(\)"):
        ipmix.Augmenter(ipmix.AugMix(), seed=0)(planes, index=0, epoch=0)


def test_transparency_and_cmyk_where_the_mixing_set_is_of_color() -> None:
    mixing = ipmix.MixingSet.sample()
    for channels in (2, 4):
        image = np.zeros((8, 8, channels), np.uint8)
        for given in (mixing, np.zeros((4, 9, 9, 3), np.uint8)):
            with pytest.raises(InputError, match=r"image\.convert\('RGB'\) of an image with transparency"):
                ipmix.augment(image[None], ipmix.IPMix(), given, seed=0)
    assert pillow_advice("P") == "image.convert('RGB')"


def test_bytes_of_a_file() -> None:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "png")
    assert advice(file.getvalue(), "image", batch=False).startswith("these are the bytes of a file: decode them")
