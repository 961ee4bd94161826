"""Weights in other people's files: PyTorch checkpoints in all the wrappings that training code puts around them."""

import _codecs
import argparse
import pathlib
import pickle
import re
import shutil
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ipmix.core.errors import InputError, first_line, plain
from ipmix.core.files import real
from ipmix.core.terminal import tell
from ipmix.models.tensors import check_tensors

EMA = "@ema"
"""Behind a file's name: of its weights take the moving average."""

PLAIN_KEYS = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "module")
EMA_KEYS = ("state_dict_ema", "model_ema", "ema_state_dict", "ema_model", "ema", "model_ema_state_dict")
_WRAPPERS = ("module.", "_orig_mod.")
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)|global ([\w.]+)")


def read_weights(path: str | Path, *, trust: bool = False) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file or a PyTorch checkpoint, by name, unwrapped.

    A checkpoint may hold them under "state_dict", "model", "net" and the like, several deep; the prefixes that
    DataParallel ("module.") and torch.compile ("_orig_mod.") add are removed. Where it also holds a moving average
    ("state_dict_ema", "model_ema"), that is taken if the name ends in ``@ema``, or if it is all there is; which of
    two was taken is said on stderr.

    No code in the file is run, unless ``trust`` is set; then a whole pickled module will do as well. Settings that
    training code keeps in a checkpoint (``argparse.Namespace``, NumPy numbers, paths) are opened without.

    Raises:
        InputError: there is no such file, it can't be opened or holds no weights, or a tensor of them is none that can
            be computed with (:mod:`ipmix.models.tensors`).
    """
    file, average = split_ema(path)
    check_exists(file)
    content = _of_safetensors(file) if file.suffix == ".safetensors" else read_checkpoint(file, trust=trust)
    found = _unwrapped(content, file, average)
    if not isinstance(found, Mapping):
        raise InputError(f"{file} holds a {type(found).__name__}; expected tensors by name")
    if numbers := [key for key in found if not isinstance(key, str)]:
        raise InputError(
            f"{file} has keys that are no text, such as {plain(repr(numbers[0]))}; expected tensors by name"
        )
    tensors = {bare(key): value for key, value in found.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        names = plain(", ".join(found), most=200)
        raise InputError(f"{file} holds no weights (found: {names or 'nothing'})")
    check_tensors(file, tensors)
    return tensors


def read_checkpoint(path: Path, *, trust: bool = False) -> Any:
    """What ``torch.save`` wrote, on the CPU. Without ``trust`` no code in it is run.

    With ``trust``, modules are also looked for in the file's own folder: a pickled network needs its source.

    Raises:
        InputError: it is damaged, or holds what only trusted files may.
    """
    if is_torchscript(path):
        raise InputError(
            f"{path} is TorchScript, a whole model and no weights: pass its name alone as the model, with --trust if "
            "you know where it comes from"
        )
    try:
        if trust:
            with _folder_of(path):
                return torch.load(path, map_location="cpu", weights_only=False)
        with torch.serialization.safe_globals(_harmless()):
            return load_plain(path)
    except Exception as error:  # torch raises many kinds for damaged files
        if trust:
            raise InputError(f"{path} can't be opened ({told(error)})") from None
        raise InputError(
            f"{path} can't be read as weights ({told(error)}). If it holds more than tensors, pass --trust if you "
            "know where it comes from, or load it yourself and save its state_dict: opening files that may run code "
            "is left to you"
        ) from None


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive: they hold their code; pickled modules and weights don't."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError):  # a damaged list: whoever opens the file says what is wrong
        return False


def split_ema(path: str | Path) -> tuple[Path, bool]:
    """A file of weights, and whether the moving average in it is asked for (``FILE@ema``)."""
    given = Path(path)
    if given.name.endswith(EMA) and not given.exists():
        return given.with_name(given.name.removesuffix(EMA)), True
    return given, False


def bare(key: str) -> str:
    """A tensor's name without the prefixes of wrappers."""
    while key.startswith(_WRAPPERS):
        key = key.partition(".")[2]
    return key


def check_exists(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"there is no file of weights {path}")


@contextmanager
def name_in_utf8(path: str | Path) -> Iterator[Path]:
    """The file, or where its name is not UTF-8, which safetensors can't open, a copy of it for the time being."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(shutil.copyfile(path, Path(folder) / "copy.safetensors"))
        return
    yield Path(path)


def _of_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        with name_in_utf8(path) as name:
            return load_file(name)
    except SafetensorError as error:
        raise InputError(f"{path} is not a safetensors file ({first_line(error)})") from None


def _unwrapped(content: Any, path: Path, average: bool) -> Any:
    """The weights within a checkpoint's layers of dicts and modules."""
    chosen = ""
    if isinstance(content, Mapping):
        averages = [key for key in EMA_KEYS if isinstance(content.get(key), Mapping | nn.Module)]
        plains = [key for key in PLAIN_KEYS if isinstance(content.get(key), Mapping | nn.Module)]
        if average and not averages:
            raise InputError(f"{path} holds no moving average ({', '.join(EMA_KEYS)}); leave {EMA} out")
        if averages and (average or not plains):
            chosen = averages[0]
            content = content[chosen]
            if not average:
                tell(f"{path}: its moving average, {chosen}, is taken: it holds no other weights\n")
        elif averages:
            tell(f"{path}: {plains[0]} is taken; for its moving average, {averages[0]}, say {path}{EMA}\n")
    elif average:
        raise InputError(f"{path} holds no moving average; leave {EMA} out")
    for _ in range(8):  # deeper is no checkpoint
        if isinstance(content, nn.Module):
            return content.state_dict()
        inner = (
            []
            if not isinstance(content, Mapping)
            else [content[key] for key in PLAIN_KEYS if isinstance(content.get(key), Mapping | nn.Module)]
        )
        if not inner:
            break
        content = inner[0]
    return content


@contextmanager
def _folder_of(path: Path) -> Iterator[None]:
    """Within, Python also finds modules that lie beside a file."""
    place = str(real(path).parent)
    sys.path.insert(0, place)
    try:
        yield
    finally:
        if place in sys.path:
            sys.path.remove(place)


def load_plain(path: Path | str) -> Any:
    """What ``torch.save`` wrote, tensors and plain values alone; torch's warnings about odd pickles go unsaid."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True)


def told(error: BaseException) -> str:
    """What a failed loading says, without torch's advice to switch its checks off."""
    if isinstance(error, pickle.UnpicklingError):
        reason = str(error).rpartition("WeightsUnpickler error:")[2].strip()
        error = pickle.UnpicklingError("" if reason.startswith("Weights only load failed") else reason)
    elif isinstance(error, KeyError):  # a byte that begins no part of a pickle
        return "it is no file of torch.save, or damaged"
    named = _GLOBAL.search(str(error))
    if named:
        return f"it holds {named[1] or named[2]}, and opening that could run code"
    if isinstance(error, AttributeError | ModuleNotFoundError):
        return f"{first_line(error)}: the source of its classes must lie beside it, or use module:function"
    return first_line(error)


def _harmless() -> list[Any]:
    """What settings in checkpoints are made of, by the names that pickles use; none of it does anything."""
    kinds = {type(np.dtype(code)) for code in ("?", "b", "h", "i", "l", "q", "B", "H", "I", "L", "Q", "e", "f", "d")}
    return [
        *((_number, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
        *((pathlib.PurePosixPath, f"pathlib.{inner}PosixPath") for inner in ("", "_local.", "Pure")),
        *((pathlib.PureWindowsPath, f"pathlib.{inner}WindowsPath") for inner in ("", "_local.", "Pure")),
        (_codecs.encode, "_codecs.encode"),
        *(
            (_Settings, f"{package}.{place}.AttributeDict")
            for package in ("pytorch_lightning", "lightning.pytorch", "lightning")
            for place in ("utilities.parsing", "fabric.utilities.data", "lite.utilities.data")
        ),
        (_Settings, "lightning_fabric.utilities.data.AttributeDict"),
        argparse.Namespace,
        np.dtype,
        *kinds,
    ]


class _Settings(dict[str, Any]):
    """Stands for Lightning's dict of hyperparameters."""


def _number(kind: np.dtype[Any], content: bytes) -> Any:
    """Stands for NumPy's maker of scalars, for plain numbers only."""
    if not isinstance(kind, np.dtype) or kind.kind not in "biuf" or not isinstance(content, bytes):
        raise ValueError("not a number of NumPy's")
    return np.frombuffer(content, kind, 1)[0]
