"""DRAW: what each method does to a picture, as recipes. One file each; METHODS is a plain dict."""

from ipmix.methods.ipmix import IPMix
from ipmix.methods.torchvision_policies import AutoAugment, RandAugment, TrivialAugmentWide

METHODS = {
    "ipmix": IPMix,
    "autoaugment": AutoAugment,
    "randaugment": RandAugment,
    "trivialaugment": TrivialAugmentWide,
}
"""Every method by its name on the command line."""
