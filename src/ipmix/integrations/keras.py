"""Keras 3: augmented arrays as a ``PyDataset`` for ``fit``, and a layer for models that run eagerly (torch).

>>> model.fit(AugmentedPyDataset(images, labels, "ipmix-k3-t3", batch_size=128, threads=2))  # doctest: +SKIP
"""

from typing import Any

import numpy as np

from ipmix.augmentation.batches import augment
from ipmix.core.checking import check_positive
from ipmix.core.errors import InputError
from ipmix.core.image_forms import looks_channels_first, looks_channels_last
from ipmix.integrations.method_data import method_as_data, method_of_data
from ipmix.integrations.numpy import AugmentedBatches
from ipmix.integrations.sharing import from_bytes, needed, settled, to_bytes
from ipmix.methods.protocol import Method
from ipmix.recipe.mixing_images import MixingImages

with needed("keras", "keras"):
    import keras


class AugmentedPyDataset(keras.utils.PyDataset):
    """Shuffled, augmented batches of arrays in memory: float32[B, H, W, C] from 0 to 1, and labels.

    Each batch is a pure function of (seed, epoch, batch), with any number of threads. The epoch counts up when Keras
    says that one has ended; ``set_epoch`` before a resumed ``fit``. (Keras's look at the data before the first epoch of
    a ``fit``, to build the model, counts as one.)

    Args:
        images: uint8[N, H, W, C].
        labels: an array [N, ...].
        method: such as ``ipmix.IPMix()``, or its name such as "ipmix-k3-t3".
        mixing: a mixing set, or uint8[M, h, w, C]; by default, where the method needs one, ``MixingSet.sample()``.
        batch_size: images in a batch.
        seed: of the order and of the augmentation.
        output, mean, std, layout: as of :func:`ipmix.augment`.
        threads: how many threads share the making of a batch. They stand in the place of Keras's ``workers``, which
            are refused: Keras keeps batches that its workers made ahead when an epoch ends, as it does after its look
            at the data, and gives them out in the next epoch, so that some images come twice in it and others not
            at all.

    Raises:
        InputError: settings that don't fit.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        method: Method | str = "ipmix",
        mixing: MixingImages | None = None,
        *,
        batch_size: int = 32,
        seed: int = 0,
        output: str = "float32",
        mean: Any = None,
        std: Any = None,
        layout: str = "nhwc",
        threads: int = 1,
        **settings: Any,
    ) -> None:
        if settings.get("workers", 1) > 1 or settings.get("use_multiprocessing"):
            raise InputError(
                "with workers Keras gives out batches of an epoch that has ended: leave out workers and "
                "use_multiprocessing, and pass threads=2 instead"
            )
        super().__init__(**settings)
        form = {"output": output, "mean": mean, "std": std, "layout": layout, "threads": threads}
        self._batches = AugmentedBatches(images, labels, method, mixing, batch_size=batch_size, seed=seed, **form)
        self._epoch = 0

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch ``index`` of this epoch: images and labels."""
        return self._batches.batch(self._epoch, index)

    def set_epoch(self, epoch: int) -> None:
        """The epoch that begins next."""
        self._epoch = int(epoch)

    def on_epoch_end(self) -> None:
        """Keras has had all batches of the epoch."""
        self._epoch += 1


@keras.saving.register_keras_serializable(package="ipmix")
class AugmentationLayer(keras.layers.Layer):
    """A method as a layer in front of a network, at work in training only.

    Takes images [B, H, W, C] or [B, C, H, W] (``data_format``), of bytes, or of numbers from 0 to ``value_range``,
    which are rounded to 256 levels; gives the same. Needs a backend that runs eagerly (``KERAS_BACKEND=torch``): others
    trace a graph, which the engine is no part of; take :class:`AugmentedPyDataset` there.

    Args:
        method: such as ``ipmix.IPMix()``, or its name such as "ipmix-k3-t3".
        mixing: a mixing set, or uint8[M, h, w, C]; by default, where the method needs one, ``MixingSet.sample()``.
        value_range: the largest value that floats may have: 1, or 255 for floats of 0 to 255. Bytes (uint8) are 0 to
            255 by their type, whatever it says; ``fit`` makes floats of 0 to 255 of them before any layer.
        data_format: "channels_last" or "channels_first"; Keras's own setting if left out.
        seed: of the layer's generator, which begins with it again in a loaded model; a random one if left out.

    A saved model holds the layer with its method (by its name, or one of the library's with its options), and loads
    where this module is imported first. Mixing images are not saved: the loaded layer takes ``MixingSet.sample()``
    until its ``mixing`` is set to others.

    Raises:
        InputError: settings that don't fit, a graph, or numbers out of range.
    """

    def __init__(
        self,
        method: Method | str = "ipmix",
        mixing: MixingImages | None = None,
        *,
        value_range: float = 1.0,
        data_format: str | None = None,
        seed: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        check_positive("value_range (the largest value, 1 or 255)", value_range)
        if data_format not in (None, "channels_last", "channels_first"):
            raise InputError(f"data_format must be channels_last or channels_first, got {data_format!r}")
        self.given, self.value_range, self.seed = method, float(value_range), seed
        self.method, self.mixing = settled(method, mixing)
        self.data_format = data_format or keras.config.image_data_format()
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool = False) -> Any:
        """The batch with each image augmented, in training; else as it is."""
        if not training:
            return images
        if keras.backend.backend() != "torch":
            raise InputError(
                f"AugmentationLayer needs a backend that runs eagerly, got {keras.backend.backend()}: set "
                "KERAS_BACKEND=torch, or take AugmentedPyDataset"
            )
        key = self.generator.next()
        first, second = (int(number) for number in _numpy(key))
        pixels = self._bytes_of(_numpy(images))
        channels_first = self.data_format == "channels_first"
        _check_order(pixels.shape, channels_first)
        if channels_first:
            pixels = pixels.transpose(0, 2, 3, 1)
        changed = augment(
            np.ascontiguousarray(pixels), self.method, self.mixing, seed=first, epoch=second,
            layout="nchw" if channels_first else "nhwc",
        )  # fmt: skip
        dtype = keras.backend.standardize_dtype(images.dtype)
        made = changed if dtype == "uint8" else from_bytes(changed, "float32", self.value_range)
        return keras.ops.convert_to_tensor(made, dtype=dtype)

    def _bytes_of(self, images: np.ndarray) -> np.ndarray:
        """The batch as uint8; InputError for other dtypes and ranges, with the setting that is meant."""
        small = images.dtype.kind == "f" and self.value_range > 2 and images.size and 0 < images.max() <= 1
        if small and (images != np.rint(images)).any():  # of 0 to 255 they would be black but for rounding
            raise InputError(
                f"images of {images.dtype} go up to {images.max():g} in fractions, and value_range is "
                f"{self.value_range:g}: leave value_range out for numbers from 0 to 1"
            )
        if images.dtype.kind == "f" and self.value_range < 2 and images.size and 2 < images.max() <= 255:
            raise InputError(
                f"images of {images.dtype} go up to {images.max():g}, and value_range is {self.value_range:g}: pass "
                "value_range=255, or put keras.layers.Rescaling(1 / 255) before this layer"
            )
        return to_bytes(images, self.value_range)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """As the input's."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The settings, for a saved model: the method by its name, or by its name and options.

        Raises:
            InputError: a method of one's own that was given as an object.
        """
        return {
            **super().get_config(),
            "method": method_as_data(self.given if isinstance(self.given, str) else self.method),
            "value_range": self.value_range,
            "data_format": self.data_format,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "AugmentationLayer":
        """The layer of :meth:`get_config`'s settings."""
        return cls(**{**config, "method": method_of_data(config["method"])})


def _numpy(tensor: Any) -> np.ndarray:
    """The array of a torch tensor, past ``__array__``, by which Keras asks for it and NumPy warns each time."""
    array: np.ndarray = tensor.detach().cpu().numpy()
    return array


def _check_order(shape: tuple[int, ...], first: bool) -> None:
    """Raise :class:`InputError` where a batch's axes look like those of the other ``data_format``."""
    if len(shape) != 4:
        raise InputError(f"AugmentationLayer takes batches of images, four axes, got {list(shape)}")
    if looks_channels_last(shape) if first else looks_channels_first(shape):
        set_to, other = ("channels_first", "channels_last") if first else ("channels_last", "channels_first")
        raise InputError(
            f"the layer's data_format is {set_to}, and images {list(shape)} look like {other}: pass "
            f"data_format={other!r}"
        )
