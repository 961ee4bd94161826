"""The form of image that published weights were measured with: size, crop, interpolation, normalisation."""

import math
from dataclasses import dataclass
from typing import Literal

from ipmix.core.errors import InputError


@dataclass(frozen=True)
class InputForm:
    """How an image file becomes a network's input, as the weights' publisher measured them.

    Attributes:
        size: the side of the input in pixels.
        crop: the share of the resized image's side that is kept, in (0, 1].
        interpolation: of the resizing.
        mode: "center" resizes the shorter side to ``resize`` and keeps the middle; "squash" resizes both sides to
            ``resize``, whatever their proportion, and keeps the middle; "border" resizes the longer side to
            ``resize`` and fills up with the mean color.
        mean: what is subtracted from each channel of images in [0, 1].
        std: what they are then divided by.
    """

    size: int
    crop: float = 1.0
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    mode: Literal["center", "squash", "border"] = "center"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    @property
    def resize(self) -> int:
        """The side in pixels that an image is resized to before the middle of ``size`` is kept."""
        return math.floor(self.size / self.crop + 1e-6)  # a quotient such as 224 / (224 / 232) must not fall short


def form_of(spec: str) -> InputForm | None:
    """The form that the published weights of ``timm:NAME`` or ``torchvision:NAME`` were measured with.

    From timm's ``pretrained_cfg`` or torchvision's ``weights.DEFAULT.transforms()``; nothing is downloaded. None
    for all other models, for weights in a file (``timm:NAME:FILE``), and where nothing was published.

    Raises:
        InputError: the library has no such model, or its input isn't square.
    """
    library, _, name = spec.partition(":")
    if library not in ("timm", "torchvision") or not name or ":" in name:
        return None
    return _of_timm(name) if library == "timm" else _of_torchvision(name)


def _of_timm(name: str) -> InputForm | None:
    import timm
    from timm.data import resolve_data_config

    if not timm.is_model(name):
        raise InputError(f"timm has no model {name!r}; `timm.list_models()` lists them")
    try:
        published = timm.models.get_pretrained_cfg(name)
    except RuntimeError as error:  # an unknown tag behind the architecture's name
        raise InputError(f"timm has no weights {name!r} ({error}); `timm.list_pretrained()` lists them") from None
    if published is None:
        return None
    config = resolve_data_config(pretrained_cfg=published.to_dict())
    _, height, width = config["input_size"]
    if height != width:
        raise InputError(f"timm:{name} takes images of {width}x{height}; only square ones can be given")
    return InputForm(
        size=int(height),
        crop=float(config["crop_pct"]),
        interpolation=config["interpolation"],
        mode=config["crop_mode"],
        mean=tuple(map(float, config["mean"])),
        std=tuple(map(float, config["std"])),
    )


def _of_torchvision(name: str) -> InputForm | None:
    from torchvision import models

    if name not in models.list_models():
        raise InputError(f"torchvision has no model {name!r}; `torchvision.models.list_models()` lists them")
    weights = list(models.get_model_weights(name))
    if not weights:
        return None
    made = models.get_model_weights(name).DEFAULT.transforms()
    if not hasattr(made, "crop_size") or not hasattr(made, "resize_size"):
        return None  # detection and the like
    size, resized = made.crop_size[0], made.resize_size[0]
    return InputForm(
        size=size,
        crop=min(1.0, size / resized),
        interpolation=made.interpolation.value,
        mean=tuple(map(float, made.mean)),
        std=tuple(map(float, made.std)),
    )
