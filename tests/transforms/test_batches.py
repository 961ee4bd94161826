"""Batches of torch: mixed labels by a collate function, and tensors through ``augment``."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import ipmix
from ipmix.core.errors import InputError
from ipmix.transforms import collate

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 12, 10, 3), dtype=np.uint8)
MIXING = np.random.default_rng(1).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
TENSOR = torch.from_numpy(IMAGES).permute(0, 3, 1, 2)


def by_hand(seed: int, method: Any, mixing: Any = None) -> tuple[np.ndarray, np.ndarray]:
    torch.manual_seed(seed)
    key = int(torch.empty((), dtype=torch.int64).random_())
    table = ipmix.draw(method, IMAGES.shape, 0 if mixing is None else len(mixing), seed=key)
    return ipmix.apply(table, IMAGES, mixing, layout="nchw"), table.labels(np.arange(6), 8)


@pytest.mark.parametrize(
    ("of", "scale"),
    [(lambda i: IMAGES[i], 1), (lambda i: Image.fromarray(IMAGES[i]), 1), (lambda i: TENSOR[i], 1),
     (lambda i: TENSOR[i].float() / 255, 255)],
    ids=["array", "Pillow", "bytes", "numbers"],
)  # fmt: skip
@pytest.mark.parametrize("method", [ipmix.CutMix(), ipmix.MixUp(), ipmix.AugMix()], ids=["cutmix", "mixup", "augmix"])
def test_a_batch_with_its_labels(of: Any, scale: int, method: Any) -> None:
    right, right_labels = by_hand(5, method)
    torch.manual_seed(5)
    images, labels = collate(method, classes=8)([(of(i), torch.tensor(i)) for i in range(6)])
    assert images.shape == (6, 3, 12, 10)
    assert images.dtype == (torch.uint8 if scale == 1 else torch.float32)
    assert torch.equal((images * scale).round().to(torch.uint8), torch.from_numpy(right))
    assert labels.dtype == torch.float32
    assert np.array_equal(labels, right_labels)
    assert torch.allclose(labels.sum(1), torch.ones(6))


def test_in_a_loader_with_workers() -> None:
    items = [(IMAGES[i], i) for i in range(6)]
    for workers in (0, 2):
        batches = list(DataLoader(items, 3, num_workers=workers, collate_fn=collate("augmix", classes=6)))
        assert [tuple(labels.shape) for _, labels in batches] == [(3, 6)] * 2
    assert not torch.equal(batches[0][0], TENSOR[:3])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("method", "least", "most"), [("cutmix", 10, 30), (ipmix.CutMix(probability=1.0), 36, 40)])
def test_how_many_batches_are_mixed_is_the_method_s_probability(
    workers: int, method: Any, least: int, most: int
) -> None:
    """Of 40 batches half by default, in workers as without; no two alike, in the second epoch either."""
    items = [(IMAGES[i % 6], i % 6) for i in range(120)]
    torch.manual_seed(0)
    loader = DataLoader(items, 6, num_workers=workers, persistent_workers=workers > 0, collate_fn=collate(method, 6))
    mixed = [images for _ in range(2) for images, _ in loader if not torch.equal(images, TENSOR)]
    assert least <= len(mixed) <= most
    assert len({images.numpy().tobytes() for images in mixed}) == len(mixed)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: collate("cutmix", classes=4)([(IMAGES[0], 5)]), "labels must be in 0 .. 3"),
        (lambda: collate("ipmix", classes=4, mixing="folder"), "mixing is a set, not its path"),
        (lambda: collate("cutmix", classes=4)([(TENSOR, 1)]), "got Tensor .*: for a batch, ipmix.augment"),
        (lambda: collate("cutmix", classes=4)([(IMAGES[0, :, :, 0], 1)]), r"a grey image is image\[:, :, None\]"),
        (lambda: collate("cutmix", classes=4)([(TENSOR[0].permute(1, 2, 0), 1)]), "looks like channels last"),
        (lambda: collate("cutmix", classes=0), "classes must be a whole number"),
        (lambda: collate("cutmix", classes=4)([IMAGES[0]]), "a list of items"),
        (lambda: collate("cutmix", classes=4)([(IMAGES[0], 1), (IMAGES[0][1:], 1)]), "must be of one size"),
        (lambda: collate("cutmix", classes=4)([("a", 1)]), "images to collate are Pillow images"),
    ],
)
def test_batches_that_do_not_fit_are_refused(make: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


def test_augment_takes_tensors() -> None:
    method = ipmix.IPMix()
    right = ipmix.augment(IMAGES, method, MIXING, seed=2, epoch=1, layout="nchw")
    got = ipmix.augment(TENSOR, method, MIXING, seed=2, epoch=1)
    assert (type(got), got.dtype) == (torch.Tensor, torch.uint8)
    assert np.array_equal(got, right)
    half = ipmix.augment((TENSOR.float() / 255).half(), method, MIXING, seed=2, epoch=1)
    assert half.dtype == torch.float16
    assert torch.equal(half, (torch.from_numpy(right).float() / 255).half())
    form: dict[str, Any] = {"output": "float32", "mean": (0.4, 0.5, 0.6), "std": 0.25}
    numbers = ipmix.augment(TENSOR, method, MIXING, seed=2, epoch=1, **form)
    assert np.array_equal(numbers, ipmix.augment(IMAGES, method, MIXING, seed=2, epoch=1, layout="nchw", **form))
    with pytest.raises(InputError, match=r"images as a tensor are \[N, C, H, W\], got \[3, 12, 10\]"):
        ipmix.augment(TENSOR[0], method, MIXING, seed=0)
    with pytest.raises(InputError, match="out is for arrays"):
        ipmix.augment(TENSOR, method, MIXING, seed=0, out=np.empty((6, 3, 12, 10), np.uint8))


@pytest.mark.parametrize("label", ["cat", 0.5, None, float("nan"), [1, 2]])
def test_labels_that_are_no_classes(label):
    image = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(InputError, match="labels to collate are whole numbers of classes"):
        collate("cutmix", 3)([(image, 0), (image, label)])


@pytest.mark.parametrize(
    "others",
    [
        (Image.new("RGB", (8, 8)), Image.new("L", (8, 8))),
        (Image.new("RGB", (8, 8)), np.zeros((8, 8, 3), np.uint8)),
        (torch.zeros(3, 8, 8), np.zeros((8, 8, 3), np.uint8)),
    ],
)
def test_images_of_two_kinds_in_a_batch_are_refused(others: tuple[Any, Any]) -> None:
    together = collate(ipmix.CutMix(), classes=2)
    with pytest.raises(InputError, match=r"of one kind, got .* and .*: convert them"):
        together([(others[0], 0), (others[1], 1)])
