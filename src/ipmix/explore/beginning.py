"""What the page begins with, as the command line said: one for the process, set before it serves."""

from dataclasses import dataclass
from pathlib import Path


@dataclass
class Beginning:
    """The image, the mixing images and the results that are there when the page is opened; None for the built-in."""

    image: Path | None = None
    mixing_set: Path | None = None
    scorecard: Path | None = None


beginning = Beginning()
