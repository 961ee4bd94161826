"""Speed seen from outside: what each ecosystem's adapter adds to ``Augmenter``, and the ecosystem's loader with it.

Everything by processor time of this process, without worker processes: that is what a worker does, and other work on
the machine disturbs it less than the clock. Images are what the ecosystem's own users have at that place.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.images import Source
from benchmarks.peers import _seed
from benchmarks.results import Absent, Check, Section, Suite, section
from benchmarks.timing import Contestant, Effort, Timing, race
from ipmix import Augmenter, IPMix, MixingSet

Say = Callable[[str], None]
Call = Callable[[int], object]

BATCH = 32
IMAGES = {32: 256, 224: 64}
SHARE_MOST, MICROSECONDS_MOST = 0.15, 10.0
"""What an adapter may add: this share of ``Augmenter``'s own time at 224x224, so much an image at 32x32."""

EXACT = "the mixing images are the default set's at every size"


@dataclass(frozen=True)
class Ecosystem:
    """One library: its adapter on single images (or a batch), and its loader with a given augmentation.

    Attributes:
        name: of its rows.
        adapter: images uint8[N, S, S, 3] -> a call of the adapter alone on all of them.
        loader: images, "none", "own" or "ipmix" -> one pass of the loader; None where there is no such augmentation.
        own: what the library's own augmentation is.
    """

    name: str
    adapter: Callable[[np.ndarray], Call]
    loader: Callable[[np.ndarray, str], Call | None]
    own: str


def run(effort: Effort, source: Source, say: Say) -> Suite:
    """All of it."""
    sections: list[Section] = []
    checks: list[Check] = []
    for side, most in IMAGES.items():
        say(f"adapters at {side}x{side}")
        images = source.images(effort.count(most, 12), side)
        part, met = adapters(side, images, effort)
        sections.append(part)
        checks += met
        say(f"loaders at {side}x{side}")
        sections.append(loaders(side, images, effort))
    return Suite("adapters", "Adapters", source.description, tuple(sections), tuple(checks))


def adapters(side: int, images: np.ndarray, effort: Effort) -> tuple[Section, list[Check]]:
    """Each adapter's call beside ``Augmenter``'s on the same images as arrays."""
    augmenter = Augmenter(IPMix(), MixingSet.sample(), seed=0)

    def alone(call: int) -> None:
        for index, image in enumerate(images):
            augmenter(image, index=index, epoch=call)

    racers, absent = [Contestant("Augmenter", alone, len(images))], []
    for ecosystem in ECOSYSTEMS:
        call = _built(ecosystem.name, lambda one=ecosystem: one.adapter(images), absent)
        if call is not None:
            racers.append(Contestant(ecosystem.name, call, len(images)))
    timings = race(racers, effort, clock=time.process_time)
    checks = [_check(side, timings["Augmenter"], timing) for name, timing in timings.items() if name != "Augmenter"]
    note = f"Processor time, one thread, uint8 in and out, a key for each image; {EXACT}."
    return section(f"Adapters, {side}x{side}", timings, "Augmenter", absent=absent, note=note), checks


def _check(side: int, own: Timing, adapter: Timing) -> Check:
    added = [a - b for a, b in zip(adapter.seconds, own.seconds)]
    if side > 32:
        share = median(a / b for a, b in zip(added, own.seconds))
        return Check(f"{adapter.name}, {side}x{side}: added to Augmenter's time", share, SHARE_MOST, at_most=True)
    name = f"{adapter.name}, {side}x{side}: added to Augmenter's time an image"
    return Check(name, 1e6 * median(added), MICROSECONDS_MOST, unit="us", at_most=True)


def loaders(side: int, images: np.ndarray, effort: Effort) -> Section:
    """Each ecosystem's loader without augmentation, with its own, and with IPMix through the adapter."""
    racers: list[Contestant] = []
    absent: list[Absent] = []
    for ecosystem in ECOSYSTEMS:
        for what in ("none", "own", "ipmix"):
            name = f"{ecosystem.name}, {ecosystem.own if what == 'own' else 'IPMix' if what == 'ipmix' else 'none'}"
            # The libraries' own are slow: a quarter of the images.
            some = images[: max(4, len(images) // 4)] if what == "own" else images
            call = _built(name, lambda one=ecosystem, what=what, some=some: one.loader(some, what), absent)
            if call is not None:
                racers.append(Contestant(name, call, len(some)))
    note = f"Batches of {BATCH} as float32 tensors (NumPy: arrays); processor time of one process without workers."
    return section(f"Loaders, {side}x{side}", race(racers, effort, clock=time.process_time), absent=absent, note=note)


def _built(name: str, build: Callable[[], Call | None], absent: list[Absent]) -> Call | None:
    """A call that has worked once; what is not there, or fails, becomes a row with the reason."""
    try:
        call = build()
        if call is not None:
            call(0)
    except ImportError as error:
        absent.append(Absent(name, f"{error}"))
    except Exception as error:  # a public package that changed
        absent.append(Absent(name, f"{type(error).__name__}: {error}"))
    else:
        return call
    return None


def _pil(images: np.ndarray) -> list[Image.Image]:
    return [Image.fromarray(image) for image in images]


def _each(items: Sequence[Any], one: Callable[[Any], object]) -> Call:
    def call(number: int) -> None:
        _seed(number)
        for item in items:
            one(item)

    return call


def _torch_loader(items: Sequence[Any], transform: Callable[[Any], Any]) -> Call:
    from torch.utils.data import DataLoader, Dataset

    class Items(Dataset[Any]):
        def __len__(self) -> int:
            return len(items)

        def __getitem__(self, index: int) -> Any:
            return transform(items[index])

    loader = DataLoader(Items(), batch_size=BATCH, shuffle=True)

    def call(number: int) -> None:
        _seed(number)
        for _ in loader:
            pass

    return call


def _torchvision_adapter(images: np.ndarray) -> Call:
    from ipmix.transforms import IPMix as Transform

    return _each(_pil(images), Transform())


def _torchvision_loader(images: np.ndarray, what: str) -> Call:
    import torch
    from torchvision.transforms import v2

    from ipmix.transforms import IPMix as Transform

    chosen = {"none": [], "own": [v2.AugMix()], "ipmix": [Transform()]}[what]
    to_numbers = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    return _torch_loader(_pil(images), v2.Compose([*chosen, *to_numbers]))


def _timm_transform(what: str, side: int) -> Any:
    from timm.data import create_transform as theirs

    from ipmix.integrations.timm import create_transform

    chosen = {"none": None, "own": "augmix-m3-w3", "ipmix": "ipmix-k3-t3"}[what]
    words = {"is_training": True, "no_aug": False, "auto_augment": chosen, "color_jitter": None}
    return (create_transform if what == "ipmix" else theirs)(side, **words)


def _timm_adapter(images: np.ndarray) -> Call:
    side = images.shape[1]
    found = [one for one in _timm_transform("ipmix", side).transforms if type(one).__module__.startswith("ipmix")]
    return _each(_pil(images), found[0])


def _timm_loader(images: np.ndarray, what: str) -> Call:
    return _torch_loader(_pil(images), _timm_transform(what, images.shape[1]))


def _albumentations_adapter(images: np.ndarray) -> Call:
    from ipmix.integrations.albumentations import AlbumentationsTransform

    transform = AlbumentationsTransform()
    return _each(list(images), lambda image: transform(image=image))


def _albumentations_loader(images: np.ndarray, what: str) -> Call:
    import albumentations
    from albumentations.pytorch import ToTensorV2

    from ipmix.integrations.albumentations import AlbumentationsTransform

    own = [albumentations.ColorJitter(), albumentations.Affine()] if what == "own" else []
    chosen = [AlbumentationsTransform()] if what == "ipmix" else own
    pipeline = albumentations.Compose([*chosen, albumentations.ToFloat(255), ToTensorV2()])
    return _torch_loader(list(images), lambda image: pipeline(image=image)["image"])


def _planar(images: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float() / 255


def _kornia_adapter(images: np.ndarray) -> Call:
    from ipmix.integrations.kornia import KorniaAugmentation

    augmentation, batch = KorniaAugmentation(), _planar(images)
    return _each([batch], augmentation)


def _kornia_loader(images: np.ndarray, what: str) -> Call:
    from kornia import augmentation
    from torch.utils.data import DataLoader

    from ipmix.integrations.kornia import KorniaAugmentation

    own = augmentation.auto.RandAugment(2, 9) if what == "own" else None
    chosen = augmentation.AugmentationSequential(KorniaAugmentation()) if what == "ipmix" else own
    loader: Any = DataLoader(_planar(images), batch_size=BATCH, shuffle=True)  # type: ignore[arg-type]

    def call(number: int) -> None:
        _seed(number)
        for batch in loader:
            if chosen is not None:
                chosen(batch)

    return call


def _huggingface_adapter(images: np.ndarray) -> Call:
    from ipmix.integrations.huggingface import AugmentedColumn

    return _each([{"image": _pil(images)}], AugmentedColumn("ipmix"))


def _huggingface_loader(images: np.ndarray, what: str) -> Call:
    import datasets
    from torchvision.transforms import v2
    from torchvision.transforms.v2 import functional

    from ipmix.integrations.huggingface import AugmentedColumn

    def to_numbers(image: Any) -> Any:
        return functional.to_dtype(functional.to_image(image), scale=True)

    own = v2.AugMix() if what == "own" else None
    if what == "ipmix":
        transform: Any = AugmentedColumn("ipmix", after=to_numbers)
    else:

        def transform(batch: dict[str, Any]) -> dict[str, Any]:
            return {"image": [to_numbers(one if own is None else own(one)) for one in batch["image"]]}

    # Images in an Arrow table are encoded: decoding them is the loader's work, with any augmentation.
    features = datasets.Features({"image": datasets.Image()})
    table = datasets.Dataset.from_dict({"image": _pil(images)}, features=features).with_transform(transform)
    return _torch_loader(table, lambda item: item["image"])


def _grain_adapter(images: np.ndarray) -> Call:
    from ipmix.integrations.grain import GrainTransform

    transform = GrainTransform()

    def call(number: int) -> None:
        rng = np.random.default_rng(number)
        for image in images:
            transform.random_map(image, rng)

    return call


def _grain_loader(images: np.ndarray, what: str) -> Call | None:
    import grain.python as grain

    from ipmix.integrations.grain import GrainTransform

    if what == "own":
        return None
    source = grain.MapDataset.source(list(images)).seed(0).shuffle()
    if what == "ipmix":
        source = source.random_map(GrainTransform())
    batches = source.map(lambda image: image.astype(np.float32) / 255).batch(BATCH)

    def call(number: int) -> None:
        for index in range(len(batches)):
            batches[index]

    return call


def _numpy_adapter(images: np.ndarray) -> Call:
    """Batch by batch, for the adapter has no single images; in their order: gathering others is not the adapter's."""
    from ipmix.integrations.numpy import AugmentedBatches

    batches = AugmentedBatches(images, np.arange(len(images)), batch_size=BATCH, shuffle=False)

    def call(number: int) -> None:
        for _ in batches.epoch(number):
            pass

    return call


def _numpy_loader(images: np.ndarray, what: str) -> Call | None:
    from ipmix.integrations.numpy import AugmentedBatches

    if what == "own":
        return None
    method = "ipmix" if what == "ipmix" else "vanilla"
    batches = AugmentedBatches(images, np.arange(len(images)), method, batch_size=BATCH, output="float32")

    def call(number: int) -> None:
        for _ in batches.epoch(number):
            pass

    return call


ECOSYSTEMS = (
    Ecosystem("torchvision v2", _torchvision_adapter, _torchvision_loader, "AugMix"),
    Ecosystem("timm", _timm_adapter, _timm_loader, "augmix-m3-w3"),
    Ecosystem("albumentations", _albumentations_adapter, _albumentations_loader, "ColorJitter and Affine"),
    Ecosystem("kornia", _kornia_adapter, _kornia_loader, "RandAugment"),
    Ecosystem("Hugging Face", _huggingface_adapter, _huggingface_loader, "torchvision's AugMix"),
    Ecosystem("grain", _grain_adapter, _grain_loader, "none of its own"),
    Ecosystem("NumPy", _numpy_adapter, _numpy_loader, "none of its own"),
)
