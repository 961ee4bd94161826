"""Image files in the form that a model wants them: the size, how to get there, and the channels.

Published weights were measured on images resized and cut in one of three ways (see
:class:`ipmix.models.forms.InputForm`); their figures hold for that form only.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from ipmix.core.errors import InputError
from ipmix.data.cropping import outer_side, resize_and_crop
from ipmix.data.sources import InMemory, OnDisk

Interpolation = Literal["bilinear", "bicubic"]
Mode = Literal["center", "squash", "border"]


@dataclass(frozen=True)
class Form:
    """The form that a model wants its images in.

    Attributes:
        size: the side in pixels; None keeps images as they are.
        crop: the share of the resized image's side that is kept.
        interpolation: of the resizing.
        mode: what is resized, as :class:`ipmix.models.forms.InputForm` has it.
        filling: the color in [0, 1] of what "border" fills up.
    """

    size: int | None
    crop: float = 1.0
    interpolation: Interpolation = "bilinear"
    mode: Mode = "center"
    filling: tuple[float, ...] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class ShapedFiles(OnDisk):
    """Image files, resized as a model's publisher did, and in as many channels as the model takes."""

    interpolation: Interpolation = "bilinear"
    mode: Mode = "center"
    filling: tuple[float, ...] = (0.0, 0.0, 0.0)
    channels: int = 3

    def image(self, place: int) -> NDArray[np.uint8]:
        """One image, uint8[H, W, channels]; errors as :func:`ipmix.data.decoding.decode`."""
        opened = self._opened(place)
        try:
            opened = shaped(opened, self._form())
        except InputError as error:
            raise InputError(f"{self.files.paths[place]}: {error}") from None
        if self.channels == 1:
            return np.asarray(opened.convert("L"))[:, :, None]
        return np.asarray(opened)

    def fingerprint(self) -> str:
        """As that of files in the usual form, and besides the form where it is another."""
        form = (self.interpolation, self.mode, self.filling if self.mode == "border" else (), self.channels)
        usual = super().fingerprint()
        return usual if form == ("bilinear", "center", (), 3) else f"{usual} {'-'.join(map(str, form))}"

    def described(self) -> dict[str, Any]:
        """The form as JSON."""
        return {
            "size": self.size, "crop": self.crop, "interpolation": self.interpolation, "mode": self.mode,
            "channels": self.channels,
        }  # fmt: skip

    def _form(self) -> Form:
        return Form(self.size, self.crop, self.interpolation, self.mode, self.filling)


def shaped(image: Image.Image, form: Form) -> Image.Image:
    """An image in a form; as it is where that names no size."""
    if form.size is None:
        return image
    size, resample = form.size, Image.Resampling[form.interpolation.upper()]
    if form.mode == "center":
        return resize_and_crop(image, size, form.crop, resample)
    outer = outer_side(size, form.crop)
    if form.mode == "squash":
        return resize_and_crop(image.resize((outer, outer), resample), size, size / outer, resample)
    share = outer / max(image.size)
    small = image.resize((max(1, round(image.width * share)), max(1, round(image.height * share))), resample)
    color = tuple(round(255.0 * value) for value in form.filling)
    canvas = Image.new("RGB", (max(size, small.width), max(size, small.height)), color)
    canvas.paste(small, ((canvas.width - small.width) // 2, (canvas.height - small.height) // 2))
    left, top = round((canvas.width - size) / 2.0), round((canvas.height - size) / 2.0)
    return canvas.crop((left, top, left + size, top + size))


def about(model: nn.Module, source: object, class_outputs: object) -> dict[str, Any]:
    """What a run's description says besides: how many outputs the model has, and the form of its images."""
    found: dict[str, Any] = {}
    if (total := getattr(class_outputs, "total", None)) is not None:
        found["outputs"] = total
    if isinstance(source, ShapedFiles):
        found["form"] = source.described()
        for name in ("mean", "std"):
            if isinstance(numbers := getattr(model, name, None), torch.Tensor):
                found["form"][name] = [round(number, 6) for number in numbers.flatten().tolist()]
    return found


def described_form(source: ShapedFiles) -> str:
    """The form in a few words: "224 px, crop 0.875, bicubic"."""
    mode = "" if source.mode == "center" else f" ({source.mode})"
    grey = ", grey" if source.channels == 1 else ""
    return f"{source.size} px, crop {source.crop:.3g}{mode}, {source.interpolation}{grey}"


def with_channels(source: InMemory | OnDisk, channels: int | None) -> InMemory | OnDisk:
    """The images with 1 or 3 channels, for a model that takes so many; others stay as they are."""
    if channels not in (1, 3):
        return source
    if isinstance(source, ShapedFiles):
        return replace(source, channels=channels)
    if isinstance(source, InMemory) and source.dataset.images.shape[-1] in (1, 3):
        return replace(source, dataset=replace(source.dataset, images=in_channels(source.dataset.images, channels)))
    return source


def in_channels(images: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """uint8[N, H, W, 1 or 3] -> uint8[N, H, W, channels]: grey is Pillow's luma, color from grey three times it."""
    if images.shape[-1] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=-1)
    grey: NDArray[np.uint8] = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in images])
    return grey[..., None]
