"""What the sheets of ``ipmix augment`` show of a method: versions of one image, and every method side by side."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ipmix.augmentation.batches import apply, augment, draw
from ipmix.augmentation.explain import cropped
from ipmix.augmentation.stages import stages
from ipmix.cli.sheet import SheetRow
from ipmix.core.errors import InputError, visible
from ipmix.core.extensions import full_name
from ipmix.core.terminal import say
from ipmix.methods import METHODS, IPMix, Vanilla
from ipmix.methods.choosing import made_method, method_kind, method_name
from ipmix.methods.protocol import Method
from ipmix.mixing_set.mixing_set import MixingSet, margin

if TYPE_CHECKING:
    from ipmix.recipe.mixing_images import MixingImages

LEAST_COLUMNS = 4
TRIES = 200
LEAST_SHARE, MOST_SHARE = 0.2, 0.6
"""Of versions that mix in another image, those are shown in which it is well visible, and the image too."""

PARTNER_SEED = 0x706172746E6572


def methods_named(names: Sequence[str]) -> dict[str, Method]:
    """The methods behind names or "all", with their defaults. Raises :class:`InputError` for an unknown name."""
    every = list(names) == ["all"]
    if every:
        return {name: kind() for name, kind in METHODS.items()}
    kinds = {method_name(name) if full_name(name, "method") is None else name: method_kind(name) for name in names}
    order = [name for name in METHODS if name in kinds] + [name for name in kinds if name not in METHODS]
    return {name: made_method(name, kinds[name]) for name in order}


def versions(
    method: Method,
    pair: np.ndarray,
    mixing: "MixingImages | None",
    count: int,
    *,
    seed: int,
    epoch: int,
    index: int,
    engine: str,
) -> Iterator[tuple[str, np.ndarray]]:
    """``count`` versions of the first of a pair of images, each with a few words about it ("" for none).

    pair: uint8[2, H, W, C]; the second image is the partner of methods that mix labels.
    """
    where: dict[str, Any] = {"seed": seed, "epoch": epoch}
    if not method.mixes_labels:
        first = 1 if getattr(method, "views", 1) > 1 else 0  # AugMax's view 0 is an AugMix
        for view in range(first, first + count):
            result = augment(pair[:1], method, mixing, view=view, indices=[index], engine=engine, **where)
            yield "", result[0]
        return
    mixing_count = 0 if mixing is None else len(mixing)
    found = 0
    for view in range(TRIES * count):
        recipes = draw(method, pair.shape, mixing_count, view=view, indices=[index, index + 1], **where)
        share = float(recipes.labels(np.array([0, 1]), 2)[0, 1])
        if not LEAST_SHARE <= share <= MOST_SHARE:
            continue
        yield f"{share:.0%} of the label is the partner's", apply(recipes, pair, mixing, engine=engine)[0]
        found += 1
        if found == count:
            return
    raise InputError(
        f"{method.name}: of {TRIES * count} versions, only {found} give the partner between {LEAST_SHARE:.0%} and "
        f"{MOST_SHARE:.0%} of the label; its options mix too rarely to be shown"
    )


def numbered(found: Iterator[tuple[str, np.ndarray]]) -> list[tuple[str, np.ndarray]]:
    """Versions with their number before the words about them: "version 2", "version 2: 30% of the label ..."."""
    return [
        (f"version {number}{f': {note}' if note else ''}", image) for number, (note, image) in enumerate(found, start=1)
    ]


def partner_of(number: int, images: Sequence[np.ndarray], seed: int) -> np.ndarray:
    """The image that ``images[number]`` is mixed with, in its size: the next one, or else a generated one."""
    image = images[number]
    height, width = image.shape[:2]
    if len(images) == 1:
        (planes,) = MixingSet.generate(1, margin(height, width), seed ^ PARTNER_SEED).planes(height, width)
        return np.ascontiguousarray(planes[:, :height, :width].transpose(1, 2, 0))
    other = Image.fromarray(images[(number + 1) % len(images)])
    scale = max(width / other.width, height / other.height)
    size = (max(width, round(other.width * scale)), max(height, round(other.height * scale)))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    fitted = other.resize(size, Image.Resampling.LANCZOS).crop((left, top, left + width, top + height))
    return np.asarray(fitted)


def compare(
    methods: dict[str, Method],
    name: str,
    pair: np.ndarray,
    mixing: MixingSet | None,
    count: int,
    *,
    seed: int,
    epoch: int,
    index: int,
    engine: str,
) -> list[SheetRow]:
    """The lines of a sheet on which every method augments the first of a pair of images.

    One version of each: a grid, with what is mixed in at its beginning. Several: a line for each method.
    """
    vanilla = [method for method in methods.values() if isinstance(method, Vanilla)]
    cells = [("the original (Vanilla)" if vanilla else "the original", pair[0])]
    if any(method.mixes_labels for method in methods.values()):
        cells.append(("its partner, for methods that mix labels", pair[1]))
    if mixing is not None and any(method.needs_mixing_images for method in methods.values()):
        cells.append(("its mixing image", _mixing_image(pair, mixing, seed, epoch, index)))
    lines = [] if count == 1 else [SheetRow(name, cells)]
    for method in methods.values():
        if method in vanilla:
            continue  # shown already
        title = type(method).__name__
        if getattr(method, "views", 1) > 1:
            title += ": one of the chains of which it seeks the worst mixture"
        drawn = versions(method, pair, mixing, count, seed=seed, epoch=epoch, index=index, engine=engine)
        if count == 1:
            cells += [(f"{title}: {note}" if note else title, image) for note, image in drawn]
        else:
            lines.append(SheetRow(title, numbered(drawn)))
    if count == 1:
        columns = max(LEAST_COLUMNS, math.isqrt(len(cells) - 1) + 1)
        lines = [
            SheetRow("" if start else name, cells[start : start + columns]) for start in range(0, len(cells), columns)
        ]
    return lines


def _mixing_image(pair: np.ndarray, mixing: MixingSet, seed: int, epoch: int, index: int) -> np.ndarray:
    """The part of the mixing image that methods take for this key: the same for all of them."""
    recipe: Any = draw(IPMix(), (1, *pair.shape[1:]), len(mixing), seed=seed, epoch=epoch, indices=[index])[0]
    image = cropped(recipe, pair[0], mixing)
    assert image is not None, "IPMix names an image whenever there are any"
    return image


def taken_apart(
    method: Method, name: str, image: np.ndarray, mixing: "MixingImages | None", **where: Any
) -> list[SheetRow]:
    """The lines that take the first version of an image apart, one stage after the other."""
    if method.mixes_labels:
        raise InputError(f"--explain takes apart what becomes of single images; {method.name} mixes those of a batch")
    lines: list[SheetRow] = []
    for stage in stages(method, image, mixing, **where):
        say(f"{visible(name)}: {stage.recipe}\n", lines=True, fold=True)  # a recipe takes several lines
        lines += [SheetRow(row.label, row.images, row.boxes) for row in stage.rows]
    return lines
