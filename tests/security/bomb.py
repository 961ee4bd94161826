"""What a pickle can do."""

from pathlib import Path


class Bomb:
    """What a pickle can do: run a command when it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return Path.touch, (self.mark,)
