"""DRAW: what each method does to an image, as recipes. One file each; METHODS is a plain dict."""

from typing import Any

from ipmix.methods.augmax import AugMax
from ipmix.methods.augmix import AugMix
from ipmix.methods.autoaugment import AutoAugment
from ipmix.methods.combined import Combined
from ipmix.methods.cutmix import CutMix
from ipmix.methods.cutout import CutOut
from ipmix.methods.ipmix import IPMix
from ipmix.methods.layermix import LayerMix
from ipmix.methods.mixup import MixUp
from ipmix.methods.pixmix import PixMix
from ipmix.methods.prime import PRIME
from ipmix.methods.randaugment import RandAugment
from ipmix.methods.trivialaugment import TrivialAugmentWide
from ipmix.methods.vanilla import Vanilla

METHODS: dict[str, Any] = {
    kind.name: kind
    for kind in (
        Vanilla,
        MixUp,
        CutOut,
        CutMix,
        AugMix,
        AugMax,
        PixMix,
        IPMix,
        LayerMix,
        PRIME,
        Combined,
        AutoAugment,
        RandAugment,
        TrivialAugmentWide,
    )
}
"""Every method by its name on the command line."""
