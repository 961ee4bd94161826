"""A classifier from wherever it is kept, as a module that takes images in [0, 1] and gives logits.

==================================  =====================================================================
MODEL                               what it is
==================================  =====================================================================
``FILE.safetensors`` or a folder    a network that ``ipmix train`` wrote (a run's folder: its last epoch)
``timm:NAME[:FILE]``                a timm model, with its published weights or those in a file
``torchvision:NAME[:FILE]``         the same of torchvision
``wrn-40-4:FILE`` and the like      one of this library's networks with weights in a file
``FILE.pt`` and the like            TorchScript, or with ``--trust`` a pickled module
``FILE.pt2``                        a ``torch.export`` program
``FILE.onnx``                       ONNX (needs onnxruntime; has no gradients, so no attack)
``module:function``                 a Python function without arguments that returns a module
==================================  =====================================================================
"""

import hashlib
import importlib
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ipmix import models
from ipmix.core.errors import InputError

PICKLES = (".pth", ".pt", ".pkl", ".pickle", ".bin", ".ckpt", ".tar")


def open_model(
    spec: str,
    *,
    classes: int,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    trust: bool = False,
) -> nn.Module:
    """The model that ``spec`` names (see the table above), in evaluation mode on the CPU.

    Args:
        spec: where the model is kept.
        classes: how many classes to build a timm, torchvision or own network with, where a file of weights
            doesn't come with its own number.
        mean: subtract this from each channel of images in [0, 1] first; for models that don't normalise.
        std: divide by this afterwards; given together with ``mean``.
        trust: open files that can run code when they are opened.

    Returns:
        A module: float32[B, C, H, W] in [0, 1] -> logits float[B, K]. It may have ``classes`` (names),
        ``name``, ``sha256``, and ``differentiable`` (False where gradients can't be had).

    Raises:
        InputError: there is no such model, or it is a pickle and ``trust`` is not set.
    """
    if (mean is None) != (std is None):
        raise InputError("--mean and --std are given together, or neither")
    model = _opened(spec, classes, mean, std, trust)
    if mean is not None and std is not None and not isinstance(model, models.Classifier):
        model = Normalising(model, mean, std)
    return model.eval()


def open_for_robustbench(spec: str, dataset: str, **options: Any) -> nn.Module:
    """The model that ``spec`` names, as RobustBench's ``benchmark`` takes it.

    That is: in evaluation mode, float32[B, 3, H, W] in [0, 1] -> logits, normalisation inside, one output for
    each of the data set's classes.

    Args:
        spec: as for :func:`open_model`.
        dataset: "cifar10", "cifar100" or "imagenet".
        options: ``mean``, ``std`` and ``trust`` of :func:`open_model`.

    Raises:
        InputError: there is no such leaderboard, or the model's outputs are not that data set's classes.
    """
    forms = {"cifar10": (10, 32), "cifar100": (100, 32), "imagenet": (1000, 224)}
    if dataset not in forms:
        raise InputError(f"RobustBench has no leaderboard of {dataset!r}; it has {', '.join(forms)}")
    classes, side = forms[dataset]
    model = open_model(spec, classes=classes, **options)
    with torch.no_grad():
        found = model(torch.full((2, 3, side, side), 0.5))
    if found.ndim != 2 or found.shape[1] != classes:
        raise InputError(f"{spec} gives {list(found.shape[1:])} outputs an image; {dataset} has {classes} classes")
    return model


def _opened(
    spec: str, classes: int, mean: Sequence[float] | None, std: Sequence[float] | None, trust: bool
) -> nn.Module:
    path = Path(spec)
    if path.is_dir():
        return _of_run(path)
    if path.is_file():
        return _of_file(path, trust)
    library, _, rest = spec.partition(":")
    if library in ("timm", "torchvision"):
        name, _, weights = rest.partition(":")
        return models.build(
            f"{library}:{name}", classes, mean=mean, std=std, pretrained=not weights, weights=weights or None
        )
    if rest and _is_own(library):
        return models.build(library, classes, mean=mean, std=std, weights=rest)
    if rest and not path.suffix:
        return _of_function(library, rest)
    raise InputError(
        f"there is no model {spec!r}: expected a file or folder that exists, timm:NAME, torchvision:NAME, "
        f"NETWORK:WEIGHTS ({', '.join(n for n in models.names() if ':' not in n)}), or module:function"
    )


class Normalising(nn.Module):
    """A model behind the normalisation that it was trained with."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, model: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        if len(mean) != len(std) or min(std, default=0.0) <= 0:
            raise InputError(f"--mean and --std need one number a channel, std above 0; got {mean} and {std}")
        self.model = model
        for attribute in ("name", "classes", "sha256", "differentiable", "size"):
            if hasattr(model, attribute):
                setattr(self, attribute, getattr(model, attribute))
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model((images - self.mean) / self.std)
        return logits


class Program(nn.Module):
    """A ``torch.export`` program, which knows no modes and can't be hashed by its parameters."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            self.program = (torch.export.load(path).module(),)  # in a tuple: eval() must not reach it
        except Exception as error:
            raise InputError(f"{path} can't be opened as a torch.export program ({_first_line(error)})") from None
        self.name, self.sha256 = path.name, _hash(path)

    def _apply(self, fn: Any, recurse: bool = True) -> "Program":
        self.program[0]._apply(fn)
        super()._apply(fn)
        return self

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.program[0](images)
        return logits


class Onnx(nn.Module):
    """An ONNX model run by onnxruntime on the CPU; without gradients."""

    differentiable = False

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            onnxruntime: Any = importlib.import_module("onnxruntime")
        except ModuleNotFoundError:
            raise InputError(f"{path} needs onnxruntime: pip install onnxruntime") from None
        try:
            options = onnxruntime.SessionOptions()
            # Waiting threads that spin take the processor from those that make corruptions meanwhile.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise InputError(f"{path} can't be opened as ONNX ({_first_line(error)})") from None
        self.input = self.session.get_inputs()[0]
        side = self.input.shape[-1] if len(self.input.shape) == 4 else None
        self.size = side if isinstance(side, int) else None  # the side of image that it was exported for
        self.name, self.sha256 = path.name, _hash(path)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        fixed = self.input.shape[0]
        batches = images.split(fixed) if isinstance(fixed, int) else (images,)
        found = []
        for batch in batches:
            pixels = batch.detach().contiguous().cpu().numpy()
            found.append(torch.from_numpy(self.session.run(None, {self.input.name: pixels})[0]))
        return torch.cat(found)


def _of_run(folder: Path) -> nn.Module:
    for name in ("last.safetensors", "best.safetensors"):
        if (folder / name).is_file():
            return models.load(folder / name)
    raise InputError(f"{folder} holds no network; expected a folder that ipmix train wrote (last.safetensors)")


def _of_file(path: Path, trust: bool) -> nn.Module:
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return models.load(path)
    if suffix == ".onnx":
        return Onnx(path)
    if suffix == ".pt2":
        return Program(path)
    if _is_torchscript(path):
        try:
            module: nn.Module = torch.jit.load(str(path), map_location="cpu")
        except RuntimeError as error:
            raise InputError(f"{path} can't be opened as TorchScript ({_first_line(error)})") from None
        return module
    if suffix not in PICKLES:
        raise InputError(
            f"{path}: a model of this kind is not known; expected .safetensors, TorchScript, .pt2, .onnx, "
            "or a pickled module with --trust"
        )
    if not trust:
        raise InputError(
            f"{path} is a pickle, and opening one can run any code in it. If it holds weights, name the network: "
            f"timm:NAME:{path} or wrn-40-4:{path}. If it holds a whole module and you know where it comes from, "
            "pass --trust"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        raise InputError(f"{path} can't be opened ({_first_line(error)})") from None
    if not isinstance(content, nn.Module):
        raise InputError(
            f"{path} holds a {type(content).__name__}, not a module; if these are weights, name the network: "
            f"timm:NAME:{path} or wrn-40-4:{path}"
        )
    return content


def _of_function(module: str, function: str) -> nn.Module:
    if "" not in sys.path:
        sys.path.insert(0, "")  # the folder one works in, as `python -m` has it
    try:
        made = getattr(importlib.import_module(module), function)()
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != module.split(".")[0]:
            raise
        raise InputError(f"there is no Python module {module!r} here or among the installed ones") from None
    except AttributeError as error:
        raise InputError(f"{module} has no function {function!r} ({error})") from None
    if not isinstance(made, nn.Module):
        raise InputError(f"{module}:{function} returned a {type(made).__name__}; expected a torch.nn.Module")
    return made


def _is_own(name: str) -> bool:
    return name.startswith("wrn-") or name in models.names()


def _is_torchscript(path: Path) -> bool:
    """TorchScript archives hold their code; pickled modules and weights don't."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
