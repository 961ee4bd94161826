"""``ipmix mixing-set make | info | show | verify``: the images that IPMix mixes in."""

from collections import Counter
from pathlib import Path
from typing import Any, Literal

from ipmix.core.terminal import say


def make(
    out: Path,
    /,
    *,
    count: int = 13_000,
    size: int = 256,
    seed: int = 0,
    mix: str | None = None,
    images: Path | None = None,
    exif: bool = True,
    model: str | None = None,
    weights: Path | None = None,
    classes: int = 1000,
    pretrained: bool = False,
    trust: bool = False,
    files: Literal["png", "jpeg", "webp", "shard"] = "png",
    shard: str = "1/1",
    threads: int | None = None,
    skip_broken: bool = False,
) -> None:
    """Make a mixing set from a seed, into a new folder.

    The same seed gives the same images on any machine and any number of threads. A stopped run goes on
    when it is started again.

    Args:
        out: The folder to write to: <kind>/<kind>-00000.png ... and manifest.json.
        count: How many images.
        size: Their side in pixels, 8 to 4096.
        seed: What the images are made from.
        mix: What the set is composed of, as kind=count,...: ifs, fractaldb, mandelbrot, julia, escape (both),
            flame, feature (needs --model), image (needs --images). Counts that don't sum to --count are
            taken as weights.
        images: A folder of your own images; they are resized, cropped, and put in (all of them, unless
            --mix says how many).
        exif: Turn these upright; --no-exif: read images as they are stored, without turning them upright by
            their EXIF tag, as torchvision does.
        model: A network whose features are visualised: a weights file of ipmix, a TorchScript file (with --trust),
            module:function (a Python function that returns a module), or a name such as wrn-40-2,
            torchvision:resnet18 or timm:resnet18 with --weights or --pretrained.
        weights: A file of weights for --model NAME; FILE@ema takes the moving average in a checkpoint.
        classes: The classes of --model NAME.
        pretrained: Take the weights that torchvision or timm publishes (downloads them).
        trust: Open files that can run code when they are opened: a pickled model, TorchScript, .pt2.
        files: png (lossless), jpeg, webp, or shard: one array that training maps into memory.
        shard: i/n makes the i-th of n shards, each on a machine of its own; put into one folder the shards
            are the whole set.
        threads: How many threads; by default all processors.
        skip_broken: Pass over images of --images that can't be decoded; broken.txt names them.
    """
    from ipmix.core.bounds import CLASSES_MOST, MIXING_MOST
    from ipmix.core.checking import check_count, parse_shard
    from ipmix.core.errors import refuse_idle
    from ipmix.core.progress import counting
    from ipmix.core.ranges import SEED, check_range
    from ipmix.data.broken import list_broken
    from ipmix.data.decoding import DecodeConfig
    from ipmix.mixing_set.composition import Painter, compose, parse_mix
    from ipmix.mixing_set.folder import FolderPainter
    from ipmix.mixing_set.making import make as make_set
    from ipmix.mixing_set.manifest import MixingSetPlan

    check_count("--count", count, 1, MIXING_MOST)
    check_count("--classes", classes, 1, CLASSES_MOST)
    check_range("--seed", seed, SEED)
    chosen = parse_mix(mix)
    if model is None:
        idle = {"--weights": weights is not None, "--classes": classes != 1000, "--pretrained": pretrained}
        refuse_idle({**idle, "--trust": trust}, "there is no --model to visualise")
    if images is None:
        refuse_idle({"--no-exif": not exif, "--skip-broken": skip_broken}, "there are no --images to read")
    painters: dict[str, Painter] = {}
    sources: dict[str, str] = {}
    broken: list[Path] = []
    if images is not None:
        folder = FolderPainter(images, DecodeConfig(exif=exif), skip_broken=skip_broken)
        broken = folder.skipped
        painters["image"], sources["image"] = folder, folder.identity
        if chosen is None:
            from ipmix.mixing_set.composition import DEFAULT_MIX

            own = min(len(folder), count)
            chosen = {"image": own, **compose(count - own, DEFAULT_MIX)} if own < count else {"image": own}
    if model is not None:
        from ipmix.mixing_set.features import FeaturePainter

        painter = FeaturePainter(load_model(model, weights, classes, pretrained, trust))
        painters["feature"], sources["feature"] = painter, painter.identity
        if chosen is None:
            chosen = {"ifs": 3000, "escape": 3000, "flame": 3000, "feature": 4000}
    number, shards = parse_shard(shard)
    composed = compose(count, chosen)
    if mix is not None:
        refuse_idle({"--images": images is not None and "image" not in composed}, "--mix has no image=COUNT")
        refuse_idle({"--model": model is not None and "feature" not in composed}, "--mix has no feature=COUNT")
    sources = {kind: source for kind, source in sources.items() if kind in composed}
    plan = MixingSetPlan(seed=seed, size=size, mix=composed, files=files, shard=number, shards=shards, sources=sources)
    made = 0
    with counting("mixing set", len(plan.numbers())) as advance:
        for done in make_set(plan, out, threads, painters):
            advance(done - made)
            made = done
    list_broken(broken, out)
    what = f"{made} images of {size} x {size}"
    where = f"shard {number} of {shards} of " if shards > 1 else ""
    say(f"{where}{out}: {what} from seed {seed}: {in_words(plan.mix)}\n")
    say(f"Look at it: ipmix mixing-set show {out}\n")
    say(f"Train with it: ipmix train DATA --mixing-set {out}\n")


def info(path: Path, /) -> None:
    """What a mixing set holds.

    Args:
        path: A folder made by 'ipmix mixing-set make', or any folder of images.
    """
    from ipmix.mixing_set.mixing_set import MixingSet

    mixing = MixingSet.open(path)
    height, width, _ = mixing[0].shape
    lines = [f"{path}: {len(mixing)} images, the first one {width} x {height}"]
    if mixing.plan is not None:
        plan = mixing.plan
        retried = sum(entry.attempts > 1 for entry in mixing.entries)
        shards = f", in {plan.shards} shards" if plan.shards > 1 else ""
        lines = [
            f"{path}: {len(mixing)} images of {plan.size} x {plan.size} from seed {plan.seed}{shards}",
            f"files      {plan.files}, {_bytes_of(path) / 2**20:.1f} MiB",
            f"kinds      {in_words(dict(Counter(entry.kind for entry in mixing.entries)))}",
            f"drawn anew {retried} images whose first draft was dull or empty",
            *(f"{kind:<10} from {source}" for kind, source in plan.sources.items()),
        ]
    for line in lines:
        say(f"{line}\n")


def show(
    path: Path,
    /,
    *,
    out: Path = Path("mixing-set.png"),
    count: int = 64,
    kind: str | None = None,
    first: int = 0,
    cell: int = 128,
    force: bool = False,
) -> None:
    """Write a contact sheet of a mixing set's images.

    Args:
        path: A folder made by 'ipmix mixing-set make', or any folder of images.
        out: The image to write (png, jpg or webp).
        count: How many images; spread over the whole set unless --kind or --first is given.
        kind: Only images of this kind.
        first: Where to begin.
        cell: The side of one image on the sheet, in pixels.
        force: Replace a file that exists.
    """
    from ipmix.cli.sheet import CELL_MOST, write_contact_sheet
    from ipmix.core.checking import check_count
    from ipmix.core.errors import InputError
    from ipmix.core.files import refuse_existing, refuse_no_folder
    from ipmix.mixing_set.mixing_set import MixingSet

    refuse_existing(out, force=force)
    refuse_no_folder(out)
    check_count("--count", count, 1)
    check_count("--cell", cell, 8, CELL_MOST)
    mixing = MixingSet.open(path)
    numbers = list(range(len(mixing)))
    if kind is not None:
        numbers = [entry.number for entry in mixing.entries if entry.kind == kind]
        if not numbers:
            kinds = ", ".join(dict.fromkeys(entry.kind for entry in mixing.entries)) or "no kinds (no manifest)"
            raise InputError(f"{path} has no images of the kind {kind!r}; it has {kinds}")
    if not 0 <= first < len(numbers):
        raise InputError(f"--first must lie in 0..{len(numbers) - 1}, got {first}")
    numbers = numbers[first:]
    if kind is None and first == 0 and len(numbers) > count:
        numbers = [numbers[i * len(numbers) // count] for i in range(count)]
    numbers = numbers[:count]
    write_contact_sheet([mixing[number] for number in numbers], out, cell)
    say(f"wrote {out}: {len(numbers)} images\n")


def verify(path: Path, /, *, sample: int = 100, threads: int | None = None) -> int:
    """Check a mixing set against its manifest; exit code 1 if an image differs.

    Every file must be there and decode. A sample, spread over the set, is painted again from the seed and
    compared with the manifest's hashes; where the files are lossless, the stored pixels are too.

    Args:
        path: A folder made by 'ipmix mixing-set make'.
        sample: How many images to paint again; 0 for all.
        threads: How many threads; by default all processors.
    """
    from ipmix.core.errors import InputError
    from ipmix.core.progress import counting
    from ipmix.mixing_set.mixing_set import MixingSet
    from ipmix.mixing_set.verifying import verify as verify_set

    mixing = MixingSet.open(path)
    if mixing.plan is None:
        raise InputError(f"{path} has no manifest: there is nothing to verify its images against")
    wrong: list[str] = []
    painted = 0
    with counting("verifying", len(mixing)) as advance:
        for finding in verify_set(mixing, sample, threads):
            painted += finding.painted
            if finding.complaint:
                wrong.append(finding.complaint)
            advance(1)
    for complaint in wrong[:20]:
        say(f"{complaint}\n")
    if wrong:
        say(f"{path}: {len(wrong)} of {len(mixing)} images are not what the manifest says\n")
        return 1
    say(f"{path}: {len(mixing)} images read, {painted} painted again, all as the manifest says\n")
    return 0


def in_words(mix: dict[str, int]) -> str:
    """``{"ifs": 3000}`` as ``"3000 ifs"``."""
    return ", ".join(f"{count} {kind}" for kind, count in mix.items())


def load_model(name: str, weights: Path | None, classes: int, pretrained: bool, trust: bool = False) -> Any:
    """The network of ``--model``: images in [0, 1] to logits."""
    from ipmix import models
    from ipmix.core.errors import InputError
    from ipmix.models.loading import open_model

    if weights is not None or pretrained:
        return models.build(name, classes, pretrained=pretrained, weights=weights, trust=trust)
    place = Path(name)
    if not place.exists() and (":" not in name or name.startswith(("timm:", "torchvision:"))):
        raise InputError(
            f"--model {name} is no file; for a network's name give its weights as well, --weights FILE or --pretrained"
        )
    return open_model(name, classes=classes, trust=trust)


def _bytes_of(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


COMMANDS = {"make": make, "info": info, "show": show, "verify": verify}
"""The commands of the group, by name."""
