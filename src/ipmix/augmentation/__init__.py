"""AUGMENT: draw, then apply; on batches, on single images, and explained.

It joins methods, engines and mixing sets, and knows nothing of files, models or training.
"""

from ipmix.augmentation.batches import apply, augment, draw
from ipmix.augmentation.single import Augmenter

__all__ = ["Augmenter", "apply", "augment", "draw"]
