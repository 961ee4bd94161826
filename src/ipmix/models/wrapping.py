"""Anybody's classifier, an object of Python, as a module: images float[B, C, H, W] in [0, 1] to logits.

====================================  ===================================================================
what is given                         what it is called with
====================================  ===================================================================
``torch.nn.Module``                   float32[B, C, H, W] in [0, 1], normalised by ``mean`` and ``std``
a transformers classifier             the same; classes and size from its config
a transformers pipeline               Pillow images: it prepares them itself
a Keras 3 model                       float32[B, H, W, C]
an object with ``predict_proba``      float32[B, H * W * C] in [0, 1]: scikit-learn and its like
an onnxruntime session, or a file     what its input says
any other callable                    uint8[B, H, W, C]
====================================  ===================================================================
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ipmix.core.errors import InputError, plain
from ipmix.models.classifier import Classifier, check_normalisation
from ipmix.models.onnx_model import Onnx
from ipmix.models.opaque import KerasModel, Layout, Opaque, Pipeline, ZeroShot, logs_of
from ipmix.models.outputs import Logits, normalises, scores_of
from ipmix.models.tensors import check_module


def wrap(
    model: Any,
    *,
    input: Layout | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    reach: float | None = None,
    probabilities: bool | None = None,
    classes: Sequence[str] | None = None,
    name: str | None = None,
    size: int | None = None,
) -> nn.Module:
    """A classifier as ipmix measures it: a module, float32[B, C, H, W] in [0, 1] to logits float32[B, K].

    Args:
        model: see the table above.
        input: how the model takes its images, "nchw" or "nhwc", where that is not its kind's usual way.
        mean: subtract this from each channel of images in [0, 1] first, and divide by ``std``; for models that don't
            normalise themselves.
        std: see ``mean``.
        reach: the largest value that it takes, where that isn't 1: 255.0 for 0 to 255.
        probabilities: whether it gives probabilities instead of logits, where that can't be told by its kind. False
            lets scores pass that look like probabilities by accident.
        classes: the classes' names in the order of its outputs; its own, if it knows some.
        name: what it is called in results.
        size: the side of image that it takes.

    Raises:
        InputError: it can't be called with images, or settings don't go with its kind.
    """
    if (mean is None) != (std is None):
        raise InputError("mean and std are given together, or neither")
    if mean is not None and std is not None:
        check_normalisation(mean, std)
        if reach is not None:
            raise InputError("mean and std are about images in [0, 1]: leave out reach")
    if input not in (None, "nchw", "nhwc"):
        raise InputError(f'input is "nchw" or "nhwc", got {plain(input)}')
    made = _made(model, input, mean, std, reach, probabilities, classes)
    if probabilities is False:
        made.gives_logits = True  # type: ignore[assignment]
    for key, value in (("name", name), ("size", size), ("classes", None if classes is None else tuple(classes))):
        if value is not None:
            setattr(made, key, value)
    return made


def zero_shot(
    encoder: nn.Module,
    text_features: Any,
    classes: Sequence[str],
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    scale: float = 100.0,
    name: str | None = None,
    size: int | None = None,
) -> nn.Module:
    """A CLIP-like classifier of an image encoder and one row of text features for each class.

    Args:
        encoder: float[B, C, H, W] to features [B, D], or an output with ``image_embeds`` or ``pooler_output``.
        text_features: [K, D]; of several prompts of a class their mean.
        classes: the K classes' names.
        mean, std, name, size: as for :func:`wrap`.
        scale: what cosines are multiplied by to be logits.
    """
    made = ZeroShot(encoder, text_features, classes, scale=scale, name=name, size=size)
    return wrap(made, mean=mean, std=std, classes=classes, name=made.name, size=size)


def _made(
    model: Any,
    layout: Layout | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    reach: float | None,
    probabilities: bool | None,
    classes: Sequence[str] | None,
) -> nn.Module:
    kind = {part.__module__.split(".")[0] for part in type(model).__mro__}
    if isinstance(model, str | Path) or _is_session(model):
        _refuse_for("an ONNX model", layout=layout, reach=reach)
        return _normalised(Onnx(Path(model) if isinstance(model, str) else model), mean, std)
    if "keras" in kind and hasattr(model, "layers"):
        return KerasModel(
            model, layout=layout, mean=mean, std=std, reach=reach, probabilities=probabilities, classes=classes
        )
    if "transformers" in kind and hasattr(model, "image_processor") and hasattr(model, "model"):
        _refuse_for("a pipeline", layout=layout, mean=mean, reach=reach)
        return Pipeline(model)
    if isinstance(model, nn.Module):
        return _of_module(model, layout, mean, std, reach, bool(probabilities), "transformers" in kind)
    if hasattr(model, "predict_proba"):
        return _of_estimator(model, mean, std, reach, classes)
    if not callable(model):
        raise InputError(
            f"a model is a torch.nn.Module, a callable, or an object with predict_proba, got a {type(model).__name__}"
        )
    called = getattr(model, "__name__", type(model).__name__)
    return Opaque(
        model, name=called, layout=layout or "nhwc", mean=mean, std=std, reach=reach,
        probabilities=bool(probabilities), classes=classes,
    )  # fmt: skip


def _is_session(model: Any) -> bool:
    return type(model).__module__.split(".")[0] == "onnxruntime" and hasattr(model, "get_inputs")


def _refuse_for(what: str, **given: Any) -> None:
    for word, value in given.items():
        if value is not None:
            word = "input" if word == "layout" else word
            raise InputError(f"{what} says itself how it takes its images: leave out {word}")


class _Arranged(nn.Module):
    """A module behind what it needs done to images in [0, 1], or to its scores."""

    def __init__(self, model: nn.Module, layout: Layout, reach: float, probabilities: bool) -> None:
        super().__init__()
        self.model, self.layout, self.reach, self.probabilities = model, layout, reach, probabilities

    def forward(self, images: torch.Tensor) -> Any:
        if self.reach != 1.0:
            images = images * self.reach
        found = self.model(images.permute(0, 2, 3, 1).contiguous() if self.layout == "nhwc" else images)
        if not self.probabilities:
            return found
        return logs_of(scores_of(found))


def _of_module(
    model: nn.Module,
    layout: Layout | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    reach: float | None,
    probabilities: bool,
    of_transformers: bool,
) -> nn.Module:
    if isinstance(model, Classifier) and mean is not None:
        raise InputError("this network normalises images itself: leave out mean and std")
    check_module(type(model).__name__, model)
    made: nn.Module = model
    if layout == "nhwc" or reach not in (None, 1.0) or probabilities:
        made = _Arranged(model, layout or "nchw", reach or 1.0, probabilities)
        made.name = str(getattr(model, "name", type(model).__name__))  # type: ignore[assignment]
    if not normalises(made):
        made = Logits(made)
    if of_transformers:
        config: Any = model.config
        labels: Any = getattr(config, "id2label", None) or {}
        named = [str(labels[place]) for place in sorted(labels)]
        if named and named != [f"LABEL_{place}" for place in range(len(named))]:
            made.classes = tuple(named)  # type: ignore[assignment]
        if isinstance(side := getattr(config, "image_size", None), int):
            made.size = side  # type: ignore[assignment]
    if not hasattr(made, "name"):
        made.name = type(model).__name__  # type: ignore[assignment]
    return _normalised(made, mean, std)


def _normalised(model: nn.Module, mean: Sequence[float] | None, std: Sequence[float] | None) -> nn.Module:
    if mean is None or std is None:
        return model
    from ipmix.models.loading import Normalising  # it needs this package whole

    return Normalising(model, mean, std)


def _of_estimator(
    model: Any,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    reach: float | None,
    classes: Sequence[str] | None,
) -> nn.Module:
    """A scikit-learn-like classifier: flat rows of pixels; grey ones where it was fitted on so many numbers."""
    features = getattr(model, "n_features_in_", None)

    def rows(images: NDArray[Any]) -> Any:
        flat = images.reshape(len(images), -1)
        if isinstance(features, int | np.integer) and flat.shape[1] != features:
            if images.shape[1] * images.shape[2] == features:
                flat = images.mean(axis=-1).reshape(len(images), -1).astype(np.float32)
            else:
                raise InputError(
                    f"the classifier was fitted on {features} numbers an image; these have {flat.shape[1]} "
                    f"({images.shape[2]}x{images.shape[1]}, {images.shape[3]} channels)"
                )
        return model.predict_proba(flat)

    own = getattr(model, "classes_", None)
    names = (
        classes if classes is not None else None if own is None else [str(name) for name in np.asarray(own).tolist()]
    )
    return Opaque(
        rows, name=type(model).__name__, mean=mean, std=std, reach=1.0 if reach is None else reach,
        probabilities=True, classes=names,
    )  # fmt: skip
