"""Mixing sets: images without labels that IPMix mixes into the training images.

>>> mixing = MixingSet.generate(count=1000, size=64, seed=0)
>>> mixing[0].shape
(64, 64, 3)

A set is generated from a seed (and cached), read from a folder of images, or wraps an array. Training asks
for :meth:`MixingSet.planes`: all images as one planar array at the margin that the paper's random crop
needs. What does not fit into memory is mapped from a file, and stays there.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ipmix.core.bounds import MIXING_MOST, SHAPE_MOST
from ipmix.core.checking import (
    check_count,
    check_folder_name,
    check_images,
    check_indices,
    check_int64,
    check_shape,
    described,
)
from ipmix.core.errors import InputError
from ipmix.core.folders import CACHE_VARIABLE, cache_folder
from ipmix.core.image_forms import channels_advice
from ipmix.core.progress import counting
from ipmix.core.randomness import Key, below
from ipmix.core.threads import default_threads
from ipmix.data.decoding import DEFAULT, SUFFIXES, BrokenImage, DecodeConfig, decode
from ipmix.fractals.kinds import PAINTINGS_VERSION, SIZE_LEAST, SIZE_MOST
from ipmix.mixing_set.composition import compose
from ipmix.mixing_set.folder import find
from ipmix.mixing_set.making import make
from ipmix.mixing_set.manifest import VERSION, Entry, Manifest, MixingSetPlan, shard_name
from ipmix.mixing_set.planes import Planes, PlanesKey
from ipmix.mixing_set.sample import SIZE, sample_planes, unpack
from ipmix.mixing_set.sources import (
    ArrayFile,
    ArraySource,
    FolderSource,
    MixingSource,
    ResizedSource,
    ShardSource,
    checked_source,
    open_shard,
)
from ipmix.mixing_set.verifying import LOSSLESS


def margin(height: int, width: int) -> int:
    """The side a mixing image is resized to before a ``height`` x ``width`` crop: 36 for 32, 256 for 224.

    The authors' Resize(36) and RandomCrop(32), Resize(256) and RandomCrop(224): 8/7 of the longer side.
    """
    return 8 * max(height, width) // 7


class NoSuchImage(InputError, IndexError):
    """A number that no image of a mixing set has; as an :class:`IndexError` it ends a loop over the set."""


class MixingSet:
    """An indexable set of images: ``len(m)``, ``m[i]`` -> uint8[height, width, 3].

    Made by :meth:`generate`, :meth:`folder`, :meth:`open` or :meth:`array`. Safe to read from many threads,
    and to inherit by fork.
    """

    def __init__(self, source: MixingSource, cache: str | os.PathLike[str] | None = None) -> None:
        self._source = checked_source(source)
        self._cache = cache
        self.plan: MixingSetPlan | None = None
        self._manifests: list[Manifest] = []
        self._kept = Planes(self._source, cache, self._expected)
        self.skipped: list[Path] = []

    @classmethod
    def generate(
        cls,
        count: int,
        size: int,
        seed: int,
        *,
        mix: Mapping[str, int] | None = None,
        cache: str | os.PathLike[str] | None = None,
        threads: int | None = None,
    ) -> "MixingSet":
        """Generate ``count`` images of ``size`` x ``size`` pixels from ``seed``, or find them in the cache.

        ``mix`` maps kinds of images (see ``ipmix.fractals.kinds.KINDS``) to counts or weights. ``cache`` is
        the folder to keep the set in, by default the user's cache folder for ipmix. ``threads``: all
        processors by default; the images don't depend on it. What takes long shows its progress on standard error.
        """
        check_count("count", count, 1, MIXING_MOST)
        check_count("size", size, SIZE_LEAST, SIZE_MOST)
        check_int64("seed", seed)
        count, size, seed = int(count), int(size), int(seed)  # NumPy's are no JSON
        plan = MixingSetPlan(seed=seed, size=size, mix=compose(count, mix), files="shard")
        name = hashlib.sha256(repr((plan.mix, PAINTINGS_VERSION, VERSION)).encode()).hexdigest()[:12]
        folder = (
            cache_folder(cache) / "mixing-sets" / f"{count}x{size}-seed{seed}-v{VERSION}.{PAINTINGS_VERSION}-{name}"
        )
        with counting(f"painting {count} mixing images", count) as advance:
            done = 0
            try:
                for ready in make(plan, folder, threads):
                    advance(ready - done)
                    done = ready
            except InputError as error:
                if cache is not None or not os.environ.get(CACHE_VARIABLE):
                    raise
                raise InputError(f"{error} ({CACHE_VARIABLE} names {cache_folder()})") from None
        return cls.open(folder, cache=cache)

    @classmethod
    def sample(cls, size: int | None = None, *, cache: str | os.PathLike[str] | None = None) -> "MixingSet":
        """The 480 images of 64 px that come with the package: there at once, nothing is painted or compiled.

        They are the first of the default mix of seed 0, unpacked into the cache once and mapped from there by every
        process. ``size``: resized to so many pixels; training resizes them to what it needs anyway. For a long
        training, or images above 64 px, :meth:`generate` gives more of them, and sharper ones.
        """
        if size is not None:
            check_count("size", size, SIZE_LEAST, SIZE_MOST)
        folder = cache_folder(cache) / "mixing-sets"
        try:
            mixing = cls.open(unpack(folder), cache=cache)
        except OSError:  # nowhere to write to: kept in memory
            mixing = cls.array(np.ascontiguousarray(sample_planes().transpose(0, 2, 3, 1)))
        return mixing if size in (None, SIZE) else cls(ResizedSource(mixing._source, int(size)), cache)

    @classmethod
    def array(cls, images: np.ndarray) -> "MixingSet":
        """Wrap ``images``, uint8[images, height, width, channels], without a copy."""
        check_images(images, where="a mixing set")
        if not len(images):
            raise InputError(f"a mixing set needs at least one image, got {described(images)}")
        return cls(ArraySource(images))

    @classmethod
    def folder(
        cls,
        path: str | os.PathLike[str],
        *,
        skip_broken: bool = False,
        cache: str | os.PathLike[str] | None = None,
        decoding: DecodeConfig = DEFAULT,
    ) -> "MixingSet":
        """All images in a folder and the folders below it, in the order of their paths.

        With ``skip_broken`` every image is decoded once and those that can't be are left out (and listed
        in ``skipped``); without it a broken one raises :class:`InputError` when it is read. ``decoding`` says
        whether images are turned as their EXIF tag says.
        """
        root = _folder_named(path)
        paths = find(root)
        skipped: list[Path] = []
        if skip_broken:
            with ThreadPoolExecutor(default_threads()) as pool:
                skipped = [
                    p for p, broken in zip(paths, pool.map(lambda path: _is_broken(path, decoding), paths)) if broken
                ]
            paths = sorted(set(paths) - set(skipped))
        if not paths:
            raise InputError(f"{root} holds no images that can be read ({', '.join(sorted(SUFFIXES))})")
        mixing = cls(FolderSource(paths, root, decoding), cache)
        mixing.skipped = skipped
        return mixing

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        skip_broken: bool = False,
        cache: str | os.PathLike[str] | None = None,
        decoding: DecodeConfig = DEFAULT,
    ) -> "MixingSet":
        """Open a set made by ``ipmix mixing-set make`` (all its shards present), or any folder of images.

        ``skip_broken`` is for the latter, as in :meth:`folder`.
        """
        root = _folder_named(path)
        manifests = sorted(root.glob("manifest*.json"))
        if not manifests:
            if list(root.glob("manifest*.journal")):
                raise InputError(f"{root} holds an unfinished mixing set; run the same 'make' again to finish it")
            return cls.folder(root, skip_broken=skip_broken, cache=cache, decoding=decoding)
        opened = [Manifest(manifest) for manifest in manifests]
        plans = [manifest.plan for manifest in opened]
        _check_shards(root, plans)
        if plans[0].files == "shard":
            mapped = [open_shard(root / shard_name(plan), plan) for plan in plans]
            mixing = cls(ShardSource(mapped), cache)
        else:
            paths = [root / entry.file for entry in _in_order(opened)]
            for file in paths:
                if not file.is_file():
                    raise InputError(f"{file} is listed in the manifest but missing; remove the manifest, make again")
            mixing = cls(FolderSource(paths, root), cache)
        mixing.plan = plans[0]
        mixing._manifests = opened
        return mixing

    def __len__(self) -> int:
        return len(self._source)

    def __repr__(self) -> str:
        of = f", from {self._source.root}" if isinstance(self._source, FolderSource) else ""
        if self.plan is not None:
            kinds = ", ".join(f"{count} {kind}" for kind, count in self.plan.mix.items())
            of = f" of {self.plan.size}x{self.plan.size} from seed {self.plan.seed}: {kinds}"
        elif isinstance(self._source, ArraySource):
            of = f" in an array uint8{list(self._source.images.shape)}"
        return f"<MixingSet of {len(self)} images{of}>"

    @property
    def entries(self) -> list[Entry]:
        """What each image is, of a set with a manifest; read when they are first asked for."""
        return _in_order(self._manifests)

    @property
    def identity(self) -> str:
        """A hash of all images: equal for equal sets, whatever their folders are called."""
        return self._source.identity

    @property
    def channels(self) -> int:
        """Channels of the images: 3, or whatever a wrapped array has."""
        return self._source.channels

    def __getitem__(self, index: int) -> np.ndarray:
        """Image ``index``: uint8[height, width, 3] (the array's channels for a wrapped array), a copy."""
        position = self._numbers([index])[0]
        return self._source.image(position % len(self))

    def planes(self, height: int, width: int, channels: int = 3) -> np.ndarray:
        """All images as planes for images of ``height`` x ``width``: uint8[images, channels, s, s].

        s is :func:`margin`'s; images are resized to it (Lanczos) and cropped to a centred square. One
        channel is the ITU-R BT.601 luma. C-contiguous, read-only where it is mapped from a file; computed
        once and kept. Another number of channels than the set has raises :class:`InputError`.
        """
        planes = self._kept.made(self._key(height, width, channels))
        return planes.mapped if isinstance(planes, ArrayFile) else planes

    def gather(self, numbers: Sequence[int] | np.ndarray, height: int, width: int, channels: int = 3) -> np.ndarray:
        """The planes of some images only: uint8[len(numbers), channels, s, s], ``planes()[numbers]``.

        Where the planes are mapped from a file, these rows are read and nothing else becomes resident: this is
        how a training reads a set that is larger than memory.
        """
        planes = self._kept.made(self._key(height, width, channels))
        numbers = self._numbers(numbers)
        return planes.rows(numbers) if isinstance(planes, ArrayFile) else planes[numbers]

    def planes_if_worth(self, height: int, width: int, channels: int = 3, *, used: int) -> np.ndarray | None:
        """:meth:`planes` where they are there, take little room, or pay; None where :meth:`resized` is the better way.

        For images that each have a size of their own: planes of every size would fill the disk. They pay where as many
        images as the set has were ``used`` at this size, each resized by itself; the first size of a process is taken
        for that of all images unless it is large.
        """
        pays = self._kept.pay(self._key(height, width, channels), used)
        return self.planes(height, width, channels) if pays else None

    def resized(self, numbers: Sequence[int] | np.ndarray, height: int, width: int, channels: int = 3) -> np.ndarray:
        """:meth:`gather`, but nothing is kept, and no other image is resized."""
        key = self._key(height, width, channels)
        images = [self._kept.resized(int(number), key) for number in self._numbers(numbers)]
        return np.ascontiguousarray(np.stack(images)) if images else np.empty((0, key[1], key[0], key[0]), np.uint8)

    def crop(self, index: int, height: int, width: int, key: Key) -> np.ndarray:
        """Image ``index`` resized, then cropped at random by ``key`` alone: uint8[height, width, channels].

        The authors' Resize and RandomCrop, for use outside of the engines (whose recipes hold their own crop).
        """
        if not isinstance(key, Key):
            raise InputError(f"key must be a Key, got {described(key)}")
        planes = self.gather([index], height, width, self.channels)[0]
        state = key.stream()
        top = below(state, planes.shape[1] - height + 1)
        left = below(state, planes.shape[2] - width + 1)
        return np.ascontiguousarray(planes[:, top : top + height, left : left + width].transpose(1, 2, 0))

    def _numbers(self, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
        """Numbers of images as int64[n]."""
        checked = check_indices(numbers, "the number of an image")
        if len(checked) and not -len(self) <= checked.min() <= checked.max() < len(self):
            worst = checked.max() if checked.max() >= len(self) else checked.min()
            raise NoSuchImage(f"image {worst} of a mixing set of {len(self)}")
        return checked % len(self)

    def _key(self, height: int, width: int, channels: int) -> PlanesKey:
        """The side and the channels of planes for images of this size."""
        check_count("channels", channels, 1, SHAPE_MOST["C"])
        if channels != self.channels and not (channels == 1 and self.channels == 3):
            raise InputError(
                f"images of {channels} channels need a mixing set of {channels}, this one has {self.channels}; "
                f"{channels_advice(channels)}wrap images of that many channels with MixingSet.array"
            )
        return margin(*check_shape((height, width), "HW")), channels

    def _expected(self) -> list[Entry]:
        """What the pixels of each image must hash to; nothing where that is not known."""
        return self.entries if self.plan is not None and self.plan.files in LOSSLESS else []

    def __getstate__(self) -> dict[str, object]:
        # Planes are mapped again in the other process, and an array is mapped from a file; a lock can't be sent.
        source = self._source
        if isinstance(source, ArraySource):
            source = self._source = source.on_file(cache_folder(self._cache) / "arrays")
        return {**self.__dict__, "_source": source, "_kept": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._kept = Planes(self._source, self._cache, self._expected)


def _folder_named(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"a mixing set is opened by its folder's name, got {described(path)}")
    check_folder_name("a mixing set's folder", path)
    return Path(path)


def _is_broken(path: Path, decoding: DecodeConfig) -> bool:
    try:
        decode(path, decoding)
    except BrokenImage:
        return True
    return False


def _in_order(manifests: list[Manifest]) -> list[Entry]:
    entries = [entry for manifest in manifests for entry in manifest.entries]
    return sorted(entries, key=lambda entry: entry.number)


def _check_shards(root: Path, plans: list[MixingSetPlan]) -> None:
    first = plans[0]
    alike = {(plan.seed, plan.size, str(plan.mix), plan.files, plan.shards, plan.paintings_version) for plan in plans}
    if len(alike) > 1:
        raise InputError(f"{root} holds shards of different mixing sets; put each set into its own folder")
    missing = sorted(set(range(1, first.shards + 1)) - {plan.shard for plan in plans})
    if missing:
        raise InputError(f"{root} lacks shard {', '.join(map(str, missing))} of {first.shards} of its mixing set")
    plans.sort(key=lambda plan: plan.shard)
