"""DRAW: what each method does to a picture, as recipes. One file each; METHODS is a plain dict."""

from typing import Any

from ipmix.methods.augmax import AugMax
from ipmix.methods.augmix import AugMix
from ipmix.methods.combined import Combined
from ipmix.methods.cutmix import CutMix
from ipmix.methods.cutout import CutOut
from ipmix.methods.ipmix import IPMix
from ipmix.methods.mixup import MixUp
from ipmix.methods.pixmix import PixMix
from ipmix.methods.vanilla import Vanilla

METHODS: dict[str, Any] = {
    kind.name: kind for kind in (Vanilla, MixUp, CutOut, CutMix, AugMix, AugMax, PixMix, IPMix, Combined)
}
"""Every method by its name on the command line."""
