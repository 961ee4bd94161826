"""timm: the methods' names where timm takes ``auto_augment``, in ``create_transform`` and in its loaders.

>>> create_transform(224, is_training=True, auto_augment="ipmix-m3-k3-t3")  # doctest: +SKIP

With ``separate=True``, or ``create_loader(AugMixDataset(dataset, num_splits=3), ..., num_aug_splits=3)`` after
:func:`register`, the batches are those of ``--aug-splits 3 --jsd-loss``: clean images first, then two augmented views,
for timm's own ``JsdCrossEntropy``. Keys come from torch's generator, as for timm's other transforms.
"""

from collections.abc import Callable
from typing import Any

from ipmix.integrations.sharing import needed
from ipmix.methods import METHODS
from ipmix.recipe.mixing_images import MixingImages

with needed("timm", "timm"):
    from timm.data import transforms_factory

PREFIX = "ipmix:"
"""In front of a name that timm would take for its own: "ipmix:augmix-m3", "ipmix:randaugment"."""

_timms: Callable[..., Any] = transforms_factory.create_transform
_timms_own: Callable[..., Any] = transforms_factory.auto_augment_transform


def is_ours(name: str) -> bool:
    """Whether timm leaves this value of ``auto_augment`` to us: a method of ipmix that is none of timm's."""
    return name.startswith(PREFIX) or ":" in name or name.partition("-")[0].lower() in METHODS


def register(mixing: MixingImages | None = None) -> None:
    """From now on timm understands our names as ``auto_augment`` (``--aa`` of its scripts).

    timm sends a name that begins with rand or augmix to its own RandAugment and AugMix; ours are "ipmix:augmix" and
    "ipmix:randaugment".

    Args:
        mixing: a mixing set, or uint8[M, h, w, C]; by default, where the method needs one, ``MixingSet.sample()``.
    """

    def auto_augment_transform(config_str: str, hparams: Any = None) -> Any:
        if not is_ours(config_str):
            return _timms_own(config_str, hparams)
        from ipmix.transforms import from_name

        return from_name(config_str.removeprefix(PREFIX), mixing)

    transforms_factory.auto_augment_transform = auto_augment_transform


def create_transform(
    *arguments: Any, auto_augment: str | None = None, mixing: MixingImages | None = None, **settings: Any
) -> Any:
    """timm's ``create_transform`` with our names for ``auto_augment``: "ipmix-m3-k3-t3", "pixmix-k4", "ipmix:augmix".

    Args:
        arguments, settings: all that timm's takes.
        auto_augment: ours, or one of timm's own.
        mixing: as for :func:`register`.

    Raises:
        InputError: a method, preset or option that there isn't.
    """
    before = transforms_factory.auto_augment_transform
    register(mixing)
    try:
        return _timms(*arguments, **(settings | {"auto_augment": auto_augment}))
    finally:
        transforms_factory.auto_augment_transform = before
