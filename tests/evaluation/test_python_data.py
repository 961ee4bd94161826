"""``ipmix.evaluate`` from Python: data of any kind."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from tests.evaluation.python_run import COUNT, FAST, Means, data, same  # noqa: E402

import ipmix  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.data.sources import open_images  # noqa: E402
from ipmix.evaluation.python_data import batch_of  # noqa: E402


class Items(torch.utils.data.Dataset):
    def __init__(self) -> None:
        self.images, self.labels = data()

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        return torch.from_numpy(self.images[place]).permute(2, 0, 1).float() / 255.0, int(self.labels[place])


def generator() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    images, labels = data()
    for start in range(0, COUNT, 5):
        yield images[start : start + 5], labels[start : start + 5]


def test_every_kind_of_data_gives_the_same(reference: ipmix.Scorecard, tmp_path: Path) -> None:
    images, labels = data()
    pictures = [(Image.fromarray(image), int(label)) for image, label in zip(images, labels)]
    for image, label in pictures:
        (tmp_path / str(label)).mkdir(exist_ok=True)
        image.save(tmp_path / str(label) / f"{len(list((tmp_path / str(label)).iterdir()))}.png")
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2)
    kinds: dict[str, Any] = {
        "tensor": (tensor, torch.from_numpy(labels)),
        "pillow": pictures,
        "dataset": Items(),
        "loader": torch.utils.data.DataLoader(Items(), batch_size=5),
        "generator": generator(),
        "function": generator,
        "dicts": [{"image": image, "label": label} for image, label in pictures],
    }
    for name, kind in kinds.items():
        assert same(ipmix.evaluate(Means(), kind, **FAST), reference), name
    folder = ipmix.evaluate(Means(), tmp_path, **FAST)
    assert folder.measures["clean_error"] == reference.measures["clean_error"]


def test_hugging_face_data(reference: ipmix.Scorecard) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra datasets is not installed")
    images, labels = data()
    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])})
    rows = {"img": [Image.fromarray(image) for image in images], "label": labels.tolist()}
    found = datasets.Dataset.from_dict(rows, features=features)
    card = ipmix.evaluate(Means(), found, **FAST)
    assert same(card, reference)
    assert card.card["run"]["data"]["classes"] == ["a", "b", "c"]
    assert same(ipmix.evaluate(Means(), found.to_iterable_dataset(), **FAST), reference)


def test_memory_does_not_grow_with_the_data() -> None:
    """A stream's images lie in a file; what is held of them is a map of it."""
    from ipmix.data.streams import Stream, spool

    images = (np.full((64, 64, 3), place % 251, np.uint8) for place in range(300))
    spooled = spool(Stream("many", lambda: ((image, 0) for image in images)), np.asarray, quiet=True)
    assert isinstance(spooled.dataset.images.base, np.memmap) or isinstance(spooled.dataset.images, np.memmap)
    assert spooled.read(299, 300)[0][0, 0, 0, 0] == 299 % 251


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((np.zeros((2, 8, 8, 3), np.uint8),), "come without labels"),
        ((np.zeros((2, 8, 8, 3), np.uint8), [0]), "one whole number for each of the 2 images"),
        (([(np.full((8, 8, 3), -1.5, np.float32), 0)],), "they look normalised"),
        (([(np.full((8, 8, 3), 200.0, np.float32), 0)],), "divide them by 255"),
        (([np.zeros((8, 8, 3), np.uint8)],), r"expected \(images, labels\)"),
        (([(np.zeros((8, 8, 3), np.uint8), 0), (np.zeros((9, 8, 3), np.uint8), 0)],), "images differ in size"),
        (([(np.zeros((8, 8, 3), np.uint8), "cat")],), "which is no number"),
        (([],), "holds no image"),
        ((7,), "data is a int; expected images"),
        (
            (np.zeros((5, 3, 9, 4), np.uint8), np.zeros(5, int)),
            r"uint8\[5, 3, 9, 4\] may be \[N, C, H, W\] with images 4 wide",
        ),
        ((np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0, int)), r"images holds no image: .* got uint8\[0, 8, 8, 3\]"),
        ((np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 1000])), r"^labels\[1\] is 1000, none of the model's outputs"),
        (([(np.zeros((8, 8, 3), np.uint8), 9)],), r"^labels\[0\] is 9, none of the model's outputs"),
        ((np.zeros((2, 8, 8, 3), np.uint8), np.array([0, -1])), r"^labels\[1\] is -1; labels are numbers"),
    ],
)
def test_data_that_cannot_be_used(given: tuple[Any, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        ipmix.evaluate(Means(), *given, out=tmp_path / "r", **FAST)
    assert not (tmp_path / "r").exists()


def test_labels_beyond_the_names_of_the_classes() -> None:
    with pytest.raises(InputError, match=r"^labels\[1\] is 2; there are 2 classes, 0 to 1"):
        ipmix.evaluate(Means(), np.zeros((2, 8, 8, 3), np.uint8), [0, 2], classes=["a", "b"], **FAST)


def test_a_file_of_images_with_channels_first_is_refused(tmp_path: Path) -> None:
    images, labels = data()
    np.savez(tmp_path / "first.npz", images=images.transpose(0, 3, 1, 2), labels=labels)
    with pytest.raises(InputError, match=r"looks like \[N, C, H, W\]: move the channels to the end"):
        ipmix.evaluate(Means(), str(tmp_path / "first.npz"), **FAST)
    np.save(tmp_path / "first.npy", images.transpose(0, 3, 1, 2))
    with pytest.raises(InputError, match=r"first\.npy must be"):
        open_images(tmp_path / "first.npy")


def test_settings_that_cannot_be_used(tmp_path: Path) -> None:
    images, labels = data()
    with pytest.raises(InputError, match="plan is one of clean, quick, paper"):
        ipmix.evaluate(Means(), images, labels, **{**FAST, "plan": "fast"})
    with pytest.raises(InputError, match="a model is a torch"):
        ipmix.evaluate(7, images, labels, **FAST)
    with pytest.raises(InputError, match="scores"):
        ipmix.evaluate(lambda x: [1, 2], images, labels, out=tmp_path / "r", **FAST)
    assert not (tmp_path / "r").exists()


def test_channels_are_found_where_they_are() -> None:
    images, _ = data()
    assert np.array_equal(batch_of(images.transpose(0, 3, 1, 2), "x"), images)
    assert np.array_equal(batch_of(torch.from_numpy(images), "x"), images)
    assert batch_of(images[0, :, :, 0], "x").shape == (1, 8, 8, 1)
