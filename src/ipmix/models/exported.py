"""Models that were exported with fixed shapes: what their input must look like, and ``torch.export`` programs."""

import hashlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ipmix.core.errors import InputError, first_line
from ipmix.models.outputs import check_rows, scores_of

CHANNELS = (1, 3, 4)
"""Numbers that are taken for channels when the order of an input's dimensions must be guessed."""


@dataclass(frozen=True)
class ExportedInput:
    """What an exported model's input looks like.

    Attributes:
        name: the model's, for messages.
        channels, height, width: None where any will do.
        channels_last: whether it is [B, H, W, C] instead of [B, C, H, W].
        dtype: of its numbers; of uint8 the range is 0..255, of all others 0..1.
        least, most: how many images it takes at once; ``most`` None for any number.
    """

    name: str
    channels: int | None = None
    height: int | None = None
    width: int | None = None
    channels_last: bool = False
    dtype: torch.dtype = torch.float32
    least: int = 1
    most: int | None = None

    @classmethod
    def of(
        cls, name: str, shape: Sequence[Any], dtype: torch.dtype, least: int = 1, most: int | None = None
    ) -> "ExportedInput":
        """From the shape of a 4-dimensional input, in which all that is not an int is open."""
        sides = [side if isinstance(side, int) and side > 0 else None for side in shape]
        if len(sides) != 4:
            raise InputError(f"{name} takes an input of {len(sides)} dimensions; expected images [B, C, H, W]")
        last = sides[1] not in CHANNELS and sides[3] in CHANNELS
        if last:
            _, height, width, channels = sides
        else:
            _, channels, height, width = sides
        if sides[0] is not None:
            least = most = sides[0]
        return cls(name, channels, height, width, last, dtype, least, most)

    @property
    def size(self) -> int | None:
        """The side of the only size of image that it takes."""
        return self.height if self.height == self.width else None

    def ask(self, images: torch.Tensor, run: Callable[[torch.Tensor], Any]) -> torch.Tensor:
        """Logits [B, K] of images float[B, C, H, W] in [0, 1], in as many runs as the fixed number needs.

        A short batch is filled up with copies of its last image, whose logits are left out.
        """
        self._check(images)
        if self.dtype == torch.uint8:
            images = images.mul(255.0).round().clamp(0, 255)
        images = images.to(self.dtype)
        if self.channels_last:
            images = images.permute(0, 2, 3, 1)
        found = []
        for batch in images.split(self.most or max(1, len(images))):
            count = len(batch)
            if count < self.least:
                batch = torch.cat([batch, batch[-1:].expand(self.least - count, *batch.shape[1:])])
            found.append(check_rows(scores_of(run(batch.contiguous())), len(batch), self.name)[:count])
        return found[0] if len(found) == 1 else torch.cat(found)

    def _check(self, images: torch.Tensor) -> None:
        _, channels, height, width = images.shape
        if self.channels not in (None, channels):
            raise InputError(
                f"{self.name} takes images of {self.channels} channel{'s' * (self.channels != 1)}, got {channels}"
            )
        if self.height not in (None, height) or self.width not in (None, width):
            wanted = "x".join("any" if side is None else str(side) for side in (self.width, self.height))
            advice = f"; pass --size {self.size}" if self.size else ""
            raise InputError(f"{self.name} takes {wanted} images, got {width}x{height}{advice}")


class Program(nn.Module):
    """A ``torch.export`` program, which knows no modes and can't be hashed by its parameters.

    Opening one can run code in it (its constants and sample inputs are pickles): only for trusted files.
    """

    takes_pixels = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.name, self.sha256 = path.name, file_hash(path)
        try:
            with _without_logs():
                exported = torch.export.load(path)
            self.program = (exported.module(),)  # in a tuple: eval() must not reach it
            self.input = _input_of(exported, path.name)
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{path} can't be opened as a torch.export program ({first_line(error)})") from None
        self.size = self.input.size
        self.differentiable = self.input.dtype.is_floating_point

    def _apply(self, fn: Any, recurse: bool = True) -> "Program":
        self.program[0]._apply(fn)
        super()._apply(fn)
        return self

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.input.ask(images, self.program[0])


@contextmanager
def _without_logs() -> Iterator[None]:
    """torch logs the trace of what it can't open, and then raises it: once is enough."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _input_of(exported: torch.export.ExportedProgram, name: str) -> ExportedInput:
    """What a program's graph says of its one input."""
    wanted = set(exported.graph_signature.user_inputs)
    inputs = [node for node in exported.graph.nodes if node.op == "placeholder" and node.name in wanted]
    if len(inputs) != 1:
        raise InputError(f"{name} takes {len(inputs)} inputs; expected one, images [B, C, H, W]")
    value = inputs[0].meta.get("val")
    if not isinstance(value, torch.Tensor):
        raise InputError(f"{name} takes a {type(value).__name__}; expected a tensor of images [B, C, H, W]")
    least, most = 1, None
    if not isinstance(value.shape[0], int):
        allowed = exported.range_constraints.get(value.shape[0].node.expr)
        if allowed is not None:  # infinite bounds can't be made ints
            least = int(allowed.lower) if allowed.lower.is_finite else 1
            most = int(allowed.upper) if allowed.upper.is_finite else None
    return ExportedInput.of(name, value.shape, value.dtype, max(least, 1), most)


def file_hash(path: Path, *others: Path) -> str:
    """SHA-256 of a file, and of what it refers to."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256")
    for other in others:
        found.update(file_hash(other).encode())
    return found.hexdigest()
