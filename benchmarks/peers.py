"""Public augmentations on the CPU, each in the form that its own users call, with its default settings.

A peer is built from images uint8[N, S, S, 3]; converting them to what it takes (PIL images, tensors) is done
beforehand and not timed. One that can't be imported or built becomes a row among the absent ones.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.results import Absent
from benchmarks.timing import Contestant

Run = Callable[[int], object]
Build = Callable[[np.ndarray], Run]

OTHERS = (
    Absent("authors' IPMix (PIL)", "not a package; the yardstick draws and applies the same form"),
    Absent("PixMix, AugMix of their authors", "not packages; timm and torchvision have AugMix"),
    Absent("albumentationsx", "its licence (AGPL) does not fit an optional dependency; albumentations stands for it"),
)
BATCH = 128


@dataclass(frozen=True)
class Peer:
    """One public augmentation.

    Attributes:
        name: of its row.
        package: that has to be there.
        build: images uint8[N, S, S, 3] -> a call that augments all of them.
        images: how many images it gets at 32x32 and at 224x224: a slow one fewer.
    """

    name: str
    package: str
    build: Build
    images: tuple[int, int]


def peers() -> tuple[Peer, ...]:
    """All of them; nothing is imported yet."""
    return (
        Peer("torchvision AugMix, PIL", "torchvision", _torchvision_pil("AugMix"), (64, 8)),
        Peer("torchvision AugMix, uint8 tensor", "torchvision", _torchvision_tensor("AugMix"), (64, 8)),
        Peer("torchvision RandAugment, PIL", "torchvision", _torchvision_pil("RandAugment"), (256, 48)),
        Peer("torchvision RandAugment, uint8 tensor", "torchvision", _torchvision_tensor("RandAugment"), (256, 32)),
        Peer("torchvision TrivialAugmentWide, PIL", "torchvision", _torchvision_pil("TrivialAugmentWide"), (256, 64)),
        Peer(
            "torchvision TrivialAugmentWide, uint8 tensor",
            "torchvision",
            _torchvision_tensor("TrivialAugmentWide"),
            (256, 48),
        ),
        Peer("timm augmix-m3-w3", "timm", _timm("augment_and_mix_transform", "augmix-m3-w3"), (64, 8)),
        Peer("timm rand-m9", "timm", _timm("rand_augment_transform", "rand-m9-mstd0.5"), (256, 48)),
        Peer("kornia RandAugment, float batch", "kornia", _kornia, (BATCH, 16)),
        Peer("albumentations, AugMix built by hand", "albumentations", _albumentations, (64, 16)),
        Peer("torchvision MixUp, float batch", "torchvision", _torchvision_batch("MixUp"), (BATCH, 32)),
        Peer("torchvision CutMix, float batch", "torchvision", _torchvision_batch("CutMix"), (BATCH, 32)),
        Peer("torchvision RandomErasing, float tensor", "torchvision", _torchvision_erasing, (BATCH, 32)),
    )


def contestants(
    images: np.ndarray, which: Sequence[Peer] | None = None, share: float = 1.0
) -> tuple[list[Contestant], list[Absent]]:
    """The peers that are there, ready to race on this share of their images; the others with the reason."""
    ready: list[Contestant] = []
    absent: list[Absent] = []
    for peer in peers() if which is None else which:
        some = images[: max(2, round(share * peer.images[images.shape[1] > 64]))]
        try:
            import_module(peer.package)
            run = peer.build(some)
            run(0)
        except ImportError as error:
            absent.append(Absent(peer.name, f"{peer.package} can't be imported: {error}"))
        except Exception as error:
            # A public package that changed is a row with a reason, not the end of everybody's race.
            absent.append(Absent(peer.name, f"{type(error).__name__}: {error}"))
        else:
            ready.append(Contestant(peer.name, run, len(some)))
    return ready, absent


def _seed(call: int) -> None:
    """The packages draw from the global generators."""
    import torch

    random.seed(call)
    np.random.seed(call)  # noqa: NPY002
    torch.manual_seed(call)


def _each(mixing_images: Sequence[Any], transform: Callable[[Any], object]) -> Run:
    def run(call: int) -> None:
        _seed(call)
        for image in mixing_images:
            transform(image)

    return run


def _pil(images: np.ndarray) -> list[Image.Image]:
    return [Image.fromarray(image) for image in images]


def _torchvision_pil(name: str) -> Build:
    def build(images: np.ndarray) -> Run:
        from torchvision.transforms import v2

        return _each(_pil(images), getattr(v2, name)())

    return build


def _torchvision_tensor(name: str) -> Build:
    def build(images: np.ndarray) -> Run:
        import torch
        from torchvision.transforms import v2

        planar = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        return _each(list(planar), getattr(v2, name)())

    return build


def _torchvision_erasing(images: np.ndarray) -> Run:
    """A box of each image hidden, as CutOut does."""
    import torch
    from torchvision.transforms import v2

    planar = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float() / 255
    return _each(list(planar), v2.RandomErasing(p=1.0, scale=(0.25, 0.25), ratio=(1.0, 1.0)))


def _torchvision_batch(name: str) -> Build:
    """MixUp and CutMix mix images and labels of a float batch; images/s counts the batch."""

    def build(images: np.ndarray) -> Run:
        import torch
        from torchvision.transforms import v2

        batch = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float() / 255
        labels = torch.arange(len(images)) % 10
        mix = getattr(v2, name)(num_classes=10)

        def run(call: int) -> None:
            _seed(call)
            mix(batch, labels)

        return run

    return build


def _timm(function: str, setting: str) -> Build:
    def build(images: np.ndarray) -> Run:
        from timm.data import auto_augment

        # As timm's create_transform sets them.
        settings = {"translate_const": int(images.shape[1] * 0.45), "img_mean": (124, 116, 104)}
        return _each(_pil(images), getattr(auto_augment, function)(setting, settings))

    return build


def _kornia(images: np.ndarray) -> Run:
    import torch
    from kornia.augmentation.auto import RandAugment

    batch = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float() / 255
    transform = RandAugment(n=2, m=10)

    def run(call: int) -> None:
        _seed(call)
        with torch.no_grad():
            transform(batch)

    return run


def _albumentations(images: np.ndarray) -> Run:
    """AugMix of its transforms: three chains of one to three operations, Dirichlet and Beta weights."""
    import albumentations as a
    import cv2

    cv2.setNumThreads(1)
    operations = [
        a.AutoContrast(p=1),
        a.Equalize(p=1),
        a.Posterize(num_bits=(4, 7), p=1),
        a.Solarize(p=1),
        a.Affine(rotate=(-10, 10), p=1),
        a.Affine(shear={"x": (-5, 5), "y": (0, 0)}, p=1),
        a.Affine(shear={"x": (0, 0), "y": (-5, 5)}, p=1),
        a.Affine(translate_percent={"x": (-0.1, 0.1), "y": (0, 0)}, p=1),
        a.Affine(translate_percent={"x": (0, 0), "y": (-0.1, 0.1)}, p=1),
    ]

    def run(call: int) -> None:
        draws = random.Random(call)
        weights = np.random.default_rng(call)
        for image in images:
            share, kept = weights.dirichlet((1.0, 1.0, 1.0)).astype(np.float32), np.float32(weights.beta(1.0, 1.0))
            mixed = np.zeros(image.shape, np.float32)
            for part in share:
                chain = image
                for _ in range(draws.randint(1, 3)):
                    chain = draws.choice(operations)(image=chain)["image"]
                mixed += part * chain
            (kept * image + (1 - kept) * mixed).astype(np.uint8)

    return run
