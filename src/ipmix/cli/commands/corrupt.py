"""``ipmix corrupt``: corrupted or perturbed copies of any images, in the public layouts."""

from pathlib import Path
from typing import Literal

from ipmix.core.terminal import say


def corrupt(
    data: str,
    out: str,
    /,
    *,
    set: Literal["c", "c-bar", "p"] = "c",
    names: list[str] | None = None,
    severities: list[int] | None = None,
    validation: bool = False,
    layout: Literal["auto", "arrays", "folders"] = "auto",
    size: int | None = None,
    exif: bool = True,
    labels: str | None = None,
    seed: int = 0,
    form: Literal["original", "corrected"] = "original",
    difficulty: int = 1,
    quality: int = 85,
    shard: str = "1/1",
    threads: int = 1,
    skip_broken: bool = False,
    force: bool = False,
) -> None:
    """Write a corrupted (-C, C-bar) or perturbed (-P) copy of a set of images.

    A stopped run goes on when it is started again with the same words on the same images: what is there is
    kept. Memory stays constant. Layout
    "arrays" is CIFAR's (<corruption>.npy, severity by severity, and labels.npy), "folders" ImageNet's
    (<corruption>/<severity>/<class>/<image>.JPEG; of sequences the frames as PNG).

    Args:
        data: A folder <class>/<image>, or a .npy file of uint8[N, H, W, C].
        out: The folder to write to; settings.json in it records how it was made.
        set: c for the 15 corruptions of -C, c-bar for the 10 of C-bar, p for the 10 sequences of -P (of
            CIFAR or of ImageNet, whichever size is nearer).
        names: Only these corruptions or perturbations; for c and c-bar also module:Name (docs/extending.md).
        severities: Only these severities, of 1 to 5.
        validation: Also the validation corruptions (c) or perturbations (p).
        layout: arrays or folders; auto takes arrays for a .npy file and folders for a folder.
        size: Bring images to this side first: shorter side to size * 256 / 224, then the middle
            (ImageNet: 224).
        exif: Turn images upright; --no-exif: read images as they are stored, without turning them upright by
            their EXIF tag, as torchvision does.
        labels: For a .npy file, the .npy file of its labels; by default labels.npy beside it.
        seed: Of everything random.
        form: original keeps the mistakes of the public generators, corrected is without them.
        difficulty: Of the sequences, 1 to 3.
        quality: Of the JPEG files in the layout folders; the published sets have 85.
        shard: i/n makes the i-th of n parts, each on a machine of its own; in the layout arrays a part is
            whole files.
        threads: How many threads.
        skip_broken: Pass over images that can't be decoded; broken.txt names them.
        force: Write anew what is there; a set of other settings or other images is removed first.
    """
    from shlex import quote

    from ipmix.core.bounds import SIDE_LEAST, SIDE_MOST
    from ipmix.core.checking import check_threads, parse_shard
    from ipmix.core.errors import InputError, refuse_idle
    from ipmix.core.extensions import is_own
    from ipmix.core.files import real
    from ipmix.core.ranges import SEED, Range, check_range
    from ipmix.corruptions.test_sets import beginning, planning, writing
    from ipmix.data.broken import list_broken
    from ipmix.data.datasets import tell_hidden
    from ipmix.data.decoding import DecodeConfig
    from ipmix.data.sources import OnDisk, open_images

    check_range("--seed", seed, SEED)
    if size is not None:
        check_range("--size", size, Range(SIDE_LEAST, SIDE_MOST))
    source = open_images(data, labels, size, DecodeConfig(exif=exif))
    if not isinstance(source, OnDisk):
        refuse_idle({"--no-exif": not exif, "--skip-broken": skip_broken}, f"{data} holds no image files")
    if isinstance(source, OnDisk):
        tell_hidden(source.files)
    plan = planning.make_plan(
        source, data, kind=set, names=names, severities=severities, validation=validation, layout=layout,
        seed=seed, form=form, difficulty=difficulty, quality=quality,
    )  # fmt: skip
    part = parse_shard(shard)
    check_threads(threads, "--threads")
    broken: tuple[Path, ...] = ()
    if isinstance(source, OnDisk):
        source, broken = source.whole(skip_broken=skip_broken)
    plan = planning.of_images(plan, source, len(broken))
    folder = Path(out)
    if Path(data).is_dir() and real(folder).is_relative_to(real(data)):
        raise InputError(f"{out} lies in {data}, whose images are read: choose a folder outside of it")
    write = writing.write_arrays if plan.layout == "arrays" else writing.write_folders
    with beginning.begun(plan, source, folder, part, force=force) as scratch:
        list_broken(broken, folder)
        write(plan, source, folder, scratch, part, threads, force)
    whole = f"shard {part[0]} of {part[1]} of " if part[1] > 1 else ""
    own = sum(is_own(name) for name in plan.names)
    ours = f"{len(plan.names) - own} of the set {set}" if own < len(plan.names) else ""
    yours = f"{own} of your own" if own else ""
    parts = " and ".join(filter(None, (ours, yours)))
    say(f"{out}: {whole}{parts}, each of {plan.count} images\n")
    if getattr(source, "labelled", True):
        # Arrays go with arrays and folders with folders: others are measured without their clean images.
        same = (plan.layout == "arrays") != isinstance(source, OnDisk)
        clean = f" --clean {quote(data)}" if same else ""
        say(f"Measure a model on it: ipmix evaluate MODEL {quote(out)}{clean} --out FOLDER\n")
    else:
        say("Without labels no model can be measured on it: --labels names a .npy file of them.\n")
