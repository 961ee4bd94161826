"""HOST: the methods as torchvision's transforms, as a wrapper of data sets, and for batches in a training script.

>>> v2.Compose([v2.RandomCrop(32, 4), ipmix.transforms.IPMix(), v2.ToImage()])  # doctest: +SKIP

Names are imported when they are first used: torch and torchvision are loaded with the first transform.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_CLASSES = {
    "AugMix": "AugMixTransform",
    "AutoAugment": "AutoAugmentTransform",
    "CutOut": "CutOutTransform",
    "IPMix": "IPMixTransform",
    "LayerMix": "LayerMixTransform",
    "PRIME": "PRIMETransform",
    "PixMix": "PixMixTransform",
    "RandAugment": "RandAugmentTransform",
    "TrivialAugmentWide": "TrivialAugmentWideTransform",
    "Vanilla": "VanillaTransform",
}
"""Label-preserving methods by their names -> the transforms that they are here."""

_HOMES = {
    "MethodTransform": "ipmix.transforms.method_transform",
    "from_name": "ipmix.transforms.method_transform",
    "collate": "ipmix.transforms.batches",
    "AugmentedDataset": "ipmix.transforms.augmented_dataset",
    "EpochSampler": "ipmix.transforms.epochs",
    "key_of": "ipmix.core.item_keys",
}

__all__ = [*_CLASSES, *_HOMES]

if TYPE_CHECKING:
    from ipmix.core.item_keys import key_of as key_of
    from ipmix.transforms.augmented_dataset import AugmentedDataset as AugmentedDataset
    from ipmix.transforms.batches import collate as collate
    from ipmix.transforms.epochs import EpochSampler as EpochSampler
    from ipmix.transforms.method_transform import AugMixTransform as AugMix
    from ipmix.transforms.method_transform import AutoAugmentTransform as AutoAugment
    from ipmix.transforms.method_transform import CutOutTransform as CutOut
    from ipmix.transforms.method_transform import IPMixTransform as IPMix
    from ipmix.transforms.method_transform import LayerMixTransform as LayerMix
    from ipmix.transforms.method_transform import MethodTransform as MethodTransform
    from ipmix.transforms.method_transform import PixMixTransform as PixMix
    from ipmix.transforms.method_transform import PRIMETransform as PRIME
    from ipmix.transforms.method_transform import RandAugmentTransform as RandAugment
    from ipmix.transforms.method_transform import TrivialAugmentWideTransform as TrivialAugmentWide
    from ipmix.transforms.method_transform import VanillaTransform as Vanilla
    from ipmix.transforms.method_transform import from_name as from_name


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return getattr(import_module("ipmix.transforms.method_transform"), _CLASSES[name])
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in ("MixUp", "CutMix", "Combined"):
        raise AttributeError(
            f"{name} is no transform of single images, as it mixes labels: pass "
            f"ipmix.transforms.collate(ipmix.{name}(), classes=...) to the DataLoader"
        )
    raise AttributeError(f"module 'ipmix.transforms' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
