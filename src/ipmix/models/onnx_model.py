"""ONNX models, run by onnxruntime; and where such a file keeps its weights, read before it is opened."""

import hashlib
import importlib
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import nn

from ipmix.core.errors import InputError, first_line, plain
from ipmix.core.files import real
from ipmix.models.exported import ExportedInput, file_hash

DTYPES = {
    "tensor(float)": torch.float32,
    "tensor(float16)": torch.float16,
    "tensor(double)": torch.float64,
    "tensor(uint8)": torch.uint8,
}

# Which fields of ONNX's protobuf messages lead to tensors (onnx.proto): message -> field number -> message.
_FIELDS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
Content: TypeAlias = bytes | mmap.mmap


class Onnx(nn.Module):
    """An ONNX model run by onnxruntime on the CPU; without gradients.

    Its input may be float, float16, double (0..1) or uint8 (0..255), [B, C, H, W] or [B, H, W, C].
    """

    differentiable = False
    takes_pixels = True

    def __init__(self, model: Any) -> None:
        """Open a file, or take a session of onnxruntime that is open already."""
        super().__init__()
        self._from_file(model) if isinstance(model, Path) else self._from_session(model)

    def _from_session(self, session: Any) -> None:
        self.session = session
        path = Path(str(getattr(session, "_model_path", None) or "ONNX session"))
        self._look(path)
        content = getattr(session, "_model_bytes", None)
        hashed = (
            file_hash(path, *external_files(path)) if path.is_file() else hashlib.sha256(content or b"").hexdigest()
        )
        self.name, self.sha256 = path.name, hashed

    def _from_file(self, path: Path) -> None:
        try:
            onnxruntime: Any = importlib.import_module("onnxruntime")
        except ModuleNotFoundError:
            raise InputError(f"{path} needs onnxruntime: pip install onnxruntime") from None
        beside = external_files(path)
        try:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4  # what it says in lines of its own, it also raises
            # Waiting threads that spin take the processor from those that make corruptions meanwhile.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise InputError(f"{path} can't be opened as ONNX ({first_line(error)})") from None
        self._look(path)
        self.name, self.sha256 = path.name, file_hash(path, *beside)

    def _look(self, path: Path) -> None:
        """Find out what the session takes."""
        inputs = self.session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in DTYPES:
            kinds = ", ".join(f"{plain(one.name, most=40)}: {one.type}" for one in inputs)
            raise InputError(f"{path} takes ({kinds}); expected one input of images, {', '.join(DTYPES)}")
        self.input_name = inputs[0].name
        self.input = ExportedInput.of(path.name, inputs[0].shape, DTYPES[inputs[0].type])
        self.size = self.input.size  # the side of image that it was exported for

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.input.ask(images.detach().cpu(), self._run)

    def _run(self, batch: torch.Tensor) -> list[torch.Tensor]:
        found = self.session.run(None, {self.input_name: batch.numpy()})
        return [torch.from_numpy(value) for value in found if hasattr(value, "dtype") and value.dtype.kind in "fiu"]


def external_files(path: Path) -> list[Path]:
    """The files beside an ONNX model that hold its weights.

    Raises:
        InputError: one would lie outside the model's folder (by its name or through a link), or the file is damaged.
    """
    folder = real(path).parent
    found: dict[Path, None] = {}
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty; expected an ONNX model")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                names = list(dict.fromkeys(_locations(content)))
            except (IndexError, ValueError):
                raise InputError(f"{path} can't be opened as ONNX (it is damaged or of another kind)") from None
    for name in names:
        target = real(folder / name) if "\0" not in name else Path()
        if "\\" in name or ":" in name or Path(name).is_absolute() or not target.is_relative_to(folder):
            raise InputError(
                f"{path} wants to read weights from {plain(name)!r}, outside its own folder: it is not opened. "
                "Put them beside it and export it again"
            )
        if target.is_file():  # else onnxruntime says what is missing
            found[target] = None
    return list(found)


def _locations(content: Content) -> Iterator[str]:
    """The files that an ONNX model's tensors name as the place of their numbers."""
    todo = [(0, len(content), "model")]
    while todo:
        start, end, message = todo.pop()
        key = value = b""
        for field, begin, stop in _parts(content, start, end):
            if message == "entry":
                key = content[begin:stop] if field == 1 else key
                value = content[begin:stop] if field == 2 else value
            elif inner := _FIELDS[message].get(field):
                todo.append((begin, stop, inner))
        if message == "entry" and key == b"location":
            yield value.decode()


def _parts(content: Content, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The fields of a protobuf message that have a length: number, where the content begins and ends."""
    while at < end:
        tag, at = _varint(content, at)
        kind = tag & 7
        if kind == 0:
            _, at = _varint(content, at)
        elif kind == 1:
            at += 8
        elif kind == 5:
            at += 4
        elif kind == 2:
            length, at = _varint(content, at)
            if at + length > end:
                raise ValueError("a field ends behind its message")
            yield tag >> 3, at, at + length
            at += length
        else:
            raise ValueError(f"unknown kind of field {kind}")


def _varint(content: Content, at: int) -> tuple[int, int]:
    """A whole number of 7 bits a byte, and where it ends."""
    number = shift = 0
    while True:
        byte = content[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
