"""GENERATE: holds, makes and verifies the images that IPMix mixes in.

It takes what ``fractals`` paints and what ``data`` reads, and knows nothing of augmentation.
"""

from ipmix.mixing_set.mixing_set import MixingSet

__all__ = ["MixingSet"]
