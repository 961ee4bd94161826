"""``Augmenter``: one image at a time, everything that can be made ready beforehand being ready."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ipmix.augmentation.batches import augment, check_method
from ipmix.augmentation.inputs import OneByOne, check_fit, check_mixing, contiguous_images
from ipmix.core.checking import check_int64, check_out, check_shape, described
from ipmix.core.errors import InputError
from ipmix.core.image_forms import advice, check_channels_last
from ipmix.engines import engine as find_engine
from ipmix.engines.output import check_output, make_output
from ipmix.methods.protocol import Method
from ipmix.recipe.mixing_images import MixingImages
from ipmix.recipe.recipe import ImageSpec

MAPPED_MOST = 128 * 2**20
"""Bytes of mapped mixing images that :class:`Augmenter` reads through their map, all of them resident in time."""

_NO_PIXEL = np.zeros(1, np.uint8)

KEPT_SHAPES = 16
"""Shapes that each thread keeps everything ready for; of more, those that were not used for longest are dropped."""


class Augmenter:
    """:func:`augment` made ready for one image at a time, in the compiled engine.

    Checks are done once and arrays are kept, so that a call costs little more than the work. The result is that of
    ``augment(image[None], method, mixing, seed=seed, epoch=epoch, indices=[index], view=view, ...)[0]``. One may be
    called by any number of threads at once (each has working arrays of its own), pickled, copied, inherited by
    fork and sent to another process.

    Args:
        method, mixing, seed, output, mean, std, layout: as in :func:`augment`.
        shape: (H, W, C) of every image: others are refused, and everything is made ready now. Left out, images may
            be of any size, each thread making itself ready for a size when it meets it first and keeping what it
            needs for :data:`KEPT_SHAPES` of them.

    Raises:
        InputError: settings that don't fit each other, or a method that mixes the images of a batch.
    """

    def __init__(
        self,
        method: Method,
        mixing: MixingImages | None = None,
        *,
        shape: Sequence[int] | None = None,
        seed: int,
        output: str = "uint8",
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        layout: str = "nhwc",
    ) -> None:
        check_method(method)
        if method.mixes_labels:
            raise InputError(f"{method.name} mixes the images of a batch: use draw() and apply() on batches")
        check_int64("seed", seed)
        check_mixing(mixing)
        self._shape = None if shape is None else check_shape(shape, "HWC")
        check_output(output, layout, mean, std)  # now, and not at the first image
        self._method, self._mixing = method, mixing
        self._form: dict[str, Any] = {"output": output, "mean": mean, "std": std, "layout": layout}
        self._gives_pixels = output == "uint8" and layout == "nhwc"
        self._seed = int(seed)
        if mixing is not None and not hasattr(mixing, "planes"):
            images = contiguous_images(mixing, "mixing")
            # One copy for all threads and shapes: only whether it is large enough depends on an image's size.
            self._array, self._planes = images, np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        self._kept = _Kept()
        if self._shape is not None:
            self._kept.ready = self._kept.shapes[self._shape] = self._ready_for(self._shape)

    def __call__(
        self, image: np.ndarray, *, index: int, epoch: int, view: int = 0, out: np.ndarray | None = None
    ) -> np.ndarray:
        """The augmented image, of the output's shape and dtype; written to ``out`` if one is given.

        Args:
            image: uint8[H, W, C], or a row of a memory map.
            index: the image's own number in its data set, an integer of 64 bits.
            epoch: which pass over the data set this is. The same (index, epoch, view) gives the same result: without
                them every image would be given the same recipe.
            view: tells apart several versions of an image in one epoch.
            out: an array to write to.

        Raises:
            InputError: naming what was expected and what was received.
        """
        if type(image) is not np.ndarray and isinstance(image, np.ndarray):
            image = np.asarray(image)  # a row of a memory map, and whatever else is an array underneath
        ready = self._kept.ready  # this thread's own
        if type(image) is not np.ndarray or image.shape != ready.image or image.dtype != np.uint8:
            ready = self._changed(image)
        if not (type(index) is type(epoch) is type(view) is int):
            index, epoch, view = _numbers(index, epoch, view)
        if out is None:
            out = np.empty(ready.shape, ready.dtype)
        else:
            check_out(out, ready.shape, ready.dtype, image)
        if ready.draw is None:
            ready.run(image, out, *_numbers(index, epoch, view))
            return out
        try:
            ready.draw(epoch, index, view)
        except OverflowError:
            _numbers(index, epoch, view)
            raise
        ready.run(image if image.flags.c_contiguous else np.ascontiguousarray(image), out)
        return out

    def augment_rgbx(
        self, image: np.ndarray, out: np.ndarray, size: tuple[int, int], *, index: int, epoch: int, view: int = 0
    ) -> None:
        """One image of three channels as Pillow keeps it in memory: what a call gives, without copying it out and in.

        Args:
            image: uint8[H * W * 4]; the fourth byte of a pixel counts for nothing.
            out: the same, not the same memory; the fourth bytes become 255. Nothing checks the two.
            size: (H, W).
            index, epoch, view: as in a call.

        Raises:
            InputError: another shape was promised, or another output than ``uint8`` of ``nhwc``.
        """
        if not self._gives_pixels:
            raise InputError(f"augment_rgbx gives uint8 nhwc; this augmenter gives {self._form}")
        ready = self._kept.ready
        if ready.image != (*size, 3):
            ready = self._changed(np.broadcast_to(_NO_PIXEL, (*size, 3)))
        if not (type(index) is type(epoch) is type(view) is int):
            index, epoch, view = _numbers(index, epoch, view)
        if ready.draw is None:
            pixels, made = image.reshape(*size, 4), np.empty((*size, 3), np.uint8)
            ready.run(np.ascontiguousarray(pixels[..., :3]), made, *_numbers(index, epoch, view))
            out.reshape(*size, 4)[..., :3], out.reshape(*size, 4)[..., 3] = made, 255
            return
        try:
            ready.draw(epoch, index, view)
        except OverflowError:
            _numbers(index, epoch, view)
            raise
        ready.run(image, out)

    def _changed(self, image: Any) -> "_Ready":
        """What this thread needs for an image of another shape than its last; :class:`InputError` for no image."""
        expected = "uint8[H, W, C]" if self._shape is None else f"uint8{list(self._shape)}"
        usable = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and 0 not in image.shape
        if not usable or (self._shape is not None and image.shape != self._shape):
            words = "" if usable else advice(image, "image", batch=False)
            raise InputError(f"this augmenter takes {expected}, got {described(image)}{words and ': '}{words}")
        if self._shape is None:  # a shape that was promised is what it says
            check_channels_last(image.shape, "image")
        kept = self._kept
        ready = kept.shapes.get(image.shape)
        if ready is None:
            ready = self._ready_for(image.shape)
            kept.shapes[image.shape] = ready
            if len(kept.shapes) > KEPT_SHAPES:
                kept.shapes.popitem(last=False)
        kept.shapes.move_to_end(image.shape)
        kept.ready = ready
        return ready

    def _ready_for(self, shape: tuple[int, ...]) -> "_Ready":
        height, width, channels = check_shape(shape, "HWC")
        form = make_output(self._form["output"], self._form["layout"], channels, self._form["mean"], self._form["std"])
        out = form.shape(1, height, width)[1:], np.dtype(form.kind)
        count = 0 if self._mixing is None else len(self._mixing)
        planes = self._planes_for(height, width, channels)
        if planes is None:  # of a size that few images have so far
            return _Ready(shape, *out, None, self._without_planes)
        make_drawer = getattr(self._method, "drawer", lambda seed, scene: None)
        prepared = make_drawer(self._seed, ImageSpec(height, width, channels, count))
        # Several tables for one image, or none: the general way, at its cost for each call. Likewise a large set
        # that is mapped: the general way reads single images of it, a map would make all of it resident in time.
        if prepared is None or (isinstance(planes, np.memmap) and planes.nbytes > MAPPED_MOST):
            return _Ready(shape, *out, None, self._in_stages)
        table, draw = prepared
        return _Ready(shape, *out, draw, find_engine("compiled").applier(table, np.asarray(planes), form))

    def _planes_for(self, height: int, width: int, channels: int) -> np.ndarray | None:
        mixing = self._mixing
        if mixing is None:
            return np.zeros((1, channels, height, width), np.uint8)
        if not isinstance(mixing, np.ndarray):
            if self._shape is not None or not hasattr(mixing, "planes_if_worth"):
                return mixing.planes(height, width, channels)
            used = self._kept.without_planes.get((height, width, channels), 0)
            planes: np.ndarray | None = mixing.planes_if_worth(height, width, channels, used=used)
            return planes
        check_fit(self._array, height, width, channels)
        return self._planes

    def _in_stages(self, image: np.ndarray, out: np.ndarray, index: int, epoch: int, view: int) -> None:
        self._by_the_batch(self._mixing, image, out, index, epoch, view)

    def _without_planes(self, image: np.ndarray, out: np.ndarray, index: int, epoch: int, view: int) -> None:
        kept, mixing = self._kept, OneByOne(self._mixing)
        self._by_the_batch(mixing, image, out, index, epoch, view)
        used = kept.without_planes[image.shape] = kept.without_planes.get(image.shape, 0) + 1
        if used % len(mixing) == 0:  # they may pay now: look again for the next image
            kept.shapes.pop(image.shape, None)
            kept.ready = _Kept.ready

    def _by_the_batch(self, mixing: Any, image: np.ndarray, out: np.ndarray, index: int, epoch: int, view: int) -> None:
        augment(
            *(image[None], self._method, mixing),
            **{"seed": self._seed, "epoch": epoch, "indices": [index], "view": view, "out": out[None], **self._form},
        )

    def __reduce__(self) -> Any:  # machine code can't be sent to another process: make it ready again there
        settings = {"shape": self._shape, "seed": self._seed, **self._form}
        return _make_augmenter, (self._method, self._mixing, settings)


@dataclass(frozen=True, slots=True)
class _Ready:
    """What one thread keeps for images of one shape: the result's shape and dtype, a table, and what fills it."""

    image: tuple[int, ...] | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    draw: Callable[[int, int, int], None] | None
    run: Callable[..., None]


class _Kept(threading.local):
    """Each thread's own; a forked child has that of the thread that forked."""

    ready = _Ready(None, (), np.dtype(np.uint8), None, lambda *_: None)
    """For the shape of the last image."""

    def __init__(self) -> None:
        self.shapes: OrderedDict[tuple[int, ...], _Ready] = OrderedDict()
        self.without_planes: dict[tuple[int, ...], int] = {}  # how many images of a shape each had theirs resized


def _numbers(index: Any, epoch: Any, view: Any) -> tuple[int, int, int]:
    """The parts of a key as Python's integers; :class:`InputError` for anything but integers of 64 bits."""
    for name, value in (("index", index), ("epoch", epoch), ("view", view)):
        check_int64(name, value)
    return int(index), int(epoch), int(view)


def _make_augmenter(method: Method, mixing: MixingImages | None, settings: dict[str, Any]) -> Augmenter:
    return Augmenter(method, mixing, **settings)
