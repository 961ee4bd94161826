"""AutoAugment, RandAugment and TrivialAugmentWide as torchvision has them, with this library's keys.

Their operations interpolate and fill differently from those of a recipe, so they are no recipes: in place of
``draw`` they have ``transform(images, keys)``. What an image becomes is still a pure function of its key.

Needs torch and torchvision (the ``train`` extra); they are imported when images are transformed.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from ipmix.core.checking import check_choice, check_count
from ipmix.core.errors import InputError
from ipmix.core.image_sizes import SMALL_SIDE
from ipmix.core.randomness import Keys, bits, start

SALT = 0x746F726368
"""Keeps these methods' streams apart from those of other methods with the same seed."""

POLICIES = ("cifar10", "imagenet", "svhn")
INTERPOLATIONS = ("nearest", "bilinear")


class _Policy(ABC):
    """What the three have in common."""

    name = ""
    mixes_labels = False
    needs_mixing_images = False

    def with_options(self, **options: Any) -> Any:
        """A copy with some options changed."""
        return replace(self, **options)  # type: ignore[type-var]

    @classmethod
    def preset(cls, name: str) -> Any:
        """Always refused: there are no presets."""
        raise InputError(f"{cls.name} has no preset {name!r}; it has no presets, only options")

    def transform(self, images: np.ndarray, keys: Keys) -> np.ndarray:
        """The augmented images, uint8[N, H, W, C], one for each key; ``images`` are left alone.

        An image's result depends on the image, the key and the installed torchvision, on nothing else: torch's
        global generator is neither read nor advanced, whatever other threads do with it.

        Args:
            images: uint8[N, H, W, C], C = 1 or 3.

        Raises:
            InputError: for other channels, or where torchvision is not installed.
        """
        from PIL import Image

        channels = images.shape[3]
        if channels not in (1, 3):
            raise InputError(f"{self.name} takes images of 1 or 3 channels (grey or RGB), got {channels}")
        policy = self._policy(max(images.shape[1:3]))
        generator, mode = _drawing_from_one_generator()
        out = np.empty_like(images)
        state = np.empty(1, np.uint64)
        with mode:
            for i, index in enumerate(keys.indices):
                start(state, np.int64(keys.seed ^ SALT), np.int64(keys.epoch), np.int64(index), np.int64(keys.view))
                generator.manual_seed(int(bits(state)) >> 1)
                image = Image.fromarray(images[i] if channels == 3 else images[i, :, :, 0])
                out[i] = np.asarray(policy(image)).reshape(images.shape[1:])
        return out

    @abstractmethod
    def _policy(self, side: int) -> Callable[[Any], Any]:
        """torchvision's transform, for images whose longer side is this."""


@dataclass(frozen=True)
class AutoAugment(_Policy):
    """One of 25 learnt pairs of operations for each image (Cubuk et al., CVPR 2019, arXiv 1805.09501)."""

    policy: str | None = None
    """"cifar10", "imagenet" or "svhn": what the pairs were learnt on (appendix A of the paper).
    None: cifar10 up to 64 pixels, imagenet above."""
    interpolation: str = "nearest"
    """"nearest" or "bilinear", for the operations that move pixels (torchvision's default: nearest)."""
    fill: int = 0
    """What moves into the image at its edges, 0 .. 255 (torchvision's default; the paper's code: 128)."""

    name = "autoaugment"

    def __post_init__(self) -> None:
        if self.policy is not None:
            check_choice("policy", self.policy, POLICIES)
        _check_interpolation(self.interpolation, self.fill)

    def _policy(self, side: int) -> Callable[[Any], Any]:
        policy = self.policy or ("cifar10" if side <= SMALL_SIDE else "imagenet")
        return _made("AutoAugment", self.interpolation, self.fill, policy=policy)


@dataclass(frozen=True)
class RandAugment(_Policy):
    """Operations drawn uniformly, all at one magnitude (Cubuk et al., NeurIPS 2020, arXiv 1909.13719)."""

    num_ops: int = 2
    """Operations for each image: the paper's N, 2 for ResNet-50 on ImageNet, 3 for WRN-28-10 on CIFAR."""
    magnitude: int = 9
    """Their strength, below ``num_magnitude_bins``: the paper's M, 9 for ResNet-50, 4 or 5 for WRN-28-10."""
    num_magnitude_bins: int = 31
    """Steps from no effect to the strongest: 0 .. 30 in the paper."""
    interpolation: str = "nearest"
    """"nearest" or "bilinear"."""
    fill: int = 0
    """What moves into the image at its edges, 0 .. 255."""

    name = "randaugment"

    def __post_init__(self) -> None:
        check_count("num_ops", self.num_ops, 1)
        check_count("num_magnitude_bins", self.num_magnitude_bins, 2)
        check_count("magnitude", self.magnitude, 0)
        if self.magnitude >= self.num_magnitude_bins:
            raise InputError(
                f"magnitude must be below num_magnitude_bins ({self.num_magnitude_bins}), got {self.magnitude}"
            )
        _check_interpolation(self.interpolation, self.fill)

    def _policy(self, side: int) -> Callable[[Any], Any]:
        counts = {
            "num_ops": self.num_ops,
            "magnitude": self.magnitude,
            "num_magnitude_bins": self.num_magnitude_bins,
        }
        return _made("RandAugment", self.interpolation, self.fill, **counts)


@dataclass(frozen=True)
class TrivialAugmentWide(_Policy):
    """One operation at one strength, both drawn uniformly (Müller and Hutter, ICCV 2021, arXiv 2103.10158)."""

    num_magnitude_bins: int = 31
    """Strengths to draw from: 0 .. 30 in the paper."""
    interpolation: str = "nearest"
    """"nearest" or "bilinear"."""
    fill: int = 0
    """What moves into the image at its edges, 0 .. 255."""

    name = "trivialaugment"

    def __post_init__(self) -> None:
        check_count("num_magnitude_bins", self.num_magnitude_bins, 2)
        _check_interpolation(self.interpolation, self.fill)

    def _policy(self, side: int) -> Callable[[Any], Any]:
        return _made("TrivialAugmentWide", self.interpolation, self.fill, num_magnitude_bins=self.num_magnitude_bins)


def _check_interpolation(interpolation: str, fill: int) -> None:
    check_choice("interpolation", interpolation, INTERPOLATIONS)
    check_count("fill", fill, 0)
    if fill > 255:
        raise InputError(f"fill must be a byte, 0 .. 255, got {fill}")


@lru_cache(maxsize=16)
def _made(name: str, interpolation: str, fill: int, **options: Any) -> Any:
    """torchvision's object, which holds no state and may be called from several threads."""
    try:
        from torchvision.transforms import AutoAugmentPolicy, InterpolationMode, v2
    except ImportError:
        raise InputError(f'{name} runs on torchvision, which is not installed: pip install "ipmix[train]"') from None
    if "policy" in options:
        options["policy"] = AutoAugmentPolicy(options["policy"])
    return getattr(v2, name)(interpolation=InterpolationMode(interpolation), fill=fill, **options)


def _drawing_from_one_generator() -> tuple[Any, Any]:
    """A torch generator, and a context in which this thread's torch.rand and torch.randint draw from it.

    Seeding and restoring torch's global generator instead would not do: training draws from it at the same time,
    in other threads, and each would disturb the other.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    generator = torch.Generator()
    draws = (torch.rand, torch.randint)

    class Redirected(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            extra = {"generator": generator} if function in draws else {}
            return function(*args, **(kwargs or {}), **extra)

    return generator, Redirected()
