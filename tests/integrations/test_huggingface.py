"""Hugging Face datasets: set_transform, what is hashed and cached, keys by number and by column."""

import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

datasets = pytest.importorskip("datasets", reason="datasets is not installed")
torch = pytest.importorskip("torch", reason="torch is not installed")

from datasets.fingerprint import Hasher  # noqa: E402
from PIL import Image  # noqa: E402

import ipmix  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.integrations.huggingface import AugmentedColumn  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # the library's own


@pytest.fixture
def pictured(images: np.ndarray) -> Any:
    columns = {"image": [Image.fromarray(one) for one in images], "name": [f"n{i}" for i in range(len(images))]}
    return datasets.Dataset.from_dict(columns)


def pixels(rows: list[Any]) -> np.ndarray:
    return np.stack([np.asarray(row) for row in rows])


def test_it_is_hashed_by_its_settings_and_its_epoch() -> None:
    one, same, other = AugmentedColumn("augmix"), AugmentedColumn("augmix"), AugmentedColumn("augmix-k2")
    assert Hasher.hash(one) == Hasher.hash(same) != Hasher.hash(other)
    same.set_epoch(1)
    assert Hasher.hash(one) != Hasher.hash(same)
    assert Hasher.hash(AugmentedColumn("ipmix")) == Hasher.hash(AugmentedColumn("ipmix"))


def test_map_by_number_is_cached(pictured: Any, images: np.ndarray, tmp_path: Path) -> None:
    pictured.save_to_disk(tmp_path / "kept")
    kept = datasets.load_from_disk(tmp_path / "kept")
    made = [
        kept.map(AugmentedColumn("augmix", seed=5), batched=True, with_indices=True, batch_size=size) for size in (5, 5)
    ]
    assert made[0]._fingerprint == made[1]._fingerprint
    assert made[0].cache_files == made[1].cache_files
    assert np.array_equal(pixels(made[0]["image"]), ipmix.augment(images, ipmix.AugMix(), seed=5))


def test_keys_from_a_column_and_from_torch(pictured: Any, images: np.ndarray) -> None:
    by_name = AugmentedColumn("augmix", key="name", seed=2)
    pictured.set_transform(by_name)
    keys = [ipmix.key_of(f"n{i}") for i in range(len(images))]
    for epoch in range(2):
        by_name.set_epoch(epoch)
        expected = ipmix.augment(images, ipmix.AugMix(), seed=2, epoch=epoch, indices=keys)
        assert np.array_equal(pixels(pictured[:]["image"]), expected)
        assert np.array_equal(pixels(pictured[3:5]["image"]), expected[3:5])
    pictured.set_transform(AugmentedColumn("augmix", after=np.asarray, into="pixels"))
    torch.manual_seed(0)
    first = pictured[:]
    assert set(first) == {"image", "name", "pixels"}
    assert np.array_equal(pixels(first["image"]), images)
    assert not np.array_equal(pixels(pictured[:]["pixels"]), pixels(first["pixels"]))
    torch.manual_seed(0)
    assert np.array_equal(pixels(pictured[:]["pixels"]), pixels(first["pixels"]))


def test_sent_to_a_process_it_does_the_same(images: np.ndarray) -> None:
    one = AugmentedColumn("augmix", seed=1)
    batch = {"image": list(images)}
    again = pickle.loads(pickle.dumps(one))
    assert np.array_equal(pixels(one(batch, [*range(12)])["image"]), pixels(again(batch, [*range(12)])["image"]))


def test_a_batch_without_the_column_is_refused() -> None:
    with pytest.raises(InputError, match="a batch has no column 'image', only 'img': name it with image="):
        AugmentedColumn("augmix")({"img": []})
    with pytest.raises(InputError, match="a batch has no column 'id', only 'image': see key="):
        AugmentedColumn("augmix", key="id")({"image": []})


def test_settings_that_do_not_fit_are_refused() -> None:
    for settings, message in (
        ({"image": 3}, "image is the name of a column, got 3"),
        ({"into": 3}, "into is the name of a column"),
        ({"key": 3}, "key is the name of a column"),
        ({"before": 3}, "before must be a function of one image"),
        ({"after": "x"}, "after must be a function of one image"),
        ({"mixing": "folder"}, "mixing is a set, not its path"),
    ):
        with pytest.raises(InputError, match=message):
            AugmentedColumn("augmix", **settings)


def test_map_without_batched_is_refused() -> None:
    from PIL import Image

    with pytest.raises(InputError, match="is a list of images, got one Image: pass batched=True to map"):
        AugmentedColumn("augmix")({"image": Image.new("RGB", (8, 8))})  # type: ignore[dict-item]


STARTS = [start for start in ("fork", "spawn") if start in multiprocessing.get_all_start_methods()]
WAYS = [
    pytest.param(workers, start, persistent, marks=[pytest.mark.slow] if start == "spawn" else [])
    for start in STARTS
    for workers in (1, 2)
    for persistent in (False, True)
]


def collated(rows: list[Any]) -> dict[str, Any]:
    return {
        "pixels": torch.stack([torch.from_numpy(np.asarray(row["image"]).copy()) for row in rows]),
        "labels": torch.tensor([row["number"] for row in rows]),
    }


def trained(images: np.ndarray, tmp_path: Path, callback: bool = True, **workings: Any) -> tuple[Any, Any, Any]:
    """A real Trainer of a model that keeps what it is given, its function, and what was kept: (batch, image) pairs."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    from ipmix.integrations.huggingface import epoch_callback

    class Recording(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))
            self.seen: list[tuple[int, bytes]] = []

        def forward(self, pixels: Any, labels: Any) -> dict[str, Any]:
            self.seen += [(int(label), image.cpu().numpy().tobytes()) for label, image in zip(labels, pixels)]
            return {"loss": self.weight * 1.0}

    columns = {"image": [Image.fromarray(one) for one in images], "number": list(range(len(images)))}
    dataset = datasets.Dataset.from_dict(columns)
    augmented = AugmentedColumn("augmix", key="number", seed=6)
    dataset.set_transform(augmented)
    arguments = transformers.TrainingArguments(
        str(tmp_path), remove_unused_columns=False, report_to=[], save_strategy="no", num_train_epochs=3,
        per_device_train_batch_size=5, disable_tqdm=True, use_cpu=True, **workings,
    )  # fmt: skip
    model = Recording()
    callbacks = [epoch_callback(augmented)] if callback else []
    trainer = transformers.Trainer(model, arguments, train_dataset=dataset, data_collator=collated, callbacks=callbacks)
    return trainer, augmented, model.seen


def right(images: np.ndarray, epoch: int) -> list[bytes]:
    return [one.tobytes() for one in ipmix.augment(images, ipmix.AugMix(), seed=6, epoch=epoch)]


@pytest.mark.parametrize(("workers", "start", "persistent"), [(0, None, False), *WAYS])
def test_the_trainers_loader_gives_the_same_bytes(
    images: np.ndarray, tmp_path: Path, workers: int, start: str | None, persistent: bool
) -> None:
    """With any workers, however they are started: those of ipmix.augment, epoch by epoch."""
    workings = {"dataloader_num_workers": workers, "dataloader_persistent_workers": persistent}
    trainer, augmented, _ = trained(images, tmp_path, **workings)
    loader = trainer.get_train_dataloader()
    if start is not None:
        loader.base_dataloader.multiprocessing_context = start
    for epoch in (0, 4):
        augmented.set_epoch(epoch)
        found = {
            int(number): image.numpy().tobytes()
            for batch in loader
            for number, image in zip(batch["labels"], batch["pixels"])
        }
        assert [found[number] for number in range(len(images))] == right(images, epoch)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_trainer_tells_each_epoch(images: np.ndarray, tmp_path: Path, workers: int) -> None:
    workings = {"dataloader_num_workers": workers, "dataloader_persistent_workers": workers > 0}
    trainer, _, seen = trained(images, tmp_path, **workings)
    trainer.train()
    assert len(seen) == 36
    for epoch in range(3):
        found = dict(seen[12 * epoch : 12 * (epoch + 1)])
        assert [found[number] for number in range(12)] == right(images, epoch)


def test_without_the_callback_it_would_show(images: np.ndarray, tmp_path: Path) -> None:
    trainer, _, seen = trained(images, tmp_path, callback=False)
    trainer.train()
    assert dict(seen[24:]) == dict(seen[:12])
    from ipmix.integrations.huggingface import epoch_callback

    for given in ((), ("augmix",)):
        with pytest.raises(InputError, match=r"epoch_callback takes the AugmentedColumn\(\.\.\.\) of set_transform"):
            epoch_callback(*given)


RGB = Image.new("RGB", (16, 16), (9, 99, 200))


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ({"mask": [RGB.copy()]}, "'mask'"),
        ({"segmentation_mask": [RGB.copy()]}, "'segmentation_mask'"),
        ({"objects": [{"bbox": [[1, 2, 3, 4]]}]}, "'bbox'"),
        ({"label": [RGB.convert("L")]}, "mask of its size"),
    ],
)
def test_columns_that_would_have_to_move_with_the_pixels_are_refused(column: dict[str, Any], words: str) -> None:
    batch = {"image": [RGB], "labels": [3], **column}
    with pytest.raises(InputError, match=rf"ipmix moves pixels, and the sample's {words}"):
        AugmentedColumn("ipmix-k3-t3")(batch)
    assert AugmentedColumn("ipmix-k3-t3", boxes="photometric")(batch)["labels"] == [3]


@pytest.mark.parametrize(
    ("batch", "named", "words"),
    [
        (RGB, {}, "a batch is a dict of columns, got"),
        ({"image": np.zeros((16, 16, 3), np.uint8)}, {}, "a list of images, got one .*pass batched=True"),
        ({"image": torch.zeros(3, 16, 16)}, {}, "a list of images, got one .*pass batched=True"),
        ({"image": [np.zeros((16, 16), np.uint8)]}, {}, r"a grey image is image\[:, :, None\]"),
        ({"image": [RGB] * 3}, {"indices": [0]}, "a batch of 3 images needs as many indices, got 1"),
        ({"image": [RGB] * 3, "id": [1]}, {}, "a batch of 3 images needs as many 'id', got 1"),
    ],
)
def test_batches_that_are_none_are_refused(batch: Any, named: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        AugmentedColumn("ipmix-k3-t3", key="id" if isinstance(batch, dict) and "id" in batch else None)(batch, **named)
    whole = AugmentedColumn("ipmix-k3-t3")({"image": np.zeros((2, 16, 16, 3), np.uint8)}, indices=[4, 5])
    assert [image.shape for image in whole["image"]] == [(16, 16, 3)] * 2
