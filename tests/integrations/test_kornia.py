"""kornia: each image by its own key, inside AugmentationSequential, repeated by its parameters; masks."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
K = pytest.importorskip("kornia.augmentation", reason="kornia is not installed")

import ipmix  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.integrations.kornia import KorniaAugmentation  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # the library's own


def batch(images: np.ndarray) -> "torch.Tensor":  # type: ignore[name-defined]
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def test_each_image_by_its_own_key(images: np.ndarray) -> None:
    augmentation = KorniaAugmentation("augmix")
    pixels = batch(images)
    torch.manual_seed(0)
    made = augmentation(pixels)
    keys = augmentation._params["keys"].numpy()
    assert len(set(keys.tolist())) == len(images)
    expected = ipmix.augment(images, ipmix.AugMix(), seed=0, indices=keys)
    assert np.array_equal(made.mul(255).round().byte().permute(0, 2, 3, 1).numpy(), expected)
    assert torch.equal(augmentation(pixels, params=augmentation._params), made)
    assert not torch.equal(augmentation(pixels), made)
    torch.manual_seed(0)
    assert torch.equal(augmentation(pixels), made)


def test_in_a_sequence_with_masks(images: np.ndarray) -> None:
    pixels, masks = batch(images), (batch(images)[:, :1] > 0.5).float()
    sequence = K.AugmentationSequential(
        K.RandomHorizontalFlip(p=0.0), KorniaAugmentation(), data_keys=["input", "mask"]
    )
    with pytest.raises(InputError, match="ipmix moves pixels, and the sample's masks would stay where they are"):
        sequence(pixels, masks)
    still = KorniaAugmentation(boxes="photometric")
    made, kept = K.AugmentationSequential(still, data_keys=["input", "mask"])(pixels, masks)
    assert torch.equal(kept, masks)
    assert not torch.equal(made, pixels)


def test_some_of_the_images(images: np.ndarray) -> None:
    torch.manual_seed(1)
    pixels = batch(images)
    made = KorniaAugmentation("pixmix", p=0.5)(pixels)
    same = [torch.equal(a, b) for a, b in zip(made, pixels)]
    assert 0 < sum(same) < len(same)


def test_numbers_beyond_the_range_are_refused(images: np.ndarray) -> None:
    with pytest.raises(InputError, match="holds numbers from 0 to 1, got"):
        KorniaAugmentation("augmix")(batch(images) * 2 - 1)
