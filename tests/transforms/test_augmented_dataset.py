"""A data set's images are functions of (seed, epoch, index, view), however a DataLoader reads it."""

import copy
import multiprocessing
import pickle
import warnings
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from torch.utils.data.distributed import DistributedSampler
from torchvision import tv_tensors

import ipmix
from ipmix.core.errors import InputError
from ipmix.transforms import AugmentedDataset, EpochSampler
from ipmix.transforms.epochs import EpochIndex

COUNT = 24
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 12, 10, 3), dtype=np.uint8)
MIXING = np.random.default_rng(1).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)


class Items:
    """A map-style data set of NumPy images and labels."""

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return IMAGES[index], index


def to_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)


def expected(epoch: int, view: int = 0) -> np.ndarray:
    return ipmix.augment(IMAGES, ipmix.IPMix(), MIXING, seed=3, epoch=epoch, view=view, layout="nchw")


def augmented(**options: Any) -> AugmentedDataset:
    return AugmentedDataset(Items(), "ipmix", MIXING, seed=3, after=to_tensor, **options)


def epochs_of(batches: Any, most: int = 6) -> set[int]:
    """The epochs that the images of these batches are of."""
    found = set()
    for images, labels in batches:
        for image, label in zip(images.numpy(), labels.tolist()):
            (epoch,) = [e for e in range(most) if np.array_equal(image, EXPECTED[e][label])]
            found.add(epoch)
    return found


EXPECTED = [expected(epoch) for epoch in range(6)]

STARTS = [method for method in ("fork", "spawn") if method in multiprocessing.get_all_start_methods()]
WAYS = [
    (0, False, None),
    *((workers, persistent, start) for start in STARTS for workers in (1, 2) for persistent in (False, True)),
]


@pytest.mark.parametrize(("workers", "persistent", "start"), WAYS)
def test_the_epoch_reaches_all_workers(workers: int, persistent: bool, start: str | None) -> None:
    """Counted by itself, and set; each of three epochs is exactly that of ``augment``."""
    options = {"num_workers": workers, "persistent_workers": persistent, "multiprocessing_context": start}
    dataset = augmented()
    loader = DataLoader(dataset, 5, shuffle=True, prefetch_factor=4 if workers else None, **options)
    assert [epochs_of(loader), epochs_of(loader)] == [{0}, {1}]
    dataset.set_epoch(4)
    assert epochs_of(loader) == {4}
    if persistent or not workers:  # a pass that starts no processes
        assert epochs_of(loader) == {5}
        for epoch in (3, 0):
            dataset.set_epoch(epoch)
            assert epochs_of(loader) == {epoch}


@pytest.mark.parametrize(
    ("workers", "persistent", "start"), [(0, False, None), *((2, True, start) for start in STARTS)]
)
def test_indices_that_carry_the_epoch_survive_a_pass_that_begins_early(
    workers: int, persistent: bool, start: str | None
) -> None:
    """Two passes at once, and one that is broken off: what a shared number can't tell apart."""
    dataset = augmented()
    sampler = EpochSampler(RandomSampler(dataset))
    options = {"num_workers": workers, "persistent_workers": persistent, "multiprocessing_context": start}
    loader = DataLoader(dataset, 5, sampler=sampler, **options)
    other = DataLoader(dataset, 5, sampler=sampler, **options)
    first, second = iter(loader), iter(other)
    seen = [(epochs_of([a]), epochs_of([b])) for a, b in zip(first, second)]
    assert seen == [({0}, {1})] * 5
    begun = iter(loader)
    assert epochs_of([next(begun)]) == {2}
    assert epochs_of(loader) == {3}
    sampler.set_epoch(5)
    assert epochs_of(loader) == {5}


@pytest.mark.parametrize(
    "sampler",
    [RandomSampler, SequentialSampler, lambda d: DistributedSampler(d, num_replicas=2, rank=1)],
    ids=["random", "sequential", "distributed"],
)
def test_passes_of_torch_s_samplers_are_counted(sampler: Any) -> None:
    dataset = augmented()
    loader = DataLoader(dataset, 5, sampler=sampler(dataset))
    for epoch in range(3):
        assert len(loader) > 0, "which asks for the length too"
        assert (epochs_of(loader), dataset.epoch) == ({epoch}, epoch)
    batches = DataLoader(dataset, batch_sampler=BatchSampler(SequentialSampler(dataset), 5, drop_last=False))
    assert epochs_of(batches) == {3}


def test_samplers_that_show_no_pass_count_each_item() -> None:
    dataset = augmented()
    loader = DataLoader(dataset, 5, sampler=SubsetRandomSampler(range(COUNT)))
    assert [epochs_of(loader) for _ in range(3)] == [{0}, {1}, {2}]
    dataset = augmented()
    assert [epochs_of(DataLoader(Subset(dataset, range(7)), 5)) for _ in range(2)] == [{0}, {1}]
    weighted = EpochSampler(WeightedRandomSampler([1.0] * COUNT, 10))
    assert [epochs_of(DataLoader(dataset, 5, sampler=weighted)) for _ in range(2)] == [{0}, {1}]


def test_without_a_shared_epoch_it_would_show() -> None:
    """The check of all these tests can fail."""
    dataset = augmented()
    loader = DataLoader(dataset, 5, num_workers=1, persistent_workers=True, multiprocessing_context=STARTS[0])
    assert epochs_of(loader) == {0}
    memory = dataset._epoch._memory.clone()
    dataset._epoch.__setstate__(memory)  # no longer what the workers see
    with pytest.raises(UserWarning, match="second time in epoch 0"):
        epochs_of(loader)


@pytest.mark.parametrize("workers", [0, 2])
def test_passes_that_are_not_seen_after_one_that_was_are_told(workers: int) -> None:
    """A look at a batch, then training on a Subset: each pass would be the same."""
    dataset = augmented()
    next(iter(DataLoader(dataset, 2)))
    options: dict[str, Any] = {"num_workers": workers, "persistent_workers": bool(workers)}
    loader = DataLoader(Subset(dataset, range(8)), 4, **options)
    with pytest.raises(UserWarning, match=r"items \d+ and \d+ have come a second time in epoch 0.*EpochSampler"):
        [list(loader) for _ in range(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert epochs_of(loader) == {0}, "as it says"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        epochs_of(loader)  # said once
        for epoch in (4, 2):
            dataset.set_epoch(epoch)
            assert epochs_of(loader) == {epoch}
        wrapped = DataLoader(Subset(dataset, range(8)), 4, sampler=EpochSampler(range(8)))
        assert [len(epochs_of(wrapped)) for _ in range(2)] == [1, 1]


def test_items_that_may_come_again_are_not_told() -> None:
    dataset = augmented()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset[3], dataset[3], dataset[5]
        epochs_of(DataLoader(dataset, 5, sampler=RandomSampler(dataset, replacement=True, num_samples=90)))
        assert epochs_of(DataLoader(dataset, 5)) == {1}
        dataset[3], dataset[3]
        dataset.set_epoch(2)
        [dataset[i] for i in (1, 2, 1, 2)]
    assert epochs_of(DataLoader(dataset, 5)) == {2}


def test_views_and_the_clean_image_before_them() -> None:
    loader = DataLoader(augmented(views=2, clean=True), COUNT)
    (((clean, first, second), labels),) = list(loader)
    assert torch.equal(labels, torch.arange(COUNT))
    assert np.array_equal(clean, IMAGES.transpose(0, 3, 1, 2))
    assert np.array_equal(first, EXPECTED[0])
    assert np.array_equal(second, expected(0, view=1))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(360, COUNT))
    logits = model(torch.cat([clean, first, second]).float() / 255)
    assert ipmix.losses.jsd_loss(logits, labels, splits=3) > 0


class Of:
    """A data set of one item."""

    def __init__(self, item: Any) -> None:
        self.item = item

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Any:
        return self.item


Pair = namedtuple("Pair", ["image", "label"])
IMAGES[0] = IMAGES[0]
RIGHT = EXPECTED[0][0].transpose(1, 2, 0)


@pytest.mark.parametrize(
    ("item", "take"),
    [
        (IMAGES[0], lambda got: got),
        (Image.fromarray(IMAGES[0]), np.asarray),
        (to_tensor(IMAGES[0]), lambda got: got.permute(1, 2, 0)),
        ((IMAGES[0], 7), lambda got: got[0] if got[1] == 7 else None),
        ([IMAGES[0], 7], lambda got: got[0] if type(got) is list else None),
        (Pair(IMAGES[0], 7), lambda got: got.image if got.label == 7 else None),
        ({"image": IMAGES[0], "label": 7}, lambda got: got["image"] if got["label"] == 7 else None),
    ],
)
def test_kinds_of_items(item: Any, take: Any) -> None:
    dataset = AugmentedDataset(Of(item), ipmix.IPMix(), MIXING, seed=3)
    dataset.set_epoch(0)
    assert np.array_equal(take(dataset[0]), RIGHT)
    assert np.array_equal(take(dataset[-1]), RIGHT)
    named = {"img": IMAGES[0]}
    assert np.array_equal(AugmentedDataset(Of(named), "ipmix", MIXING, seed=3, image="img")[0]["img"], RIGHT)


def test_before_comes_once_and_after_for_each() -> None:
    dataset = AugmentedDataset(
        Items(), "ipmix", MIXING, seed=3, views=2, clean=True, before=lambda image: image[::-1], after=lambda i: i[None]
    )
    (clean, first, _), label = dataset[4]
    flipped = np.ascontiguousarray(IMAGES[:, ::-1])
    assert label == 4
    assert np.array_equal(clean[0], flipped[4])
    assert np.array_equal(first[0], ipmix.augment(flipped, ipmix.IPMix(), MIXING, seed=3)[4])


def test_copies_and_loops() -> None:
    dataset = AugmentedDataset(Items(), "ipmix", MIXING, seed=3)
    dataset.set_epoch(2)
    for other in (copy.deepcopy(dataset), pickle.loads(pickle.dumps(dataset))):
        assert np.array_equal(other[5][0], EXPECTED[2][5].transpose(1, 2, 0))
    assert len(list(dataset)) == COUNT, "an index beyond the end ends a loop"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: AugmentedDataset(iter([1]), "ipmix", MIXING), "numbered items and a length.*key_of"),
        (lambda: AugmentedDataset(Items(), "cutmix"), r"cutmix mixes labels: take ipmix.transforms.collate"),
        (lambda: AugmentedDataset(Items(), "ipmix", MIXING, views=0), "views must be a whole number of at least 1"),
        (lambda: AugmentedDataset(Items(), "ipmix", MIXING, seed=0.5), "seed must be an integer"),
        (lambda: AugmentedDataset(Items(), "ipmix", MIXING, clean=1), "clean must be True or False, got 1"),
        (lambda: AugmentedDataset(Items(), "ipmix", MIXING, before=3), "before must be a function of one image"),
        (lambda: AugmentedDataset(Items(), "ipmix", MIXING, after="x"), "after must be a function of one image"),
        (lambda: AugmentedDataset(Items(), "ipmix", MIXING, image=0.5), "a key or a place, got 0.5"),
        (lambda: AugmentedDataset(Items(), "ipmix", "folder"), "mixing is a set, not its path"),
        (lambda: augmented().set_epoch(0.5), "epoch must be an integer"),
        (lambda: AugmentedDataset(Of({"picture": 1}), "ipmix", MIXING)[0], "has no 'image', only 'picture'.*image="),
        (lambda: AugmentedDataset(Of("a.png"), "ipmix", MIXING)[0], "expected one image .* got str"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


def test_an_index_beyond_the_end(tmp_path: Path) -> None:
    with pytest.raises(IndexError, match="item 24 of a data set of 24"):
        augmented()[COUNT]


def test_an_index_from_the_end_keeps_its_epoch():
    """The epoch of a sampler's index that counts from the end was dropped."""
    images = [np.random.default_rng(place).integers(0, 256, (16, 16, 3), np.uint8) for place in range(4)]
    made = [AugmentedDataset(images, "augmix") for _ in range(2)]
    assert np.array_equal(made[0][EpochIndex(-1, 5)], made[1][EpochIndex(3, 5)])
    assert np.array_equal(made[0][-1], made[1][3])
    made[0].set_epoch(7)
    assert np.array_equal(made[0][-1], made[0][3])


def test_floats_up_to_255_are_refused_with_what_to_do():
    image = np.full((8, 8, 3), 200.0, np.float32)
    with pytest.raises(InputError, match=r"float32\[8, 8, 3\]: numbers up to 200; .* image\.round\(\)"):
        AugmentedDataset([image], "augmix")[0]
    with pytest.raises(InputError, match="divide them by 255"):
        AugmentedDataset([torch.from_numpy(image).permute(2, 0, 1)], "augmix")[0]


SIDE = IMAGES.shape[1:3]
TARGETS = {
    "boxes of torchvision": {"target": tv_tensors.BoundingBoxes([[1, 2, 3, 4]], format="XYXY", canvas_size=SIDE)},
    "mask of torchvision": {"deep": [{"m": tv_tensors.Mask(torch.zeros(SIDE, dtype=torch.uint8))}]},
    "boxes by name": {"objects": {"bbox": [[1, 2, 3, 4]]}},
    "key points by name": {"keypoints": torch.zeros(4, 2)},
    "mask of Pillow": {"target": Image.new("L", SIDE[::-1])},
    "mask as an array": {"target": np.zeros(SIDE, np.int64)},
    "mask as a tensor": {"target": torch.zeros((1, *SIDE))},
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("form", ["dict", "tuple"])
def test_what_would_have_to_move_with_the_pixels_is_refused(target: Any, form: str) -> None:
    item: Any = {"image": IMAGES[0], **target} if form == "dict" else (IMAGES[0], target)
    with pytest.raises(InputError, match=r'ipmix moves pixels, and the sample.*boxes="photometric"'):
        AugmentedDataset(Of(item), "ipmix", MIXING)[0]
    if not isinstance(target.get("target"), Image.Image):  # a second image in one sample
        with pytest.raises(InputError, match=r'ipmix moves pixels, and the sample.*boxes="photometric"'):
            ipmix.transforms.IPMix(mixing=MIXING)(item)
    got = AugmentedDataset(Of(item), "ipmix", MIXING, seed=3, boxes="photometric")[0]
    right = ipmix.augment(IMAGES[:1], ipmix.IPMix(operations="photometric"), MIXING, seed=3)[0]
    assert np.array_equal(got["image" if form == "dict" else 0], right)
    assert AugmentedDataset(Of(item), "cutout")[0] is not None


def test_labels_beside_an_image_pass_and_boxes_is_one_of_two() -> None:
    beside = {"label": 3, "caption": "a mask", "weights": torch.ones(7), "scores": np.ones((2, 5)), "mask": None}
    got = AugmentedDataset(Of({"image": IMAGES[0], **beside}), "ipmix", MIXING, seed=3)[0]
    assert np.array_equal(got["image"], RIGHT)
    with pytest.raises(InputError, match="boxes must be one of refuse, photometric, got 'move'"):
        AugmentedDataset(Items(), "ipmix", MIXING, boxes="move")


def test_how_items_taken_by_hand_count() -> None:
    """As docs/transforms.md says it: each for itself until an epoch is set; from the end they are the same items."""
    dataset = augmented()
    made = [dataset[index][0].numpy() for index in (COUNT - 1, -1)]
    assert [np.array_equal(image, EXPECTED[epoch][-1]) for epoch, image in enumerate(made)] == [True, True]
    assert dataset.epoch == 0
    dataset.set_epoch(0)
    assert np.array_equal(dataset[torch.tensor(2)][0], dataset[np.int64(2)][0])
    assert all(np.array_equal(dataset[index][0], EXPECTED[0][-1]) for index in (-1, COUNT - 1, -1))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: augmented()[0:2], r"an item is taken by its number, got slice\(0, 2, None\): for several, .*Subset"),
        (lambda: augmented()["a"], "an item is taken by its number, got 'a'"),
        (lambda: EpochSampler(5), r"takes another sampler, such as RandomSampler\(dataset\), got 5"),
    ],
)
def test_bare_errors_have_words(make: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


def test_another_pillow_image_of_an_item_is_refused_unless_the_image_is_named() -> None:
    image, other = Image.new("RGB", (16, 16), (9, 99, 200)), Image.new("RGB", (16, 16), (1, 2, 3))
    with pytest.raises(InputError, match="several images, and ipmix would move the pixels of one: say which"):
        AugmentedDataset([(image, other)], "ipmix-k3-t3")[0]
    assert AugmentedDataset([(image, other)], "ipmix-k3-t3", image=0)[0][1] is other
    assert AugmentedDataset([(image, other)], "ipmix-k3-t3", boxes="photometric")[0][1] is other
    with pytest.raises(InputError, match="'segmentation' would stay where they are"):
        AugmentedDataset([(image, {"segmentation": [[1, 2, 3, 4, 5, 6]]})], "ipmix-k3-t3")[0]


@pytest.mark.parametrize(("workers", "persistent"), [(0, False), (1, False), (2, True)])
def test_passes_without_batches_count_once(workers: int, persistent: bool) -> None:
    """Without batches, torch asks a sequential sampler twice where there are workers."""
    data = AugmentedDataset([IMAGES[0]] * 6, "augmix")
    loader: Any = DataLoader(data, batch_size=None, num_workers=workers, persistent_workers=persistent)
    seen = []
    for epoch in range(3):
        made = [np.asarray(image) for image in loader]
        seen.append(data.epoch)
        expected = ipmix.augment(np.stack([IMAGES[0]] * 6), ipmix.AugMix(), seed=0, epoch=epoch)
        assert np.array_equal(np.stack(made), expected)
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("kind", ["array", "tensor", "pillow"])
def test_what_comes_behind_does_not_change_the_data_set(kind: str) -> None:
    planes = torch.from_numpy(IMAGES[0].transpose(2, 0, 1).copy())
    item = {"array": IMAGES[0].copy(), "tensor": planes.clone(), "pillow": Image.fromarray(IMAGES[0])}[kind]

    def spoil(image: Any) -> Any:
        if kind == "pillow":
            image.paste((0, 0, 0), (0, 0, *image.size))
        else:
            image[...] = 0
        return image

    clean, augmented = AugmentedDataset([item], "vanilla", clean=True, after=spoil)[0]
    assert not np.asarray(clean).any()
    assert not np.asarray(augmented).any()
    assert np.array_equal(item if kind == "tensor" else np.asarray(item), planes if kind == "tensor" else IMAGES[0])


def test_what_else_the_data_set_has_is_there() -> None:
    class Named(list[np.ndarray]):
        classes = ("cat", "dog")

    data = AugmentedDataset(Named([IMAGES[0]]), "augmix", views=2, seed=4)
    assert data.classes == ("cat", "dog")
    with pytest.raises(AttributeError, match="targets"):
        data.targets  # noqa: B018
    assert copy.deepcopy(data).classes == data.classes
    assert repr(data).startswith("<AugmentedDataset of 1 items: AugMix(")
    assert repr(data).endswith(", 2 views, seed 4>")


def test_the_epoch_is_the_processors_whatever_the_default_device_is() -> None:
    with torch.device("meta"):
        data = AugmentedDataset([IMAGES[0]], "augmix")
        assert np.array_equal(data[0], ipmix.augment(IMAGES[0][None], ipmix.AugMix(), seed=0)[0])
