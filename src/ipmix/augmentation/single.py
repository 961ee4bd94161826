"""``Augmenter``: one image at a time, everything that can be made ready beforehand being ready."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ipmix.augmentation.batches import augment
from ipmix.augmentation.inputs import (
    as_planes,
    contiguous_images,
)
from ipmix.core.checking import check_out, described
from ipmix.core.errors import InputError
from ipmix.engines import engine as find_engine
from ipmix.engines.output import make_output
from ipmix.methods.protocol import Method
from ipmix.recipe.mixing_images import MixingImages
from ipmix.recipe.recipe import ImageSpec

MAPPED_MOST = 128 * 2**20
"""Bytes of mapped mixing images that :class:`Augmenter` reads through their map, all of them resident in time."""


class Augmenter:
    """:func:`augment` made ready for one image at a time, in the compiled engine.

    Checks are done once and arrays are kept, so that a call costs little more than the work. The result is that of
    ``augment(image[None], method, mixing, seed=seed, epoch=epoch, indices=[index], view=view, ...)[0]``. Not for
    several threads at once: give each its own.

    Args:
        method, mixing, seed, output, mean, std, layout: as in :func:`augment`.
        shape: (H, W, C) of every image.
    """

    def __init__(
        self,
        method: Method,
        mixing: MixingImages | None = None,
        *,
        shape: Sequence[int],
        seed: int,
        output: str = "uint8",
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        layout: str = "nhwc",
    ) -> None:
        if len(shape) != 3:
            raise InputError(f"shape must be (H, W, C), got {tuple(shape)}")
        height, width, channels = (int(side) for side in shape)
        self._method, self._mixing = method, mixing
        self._draw: Callable[[int, int, int], None] | None
        self._run: Callable[..., None]
        self._settings: dict[str, Any] = {
            "shape": (height, width, channels),
            "seed": seed,
            "output": output,
            "mean": mean,
            "std": std,
            "layout": layout,
        }
        self._image = (height, width, channels)
        if mixing is not None and not hasattr(mixing, "planes"):
            mixing = contiguous_images(mixing, "mixing")
        scene = ImageSpec(height, width, channels, 0 if mixing is None else len(mixing))
        if mixing is None:
            planes = np.zeros((1, channels, height, width), np.uint8)
        elif hasattr(mixing, "planes"):
            planes = mixing.planes(height, width, channels)
        else:
            planes = as_planes(mixing, height, width, channels)
        form = make_output(output, layout, channels, mean, std)
        self._out = form.shape(1, height, width)[1:], np.dtype(form.kind)
        if method.mixes_labels:
            raise InputError(f"{method.name} mixes the images of a batch: use draw() and apply() on batches")
        make_drawer = getattr(method, "drawer", lambda seed, scene: None)
        prepared = make_drawer(seed, scene)
        # Several tables for one image, or none: the general way, at its cost for each call. Likewise a large set
        # that is mapped: the general way reads single images of it, a map would make all of it resident in time.
        if prepared is None or (isinstance(planes, np.memmap) and planes.nbytes > MAPPED_MOST):
            self._draw, self._run = None, self._in_stages
            return
        table, self._draw = prepared
        self._run = find_engine("compiled").applier(table, np.asarray(planes), form)

    def __call__(
        self, image: np.ndarray, *, epoch: int = 0, index: int = 0, view: int = 0, out: np.ndarray | None = None
    ) -> np.ndarray:
        """The augmented image, of the output's shape and dtype; written to ``out`` if one is given."""
        if type(image) is not np.ndarray and isinstance(image, np.ndarray):
            image = np.asarray(image)  # a row of a memory map, and whatever else is an array underneath
        if type(image) is not np.ndarray or image.shape != self._image or image.dtype != np.uint8:
            raise InputError(f"this augmenter takes uint8{list(self._image)}, got {described(image)}")
        shape, dtype = self._out
        if out is None:
            out = np.empty(shape, dtype)
        else:
            check_out(out, shape, dtype, image)
        if self._draw is None:
            self._run(image, out, epoch, index, view)
            return out
        self._draw(epoch, index, view)
        self._run(image if image.flags.c_contiguous else np.ascontiguousarray(image), out)
        return out

    def _in_stages(self, image: np.ndarray, out: np.ndarray, epoch: int, index: int, view: int) -> None:
        form = {name: self._settings[name] for name in ("seed", "output", "mean", "std", "layout")}
        augment(image[None], self._method, self._mixing, epoch=epoch, indices=[index], view=view, out=out[None], **form)

    def __reduce__(self) -> Any:  # machine code can't be sent to another process: make it ready again there
        return _make_augmenter, (self._method, self._mixing, self._settings)


def _make_augmenter(method: Method, mixing: MixingImages | None, settings: dict[str, Any]) -> Augmenter:
    return Augmenter(method, mixing, **settings)
