"""A Pillow image's memory as an array: read and written in place, and what happens where it can't be had."""

import gc
import threading
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ipmix
from ipmix.core.errors import InputError
from ipmix.transforms import images, pillow_memory
from ipmix.transforms.images import augment_item
from ipmix.transforms.pillow_memory import rgb_pair

PIXELS = np.random.default_rng(0).integers(0, 256, (13, 9, 3), dtype=np.uint8)
MIXING = ipmix.MixingSet.array(np.random.default_rng(1).integers(0, 256, (5, 24, 24, 3), dtype=np.uint8))

has_memory = pytest.mark.skipif(not pillow_memory._works(), reason="this Pillow has no Arrow interface")


@has_memory
def test_memory_is_read_and_written_in_place() -> None:
    image = Image.fromarray(PIXELS)
    image.info["note"] = "kept"
    pair = rgb_pair(image)
    assert pair is not None
    source, target, made, _keepers = pair
    pixels = source.reshape(13, 9, 4)
    assert np.array_equal(pixels[..., :3], PIXELS)
    pixels[2, 5] = (7, 8, 9, 255)
    assert image.getpixel((5, 2)) == (7, 8, 9)
    image.putpixel((1, 1), (3, 2, 1))
    assert pixels[1, 1, :3].tolist() == [3, 2, 1]
    target[:] = 255 - source
    assert np.array_equal(np.asarray(made), 255 - np.asarray(image))
    assert (made.mode, made.size, made.info) == ("RGB", (9, 13), {"note": "kept"})
    assert made.info is not image.info


@has_memory
def test_an_image_in_several_blocks_has_no_memory_to_give() -> None:
    assert rgb_pair(Image.new("RGB", (2100, 2100))) is None
    assert rgb_pair(Image.new("RGB", (2000, 2000))) is not None


@has_memory
def test_a_file_is_loaded_first(tmp_path: Any) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        pair = rgb_pair(image)
        assert pair is not None
        assert np.array_equal(pair[0].reshape(13, 9, 4)[..., :3], PIXELS)
        assert type(pair[2]) is Image.Image


@has_memory
def test_what_lies_elsewhere_is_found_out_before_any_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Pillow that keeps images otherwise: they are copied, as before."""
    pillow_memory._works.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(pillow_memory, "_LENGTH", pillow_memory._LENGTH + 8)
        assert rgb_pair(Image.fromarray(PIXELS)) is None
    pillow_memory._works.cache_clear()
    assert rgb_pair(Image.fromarray(PIXELS)) is not None


@pytest.mark.parametrize("method", [ipmix.IPMix(), ipmix.AugMix(), ipmix.PRIME(), ipmix.CutOut(), ipmix.IPMix(k=7)])
@pytest.mark.parametrize("in_memory", [True, False])
def test_an_image_in_its_memory_becomes_what_an_array_becomes(
    method: Any, in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_memory:
        monkeypatch.setattr(images, "rgb_pair", lambda image: None)
    augmenter = ipmix.Augmenter(method, MIXING if method.needs_mixing_images else None, seed=3)
    image = Image.fromarray(PIXELS)
    made = [augment_item(image, augmenter, index=i, epoch=2, view=1) for i in range(40)]
    expected = [augmenter(PIXELS, index=i, epoch=2, view=1) for i in range(40)]
    assert all(np.array_equal(one, other) for one, other in zip(map(np.asarray, made), expected, strict=True))
    assert any(not np.array_equal(one, PIXELS) for one in expected)
    assert np.array_equal(np.asarray(image), PIXELS)  # what was given stays
    opaque = made[0].convert("RGBA").getchannel("A")
    assert opaque.getextrema() == (255, 255)
    made[0].paste((1, 2, 3), (0, 0, 4, 4))  # an image like any other
    assert np.array_equal(np.asarray(made[1]), expected[1])


@has_memory
def test_images_of_many_threads_stay_apart_and_are_let_go() -> None:
    augmenter = ipmix.Augmenter(ipmix.IPMix(), MIXING, seed=3)
    expected = [augmenter(PIXELS, index=i, epoch=0) for i in range(200)]
    wrong: list[int] = []

    def work(thread: int) -> None:
        for i in range(thread, 200):
            made = augment_item(Image.fromarray(PIXELS), augmenter, index=i, epoch=0)
            gc.collect(0)
            if not np.array_equal(np.asarray(made), expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("form", [{"output": "float32"}, {"layout": "nchw"}])
def test_an_augmenter_of_another_output_has_no_pixels_of_four_bytes(form: dict[str, str]) -> None:
    augmenter = ipmix.Augmenter(ipmix.AugMix(), seed=3, **form)  # type: ignore[arg-type]
    pixels = np.zeros(5 * 4 * 4, np.uint8)
    augmenter(np.zeros((5, 4, 3), np.uint8), index=0, epoch=0)  # ready for this size, with its own output
    with pytest.raises(InputError, match="augment_rgbx gives uint8 nhwc"):
        augmenter.augment_rgbx(pixels, pixels.copy(), (5, 4), index=0, epoch=0)


def test_a_promised_shape_is_kept_to() -> None:
    augmenter = ipmix.Augmenter(ipmix.AugMix(), seed=3, shape=(5, 4, 3))
    pixels = np.zeros(4 * 5 * 4, np.uint8)
    with pytest.raises(InputError, match=r"uint8\[5, 4, 3\], got"):
        augmenter.augment_rgbx(pixels, pixels.copy(), (4, 5), index=0, epoch=0)
