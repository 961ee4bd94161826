"""Corruptions against a public implementation: speed, agreement, and an image to look at.

    python benchmarks/corruptions.py speed   [--public PUBLIC] [--images FOLDER]
    python benchmarks/corruptions.py agree   --size 32 --images FOLDER [--count 500] [--public PUBLIC]
    python benchmarks/corruptions.py network --images CIFAR_FOLDER [--count 1000] [--public PUBLIC]
    python benchmarks/corruptions.py image IMAGE OUT [--set c] [--size 224]

PUBLIC is a module, or a Python file, with a function ``name(image, severity)`` for each corruption: an image
uint8[H, W, 3] in, anything that casts to uint8 out. By default the package imagecorruptions-imaug, which has
ImageNet's constants only. ``speed`` times both in one process on one thread, in processor time (which other work
on the machine hardly changes): the median of several rounds over the same images, the five severities averaged.
"""

import argparse
import importlib
import importlib.util
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image, ImageDraw

from ipmix.corruptions import CORRUPTIONS, VALIDATION, corrupt, perturb
from ipmix.corruptions.test_sets.planning import set_names
from ipmix.data.cropping import IMAGENET_CROP, resize_and_crop

Public = Callable[[str, np.ndarray, int], np.ndarray]


def public_side(source: str) -> Public:
    """The public implementation as ``(name, image, severity) -> uint8 image``."""
    module: ModuleType
    if source.endswith(".py"):
        found = importlib.util.spec_from_file_location("public_corruptions", source)
        module = importlib.util.module_from_spec(found)  # type: ignore[arg-type]
        found.loader.exec_module(module)  # type: ignore[union-attr]
    else:
        module = importlib.import_module(source)

    def call(name: str, image: np.ndarray, severity: int) -> np.ndarray:
        if source == "imagecorruptions":
            return module.corrupt(image, severity=severity, corruption_name=name)
        return np.asarray(getattr(module, name)(image, severity)).astype(np.uint8)

    return call


def read_images(folder: str | None, size: int, count: int) -> np.ndarray:
    """Images of one size from anywhere under a folder, evenly picked; noise with edges where there is
    none."""
    if folder is None:
        rng = np.random.default_rng(0)
        coarse = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
        return np.stack([np.asarray(Image.fromarray(image).resize((size, size))) for image in coarse])
    files = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
    files = files[:: max(len(files) // count, 1)][:count]
    images = []
    for path in files:
        opened = Image.open(path).convert("RGB")
        images.append(
            np.asarray(opened if opened.size == (size, size) else resize_and_crop(opened, size, IMAGENET_CROP))
        )
    return np.stack(images)


def milliseconds(run: Callable[[], object], rounds: int) -> float:
    """The median processor time of a call, in milliseconds, after one that isn't counted."""
    run()
    times = []
    for _ in range(rounds):
        begin = time.process_time()
        run()
        times.append(time.process_time() - begin)
    return float(np.median(times)) * 1e3


def time_both(name: str, images: np.ndarray, some: np.ndarray, public: Public) -> tuple[float, float]:
    """Milliseconds per image of a corruption, the mean over severities: ours on a batch, the public side's on some."""
    ours, theirs = [], []
    for severity in range(1, 6):
        ours.append(milliseconds(partial(corrupt, images, name, severity, seed=0), 5))
        theirs.append(milliseconds(lambda s=severity: [public(name, image, s) for image in some], 1))
    return float(np.mean(ours)) / len(images), float(np.mean(theirs)) / len(some)


def speed(arguments: argparse.Namespace) -> None:
    """Print milliseconds per image at 32 and 224, ours and the public side's; then the whole of CIFAR-10-C."""
    public = public_side(arguments.public)
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, one thread\n")
    for size, ours_count, public_count in ((32, 256, 4), (224, 12, 2)):
        images = read_images(arguments.images, size, ours_count)
        totals, in_python = np.zeros(2), 0.0
        print(f"| {size} x {size} | ours, ms | public, ms | factor |\n|---|---|---|---|")
        for name in CORRUPTIONS + VALIDATION:
            ours, theirs = time_both(name, images, images[:public_count], public)
            if name in CORRUPTIONS:
                totals += ours, theirs
            print(f"| {name} | {ours:.4f} | {theirs:.3f} | {theirs / ours:.0f} |", flush=True)
            if name == "glass_blur" and arguments.public == "imagecorruptions":
                loops = glass_in_python(images[0])
                print(f"| ... its loops in Python, as first published | | {loops:.3f} | {loops / ours:.0f} |")
                in_python = loops - theirs
        print(f"| **the 15 of -C** | {totals[0]:.3f} | {totals[1]:.2f} | {totals[1] / totals[0]:.1f} |")
        if in_python:
            totals[1] += in_python
            print(f"| **with those loops** | {totals[0]:.3f} | {totals[1]:.2f} | {totals[1] / totals[0]:.1f} |")
        print()
    whole()


def glass_in_python(image: np.ndarray) -> float:
    """Milliseconds of glass blur, the mean over severities, with imagecorruptions' pixel loop not compiled.

    The package compiles that one loop; the code it stems from, whose timings are published, runs it in Python.
    """
    module = importlib.import_module("imagecorruptions.corruptions")
    compiled = module._shuffle_pixels_njit_glass_blur

    def in_python(height: int, width: int, image: np.ndarray, constants: object, seed: int) -> np.ndarray:
        # Compiled code takes any seed, NumPy's generator 32 bits.
        return np.asarray(compiled.py_func(height, width, image, constants, int(seed) % 2**32))

    module._shuffle_pixels_njit_glass_blur = in_python
    try:
        call = public_side("imagecorruptions")
        times = []
        for severity in range(1, 6):
            begin = time.process_time()
            call("glass_blur", image, severity)
            times.append(time.process_time() - begin)
    finally:
        module._shuffle_pixels_njit_glass_blur = compiled
    return float(np.mean(times)) * 1e3


def whole(count: int = 10_000) -> None:
    """Print how long all of CIFAR-10-C takes: ``count`` images, 15 corruptions, five severities, written as arrays."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/images.npy", read_images(None, 32, count))
        np.save(f"{folder}/few.npy", read_images(None, 32, 16))
        np.save(f"{folder}/labels.npy", np.zeros(count, np.int64))
        np.save(f"{folder}/few-labels.npy", np.zeros(16, np.int64))
        command = [sys.executable, "-m", "ipmix", "corrupt", "--set", "c", "--threads", "2"]
        few = ["--labels", f"{folder}/few-labels.npy", f"{folder}/few.npy", f"{folder}/warm"]
        subprocess.run([*command, *few], check=True, capture_output=True)  # compiles
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.perf_counter()
        subprocess.run([*command, f"{folder}/images.npy", f"{folder}/set"], check=True, capture_output=True)
        seconds = time.perf_counter() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"All of CIFAR-10-C, {75 * count} images into 15 files, two threads, program start included: {seconds:.1f} s "
        f"({used:.1f} processor seconds)"
    )


BANDS = ((1e-9, 0.08), (0.08, 0.2), (0.2, 0.5))
"""Frequencies in cycles per pixel: low, middle and high."""


def change(images: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """Mean, deviation and the root power in three bands of what a corruption adds; with the mean's error."""
    difference = changed.astype(np.float64) - images
    side = images.shape[1]
    power = (np.abs(np.fft.fft2(difference.mean(axis=3))) ** 2).mean(axis=0) / side**2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    bands = [np.sqrt(power[(frequency >= low) & (frequency < high)].mean()) for low, high in BANDS]
    error = difference.mean(axis=(1, 2, 3)).std() / np.sqrt(len(images))
    return np.array([difference.mean(), difference.std(), *bands, error])


def agree(arguments: argparse.Namespace) -> None:
    """Print a table of the change that each corruption makes, ours / public."""
    public = public_side(arguments.public)
    images = read_images(arguments.images, arguments.size, arguments.count)
    np.random.seed(arguments.seed)  # noqa: NPY002 the public side draws from the global generator
    print(f"{len(images)} images of {arguments.size} x {arguments.size}; ours / public, in levels\n")
    print("| corruption | severity | mean | deviation | low | middle | high | standard errors apart |")
    print("|---|---|---|---|---|---|---|---|")
    for name in CORRUPTIONS + VALIDATION:
        for severity in range(1, 6):
            a = change(images, corrupt(images, name, severity, seed=arguments.seed))
            b = change(images, np.stack([public(name, image, severity) for image in images]))
            apart = abs(a[0] - b[0]) / max(np.hypot(a[5], b[5]), 1e-12)
            pairs = " | ".join(f"{u:.2f} / {v:.2f}" for u, v in zip(a[:5], b[:5]))
            print(f"| {name} | {severity} | {pairs} | {apart:.1f} |", flush=True)


def network(arguments: argparse.Namespace) -> None:
    """Train three small networks on CIFAR and print their errors on our images and on the public side's."""
    import torch
    from torch import nn

    public = public_side(arguments.public)
    top = Path(arguments.images)
    classes = sorted(p.name for p in (top / "train").iterdir())

    def split(name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
        files = [(path, k) for k, c in enumerate(classes) for path in sorted((top / name / c).iterdir())]
        files = files[:: max(len(files) // count, 1)]
        return np.stack([np.asarray(Image.open(path).convert("RGB")) for path, _ in files]), np.array(
            [k for _, k in files]
        )

    def tensor(images: np.ndarray) -> torch.Tensor:
        return (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1.0).contiguous()

    def block(before: int, after: int) -> list[nn.Module]:
        return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]

    train_images, train_labels = split("train", arguments.train)
    test_images, test_labels = split("test", arguments.count)
    models = []
    for seed in range(3):
        torch.manual_seed(seed)
        model = nn.Sequential(
            *block(3, 16), nn.MaxPool2d(2), *block(16, 32), nn.MaxPool2d(2), *block(32, 64), *block(64, 64),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, len(classes)),
        )  # fmt: skip
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
        batches = len(train_images) // 128
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=arguments.epochs * batches)
        for epoch in range(arguments.epochs):
            model.train()
            order = torch.randperm(len(train_images)).numpy()
            for b in range(batches):
                rows = order[b * 128 : b * 128 + 128]
                inputs = tensor(train_images[rows])
                if torch.rand(()) < 0.5:
                    inputs = inputs.flip(3)
                loss = nn.functional.cross_entropy(model(inputs), torch.from_numpy(train_labels[rows]))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
            print(f"network {seed}, epoch {epoch + 1}: loss {loss.item():.3f}", file=sys.stderr, flush=True)
        models.append(model.eval())

    def errors(images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            wrong = [(m(tensor(images)).argmax(1).numpy() != test_labels).mean() * 100 for m in models]
        return np.array(wrong)

    np.random.seed(0)  # noqa: NPY002
    clean = errors(test_images)
    print(f"{len(test_images)} images; clean error {clean.mean():.2f} %, over seeds {clean.std(ddof=1):.2f}\n")
    print("| corruption | severity | error, ours | error, public | difference | spread over seeds |")
    print("|---|---|---|---|---|---|")
    rows = []
    for name in CORRUPTIONS:
        for severity in range(1, 6):
            a = errors(corrupt(test_images, name, severity, seed=0))
            b = errors(np.stack([public(name, image, severity) for image in test_images]))
            spread = float(np.hypot(a.std(ddof=1), b.std(ddof=1)) / np.sqrt(2))
            rows.append((abs(a.mean() - b.mean()), spread))
            means = f"{a.mean():.2f} | {b.mean():.2f} | {a.mean() - b.mean():+.2f}"
            print(f"| {name} | {severity} | {means} | {spread:.2f} |", flush=True)
    difference, spread = np.array(rows).T
    print(f"\nmean |difference| {difference.mean():.2f}, mean spread {spread.mean():.2f}, "
          f"difference below spread in {np.mean(difference < spread):.0%} of {len(rows)}")  # fmt: skip


def opened(arguments: argparse.Namespace) -> None:
    """Draw every corruption of a set at every severity on one image."""
    size, tile, label = arguments.size, arguments.tile, 150
    image = np.asarray(resize_and_crop(Image.open(arguments.image).convert("RGB"), size, IMAGENET_CROP))
    names = set_names(arguments.set, size, validation=arguments.set != "c-bar")
    sheet = Image.new("RGB", (label + 6 * tile, 20 + len(names) * tile), "white")
    draw = ImageDraw.Draw(sheet)
    sequence = arguments.set == "p"
    titles = ("first", "", "middle", "", "last") if sequence else tuple(f"severity {s}" for s in range(1, 6))
    for column, title in enumerate(("clean", *titles)):
        draw.text((label + column * tile + 4, 4), title, fill="black")
    for row, name in enumerate(names):
        title = name.replace("transverse_", "transverse\n")
        draw.text((4, 20 + row * tile + tile // 2 - 6), title, fill="black")
        if sequence:
            frames = perturb(image[None], name, seed=arguments.seed)[0]
            results = [image, *frames[np.linspace(0, len(frames) - 1, 5).astype(int)]]
        else:
            results = [image, *(corrupt(image[None], name, s, seed=arguments.seed)[0] for s in range(1, 6))]
        for column, result in enumerate(results):
            shown = Image.fromarray(result).resize((tile - 2, tile - 2), Image.Resampling.LANCZOS)
            sheet.paste(shown, (label + column * tile, 20 + row * tile))
    sheet.save(arguments.out, quality=78, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for function in (speed, agree, network, opened):
        command = commands.add_parser(function.__name__, help=function.__doc__)
        command.set_defaults(run=function)
        command.add_argument("--seed", type=int, default=0)
        if function is opened:
            command.add_argument("image")
            command.add_argument("out")
            command.add_argument("--set", default="c", choices=("c", "c-bar", "p"))
            command.add_argument("--size", type=int, default=224)
            command.add_argument("--tile", type=int, default=112)
            continue
        command.add_argument("--public", default="imagecorruptions")
        command.add_argument("--images")
        command.add_argument("--count", type=int, default=500)
        command.add_argument("--size", type=int, default=32)
        command.add_argument("--epochs", type=int, default=4)
        command.add_argument("--train", type=int, default=50_000, help="training images of the small network")
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
