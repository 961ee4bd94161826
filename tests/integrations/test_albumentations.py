"""albumentations: its own seed, Compose's, workers that are forked, masks, saved pipelines."""

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for a newer version

import json
import multiprocessing
from typing import Any

import numpy as np
import pytest

A = pytest.importorskip("albumentations", reason="albumentations is not installed")
torch = pytest.importorskip("torch", reason="torch is not installed")

import ipmix  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.integrations.albumentations import AlbumentationsTransform  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # the library's own
IMAGE = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)


def series(transform: object, count: int = 4) -> list[bytes]:
    return [transform(image=IMAGE)["image"].tobytes() for _ in range(count)]  # type: ignore[operator]


def test_seeds() -> None:
    def composed(seed: int | None, own: int | None = None) -> object:
        return A.Compose([AlbumentationsTransform("augmix", own_seed=own)], seed=seed)

    assert series(composed(3)) == series(composed(3))
    assert len(set(series(composed(3)))) == 4
    assert series(composed(3)) != series(composed(4))
    assert series(composed(3, own=7)) == series(composed(4, own=7)), "its own seed, whatever Compose's"
    assert series(composed(3, own=7)) != series(composed(3, own=8))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_dtypes_and_grey(dtype: type) -> None:
    image = IMAGE if dtype == np.uint8 else (IMAGE / 255).astype(np.float32)
    for one in (image, image[:, :, 0]):
        made = AlbumentationsTransform(own_seed=0)(image=one)["image"]
        assert (made.dtype, made.shape) == (one.dtype, one.shape)
        assert not np.array_equal(made, one)


def test_masks_beside_moved_pixels_are_refused() -> None:
    with pytest.raises(InputError, match="ipmix moves pixels, and the sample's mask would stay"):
        A.Compose([AlbumentationsTransform()])(image=IMAGE, mask=IMAGE[:, :, 0])
    kept = A.Compose([AlbumentationsTransform(boxes="photometric")])(image=IMAGE, mask=IMAGE[:, :, 0])
    assert np.array_equal(kept["mask"], IMAGE[:, :, 0])


def test_a_pipeline_saved_and_read() -> None:
    pipeline = A.Compose([AlbumentationsTransform("augmix-k2", own_seed=5, p=0.5)])
    again = A.from_dict(A.to_dict(pipeline))
    assert again.transforms[0].method == "augmix-k2"
    assert (again.transforms[0].own_seed, again.transforms[0].p) == (5, 0.5)


class Same(torch.utils.data.Dataset):  # type: ignore[misc, name-defined]
    """The same image under each number."""

    def __init__(self) -> None:
        self.transform = A.Compose([AlbumentationsTransform("augmix", own_seed=0)], seed=0)

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> np.ndarray:
        made: np.ndarray = self.transform(image=IMAGE)["image"]
        return made


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")
@pytest.mark.parametrize("persistent", [False, True])
def test_forked_workers_and_epochs_draw_differently(persistent: bool) -> None:
    torch.manual_seed(0)
    loader = torch.utils.data.DataLoader(
        Same(), batch_size=None, num_workers=2, multiprocessing_context="fork", persistent_workers=persistent
    )
    seen = [made.tobytes() if hasattr(made, "tobytes") else made.numpy().tobytes() for _ in range(2) for made in loader]
    assert len(set(seen)) == 16


@pytest.mark.parametrize("method", ["augmix", ipmix.AugMix(), ipmix.IPMix(k=2)])
def test_a_saved_pipeline_does_the_same(method: Any) -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 12, 3), dtype=np.uint8)
    pipeline = A.Compose([AlbumentationsTransform(method)], seed=5)
    data = json.loads(json.dumps(A.to_dict(pipeline)))
    loaded: Any = A.from_dict(data)
    for each in (pipeline, loaded):
        each.set_random_seed(5)
    made = [pipeline(image=image)["image"] for _ in range(5)]
    assert all(np.array_equal(loaded(image=image)["image"], each) for each in made)
    assert any(not np.array_equal(image, each) for each in made)


def test_a_method_of_ones_own_is_not_saved_as_an_object() -> None:
    pipeline = A.Compose([AlbumentationsTransform(ipmix.PixelMethod(lambda images, keys: images))])
    with pytest.raises(InputError, match=r"names its method, and .* has no name"):
        A.to_dict(pipeline)
