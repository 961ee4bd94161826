"""``ipmix augment``: augmented versions of one's own images: by one method, by all of them, or taken apart."""

import io
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import arg

from ipmix.cli.commands.choosing import MethodWords
from ipmix.core.errors import InputError, refuse_idle
from ipmix.core.files import refuse_existing, refuse_no_folder, write_bytes
from ipmix.core.terminal import say

MIXING_COUNT = 64
"""Mixing images that are generated where none are given."""


def augment(
    files: Annotated[list[Path], arg(metavar="FILE ...", help_behavior_hint="(at least one)")],
    /,
    *,
    out: Path = Path("augmented.png"),
    method: MethodWords = MethodWords(),
    methods: tuple[str, ...] = (),
    mixing_set: Path | None = None,
    mixing_count: int = MIXING_COUNT,
    count: int | None = None,
    size: int = 224,
    seed: int | None = None,
    epoch: int = 0,
    explain: bool = False,
    cell: int = 144,
    engine: Literal["compiled", "numpy", "reference"] = "compiled",
    exif: bool = True,
    skip_broken: bool = False,
    force: bool = False,
) -> None:
    """Draw a sheet of augmented images: a row for each image, with several versions of it.

    With --methods all, every method is shown side by side on each image. With --explain, each image's first
    version is taken apart instead: every chain and every step, labelled.

    Args:
        files: Image files, or folders of them.
        out: Where the sheet goes: .png, .jpg or .webp.
        methods: Several methods with their defaults on one sheet, or all.
        mixing_set: A folder of images or a made mixing set to mix in.
        mixing_count: How many mixing images are generated where none are given.
        count: Versions of each image; 8, or with --methods 1, if left out.
        size: Larger images are brought to this longer side before they are augmented.
        seed: Of everything random; 0 if left out, with --explain the first that shows operations on the image,
            in a patch and in every pixel.
        epoch: Which epoch's versions to show.
        explain: Take the first version of each image apart.
        cell: Longer side of an image on the sheet, in pixels.
        engine: What augments.
        exif: Turn images upright; --no-exif: read images as they are stored, without turning them upright by
            their EXIF tag, as torchvision does.
        skip_broken: Pass over images that can't be decoded; broken.txt beside --out names them.
        force: Replace an existing file.
    """
    import numpy as np

    from ipmix.augmentation.stages import telling_seed
    from ipmix.cli.method_figure import compare, methods_named, numbered, partner_of, taken_apart, versions
    from ipmix.cli.own_images import read_images
    from ipmix.cli.sheet import CELL_MOST, FORMATS, SheetRow, draw_sheet
    from ipmix.core.checking import check_count
    from ipmix.core.ranges import SEED, check_range
    from ipmix.data.decoding import DecodeConfig
    from ipmix.mixing_set.manifest import SIZE_LEAST, SIZE_MOST
    from ipmix.mixing_set.mixing_set import MixingSet, margin

    counted, count = count, (1 if methods else 8) if count is None else count
    for name, value, least, most in (
        ("--count", count, 1, 1000),
        ("--size", size, 1, SIZE_MOST * 7 // 8),  # a mixing image is an eighth larger
        ("--cell", cell, 16, CELL_MOST),
        ("--mixing-count", mixing_count, 1, 100_000),
    ):
        check_count(name, value, least, most)
    for name, value in (("--seed", seed or 0), ("--epoch", epoch)):
        check_range(name, value, SEED)
    form = FORMATS.get(out.suffix.lower())
    if form is None:
        raise InputError(f"--out {out}: expected a name that ends in {', '.join(FORMATS)}")
    refuse_existing(out, force=force)
    refuse_no_folder(out)
    if methods:
        if explain or method != MethodWords():
            raise InputError(
                "--methods shows methods with their defaults: leave out --method, its options and --explain"
            )
        chosen = methods_named(methods)
    else:
        one = method.chosen()
        if one is None:
            raise InputError('--method none leaves images as they are; choose a method, such as "ipmix"')
        chosen = {method.method: one}
    if explain:
        refuse_idle(
            {"--count": counted not in (None, 1), "--engine": engine != "compiled"}, "--explain takes one version apart"
        )
    needed = any(each.needs_mixing_images for each in chosen.values())
    if not needed:
        refuse_idle({"--mixing-set": mixing_set is not None}, f"{' and '.join(chosen)} mix no images in")
    elif mixing_set is not None:
        refuse_idle({"--mixing-count": mixing_count != MIXING_COUNT}, "--mixing-set is as large as it is")
    decoding = DecodeConfig(exif=exif)
    names, images = zip(*read_images(files, size, skip_broken, out.parent, decoding))
    mixes = any(each.mixes_labels for each in chosen.values())
    mixing = MixingSet.open(mixing_set, skip_broken=skip_broken, decoding=decoding) if mixing_set and needed else None
    if seed is None and explain and not mixes:
        held = (mixing_count if mixing is None else len(mixing)) if needed else 0
        seed = telling_seed(chosen[method.method], images[0].shape, held, epoch=epoch, index=0)
    seed = seed or 0
    where: dict[str, Any] = {"seed": seed, "epoch": epoch}
    if needed and mixing is None:
        side = max(SIZE_LEAST, *(margin(image.shape[0], image.shape[1]) for image in images))
        mixing = MixingSet.generate(mixing_count, side, seed)
    lines: list[SheetRow] = []
    for index, (name, image) in enumerate(zip(names, images)):
        pair = np.stack([image, partner_of(index, images, seed) if mixes else image])
        options: dict[str, Any] = {**where, "index": index, "engine": engine}
        if explain:
            lines += taken_apart(chosen[method.method], name, image, mixing, indices=[index], **where)
        elif methods:
            lines += compare(chosen, name, pair, mixing, count, **options)
        else:
            partner = [("its partner", pair[1])] if mixes else []
            cells = versions(chosen[method.method], pair, mixing, count, **options)
            lines.append(SheetRow("", [(f"{name}: the original", image), *partner, *numbered(cells)]))
    shown = "Augmentations" if methods else f"{method.method}{f' ({method.preset})' if method.preset else ''}"
    buffer = io.BytesIO()
    draw_sheet(lines, cell=cell, title=f"{shown}, seed {seed}, epoch {epoch}").save(buffer, form)
    write_bytes(out, buffer.getvalue())
    say(f"wrote {out}: {len(images)} image{'s' if len(images) != 1 else ''}, seed {seed}, epoch {epoch}\n")
    if not (explain or methods or mixes):
        say(f"Every step of the first version: the same command with --explain --seed {seed}\n")
