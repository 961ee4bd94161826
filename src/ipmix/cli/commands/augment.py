"""``ipmix augment``: augmented versions of one's own images: by one method, by all of them, or taken apart."""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ipmix.augmentation.batches import apply, draw
from ipmix.augmentation.explain import explain as take_apart
from ipmix.cli.commands.choosing import method_named
from ipmix.cli.method_figure import compare, methods_named, partner_of, versions
from ipmix.cli.sheet import FORMATS, SheetRow, draw_sheet
from ipmix.core.checking import check_count
from ipmix.core.errors import InputError
from ipmix.core.files import refuse_existing, write_bytes
from ipmix.data.decoding import BrokenImage, is_image_file, open_rgb
from ipmix.methods.protocol import Method
from ipmix.mixing_set.mixing_set import MixingSet, margin
from ipmix.recipe.mixing_images import MixingImages
from ipmix.recipe.table import RecipeTable


def augment(
    files: list[Path],
    *,
    out: Path = Path("augmented.png"),
    method: str = "ipmix",
    methods: tuple[str, ...] = (),
    preset: str | None = None,
    method_option: dict[str, str] | None = None,
    mixing_set: Path | None = None,
    mixing_count: int = 64,
    count: int | None = None,
    size: int = 224,
    seed: int = 0,
    epoch: int = 0,
    explain: bool = False,
    cell: int = 144,
    engine: str = "compiled",
    skip_broken: bool = False,
    force: bool = False,
) -> None:
    """Draw a sheet of augmented images: a row for each image, with several versions of it.

    With --methods all, every method is shown side by side on each image. With --explain, each image's first
    version is taken apart instead: every chain and every step, labelled.

    Args:
        images: Image files, or folders of them.
        out: Where the sheet goes: .png, .jpg or .webp.
        method: The augmentation.
        methods: Several methods with their defaults on one sheet, or all.
        preset: The method's settings by name, such as paper-cifar or code-imagenet.
        method_option: One of the method's settings, such as k=4 or patch_sizes=[4,8].
        mixing_set: A folder of images or a made mixing set to mix in.
        mixing_count: How many mixing images are generated where none are given.
        count: Versions of each image; 8, or with --methods 1, if left out.
        size: Larger images are brought to this longer side before they are augmented.
        seed: Of everything random.
        epoch: Which epoch's versions to show.
        explain: Take the first version of each image apart.
        cell: Longer side of an image on the sheet, in pixels.
        engine: What augments: compiled or reference.
        skip_broken: Pass over images that can't be decoded.
        force: Replace an existing file.
    """
    count = (1 if methods else 8) if count is None else count
    for name, value, least in (("--count", count, 1), ("--size", size, 1), ("--cell", cell, 16)):
        check_count(name, value, least)
    check_count("--mixing-count", mixing_count, 1)
    form = FORMATS.get(out.suffix.lower())
    if form is None:
        raise InputError(f"--out {out}: expected a name that ends in {', '.join(FORMATS)}")
    refuse_existing(out, force=force)
    where: dict[str, Any] = {"seed": seed, "epoch": epoch}
    if methods:
        if preset or method_option or explain or method != "ipmix":
            raise InputError(
                "--methods shows methods with their defaults: leave out --method, its options and --explain"
            )
        chosen = methods_named(methods)
    else:
        one = method_named(method, preset, method_option or {})
        if one is None:
            raise InputError('--method none leaves images as they are; choose a method, such as "ipmix"')
        chosen = {method: one}
    names, images = zip(*_read(files, size, skip_broken))
    mixing = None
    if any(each.needs_mixing_images for each in chosen.values()):
        side = max(margin(image.shape[0], image.shape[1]) for image in images)
        mixing = MixingSet.open(mixing_set) if mixing_set else MixingSet.generate(mixing_count, side, seed)
    mixes = any(each.mixes_labels for each in chosen.values())
    lines: list[SheetRow] = []
    for index, (name, image) in enumerate(zip(names, images)):
        pair = np.stack([image, partner_of(index, images, seed) if mixes else image])
        options: dict[str, Any] = {**where, "index": index, "engine": engine}
        if explain:
            lines += _taken_apart(chosen[method], name, image, mixing, indices=[index], **where)
        elif methods:
            lines += compare(chosen, name, pair, mixing, count, **options)
        else:
            partner = [("its partner", pair[1])] if mixes else []
            cells = versions(chosen[method], pair, mixing, count, **options)
            lines.append(SheetRow("", [(name, image), *partner, *cells]))
    shown = "Augmentations" if methods else f"{method}{f' ({preset})' if preset else ''}"
    buffer = io.BytesIO()
    draw_sheet(lines, cell=cell, title=f"{shown}, seed {seed}, epoch {epoch}").save(buffer, form)
    write_bytes(out, buffer.getvalue())
    sys.stdout.write(f"wrote {out}\n")


def _taken_apart(
    method: Method, name: str, image: np.ndarray, mixing: MixingImages | None, **where: Any
) -> list[SheetRow]:
    """The lines that take the first version of an image apart, one stage after the other."""
    if method.mixes_labels:
        raise InputError(f"--explain takes apart what becomes of single images; {method.name} mixes those of a batch")
    drawn = draw(method, (1, *image.shape), 0 if mixing is None else len(mixing), **where)
    tables = (drawn,) if isinstance(drawn, RecipeTable) else drawn.tables
    lines: list[SheetRow] = []
    for table in tables:
        sys.stdout.write(f"{name}: {table[0]}\n")
        lines += [SheetRow(row.label, row.images) for row in take_apart(image, table[0], mixing)]
        image = apply(table, image[None], mixing)[0]
    return lines


def _read(paths: list[Path], size: int, skip_broken: bool) -> list[tuple[str, np.ndarray]]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if is_image_file(p))
            if not found:
                raise InputError(f"{path} is a folder without images; give images, or a folder that holds some")
            files += found
        else:
            files.append(path)
    images: list[tuple[str, np.ndarray]] = []
    skipped: list[Path] = []
    for file in files:
        try:
            image = open_rgb(file)
        except BrokenImage:
            if not skip_broken:
                raise
            skipped.append(file)
            continue
        if max(image.size) > size:
            scale = size / max(image.size)
            sides = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            image = image.resize(sides, Image.Resampling.LANCZOS)
        images.append((file.name, np.asarray(image)))
    if skipped:
        sys.stderr.write(f"passed over {len(skipped)} broken images, the first {skipped[0]}\n")
    if not images:
        raise InputError(f"none of the {len(files)} images can be decoded")
    return images
