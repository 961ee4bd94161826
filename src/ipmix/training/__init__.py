"""TRAIN: the loop, its settings, the batches it takes, the losses, the checkpoints, what it shows.

It knows nothing of corruptions, measures or the scorecard.
"""

from typing import TYPE_CHECKING, Any

from ipmix.training.config import TrainingConfig

if TYPE_CHECKING:
    from ipmix.training.loop import Outcome, train

__all__ = ["Outcome", "TrainingConfig", "train"]


def __getattr__(name: str) -> Any:
    """The loop, imported when asked for: settings and help need no torch."""
    if name in ("Outcome", "train"):
        from ipmix.training import loop

        return getattr(loop, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
