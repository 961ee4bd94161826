"""Classifiers of other libraries, and plain functions, as modules: images float[B, C, H, W] in [0, 1] to logits.

Each gets its images as it takes them (bytes or floats, channels last or first, flattened), and its scores come back as
logits: of probabilities their logarithms, whose softmax they are.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ipmix.core.errors import InputError, plain
from ipmix.models.classifier import check_normalisation
from ipmix.models.outputs import scores_of, shown

Layout = Literal["nchw", "nhwc"]


class Opaque(nn.Module):
    """A classifier that can't be differentiated here: bytes go in, an array of scores comes out.

    Args:
        call: scores [B, K] of images; what it takes follows from the other settings.
        name: what it is called in results.
        layout: "nhwc" or "nchw".
        mean: subtracted from each channel of images in [0, 1], which are then divided by ``std``, and given as float32;
            None gives bytes uint8, or floats of ``reach``.
        std: see ``mean``.
        reach: the largest value of floats without ``mean``: 1.0 or 255.0; None gives bytes.
        probabilities: whether scores are probabilities.
        classes: the classes' names, in the order of the scores.
        size: the only side of image that it takes, if that is known.
    """

    differentiable = False
    takes_pixels = True

    def __init__(
        self,
        call: Callable[[NDArray[Any]], Any],
        *,
        name: str,
        layout: Layout = "nhwc",
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        reach: float | None = None,
        probabilities: bool = False,
        classes: Sequence[str] | None = None,
        size: int | None = None,
    ) -> None:
        super().__init__()
        self.name, self.layout, self.reach, self.probabilities = name, layout, reach, probabilities
        self.normalisation: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        if mean is not None and std is not None:
            check_normalisation(mean, std)
            self.normalisation = np.array(mean, np.float32), np.array(std, np.float32)
        if classes is not None:
            self.classes = tuple(map(str, classes))
        if size is not None:
            self.size = size
        self._call = call

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits float32[B, K] of images float[B, C, H, W] in [0, 1]."""
        found = as_table(self._call(self.given(images)), len(images), self.name)
        logits = torch.from_numpy(np.ascontiguousarray(found, np.float32))
        return (logs_of(logits) if self.probabilities else logits).to(images.device)

    def given(self, images: torch.Tensor) -> NDArray[Any]:
        """What the classifier is called with."""
        pixels = images.detach().permute(0, 2, 3, 1).cpu().to(torch.float32).numpy()
        if self.normalisation is not None:
            pixels = (pixels - self.normalisation[0]) / self.normalisation[1]
        elif self.reach is None:
            pixels = np.rint(255.0 * pixels).clip(0, 255).astype(np.uint8)
        else:
            pixels = pixels * np.float32(self.reach)
        return np.ascontiguousarray(pixels if self.layout == "nhwc" else pixels.transpose(0, 3, 1, 2))


class KerasModel(nn.Module):
    """A Keras 3 model, on whichever backend; gradients pass on that of PyTorch.

    A last layer with a softmax gives probabilities, which are known by it. Models with a ``Rescaling`` or
    ``Normalization`` layer take 0 to 255, the others 0 to 1, unless ``reach`` says otherwise.
    """

    takes_pixels = True

    def __init__(
        self,
        model: Any,
        *,
        layout: Layout | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        reach: float | None = None,
        probabilities: bool | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        import keras

        self._keras: Any = keras
        self._model = (model,)  # in a tuple: another framework's layers are none of ours
        layers = list(model._flatten_layers()) if hasattr(model, "_flatten_layers") else list(model.layers)
        scales = any(type(layer).__name__ in ("Rescaling", "Normalization") for layer in layers)
        self.name = str(model.name)
        self.layout = layout or ("nchw" if keras.config.image_data_format() == "channels_first" else "nhwc")
        self.reach = reach if reach is not None else 255.0 if scales and mean is None else 1.0
        last = getattr(layers[-1], "activation", None) if layers else None
        softmax = getattr(last, "__name__", "") == "softmax" or type(layers[-1]).__name__ == "Softmax"
        self.probabilities = softmax if probabilities is None else probabilities
        self.differentiable = keras.backend.backend() == "torch"
        if mean is not None and std is not None:
            check_normalisation(mean, std)
        self._mean, self._std = mean, std
        digest = hashlib.sha256()
        for weight in model.weights:
            array = _numbers(keras, weight.value)
            digest.update(f"{weight.path} {array.dtype}{list(array.shape)}".encode() + array.tobytes())
        self.sha256 = digest.hexdigest()
        if classes is not None:
            self.classes = tuple(map(str, classes))
        shape = getattr(model, "input_shape", None)  # a model that was not built yet has none
        side = shape[1] if isinstance(shape, tuple) and len(shape) == 4 else None
        if isinstance(side, int) and self.layout == "nhwc":
            self.size = side

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits float32[B, K] of images float[B, C, H, W] in [0, 1]."""
        pixels = images if self.layout == "nchw" else images.permute(0, 2, 3, 1)
        if self._mean is not None and self._std is not None:
            sides = (1, -1, 1, 1) if self.layout == "nchw" else (1, 1, 1, -1)
            mean, std = (images.new_tensor(list(values)).view(sides) for values in (self._mean, self._std))
            pixels = (pixels - mean) / std
        else:
            pixels = pixels * self.reach
        if self.differentiable:
            found = scores_of(self._model[0](pixels.contiguous(), training=False))
        else:
            answer = self._model[0](pixels.detach().cpu().contiguous().numpy(), training=False)
            array = as_table(self._keras.ops.convert_to_numpy(answer), len(images), self.name)
            found = torch.from_numpy(np.array(array, np.float32)).to(images.device)
        return logs_of(found) if self.probabilities else found


class Pipeline(nn.Module):
    """A transformers pipeline for image classification, asked as it is used: with Pillow images, of any size."""

    differentiable = False
    takes_pixels = True

    def __init__(self, pipeline: Any) -> None:
        super().__init__()
        config = pipeline.model.config
        self._pipeline = (pipeline,)
        self.inner = pipeline.model  # its weights tell two pipelines apart
        self.classes = tuple(str(config.id2label[place]) for place in range(config.num_labels))
        self.name = str(getattr(config, "name_or_path", "") or config.model_type)

    def _apply(self, fn: Any, recurse: bool = True) -> "Pipeline":
        return self  # a pipeline is on the device that it was made for

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits float32[B, K] of images float[B, C, H, W] in [0, 1]."""
        from PIL import Image

        pixels = images.detach().mul(255.0).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        asked = [Image.fromarray(image if image.shape[-1] == 3 else np.repeat(image, 3, axis=-1)) for image in pixels]
        answers = self._pipeline[0](asked, top_k=len(self.classes), function_to_apply="none", batch_size=len(asked))
        place = {label: number for number, label in enumerate(self.classes)}
        logits = torch.empty(len(asked), len(self.classes))
        for row, answer in enumerate(answers):
            for entry in answer:
                logits[row, place[entry["label"]]] = entry["score"]
        return logits.to(images.device)


class ZeroShot(nn.Module):
    """A CLIP-like classifier: an image's features against one text's features a class, by their cosine.

    Attributes:
        encoder: float[B, C, H, W] to features [B, D].
        text: float32[K, D], of length 1: each class's features.
        scale: what cosines are multiplied by to be logits; CLIP's learnt value is 100.
    """

    takes_pixels = True

    text: torch.Tensor

    def __init__(
        self,
        encoder: nn.Module,
        text_features: Any,
        classes: Sequence[str],
        *,
        scale: float = 100.0,
        name: str | None = None,
        size: int | None = None,
    ) -> None:
        super().__init__()
        features = text_features
        if not isinstance(features, torch.Tensor):
            features = torch.from_numpy(np.array(features, np.float32))
        if features.ndim != 2 or len(features) != len(classes):
            raise InputError(
                f"text_features are one row a class [{len(classes)}, features], got {shown(features)}; average several "
                "prompts of a class first"
            )
        self.encoder, self.classes, self.scale = encoder, tuple(map(str, classes)), float(scale)
        self.register_buffer("text", nn.functional.normalize(features.detach().float(), dim=1))
        self.name = name or f"{type(encoder).__name__} (zero-shot)"
        if size is not None:
            self.size = size

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits float32[B, K] of images float[B, C, H, W] in [0, 1]."""
        found = self.encoder(images)
        features = found if isinstance(found, torch.Tensor) else _features_of(found)
        if features.ndim != 2 or features.shape[1] != self.text.shape[1]:
            raise InputError(
                f"the image encoder gives {shown(features)}; expected [images, {self.text.shape[1]}], as those of "
                "the texts"
            )
        return self.scale * nn.functional.normalize(features.float(), dim=1) @ self.text.T


def _numbers(keras: Any, value: Any) -> NDArray[Any]:
    """A weight's numbers, whichever backend holds it."""
    if isinstance(value, torch.Tensor):
        return np.ascontiguousarray(value.detach().cpu().numpy())
    return np.ascontiguousarray(keras.ops.convert_to_numpy(value))


def _features_of(output: Any) -> torch.Tensor:
    for name in ("image_embeds", "pooler_output"):
        if isinstance(value := getattr(output, name, None), torch.Tensor):
            return value
    raise InputError(f"the image encoder gives {shown(output)}; expected features [images, features]")


def as_table(found: Any, count: int, name: str) -> NDArray[np.floating]:
    """The scores [count, K] of what a classifier gave; InputError if it is something else."""
    if isinstance(found, torch.Tensor) or hasattr(found, "logits"):
        found = scores_of(found).detach().cpu().numpy()
    elif isinstance(found, tuple | list) and len(found) == 1 and np.ndim(found[0]) == 2:
        found = found[0]
    try:
        array = np.asarray(found)
        if array.dtype.kind not in "cOSUMm":  # a complex number would lose a part, and texts would be read as numbers
            array = array.astype(np.float32, copy=False)
    except (TypeError, ValueError):
        raise InputError(f"{plain(name)} gives {shown(found)}; expected scores [images, classes]") from None
    if array.dtype != np.float32:
        raise InputError(
            f"{plain(name)} gives an array of {array.dtype.name}, which are no real numbers; expected scores [images, "
            "classes]"
        )
    if array.ndim != 2 or len(array) != count:
        raise InputError(
            f"{plain(name)} gives an array {list(array.shape)} for {count} images; expected scores [images, classes]"
        )
    return array


def logs_of(probabilities: torch.Tensor) -> torch.Tensor:
    """Logits whose softmax the probabilities [B, K] are; 0 is taken for the least number above it."""
    return probabilities.clamp_min(torch.finfo(torch.float32).tiny).log()
