"""Data sets by name: scikit-learn's handwritten digits, which come with a dependency, and CIFAR."""

from pathlib import Path

import numpy as np

from ipmix.core.errors import InputError
from ipmix.core.folders import cache_folder
from ipmix.core.terminal import tell
from ipmix.data import fetching

BUILT_IN = ("digits", "cifar10", "cifar100")

SIZES = {"digits": (1352, 445, 32, 10), "cifar10": (50_000, 10_000, 32, 10), "cifar100": (50_000, 10_000, 32, 100)}
"""Training images, test images, their side and their classes."""

CIFAR_URL = "https://www.cs.toronto.edu/~kriz/"
CIFAR_ARCHIVES = {
    "cifar10": (
        "cifar-10-python.tar.gz",
        170_498_071,
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ),
    "cifar100": (
        "cifar-100-python.tar.gz",
        169_001_437,
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    ),
}
"""Names, sizes in bytes and SHA-256 of the archives."""

Images = tuple[np.ndarray, np.ndarray, tuple[str, ...]]
"""uint8[N, 32, 32, 3], their labels int64[N], and the classes' names."""


def digits(split: str) -> Images:
    """scikit-learn's digits at 32x32 RGB; every fourth image of each class is for testing."""
    if split == "val":
        raise InputError("digits has no 'val' split; it has: train, test")
    from PIL import Image
    from sklearn.datasets import load_digits

    data = load_digits()
    labels = np.asarray(data.target, np.int64)
    # The set lists its writers one after the other: taking every fourth spreads them over both splits.
    rank = np.zeros(len(labels), np.int64)
    for digit in range(10):
        rank[labels == digit] = np.arange(np.count_nonzero(labels == digit))
    chosen = np.flatnonzero((rank % 4 == 3) == (split == "test"))
    images = np.empty((len(chosen), 32, 32, 3), np.uint8)
    for row, i in enumerate(chosen):
        ink = np.minimum(np.asarray(data.images[i]) * 16.0, 255.0).astype(np.uint8)
        large = Image.fromarray(ink).resize((32, 32), Image.Resampling.BICUBIC)
        images[row] = np.asarray(large)[:, :, None]
    return images, labels[chosen], tuple(str(d) for d in range(10))


def _fetch_cifar(source: str, root: Path) -> None:
    """Get the archive, unless it lies there, and unpack it."""
    name, size, sha256 = CIFAR_ARCHIVES[source]
    root.mkdir(parents=True, exist_ok=True)
    if not fetching.is_whole(root / name, sha256):
        tell(f"fetching {source} ({size / 2**20:.0f} MiB) to {root}\n")
        fetching.fetch(CIFAR_URL + name, root / name, sha256=sha256, size=size)
    fetching.unpack(root / name, root, most=2 * size)


def is_fetched(source: str, root: str | Path | None) -> bool:
    """Whether CIFAR's files lie in ``root`` (or the user's cache folder); whether they are whole, reading tells."""
    folder = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}[source]
    return ((cache_folder() / "data" if root is None else Path(root)) / folder).is_dir()


def cifar(source: str, split: str, root: str | Path | None, download: bool) -> Images:
    """CIFAR as torchvision reads it, from ``root`` or the user's cache folder; fetched if that is asked for."""
    if split == "val":
        raise InputError(f"{source} has no 'val' split; it has: train, test")
    from http.client import HTTPException

    from torchvision import datasets

    root = cache_folder() / "data" if root is None else Path(root)
    kind = datasets.CIFAR10 if source == "cifar10" else datasets.CIFAR100
    try:
        # Its files are pickles: torchvision opens them if their MD5 is the known one, and no others.
        try:
            data = kind(root, train=split == "train")
        except RuntimeError:  # not there, or not whole
            if not download:
                raise
            _fetch_cifar(source, root)
            data = kind(root, train=split == "train")
    except (OSError, HTTPException) as error:  # urllib's URLError is an OSError
        if not download:
            raise InputError(f"{source} in {root} can't be read ({error})") from None
        raise InputError(
            f"{source} can't be fetched to {root} ({getattr(error, 'reason', error)}): is there a network? Or get the "
            "archive on another machine and say with --root where it lies"
        ) from None
    except RuntimeError as error:
        raise InputError(
            f"{source} is not in {root} ({error}); pass --download to fetch it, --root to say where it lies, "
            "or a folder of images"
        ) from None
    return np.ascontiguousarray(data.data), np.asarray(data.targets, np.int64), tuple(data.classes)
