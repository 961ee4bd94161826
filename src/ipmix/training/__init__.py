"""TRAIN: the loop, its settings, the batches it takes, the losses, the checkpoints, what it shows.

It knows nothing of corruptions, measures or the scorecard.
"""

from ipmix.training.config import TrainingConfig
from ipmix.training.loop import Outcome, train

__all__ = ["Outcome", "TrainingConfig", "train"]
