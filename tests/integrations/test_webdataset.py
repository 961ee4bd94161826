"""WebDataset: what a sample has to be, and that its image is that of its own key, in any worker."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

wds = pytest.importorskip("webdataset", reason="webdataset is not installed")
torch = pytest.importorskip("torch", reason="torch is not installed")

import ipmix  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.integrations.webdataset import AugmentedSample  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # the library's own


@pytest.fixture(autouse=True)
def _its_files_are_closed_here() -> Iterator[None]:
    """WebDataset leaves shards open until they are collected: not in another test, where a warning is an error."""
    yield
    gc.collect()


@pytest.fixture
def shard(images: np.ndarray, tmp_path: Path) -> str:
    with wds.TarWriter(str(tmp_path / "0.tar")) as writer:
        for i, image in enumerate(images):
            writer.write({"__key__": f"k{i}", "png": image, "cls": i})
    return str(tmp_path / "0.tar")


def read(shard: str, decoding: str | None, augmented: Any, workers: int = 0) -> dict[str, Any]:
    samples = wds.WebDataset(shard, shardshuffle=False)
    samples = samples if decoding is None else samples.decode(decoding)
    samples = samples.map(augmented).map_dict(png=np.asarray).to_tuple("__key__", "png")
    return dict(torch.utils.data.DataLoader(samples, batch_size=None, num_workers=workers))


@pytest.mark.parametrize("decoding", ["pil", "rgb8", "torchrgb8", "torchrgb"])
def test_each_sample_by_its_own_key(shard: str, images: np.ndarray, decoding: str) -> None:
    augmented = AugmentedSample("augmix", image="png", seed=5)
    augmented.set_epoch(2)
    keys = [ipmix.key_of(f"k{i}") for i in range(len(images))]
    right = ipmix.augment(images, ipmix.AugMix(), seed=5, epoch=2, indices=keys)
    for key, image in read(shard, decoding, augmented).items():
        made = np.asarray(image)
        made = made.transpose(1, 2, 0) if decoding.startswith("torch") else made
        made = np.rint(made * 255) if decoding == "torchrgb" else made
        assert np.array_equal(made, right[int(key[1:])])


@pytest.mark.parametrize("workers", [0, 1])
def test_undecoded_bytes_are_refused_with_what_is_missing(shard: str, workers: int) -> None:
    with pytest.raises(InputError, match=r"png is not decoded yet, it is \d+ bytes of a file: put \.decode\('pil'\)"):
        read(shard, None, AugmentedSample("augmix"), workers)


def test_what_else_a_sample_may_be_is_refused(shard: str) -> None:
    with pytest.raises(
        InputError, match=r"png was decoded as float32\[32, 32, 3\]: decode it as bytes, \.decode\('pil'"
    ):
        read(shard, "rgb", AugmentedSample("augmix"))
    augmented = AugmentedSample("augmix", image="jpg;jpeg")
    with pytest.raises(InputError, match="an image under jpg, jpeg, it has __key__, png: name the image with image="):
        augmented({"__key__": "a", "png": np.zeros((8, 8, 3), np.uint8)})
    with pytest.raises(InputError, match=r"got tuple: augment before \.to_tuple"):
        augmented(("a", 3))  # type: ignore[arg-type]
    for image in (3, "", "jpg;"):
        with pytest.raises(InputError, match="image is the ending of a sample's image, such as 'jpg'"):
            AugmentedSample("augmix", image=image)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="epoch must be an integer"):
        augmented.set_epoch(0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"mask.png": np.zeros((9, 9, 3), np.uint8)}, "'mask.png'"),
        ({"seg.png": Image.new("RGB", (8, 8))}, "'seg.png'"),
        ({"json": {"boxes": [[1, 2, 3, 4]]}}, "'boxes'"),
        ({"pgm": Image.new("L", (16, 16))}, "mask of its size"),
    ],
)
def test_what_would_have_to_move_with_the_pixels_is_refused(part: dict[str, Any], words: str) -> None:
    sample = {"__key__": "a", "jpg": Image.new("RGB", (16, 16), (9, 99, 200)), "cls": 3, **part}
    with pytest.raises(InputError, match=rf"ipmix moves pixels, and the sample's {words}"):
        AugmentedSample("ipmix-k3-t3")(sample)
    assert AugmentedSample("ipmix-k3-t3", boxes="photometric")(sample)["cls"] == 3
    assert AugmentedSample("cutout")({"__key__": "a", "jpg": sample["jpg"], "cls": 3})["cls"] == 3


@pytest.mark.parametrize("workers", [0, 1])
def test_a_second_pass_without_its_epoch_is_told(shard: str, workers: int, recwarn: pytest.WarningsRecorder) -> None:
    """Also where each pass has workers of its own, which say it on their standard error."""
    augmented = AugmentedSample("augmix", image="png")
    for epoch in range(3):
        augmented.set_epoch(epoch)
        read(shard, "pil", augmented, workers)
    met = [warning for warning in recwarn if "set_epoch" in str(warning.message)]
    assert met == []
    assert int(augmented._met[1]) == 1
    read(shard, "pil", augmented, workers)
    assert int(augmented._met[1]) == 2, "the sample came again"
    met = [str(warning.message) for warning in recwarn if "set_epoch" in str(warning.message)]
    expected = "a sample has come a second time in epoch 2, and is augmented as before: call set_epoch(n) before each "
    assert workers or (len(met) == 1 and met[0].startswith(expected))
