"""Speed of the mixing set: painting per kind on one core, a whole set with encoding, memory while training.

    python benchmarks/mixing_set.py                    per kind, on one core
    python benchmarks/mixing_set.py --make 13000       also a whole set, written to a temporary folder
    python benchmarks/mixing_set.py --resident FOLDER  memory while reading a set as training does
    python benchmarks/mixing_set.py --structure PHOTOS compare spectra, entropy and color with photographs

Painting is measured in processor seconds of one thread, median of five runs after one to warm up (which
compiles). Writing a set is measured by the clock.
"""

import argparse
import os
import platform
import statistics as stats
import tempfile
import time
from pathlib import Path

import numpy as np

from ipmix.core.threads import default_threads
from ipmix.fractals.kinds import KINDS, paint
from ipmix.mixing_set import image_files
from ipmix.mixing_set.composition import compose
from ipmix.mixing_set.making import make
from ipmix.mixing_set.manifest import MixingSetPlan

SIZE = 256


def per_kind(mixing: int) -> None:
    """Images a second on one core, painting alone, then the encoders."""
    kept = []
    for kind in KINDS:
        kept.append(paint(kind, 0, 0, SIZE).pixels)
        rates = []
        for run in range(5):
            start = time.thread_time()
            for index in range(run * mixing, (run + 1) * mixing):
                paint(kind, 0, index, SIZE)
            rates.append(mixing / (time.thread_time() - start))
        print(f"{kind:<11} {stats.median(rates):8.0f} images/s   ({min(rates):.0f} to {max(rates):.0f})")
    for files in image_files.EXTENSIONS:
        image_files.encode(kept[0], files)
        start = time.thread_time()
        content = [image_files.encode(pixels, files) for pixels in kept * 8]
        rate = len(content) / (time.thread_time() - start)
        print(f"{files:<11} {rate:8.0f} encoded/s      {sum(map(len, content)) / len(content) / 1024:.0f} KiB each")


def whole_set(count: int, files: str) -> None:
    """Seconds for a whole set, encoding and flushing to disk included."""
    with tempfile.TemporaryDirectory() as folder:
        plan = MixingSetPlan(seed=0, size=SIZE, mix=compose(count), files=files)
        start, used = time.perf_counter(), time.process_time()
        for _ in make(plan, folder):
            pass
        seconds, used = time.perf_counter() - start, time.process_time() - used
        written = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    print(
        f"{count} images as {files}: {seconds:.1f} s on {default_threads()} processors "
        f"({used:.1f} processor seconds, {written / 2**20:.0f} MiB)"
    )


def memory() -> float:
    """MiB of this process that are resident now."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def resident(folder: Path, mixing: int = 3000, side: int = 224) -> None:
    """The most memory resident while random images are augmented with a set: one by one, and in batches of 32."""
    import ipmix
    from ipmix.mixing_set.mixing_set import MixingSet

    bare = memory()
    draws = np.random.default_rng(0)
    images = draws.integers(0, 256, (32, side, side, 3), dtype=np.uint8)
    method, small = ipmix.IPMix(), np.zeros((4, side, side, 3), np.uint8)
    ipmix.Augmenter(method, small, shape=images.shape[1:], seed=0)(images[0], index=0, epoch=0)
    ipmix.augment(images, method, small, seed=0)
    compiled = memory()
    mixing = MixingSet.open(folder)
    augmenter = ipmix.Augmenter(method, mixing, shape=images.shape[1:], seed=0)
    most = {"Augmenter": 0.0, "augment": 0.0}
    for index in range(mixing):
        augmenter(images[index % 32], index=index, epoch=0)
        most["Augmenter"] = max(most["Augmenter"], memory())
    for first in range(0, mixing, 32):
        ipmix.augment(images, method, mixing, seed=0, indices=np.arange(first, first + 32))
        most["augment"] = max(most["augment"], memory())
    print(f"{bare:.0f} MiB resident with ipmix imported, {compiled:.0f} with a set of 4 images in use")
    for way, peak in most.items():
        print(f"{len(mixing)} images, {mixing} images of {side} x {side} by {way}: {peak:.0f} MiB at most")


def structures(photos: Path, count: int = 200) -> None:
    """Median (and middle half) of the structural numbers per kind and of photographs."""
    from ipmix.data.decoding import decode
    from ipmix.fractals.statistics import structure
    from ipmix.mixing_set.folder import find, fit

    groups = {kind: [paint(kind, 0, index, SIZE).pixels for index in range(count)] for kind in KINDS}
    paths = find(photos)[:: max(1, len(find(photos)) // count)][:count]
    groups["photographs"] = [fit(decode(path), SIZE) for path in paths]
    names = ("slope", "entropy", "colorfulness", "contrast")
    print(f"{'':<12}" + "".join(f"{name:>26}" for name in names))
    for name, mixing in groups.items():
        found = [structure(np.ascontiguousarray(pixels)) for pixels in mixing]
        cells = []
        for field in names:
            low, middle, high = np.percentile([getattr(one, field) for one in found], (25, 50, 75))
            cells.append(f"{middle:10.2f} ({low:.2f} to {high:.2f})")
        print(f"{name:<12}" + "".join(f"{cell:>26}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=40, help="images a run and kind")
    parser.add_argument("--make", type=int, default=0, metavar="COUNT")
    parser.add_argument("--files", default="png")
    parser.add_argument("--resident", type=Path)
    parser.add_argument("--structure", type=Path)
    arguments = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    )
    if arguments.resident:
        resident(arguments.resident)
    elif arguments.structure:
        structures(arguments.structure)
    else:
        per_kind(arguments.images)
        if arguments.make:
            whole_set(arguments.make, arguments.files)


if __name__ == "__main__":
    main()
