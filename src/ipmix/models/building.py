"""Building a network by name."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ipmix.core.errors import InputError, first_line, plain
from ipmix.core.extensions import is_of_a_hub, is_own
from ipmix.models import fast_cifar, resnet, resnext, vision_transformer, wide_resnet
from ipmix.models.checkpoints import read_weights
from ipmix.models.classifier import MOST_CLASSES, Classifier, check_classes
from ipmix.models.dual_norm import SUFFIX, with_dual_norms
from ipmix.models.forms import form_of
from ipmix.models.own import own_network
from ipmix.models.weights import fill, fitting, read, translated

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
WITH_AUXILIARY_HEADS = ("googlenet", "inception_v3")
"""torchvision's networks with more heads, for training only. They are built without: the loss here has one.

Their published weights come with another normalisation inside the network, behind ImageNet's: together both make
(x - 0.5) / 0.5. Here that one is given outside, so that a network in a file needs nothing that isn't there.
"""

OWN = "a class or function of (how many classes, how many channels)"

_WRN = re.compile(r"wrn-([0-9]{1,9})-([0-9]{1,9})")
_RENAMES = {
    "wrn": wide_resnet.RENAMES,
    "resnext-29": resnext.RENAMES,
    "resnet-18-cifar": resnet.RENAMES,
}


def names() -> tuple[str, ...]:
    """The names that :func:`build` takes; capitals stand for a number or another library's name.

    A residual network's name may end in "-dubin": with AugMax's norms (:mod:`ipmix.models.dual_norm`).
    """
    return (
        *("wrn-D-W", "resnext-29", "resnet-18-cifar", "vit-small-cifar", "fast-cifar"),
        *("torchvision:NAME", "timm:NAME", "module:Name"),
    )


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
    trust: bool = False,
) -> Classifier:
    """A network with its normalisation inside.

    Args:
        name: ``wrn-D-W`` (wide ResNet of depth D = 6n + 4 and width W), ``resnext-29`` (4x32d),
            ``resnet-18-cifar``, ``vit-small-cifar``, ``fast-cifar``, ``torchvision:NAME``, ``timm:NAME``, or
            ``module:Name`` of one's own: a class or function of (how many classes, how many channels) that returns a
            ``torch.nn.Module``, float[B, C, H, W] normalised -> logits [B, classes]. With ``-dubin`` behind it, a
            residual network with two BatchNorms and InstanceNorm, which AugMax needs.
        classes: how many, or their names.
        mean: of each channel of images in [0, 1]. By default 0.5 (std 0.5) for the networks of this
            library, as the paper's code has it; for others what the published weights were trained with.
        std: of each channel; given together with ``mean``.
        channels: of an image.
        size: of an image's side, for networks that are built for one size (vit-small-cifar) or that refuse small ones
            (fast-cifar).
        dropout: the wide ResNets' and transformer's rate (0.3 and 0.1 by default).
        pretrained: start from the weights that torchvision or timm publishes (downloads them).
        weights: a file of weights to start from: ours, the AugMix, PixMix or IPMix authors', or another checkpoint
            (see :func:`ipmix.models.read_weights`); ``FILE@ema`` for the moving average in it.
        new_head: let ``pretrained`` weights' or the file's last layer go where its classes differ.
        trust: open a file of weights that can run code when it is opened.

    Returns:
        A :class:`Classifier`, in training mode: float[B, C, H, W] in [0, 1] (or uint8) -> logits.

    Raises:
        InputError: unknown name, unsuited depth, unreadable or unfitting weights.
    """
    if not isinstance(name, str):
        raise InputError(f"a network's name is a text, got {plain(repr(name), most=60)}")
    if not isinstance(classes, int | Sequence) or isinstance(classes, str | bytes | bool):
        raise InputError(f"classes is how many there are, or their names, got {plain(repr(classes), most=60)}")
    if isinstance(classes, int) and not 0 < classes <= MOST_CLASSES:  # before their names fill the memory
        raise InputError(f"a classifier has at least one class and at most {MOST_CLASSES:,}, got {classes:,}")
    labels = tuple(str(i) for i in range(classes)) if isinstance(classes, int) else tuple(classes)
    check_classes(labels)
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
        if model not in WITH_AUXILIARY_HEADS:
            form = form_of(base)
            default_mean, default_std = (form.mean, form.std) if form else (IMAGENET_MEAN, IMAGENET_STD)
    elif library == "timm":
        network = _from_timm(model, len(labels), channels, pretrained)
        if channels == 3:
            config = getattr(network, "pretrained_cfg", {})
            default_mean = config.get("mean", IMAGENET_MEAN)
            default_std = config.get("std", IMAGENET_STD)
    elif pretrained:
        raise InputError(f"no pretrained weights are published for {name}; pass weights=FILE instead")
    elif is_own(base):
        network = own_network(base, len(labels), channels, expected=OWN)
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
    classifier.gives_logits = not is_own(base)
    if len(classifier.mean.flatten()) != channels:
        raise InputError(f"mean has {classifier.mean.numel()} numbers for {channels} channels")
    if weights is not None:
        _fill(classifier, weights, new_head, trust)
        if mean is not None and not torch.allclose(classifier.mean.flatten(), torch.tensor(mean, dtype=torch.float32)):
            raise InputError(
                f"{weights} brings its own mean, {classifier.mean.flatten().tolist()}: leave mean and std out"
            )
    return classifier


def load(path: str | Path, *, trust: bool = False) -> Classifier:
    """The classifier in a file that :func:`ipmix.models.save` wrote, in evaluation mode on the CPU.

    The file may come from a stranger: only networks of this library, timm and torchvision are built, by names that
    they know, and nothing is fetched. The network is built without memory first, so that it is never larger than
    the file. A network of one's own (``module:Name``) is code that would be imported and run, one of a hub
    (``timm:hf-hub:OWNER/MODEL``) would be asked for there: only with ``trust``.

    Raises:
        InputError: no such file, not one of ours (then build the network and pass ``weights=``), or damaged.
    """
    state, about = read(path)
    name, source = about["name"], str(path)
    try:
        if not (trust and (is_own(name.removesuffix(SUFFIX)) or is_of_a_hub(name))):
            check_known(name)
    except InputError as error:
        raise InputError(f"{path}: name in its metadata: {error}") from None

    def built() -> Classifier:
        mean, std = state["mean"].flatten().tolist(), state["std"].flatten().tolist()
        size = about["facts"].get("size") or 32
        try:
            return build(name, about["classes"], mean=mean, std=std, channels=len(mean), size=size)
        except InputError as error:
            raise InputError(f"{path}: its metadata asks for {plain(name, most=60)}: {error}") from None

    try:
        with torch.device("meta"):
            fitting(built(), state, source=source, all_of=True)
    except NotImplementedError:  # torchvision's RegNets read their own weights while they are built
        pass
    classifier = built()
    fill(classifier, fitting(classifier, state, source=source, all_of=True), source=source)
    return classifier.eval()


def check_known(name: str) -> None:
    """Raise InputError unless :func:`build` can build the network from its name alone, fetching nothing."""
    if is_of_a_hub(name):
        raise InputError(
            f"unknown model {plain(repr(name), most=80)}: one of a hub or a folder, which would be asked for; pass "
            "--trust if you know where the file comes from"
        )
    library, colon, model = name.removesuffix(SUFFIX).partition(":")
    if library == "timm" and colon:
        import timm

        known = timm.is_model(model)
    elif library == "torchvision" and colon:
        known = model in _of_torchvision()
    else:
        if is_own(name.removesuffix(SUFFIX)):
            raise InputError(
                f"unknown model {plain(repr(name), most=80)}: spelled as code of one's own, which would be imported "
                "and run; pass --trust if you know where the file comes from"
            )
        known = bool(_WRN.fullmatch(name.removesuffix(SUFFIX))) or name.removesuffix(SUFFIX) in names()
    if not known:
        raise InputError(f"unknown model {plain(repr(name), most=80)}; expected one of {', '.join(names())}")


def check_name(name: str) -> None:
    """Raise InputError where :func:`build` would refuse the name; nothing is fetched, and no memory taken."""
    library = name.removesuffix(SUFFIX).partition(":")[0]
    if library not in ("timm", "torchvision"):
        with torch.device("meta"):
            build(name, 2)
    elif not is_of_a_hub(name):
        check_known(name)


def _own(name: str, classes: int, channels: int, size: int, dropout: float | None) -> nn.Module:
    if match := _WRN.fullmatch(name):
        rate = 0.3 if dropout is None else dropout
        depth, width = int(match[1]), int(match[2])
        try:
            return wide_resnet.WideResNet(depth, width, classes, channels=channels, dropout=rate)
        except InputError as error:
            raise InputError(f"model {name}: {error}") from None
    if name == "resnext-29":
        return resnext.ResNeXt29(classes, channels=channels)
    if name == "resnet-18-cifar":
        return resnet.ResNet18(classes, channels=channels)
    if name == "vit-small-cifar":
        rate = 0.1 if dropout is None else dropout
        return vision_transformer.VisionTransformer(classes, channels=channels, size=size, dropout=rate)
    if name == "fast-cifar":
        return fast_cifar.FastCifar(classes, channels=channels, size=size)
    raise InputError(
        f"unknown model {plain(repr(name), most=80)}; expected one of {', '.join(names())}; a residual network's name "
        f"may end in {SUFFIX}"
    )


def _of_torchvision() -> list[str]:
    """torchvision's classifiers of images; it also has detectors and models of videos."""
    from torchvision import models

    return [*models.list_models(module=models), *models.list_models(module=models.quantization)]


def _from_torchvision(model: str, classes: int, channels: int, pretrained: bool) -> nn.Module:
    from torchvision import models

    if model not in _of_torchvision():
        raise InputError(
            f"torchvision has no model {plain(repr(model), most=80)} that classifies images; "
            "`torchvision.models.list_models(torchvision.models)` lists them"
        )
    if channels != 3:
        raise InputError(f"torchvision's models take 3 channels, got {channels}; timm:{model} may take others")
    options: dict[str, Any] = {}
    if model in WITH_AUXILIARY_HEADS:
        options = {"aux_logits": False, "transform_input": False, "init_weights": not pretrained}
    if not pretrained:
        network: nn.Module = models.get_model(model, weights=None, num_classes=classes, **options)
        return network
    try:
        network = models.get_model(model, weights="DEFAULT", **options)
    except OSError as error:
        raise InputError(f"torchvision's weights of {model} can't be fetched ({first_line(error)})") from None
    _replace_head(network, classes)
    return network


def _from_timm(model: str, classes: int, channels: int, pretrained: bool) -> nn.Module:
    import timm

    try:
        network: nn.Module = timm.create_model(model, pretrained=pretrained, num_classes=classes, in_chans=channels)
    except OSError as error:
        what = "weights of" if pretrained else "settings of"
        raise InputError(f"timm's {what} {plain(model, most=80)} can't be fetched ({first_line(error)})") from None
    except Exception as error:  # each architecture has checks of its own
        raise InputError(
            f"timm can't build {plain(repr(model), most=80)} with {classes} classes and {channels} channels "
            f"({first_line(error)}); `timm.list_models()` lists its models"
        ) from None
    return network


def _replace_head(network: nn.Module, classes: int) -> None:
    """Swap the last linear layer (SqueezeNet's: convolution) for a fresh one if it has another number of outputs."""
    layers = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    name, last = ([(n, m) for n, m in layers if isinstance(m, nn.Linear)] or layers)[-1]
    fresh: nn.Module
    if isinstance(last, nn.Linear):
        outputs, fresh = last.out_features, nn.Linear(last.in_features, classes)
    else:
        outputs, fresh = last.out_channels, nn.Conv2d(last.in_channels, classes, last.kernel_size)  # type: ignore[arg-type]
    if outputs != classes:
        parent, _, attribute = name.rpartition(".")
        setattr(network.get_submodule(parent), attribute, fresh)


def _fill(classifier: Classifier, path: str | Path, new_head: bool, trust: bool) -> None:
    """Read a file's weights into the classifier."""
    state = read_weights(path, trust=trust)
    family = "wrn" if classifier.name.startswith("wrn-") else classifier.name
    state = translated(state, _RENAMES.get(family, ()), classifier)
    fill(classifier, state, source=str(path), new_head=new_head)
