"""The model that is measured: on its device, asked in batches, answering for the data's classes."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ipmix.core.errors import InputError, first_line
from ipmix.core.progress import Counter
from ipmix.evaluation.class_outputs import ClassOutputs, Restricted, largest_output, restricted
from ipmix.measures.outputs import refuse_probabilities, told_kind
from ipmix.models.advice import failure, out_of_memory
from ipmix.models.outputs import Logits, shown


class BatchedModel:
    """The model on its device, asked in batches."""

    def __init__(
        self, model: nn.Module, device: torch.device, batch_size: int, class_outputs: ClassOutputs | None
    ) -> None:
        # Convolutions on NHWC memory are up to twice as fast on a CPU; the results' shapes don't change.
        self.model = Logits(model.to(device, memory_format=torch.channels_last).eval())  # type: ignore[call-overload]
        self.device, self.batch_size, self.class_outputs = device, batch_size, class_outputs
        self._checked = False
        self._width: int | None = None  # how many outputs it gave first
        self.unchecked = False
        """Whether the next logits are to be held to :meth:`check_scores`."""

    @property
    def on_data_classes(self) -> nn.Module:
        """The model with the outputs of the data's classes alone: what an attack works against."""
        return self.model if self.class_outputs is None else Restricted(self.model, self.class_outputs)

    def check(self, image: NDArray[np.uint8], classes: int) -> None:
        """Try one image: a model that doesn't fit the data should say so in the first second."""
        if self._checked:
            return
        outputs = self.width(image)
        width = outputs if self.class_outputs is None else len(self.class_outputs)
        if width != classes:
            raise InputError(
                f"the model has {width} classes and the data {classes}: which is which can't be guessed. "
                "Use data with the model's classes, name the subset (--subset), or say which folder is which of "
                "the model's outputs (--class-map)"
            )
        if self.class_outputs is not None and (largest := largest_output(self.class_outputs)) >= outputs:
            raise InputError(f"the data needs class {largest} of the model, which has {outputs}")
        self._checked = True

    def width(self, image: NDArray[np.uint8]) -> int:
        """How many outputs the model has, found by trying an image uint8[1, H, W, C].

        Raises:
            InputError: the model can't take it, or gives no logits.
        """
        pixels = self.tensor(image)
        try:
            with torch.inference_mode():
                logits = self.model(pixels)
        except InputError:
            raise
        except (Exception, SystemExit) as error:  # a model of somebody else's may fail in any way
            raise failure(self.model, pixels, error) from error
        found = logits.cpu().numpy()
        if found.ndim != 2 or len(found) != len(pixels):
            raise InputError(
                f"the model must give logits [images, classes], got shape {list(found.shape)} for one image: a row for "
                "each is expected"
            )
        refuse_probabilities(found)
        self._width = found.shape[1]
        return int(found.shape[1])

    def check_scores(self, scores: NDArray[np.float32]) -> None:
        """Refuse scores [N, K] that are no logits, or may be none, by the rule that ``ipmix score`` has.

        A model that was wrapped with ``probabilities=False`` is believed: its scores are logits.

        Raises:
            InputError: they are probabilities, percent, or all in [0, 1] without summing to 1.
        """
        if getattr(self.model, "gives_logits", False):
            return
        kind = told_kind(
            scores, "what the model gives",
            "pass ipmix.models.wrap(model, probabilities=True) if these are probabilities (of a sigmoid, too), "
            "probabilities=False if they are logits",
        )  # fmt: skip
        if kind != "logits":
            words = {"probabilities": "probabilities", "percent": "probabilities in percent"}[kind]
            raise InputError(
                f"the model gives {words}, not logits (each row sums to {1 if kind == 'probabilities' else 100}): pass "
                "ipmix.models.wrap(model, probabilities=True)"
            )

    def batches(self, count: int) -> Iterator[slice]:
        """Slices of at most ``batch_size``."""
        for start in range(0, count, self.batch_size):
            yield slice(start, min(start + self.batch_size, count))

    def tensor(self, images: NDArray[np.uint8]) -> torch.Tensor:
        """uint8[B, H, W, C] -> float32[B, C, H, W] in [0, 1], on the device."""
        pixels = torch.from_numpy(np.require(images, requirements=("C", "W"))).to(self.device)
        return pixels.permute(0, 3, 1, 2).to(torch.float32).div_(255.0)

    def answer(self, pixels: torch.Tensor, restrict: bool = True) -> NDArray[np.float32]:
        """Logits float32[B, K] of a batch."""
        with torch.inference_mode():
            try:
                logits = self.model(pixels)
            except (Exception, SystemExit) as error:
                if out_of_memory(error):
                    raise InputError(
                        f"not enough memory for a batch of {shown(pixels)} on {self.device}; lower --batch-size "
                        f"({self.batch_size})"
                    ) from error
                if isinstance(error, InputError):
                    raise
                told = f"{type(error).__name__}: {first_line(error)}"
                raise InputError(
                    f"the model failed on a batch of {shown(pixels)} ({told}); if it takes fewer images at once, "
                    f"lower --batch-size ({self.batch_size})"
                ) from error
            if logits.ndim != 2 or len(logits) != len(pixels):
                gave = f"{len(logits)} rows of logits" if logits.ndim == 2 else shown(logits)
                raise InputError(f"the model gave {gave} for a batch of {len(pixels)} images; expected one for each")
            self._width = logits.shape[1] if self._width is None else self._width
            if logits.shape[1] != self._width:
                raise InputError(
                    f"the model gave {logits.shape[1]} outputs an image for one batch and {self._width} for another; "
                    "expected one for each class, always"
                )
            if restrict and self.class_outputs is not None:
                logits = restricted(logits, self.class_outputs)
            array: NDArray[np.float32] = logits.cpu().numpy()
            return array

    def logits(self, images: NDArray[np.uint8], advance: Counter, restrict: bool = True) -> NDArray[np.float32]:
        """Logits float32[N, K] of any number of images."""
        found = []
        for batch in self.batches(len(images)):
            found.append(self.answer(self.tensor(images[batch]), restrict))
            advance(batch.stop - batch.start)
        return np.concatenate(found)


def device_named(name: str) -> torch.device:
    """The device of this name; "auto" is a GPU where there is one.

    Raises:
        InputError: it can't be used here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = first_line(error)
        raise InputError(f"device {name!r} can't be used ({reason}); try cpu, cuda, cuda:1 or mps") from None
    if device.type == "cpu" and device.index:
        raise InputError(f"device {name!r} can't be used (a machine's processors are one device); say cpu")
    if device.type == "meta":
        raise InputError("device 'meta' computes nothing; try cpu, cuda, cuda:1 or mps")
    return device
