"""Building a network by name."""

import re
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from ipmix.core.errors import InputError
from ipmix.models import resnet, resnext, vision_transformer, wide_resnet
from ipmix.models.classifier import Classifier
from ipmix.models.dual_norm import SUFFIX, with_dual_norms
from ipmix.models.weights import fill, read, read_weights, translated

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_WRN = re.compile(r"wrn-(\d+)-(\d+)")
_RENAMES = {
    "wrn": wide_resnet.RENAMES,
    "resnext-29": resnext.RENAMES,
    "resnet-18-cifar": resnet.RENAMES,
}


def names() -> tuple[str, ...]:
    """The names that :func:`build` takes; capitals stand for a number or another library's name.

    A residual network's name may end in "-dubin": with AugMax's norms (:mod:`ipmix.models.dual_norm`).
    """
    return ("wrn-D-W", "resnext-29", "resnet-18-cifar", "vit-small-cifar", "torchvision:NAME", "timm:NAME")


def build(
    name: str,
    classes: int | Sequence[str],
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    channels: int = 3,
    size: int = 32,
    dropout: float | None = None,
    pretrained: bool = False,
    weights: str | Path | None = None,
    new_head: bool = False,
) -> Classifier:
    """A network with its normalisation inside.

    Args:
        name: ``wrn-D-W`` (wide ResNet of depth D = 6n + 4 and width W), ``resnext-29`` (4x32d),
            ``resnet-18-cifar``, ``vit-small-cifar``, ``torchvision:NAME`` or ``timm:NAME``. With ``-dubin``
            behind it, a residual network with two BatchNorms and InstanceNorm, which AugMax needs.
        classes: how many, or their names.
        mean: of each channel of images in [0, 1]. By default 0.5 (std 0.5) for the networks of this
            library, as the paper's code has it; for others what the weights were trained with (ImageNet's).
        std: of each channel; given together with ``mean``.
        channels: of an image.
        size: of an image's side, for networks that are built for one size (vit-small-cifar).
        dropout: the wide ResNets' and transformer's rate (0.3 and 0.1 by default).
        pretrained: start from the weights that torchvision or timm publishes (downloads them).
        weights: a file of weights to start from: ours, or the AugMix, PixMix or IPMix authors'.
        new_head: let ``pretrained`` weights' or the file's last layer go where its classes differ.

    Returns:
        A :class:`Classifier`, in training mode: float[B, C, H, W] in [0, 1] (or uint8) -> logits.

    Raises:
        InputError: unknown name, unsuited depth, unreadable or unfitting weights.
    """
    labels = tuple(str(i) for i in range(classes)) if isinstance(classes, int) else tuple(classes)
    if not labels:
        raise InputError("a classifier has at least one class, got none")
    if channels < 1:
        raise InputError(f"an image has at least one channel, got {channels}")
    if (mean is None) != (std is None):
        raise InputError("mean and std are given together, or neither")
    base = name.removesuffix(SUFFIX)
    library, _, model = base.partition(":")
    default_mean: Sequence[float] = (0.5,) * channels
    default_std: Sequence[float] = (0.5,) * channels
    if library == "torchvision":
        network = _from_torchvision(model, len(labels), channels, pretrained)
        if channels == 3:
            default_mean, default_std = IMAGENET_MEAN, IMAGENET_STD
    elif library == "timm":
        network = _from_timm(model, len(labels), channels, pretrained)
        if channels == 3:
            config = getattr(network, "pretrained_cfg", {})
            default_mean = config.get("mean", IMAGENET_MEAN)
            default_std = config.get("std", IMAGENET_STD)
    elif pretrained:
        raise InputError(f"no pretrained weights are published for {name}; pass weights=FILE instead")
    else:
        network = _own(base, len(labels), channels, size, dropout)
    if name.endswith(SUFFIX):
        network = with_dual_norms(network)
    classifier = Classifier(
        network,
        name=name,
        classes=labels,
        mean=default_mean if mean is None else mean,
        std=default_std if std is None else std,
    )
    if len(classifier.mean.flatten()) != channels:
        raise InputError(f"mean has {classifier.mean.numel()} numbers for {channels} channels")
    if weights is not None:
        _fill(classifier, weights, new_head)
    return classifier


def load(path: str | Path) -> Classifier:
    """The classifier in a file that :func:`ipmix.models.save` wrote, in evaluation mode on the CPU.

    Raises:
        InputError: no such file, or not one of ours (then build the network and pass ``weights=``).
    """
    state, about = read(path)
    mean, std = state["mean"].flatten().tolist(), state["std"].flatten().tolist()
    classifier = build(
        about["name"],
        about["classes"],
        mean=mean,
        std=std,
        channels=len(mean),
        size=about["facts"].get("size") or 32,
    )
    fill(classifier, state, source=str(path))
    return classifier.eval()


def _own(name: str, classes: int, channels: int, size: int, dropout: float | None) -> nn.Module:
    if match := _WRN.fullmatch(name):
        rate = 0.3 if dropout is None else dropout
        depth, width = int(match[1]), int(match[2])
        return wide_resnet.WideResNet(depth, width, classes, channels=channels, dropout=rate)
    if name == "resnext-29":
        return resnext.ResNeXt29(classes, channels=channels)
    if name == "resnet-18-cifar":
        return resnet.ResNet18(classes, channels=channels)
    if name == "vit-small-cifar":
        rate = 0.1 if dropout is None else dropout
        return vision_transformer.VisionTransformer(classes, channels=channels, size=size, dropout=rate)
    raise InputError(
        f"unknown model {name!r}; expected one of {', '.join(names())}; a residual network's name may end in {SUFFIX}"
    )


def _from_torchvision(model: str, classes: int, channels: int, pretrained: bool) -> nn.Module:
    from torchvision import models

    if model not in models.list_models():
        raise InputError(f"torchvision has no model {model!r}; `torchvision.models.list_models()` lists them")
    if channels != 3:
        raise InputError(f"torchvision's models take 3 channels, got {channels}; timm:{model} may take others")
    if not pretrained:
        network: nn.Module = models.get_model(model, weights=None, num_classes=classes)
        return network
    try:
        network = models.get_model(model, weights="DEFAULT")
    except OSError as error:
        raise InputError(f"torchvision's weights of {model} can't be fetched ({error})") from None
    _replace_head(network, classes)
    return network


def _from_timm(model: str, classes: int, channels: int, pretrained: bool) -> nn.Module:
    import timm

    try:
        network: nn.Module = timm.create_model(model, pretrained=pretrained, num_classes=classes, in_chans=channels)
    except RuntimeError as error:
        raise InputError(f"timm can't build {model!r} ({error}); `timm.list_models()` lists its models") from None
    except OSError as error:
        raise InputError(f"timm's weights of {model} can't be fetched ({error})") from None
    return network


def _replace_head(network: nn.Module, classes: int) -> None:
    """Swap the last linear layer for a fresh one if it has another number of outputs."""
    name, last = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.Linear)][-1]
    if last.out_features != classes:
        parent, _, attribute = name.rpartition(".")
        setattr(network.get_submodule(parent), attribute, nn.Linear(last.in_features, classes))


def _fill(classifier: Classifier, path: str | Path, new_head: bool) -> None:
    """Read a file's weights into the classifier."""
    state = read_weights(path)
    family = "wrn" if classifier.name.startswith("wrn-") else classifier.name
    state = translated(state, _RENAMES.get(family, ()), classifier)
    fill(classifier, state, source=str(path), new_head=new_head)
