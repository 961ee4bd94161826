"""A classifier from wherever it is kept, as a module that takes images in [0, 1] and gives logits.

==================================  =====================================================================
MODEL                               what it is
==================================  =====================================================================
``FILE.safetensors`` or a folder    a network that ``ipmix train`` wrote (a run's folder: its last epoch)
``timm:NAME[:FILE]``                a timm model, with its published weights or those in a file
``torchvision:NAME[:FILE]``         the same of torchvision
``wrn-40-4:FILE`` and the like      one of this library's networks with weights in a file
``FILE.onnx``                       ONNX (needs onnxruntime; has no gradients, so no attack)
``module:function``                 a Python function without arguments that returns a module
``FILE.pt2``                        with ``--trust``: a ``torch.export`` program
``FILE.pt`` and the like            with ``--trust``: TorchScript, or a pickled module
==================================  =====================================================================

Without ``--trust`` only formats are opened that can't run code: safetensors, checkpoints of which PyTorch reads no
more than tensors (``weights_only``), ONNX. A ``.pt2`` file holds pickles, and TorchScript can write files while it
is loaded.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ipmix import models
from ipmix.core.errors import InputError, first_line, plain
from ipmix.models.advice import failure
from ipmix.models.checkpoints import is_torchscript, read_checkpoint
from ipmix.models.classifier import check_normalisation
from ipmix.models.exported import Program
from ipmix.models.onnx_model import Onnx
from ipmix.models.outputs import adapted
from ipmix.models.own import own_network
from ipmix.models.tensors import check_module

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
        A module: float32[B, C, H, W] in [0, 1] -> logits float32[B, K], whatever it returned itself
        (:func:`ipmix.models.logits_of`) and whatever type of number it computes with. It may have ``classes`` (names),
        ``name``, ``sha256``, and ``differentiable`` (False where gradients can't be had).

    Raises:
        InputError: there is no such model, or opening it could run code and ``trust`` is not set.
    """
    if (mean is None) != (std is None):
        raise InputError("--mean and --std are given together, or neither")
    if mean is not None and std is not None:
        try:
            check_normalisation(mean, std)
        except InputError as error:
            raise InputError(f"--mean and --std: {error}") from None
    found = _opened(spec, classes, mean, std, trust)
    check_module(spec, found)
    model = adapted(found)
    if mean is not None and std is not None:
        if isinstance(model, models.Classifier):
            _check_same_normalisation(spec, model, mean, std)
        elif isinstance(model, Onnx | Program) and model.input.dtype == torch.uint8:
            raise InputError(f"{spec} takes 0 to 255 and normalises that itself: leave out --mean and --std")
        else:
            model = Normalising(model, mean, std)
    return model.eval()


def _check_same_normalisation(spec: str, model: models.Classifier, mean: Sequence[float], std: Sequence[float]) -> None:
    """Networks in our files have theirs inside: another one would not be used, and nobody would know."""
    for word, given, known in (("mean", mean, model.mean), ("std", std, model.std)):
        numbers = known.flatten()
        if len(given) != len(numbers) or not torch.allclose(torch.tensor(given, dtype=torch.float32), numbers):
            raise InputError(
                f"{spec} normalises images itself, with {word} {[round(n, 4) for n in numbers.tolist()]}: "
                "leave out --mean and --std"
            )


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
    pixels = torch.full((2, 3, side, side), 0.5)
    try:
        with torch.no_grad():
            found = model(pixels)
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # a model of somebody else's may fail in any way
        raise failure(model, pixels, error) from error
    if found.ndim != 2 or found.shape[1] != classes:
        raise InputError(f"{spec} gives {list(found.shape[1:])} outputs an image; {dataset} has {classes} classes")
    return model


def _opened(
    spec: str, classes: int, mean: Sequence[float] | None, std: Sequence[float] | None, trust: bool
) -> nn.Module:
    if not spec.strip():
        raise InputError("the model's name is empty; expected a file, a folder of ipmix train, timm:NAME or the like")
    path = Path(spec)
    if path.is_dir():
        return _of_run(path, trust)
    if path.is_file():
        return _of_file(path, trust)
    library, _, rest = spec.partition(":")
    if library in ("timm", "torchvision"):
        name, _, weights = rest.partition(":")
        return models.build(
            f"{library}:{name}",
            classes,
            mean=mean,
            std=std,
            pretrained=not weights,
            weights=weights or None,
            trust=trust,
        )
    if rest and _is_own(library):
        return models.build(library, classes, mean=mean, std=std, weights=rest, trust=trust)
    if rest and library and not path.suffix:
        return own_network(spec, expected="a function without arguments")
    raise InputError(
        f"there is no model {plain(repr(spec))}: expected a file or folder that exists, timm:NAME, torchvision:NAME, "
        f"NETWORK:WEIGHTS ({', '.join(n for n in models.names() if ':' not in n)}), or module:function"
    )


class Normalising(nn.Module):
    """A model behind the normalisation that it was trained with."""

    takes_pixels = True

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, model: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        check_normalisation(mean, std)
        self.model = model
        for attribute in ("name", "classes", "sha256", "differentiable", "size", "gives_logits"):
            if hasattr(model, attribute):
                setattr(self, attribute, getattr(model, attribute))
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model((images - self.mean) / self.std)
        return logits


def _of_run(folder: Path, trust: bool) -> nn.Module:
    for name in ("last.safetensors", "best.safetensors"):
        if (folder / name).is_file():
            return models.load(folder / name, trust=trust)
    raise InputError(f"{folder} holds no network; expected a folder that ipmix train wrote (last.safetensors)")


def _of_file(path: Path, trust: bool) -> nn.Module:
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return models.load(path, trust=trust)
    if suffix == ".onnx":
        return Onnx(path)
    if suffix == ".pt2":
        _need_trust(trust, path, "a torch.export program, which holds pickles that can run any code")
        return Program(path)
    if is_torchscript(path):
        _need_trust(trust, path, "TorchScript, which can write files anywhere while it is loaded")
        try:
            module: nn.Module = torch.jit.load(str(path), map_location="cpu")
        except Exception as error:
            raise InputError(f"{path} can't be opened as TorchScript ({first_line(error)})") from None
        return module
    if suffix not in PICKLES:
        raise InputError(
            f"{path}: a model of this kind is not known; expected .safetensors, .onnx, or with --trust .pt2, "
            "TorchScript or a pickled module"
        )
    if not trust:
        raise InputError(
            f"{path} is a pickle, and opening one can run any code in it. If it holds weights, name the network: "
            f"timm:NAME:{path} or wrn-40-4:{path}. If it holds a whole module and you know where it comes from, "
            "pass --trust"
        )
    content = read_checkpoint(path, trust=True)
    for key in ("model", "module", "net", "network", "ema"):  # a module within a checkpoint
        if isinstance(content, dict) and isinstance(content.get(key), nn.Module):
            content = content[key]
    if not isinstance(content, nn.Module):
        raise InputError(
            f"{path} holds a {type(content).__name__}, not a module; if these are weights, name the network: "
            f"timm:NAME:{path} or wrn-40-4:{path}"
        )
    return content


def _need_trust(trust: bool, path: Path, what: str) -> None:
    if not trust:
        raise InputError(f"{path} is {what}. Pass --trust if you know where it comes from")


def _is_own(name: str) -> bool:
    return name.startswith("wrn-") or name in models.names()
