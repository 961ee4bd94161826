"""The definition: what every operation, mixer and recipe does, in Pillow and NumPy, slowly and plainly.

Images are ``uint8[H, W, C]``. Images of three channels go through Pillow as RGB; of any other number,
channel by channel as "L", which gives the same for every operation but ``color`` and ``contrast``: those need
a grey version, which is ITU-R 601 luma for three channels and the rounded mean of the channels otherwise.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from ipmix.core.randomness import mask_hash
from ipmix.engines import filled_reference, prime_reference
from ipmix.engines.output import Output
from ipmix.recipe.format import NO_MIXING_IMAGE, NO_PARTNER, WHOLE
from ipmix.recipe.recipe import Chain, Recipe, Step
from ipmix.recipe.table import RecipeTable

BILINEAR = Image.Resampling.BILINEAR
AFFINE = Image.Transform.AFFINE


class Arithmetic(NamedTuple):
    """What one engine in NumPy may do otherwise than another: how a step's operation and the mixers are computed."""

    operate: Callable[[Step, np.ndarray], np.ndarray]
    """(step, uint8[H, W, C]) -> uint8[H, W, C]: the step's operation on a whole image."""
    mix: Callable[[Step, np.ndarray, np.ndarray, str], np.ndarray]
    """(step, uint8[h, w, C], uint8[h, w, C], overflow) -> uint8[h, w, C]: two boxes mixed."""


def apply(
    table: RecipeTable, images: np.ndarray, planes: np.ndarray, output: Output, threads: int, out: np.ndarray
) -> None:
    """Carry out ``table[i]`` on ``images[i]`` and write the results to ``out``; ``threads`` is not used.

    images uint8[N, H, W, C]; planes uint8[M, C, h, w], the mixing images, h >= H and w >= W.
    """
    carry_out(table, images, planes, output, out, DEFINITION)


def carry_out(
    table: RecipeTable, images: np.ndarray, planes: np.ndarray, output: Output, out: np.ndarray, by: Arithmetic
) -> None:
    """:func:`apply`, with the arithmetic of ``by``."""
    for i, recipe in enumerate(table):
        partner = None if recipe.partner == NO_PARTNER else images[recipe.partner]
        total = combine(recipe, images[i], crop(recipe, planes), partner, by)
        if output.kind == "uint8":
            result = (total + WHOLE // 2) // WHOLE
        else:
            result = total.astype(np.float32) * output.scale + output.bias
        out[i] = result if output.layout == "nhwc" else result.transpose(2, 0, 1)


def crop(recipe: Recipe, planes: np.ndarray) -> np.ndarray | None:
    """The part of the recipe's mixing image that lies over the image, uint8[H, W, C]; None if it has none."""
    if recipe.mixing_image == NO_MIXING_IMAGE:
        return None
    plane = planes[recipe.mixing_image]
    top = recipe.crop_y * (plane.shape[1] - recipe.height + 1) >> 32
    left = recipe.crop_x * (plane.shape[2] - recipe.width + 1) >> 32
    return plane[:, top : top + recipe.height, left : left + recipe.width].transpose(1, 2, 0)


def combine(
    recipe: Recipe, clean: np.ndarray, image: np.ndarray | None, partner: np.ndarray | None, by: Arithmetic
) -> np.ndarray:
    """The sum of shares times images, int64[H, W, C] in 0 .. 255 * 32768."""
    total = recipe.clean * clean.astype(np.int64)
    for chain in recipe.chains:
        *_, result = (clean, *run(recipe, chain, clean, image, partner, by))
        total += chain.share * result.astype(np.int64)
    return total


def run(
    recipe: Recipe,
    chain: Chain,
    clean: np.ndarray,
    image: np.ndarray | None,
    partner: np.ndarray | None = None,
    by: Arithmetic | None = None,
) -> Iterator[np.ndarray]:
    """The chain's image after each of its steps, uint8[H, W, C]; ``by`` is :data:`DEFINITION` if left out."""
    by = by or DEFINITION
    current = clean
    for step in chain.steps:
        if not step.mixer:
            current = by.operate(step, current)
        else:
            other = other_of(step, clean, image, partner, by)
            box = (slice(step.top, step.bottom), slice(step.left, step.right))
            mixed = by.mix(step, current[box], other[box], recipe.overflow)
            current = current.copy()
            current[box] = mixed
        yield current


def other_of(
    step: Step,
    clean: np.ndarray,
    image: np.ndarray | None,
    partner: np.ndarray | None = None,
    by: Arithmetic | None = None,
) -> np.ndarray:
    """The whole image that a mixing step takes its box from, uint8[H, W, C]."""
    if step.mixer == "fill":
        color = [(step.a, step.b, step.level)[min(c, 2)] for c in range(clean.shape[2])]
        return np.broadcast_to(np.array(color, np.uint8), clean.shape)
    if step.source == "partner":
        assert partner is not None, "the edge checks that a recipe's partner exists"
        return partner
    if step.source == "original":
        return (by or DEFINITION).operate(step, clean) if step.operation else clean
    assert image is not None, "the edge checks that a recipe's image exists"
    return image


# --- mixers -----------------------------------------------------------------------------------------------


def mix(step: Step, a: np.ndarray, b: np.ndarray, overflow: str) -> np.ndarray:
    """Mix two boxes, uint8[h, w, C] each, as the step says (authors' code, ``IPMix_utils.py``)."""
    if step.mixer == "add":
        return to_bytes(add(a, b, step.a, step.b), overflow)
    if step.mixer == "multiply":
        return to_bytes(multiply(a, b, step.a, step.b), overflow)
    if step.mixer in ("paste", "fill"):
        return b
    return np.where(keep_mask(step, a.shape), a, b)


def add(a: np.ndarray, b: np.ndarray, weight_a: float, weight_b: float) -> np.ndarray:
    """``(a u + b v + 1) / 2`` with u, v in [-1, 1], written for bytes: float32 in 0 .. 255 and beyond."""
    on_a, on_b = np.float32(weight_a), np.float32(weight_b)
    constant = np.float32(127.5) * (np.float32(1) - on_a - on_b)
    return on_a * a.astype(np.float32) + on_b * b.astype(np.float32) + constant


def multiply(a: np.ndarray, b: np.ndarray, power_a: float, power_b: float) -> np.ndarray:
    """``u**a * max(v, 1e-37)**b / 2`` with u, v in [0, 2], written for bytes: float32 in 0 .. 255 and beyond."""
    left = np.power(a * (2 / 255), float(power_a))
    right = np.power(np.maximum(b * (2 / 255), 1e-37), float(power_b))
    with np.errstate(over="ignore"):  # 1e37 times anything above 0 is infinite, and becomes a byte below
        return (127.5 * left).astype(np.float32) * right.astype(np.float32)


def to_bytes(values: np.ndarray, overflow: str) -> np.ndarray:
    """float32 to bytes: clipped to 0..255 and cut, clipped and rounded, or cut and wrapped modulo 256."""
    if overflow != "wrap":
        half = np.float32(0.5 if overflow == "round" else 0.0)
        return (np.clip(values, 0, 255) + half).astype(np.uint8)
    # A float32 of 2**32 and above is a multiple of 512: its byte is 0. So is that of infinity, by convention.
    whole = np.trunc(np.where(np.abs(values) < 2.0**32, values, 0))
    return (whole.astype(np.int64) & 255).astype(np.uint8)


def keep_mask(step: Step, shape: tuple[int, ...]) -> np.ndarray:
    """Where the chain's own pixels are kept, bool[h, w, C]: 16 hashed bits below the threshold.

    Positions count along rows; "random_elements" has a mask for each channel, one after the other.
    """
    height, width, channels = shape
    planes = channels if step.mixer == "random_elements" else 1
    # A row takes whole hashes of two positions each, so that it can be computed by itself.
    pairs = (width + 1) // 2
    hashes = mask_hash.py_func(np.uint32(step.seed), np.arange(planes * height * pairs, dtype=np.uint32))
    halves = np.stack([hashes & np.uint32(0xFFFF), hashes >> np.uint32(16)], axis=-1)
    numbers = halves.reshape(planes, height, 2 * pairs)[:, :, :width]
    keep = numbers < int(np.float32(step.a) * np.float32(65536))
    return np.broadcast_to(keep.transpose(1, 2, 0), shape)


# --- operations -------------------------------------------------------------------------------------------


def operate_step(step: Step, image: np.ndarray) -> np.ndarray:
    """The step's operation on a whole image: uint8[H, W, C] -> uint8[H, W, C]."""
    if step.operation in prime_reference.OPERATIONS:
        return prime_reference.operate(step, image)
    if step.operation in filled_reference.OPERATIONS:
        return filled_reference.operate(step, image)
    return operate(step.operation, image, step.level)


def operate(name: str, image: np.ndarray, level: float) -> np.ndarray:
    """Apply one operation of ``operations.OPERATIONS`` to uint8[H, W, C], at a level in the operation's unit."""
    if name in ("color", "contrast") and image.shape[2] != 3:
        return _without_luma(name, image, level)
    function = _PILLOW[name]
    if image.shape[2] == 3:
        return np.asarray(function(Image.fromarray(np.ascontiguousarray(image)), level))
    bands = [
        np.asarray(function(Image.fromarray(np.ascontiguousarray(image[:, :, c])), level))
        for c in range(image.shape[2])
    ]
    return np.stack(bands, axis=-1)


def _affine(image: Image.Image, matrix: tuple[float, ...]) -> Image.Image:
    return image.transform(image.size, AFFINE, matrix, resample=BILINEAR)


_PILLOW: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "equalize": lambda image, level: ImageOps.equalize(image),
    "posterize": lambda image, level: ImageOps.posterize(image, int(level)),
    "rotate": lambda image, level: image.rotate(level, resample=BILINEAR),
    "solarize": lambda image, level: ImageOps.solarize(image, int(level)),
    "shear_x": lambda image, level: _affine(image, (1, level, 0, 0, 1, 0)),
    "shear_y": lambda image, level: _affine(image, (1, 0, 0, level, 1, 0)),
    "translate_x": lambda image, level: _affine(image, (1, 0, level, 0, 1, 0)),
    "translate_y": lambda image, level: _affine(image, (1, 0, 0, 0, 1, level)),
    "mirror": lambda image, level: ImageOps.mirror(image),
    "invert": lambda image, level: ImageOps.invert(image),
    "autocontrast": lambda image, level: ImageOps.autocontrast(image, cutoff=level),
    "color": lambda image, level: ImageEnhance.Color(image).enhance(level),
    "contrast": lambda image, level: ImageEnhance.Contrast(image).enhance(level),
    "brightness": lambda image, level: ImageEnhance.Brightness(image).enhance(level),
    "sharpness": lambda image, level: Image.blend(image.filter(ImageFilter.SMOOTH), image, level),
}


def _without_luma(name: str, image: np.ndarray, level: float) -> np.ndarray:
    channels = image.shape[2]
    grey = ((image.astype(np.int64).sum(axis=2) + channels // 2) // channels).astype(np.uint8)
    if name == "contrast":
        grey = np.full_like(grey, int(grey.mean() + 0.5))
    bands = [Image.blend(Image.fromarray(grey), Image.fromarray(band), level) for band in _bands(image)]
    return np.stack([np.asarray(band) for band in bands], axis=-1)


def _bands(image: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(image[:, :, c]) for c in range(image.shape[2])]


DEFINITION = Arithmetic(operate_step, mix)
"""This module's own."""
