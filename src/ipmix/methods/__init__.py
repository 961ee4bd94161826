"""DRAW: what each method does to an image, as recipes. One file each; METHODS is a plain dict.

A method touches no pixel and imports no engine.
"""

from ipmix.methods.augmax import AugMax
from ipmix.methods.augmix import AugMix
from ipmix.methods.autoaugment import AutoAugment
from ipmix.methods.combined import Combined
from ipmix.methods.cutmix import CutMix
from ipmix.methods.cutout import CutOut
from ipmix.methods.ipmix import IPMix
from ipmix.methods.layermix import LayerMix
from ipmix.methods.mixup import MixUp
from ipmix.methods.pixels import PixelMethod as PixelMethod
from ipmix.methods.pixmix import PixMix
from ipmix.methods.prime import PRIME
from ipmix.methods.protocol import Method
from ipmix.methods.randaugment import RandAugment
from ipmix.methods.trivialaugment import TrivialAugmentWide
from ipmix.methods.vanilla import Vanilla

METHODS: dict[str, type[Method]] = {
    "vanilla": Vanilla,
    "mixup": MixUp,
    "cutout": CutOut,
    "cutmix": CutMix,
    "augmix": AugMix,
    "augmax": AugMax,
    "pixmix": PixMix,
    "ipmix": IPMix,
    "layermix": LayerMix,
    "prime": PRIME,
    "combined": Combined,
    "autoaugment": AutoAugment,
    "randaugment": RandAugment,
    "trivialaugment": TrivialAugmentWide,
}
"""Every method by its name on the command line."""
