"""From the words of a command to a plan: which names, severities and layout, with every check before any
work."""

import os
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from ipmix.core.checking import check_count, check_int64
from ipmix.core.errors import InputError, refuse_idle
from ipmix.corruptions.corrupting import Form
from ipmix.corruptions.own import check_perturbation, known_corruption
from ipmix.corruptions.severities import (
    C_BAR,
    C_BAR_CIFAR,
    C_BAR_IMAGENET,
    CORRUPTIONS,
    PERTURBATIONS,
    PERTURBATIONS_CIFAR,
    PERTURBATIONS_IMAGENET,
    PERTURBATIONS_VALIDATION,
    VALIDATION,
    position,
)
from ipmix.corruptions.test_sets.writing import SUFFIX, TestSetPlan, check_one_size, image_shape
from ipmix.data.sources import InMemory, OnDisk

NAME_MOST = 255
"""Bytes of a file's name."""

QUALITY = 85
"""Of the published sets' JPEG files."""

KNOWN = {"c": CORRUPTIONS + VALIDATION, "c-bar": C_BAR, "p": PERTURBATIONS}
"""The names that each set may have."""


def set_names(kind: str, side: int, *, validation: bool = False) -> tuple[str, ...]:
    """The names of the set "c", "c-bar" or "p" for images of this side: CIFAR's or ImageNet's, the nearer."""
    if kind not in KNOWN:
        raise InputError(f"set is one of {', '.join(KNOWN)}, got {kind!r}")
    large = position(side) >= 0.5
    if kind == "c":
        return CORRUPTIONS + (VALIDATION if validation else ())
    if kind == "c-bar":
        if validation:
            raise InputError("C-bar has no validation corruptions; leave --validation out")
        return C_BAR_IMAGENET if large else C_BAR_CIFAR
    names = PERTURBATIONS_IMAGENET if large else PERTURBATIONS_CIFAR
    return tuple(dict.fromkeys(names + (PERTURBATIONS_VALIDATION if validation else ())))


def make_plan(
    source: InMemory | OnDisk,
    data: str,
    *,
    kind: str,
    names: Sequence[str] | None = None,
    severities: Sequence[int] | None = None,
    validation: bool = False,
    layout: str = "auto",
    seed: int = 0,
    form: Form = "original",
    difficulty: int = 1,
    quality: int = QUALITY,
) -> TestSetPlan:
    """Check every setting and settle what is left open; InputError names the one that won't do."""
    shape = image_shape(source)
    usual = set_names(kind, min(shape[:2]), validation=validation)
    chosen = usual if names is None else tuple(dict.fromkeys(names))
    if kind == "p":
        for name in chosen:
            check_perturbation(name, KNOWN[kind])
    else:
        chosen = tuple(name if name in KNOWN[kind] else known_corruption(name, KNOWN[kind]) for name in chosen)
    if not chosen:
        raise InputError(f"names is empty; known are {', '.join(KNOWN[kind])}")
    wanted = tuple(range(1, 6)) if severities is None else tuple(dict.fromkeys(severities))
    for severity in wanted:
        check_count("severity", severity, 1, 5)
    levels = tuple(int(severity) for severity in wanted)
    check_int64("seed", seed)
    check_count("difficulty", difficulty, 1, 3)
    check_count("quality", quality, 1, 100)
    if not levels:
        raise InputError("severities is empty; leave it out for all five")
    if layout not in ("auto", "arrays", "folders"):
        raise InputError(f"layout is auto, arrays or folders, got {layout!r}")
    if layout == "auto":
        layout = "folders" if isinstance(source, OnDisk) else "arrays"
    if layout == "folders" and shape[2] not in (1, 3):
        raise InputError(f"JPEG files hold 1 or 3 channels, the images have {shape[2]}; use --layout arrays")
    if layout == "folders" and kind == "p":
        _check_folders_of_frames(source)
    if kind == "p":
        refuse_idle({"--severities": severities is not None}, "perturbation sequences have none")
    else:
        refuse_idle({"--difficulty": difficulty != 1}, "it is of perturbation sequences (--set p)")
    if layout == "arrays" or kind == "p":
        refuse_idle({"--quality": quality != QUALITY}, "no JPEG files are written")
    if names is not None:
        refuse_idle({"--validation": validation}, "--names says which are made")
    if form not in ("original", "corrected"):
        raise InputError(f'form is "original" or "corrected", got {form!r}')
    return TestSetPlan(
        kind=kind,
        names=chosen,
        severities=levels,
        seed=int(seed),
        form=form,
        difficulty=int(difficulty),
        quality=int(quality),
        size=source.size if isinstance(source, OnDisk) else None,
        layout=layout,
        data=Path(data).name,
        count=len(source),
        frost=TestSetPlan.frost_source(chosen),
        version=version("ipmix"),
        exif=source.files.decoding.exif if isinstance(source, OnDisk) else True,
    )


def of_images(plan: TestSetPlan, source: InMemory | OnDisk, broken: int) -> TestSetPlan:
    """The plan for these very images, of which every one has been found whole.

    Raises:
        InputError: they can't all be written: arrays need one size, and files names that a disk takes.
    """
    if plan.layout == "arrays":
        check_one_size(source)
    elif plan.kind != "p":
        _check_names(source)
    return replace(plan, count=len(source), sha256=source.fingerprint(), broken=broken)


def _check_names(source: InMemory | OnDisk) -> None:
    """A changed copy is called like its image, with an ending that may be longer."""
    for place in range(len(source)):
        if len(os.fsencode(source.stem(place).name + SUFFIX)) > NAME_MOST:
            name = source.files.paths[place] if isinstance(source, OnDisk) else source.stem(place)
            raise InputError(
                f"{name}: with the ending {SUFFIX} its name is longer than {NAME_MOST} bytes, the most that disks "
                "take: rename it"
            )


def _check_folders_of_frames(source: InMemory | OnDisk) -> None:
    """Each image becomes a folder of frames: it must not be one that other images lie in."""
    stems = {source.stem(place) for place in range(len(source))}
    for stem in stems:
        if double := stems.intersection(stem.parents):
            raise InputError(f"{double.pop()} is an image and a folder of images; rename one, its frames need a folder")
