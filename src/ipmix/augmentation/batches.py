"""Draw, then apply: the one place that joins a method, an engine and a mixing set."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ipmix.augmentation.inputs import check_mixing, contiguous_images, make_out, mixing_planes
from ipmix.augmentation.tensors import from_tensor, to_tensor
from ipmix.core.bounds import MIXING_MOST
from ipmix.core.checking import check_count, check_shape, check_threads, shown
from ipmix.core.errors import InputError, first_line, plain
from ipmix.core.image_forms import check_channels_first, is_tensor
from ipmix.core.randomness import Keys
from ipmix.core.threads import in_ranges
from ipmix.engines import engine as find_engine
from ipmix.engines.output import make_output
from ipmix.methods.protocol import Method
from ipmix.recipe.mixing_images import MixingImages
from ipmix.recipe.pixels import Drawn, PixelRecipes
from ipmix.recipe.recipe import ImageSpec
from ipmix.recipe.table import RecipeSequence, RecipeTable


def draw(
    method: Method,
    shape: Sequence[int],
    mixing_count: int = 0,
    *,
    seed: int,
    epoch: int = 0,
    indices: Any = None,
    view: int = 0,
) -> Drawn:
    """The recipes that :func:`augment` would carry out on images of this shape.

    Args:
        method: what draws, such as ``IPMix()``.
        shape: (N, H, W, C) of the images.
        mixing_count: how many mixing images there are.
        seed, epoch, view: the key's parts, integers.
        indices: int[N], the images' own numbers in their data set; 0 .. N-1 if left out.

    Returns:
        A :class:`~ipmix.recipe.RecipeTable`, or a :class:`~ipmix.recipe.RecipeSequence` of them for a method that
        works in stages. Where the method mixes labels, ``.labels(labels, classes)`` gives the images' new ones.
    """
    check_method(method)
    count, height, width, channels = check_shape(shape, "NHWC")
    check_count("mixing_count", mixing_count, 0, MIXING_MOST)
    keys = _keys_for(count, seed, epoch, indices, view)
    scene = ImageSpec(height, width, channels, int(mixing_count))
    if type(method).__module__.startswith("ipmix."):
        return method.draw(keys, scene)
    try:
        return method.draw(keys, scene)
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # somebody's code: whatever it raises
        raise InputError(
            f"the method {_name_of(method)} failed in draw(): {type(error).__name__}: {first_line(error)}"
        ) from error


def _name_of(method: Any) -> str:
    """A method's name for a message; its class's, where it has none."""
    return plain(getattr(method, "name", type(method).__name__), most=60)


def check_method(method: Any) -> None:
    """Raise :class:`InputError` unless this is an augmentation method, made: not its class, not its name."""
    if isinstance(method, type) or not (hasattr(method, "draw") and hasattr(method, "mixes_labels")):
        how = ""
        if isinstance(method, str):
            how = ": from ipmix.methods.choosing import named_method, and pass named_method of it"
        elif isinstance(method, type) and hasattr(method, "draw"):
            how = f": pass {method.__name__}()"
        raise InputError(f"method must be an augmentation method such as IPMix(), got {shown(method)}{how}")


def _keys_for(count: int, seed: int, epoch: int, indices: Any, view: int) -> Keys:
    keys = Keys.of(seed, epoch, range(count) if indices is None else indices, view)
    if len(keys) != count:
        raise InputError(f"indices must have one number for each of the {count} images, got {len(keys)}")
    return keys


def apply(
    table: Drawn,
    images: np.ndarray,
    mixing: MixingImages | None = None,
    *,
    engine: str = "compiled",
    output: str = "uint8",
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    layout: str = "nhwc",
    threads: int = 1,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Carry out ``table[i]`` on ``images[i]``; see :func:`augment` for the arguments and the result."""
    images = contiguous_images(images)
    form = make_output(output, layout, images.shape[3], mean, std)
    check_threads(threads)
    check_mixing(mixing)
    if not isinstance(table, RecipeTable | RecipeSequence | PixelRecipes):
        raise InputError(f"table must be the recipes that draw() gives, or of a Recipe, got {shown(table)}")
    if isinstance(table, RecipeSequence):
        for earlier in table.tables[:-1]:
            images = apply(earlier, images, mixing, engine=engine, threads=threads)
        table = table.tables[-1]
    if isinstance(table, PixelRecipes):  # carried out here; what is left is to write it in the output's form
        images = table.changed(images)
        table = RecipeTable.empty(len(table), 1, 1, table.height, table.width)
    if len(table) != len(images) or (len(table) and (table.height, table.width) != images.shape[1:3]):
        raise InputError(
            f"the recipes are for {len(table)} images of {table.width}x{table.height}, "
            f"got {len(images)} of {images.shape[2]}x{images.shape[1]}"
        )
    if len(table) and table.heads["partner"].max() >= len(images):
        raise InputError(
            f"a recipe's partner is {table.heads['partner'].max()}, and the batch has {len(images)} images"
        )
    out = make_out(out, form, images)
    table, planes = mixing_planes(table, images, mixing)
    if len(images):
        find_engine(engine).apply(table, images, planes, form, threads, out)
    return out


def _augment_tensor(images: Any, method: Method, mixing: MixingImages | None, **settings: Any) -> Any:
    if images.ndim != 4:
        if images.ndim == 3 and 0 not in images.shape:
            check_channels_first(images.shape)
        one = ": give one image as image[None]" if images.ndim == 3 else ""
        raise InputError(f"images as a tensor are [N, C, H, W], got {list(images.shape)}{one}")
    planes = augment(from_tensor(images), method, mixing, layout="nchw", **settings)
    if planes.dtype == np.uint8:
        return to_tensor(planes, images)
    import torch

    return torch.from_numpy(planes).to(images.device)


def augment(
    images: Any,
    method: Method,
    mixing: MixingImages | None = None,
    *,
    seed: int,
    epoch: int = 0,
    indices: Any = None,
    view: int = 0,
    engine: str = "compiled",
    output: str = "uint8",
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    layout: str = "nhwc",
    threads: int = 1,
    out: np.ndarray | None = None,
) -> Any:
    """Augment a batch of images. The result depends on (seed, epoch, indices, view), the images, the method
    and the mixing set: not on the batch, its order, the threads or the process.

    A method that mixes labels (``method.mixes_labels``) mixes the images of this batch with each other, so that
    for it the batch counts; it needs the two steps of :func:`draw` and :func:`apply`, since the labels come from
    the recipes:

    >>> table = draw(CutMix(), images.shape, seed=0)                     # doctest: +SKIP
    >>> images, labels = apply(table, images), table.labels(labels, 10)  # doctest: +SKIP

    Args:
        images: uint8[N, H, W, C].
        method: what to do, such as ``IPMix()``.
        mixing: a :class:`~ipmix.mixing_set.mixing_set.MixingSet`, or images as uint8[M, h, w, C], h >= H and w >= W.
        seed, epoch, view: integers; view tells apart several versions of an image in one step.
        indices: int[N], the images' own numbers in their data set; 0 .. N-1 if left out.
        engine: "compiled"; "numpy" (the same bytes, slower, nothing to compile); or "reference" (slow: the
            definition).
        output: "uint8", or "float32": in [0, 1], normalised if mean and std are given.
        mean, std: one number, or one a channel, in the unit of [0, 1] images.
        layout: "nhwc" or "nchw".
        threads: how many threads of this process share the work.
        out: an array to write to: of the result's shape and dtype, C-contiguous.

    Returns:
        uint8 or float32, [N, H, W, C] or [N, C, H, W].

    Raises:
        InputError: naming what was expected and what was received.

    ``images`` may also be a torch tensor [N, C, H, W] of bytes, or of numbers in [0, 1] (rounded to 256 levels), on any
    device. The result is then such a tensor, there: of the same dtype, or with ``output="float32"`` of float32, always
    [N, C, H, W].
    """
    if is_tensor(images):
        if out is not None:
            raise InputError("out is for arrays: a tensor's result is a new tensor")
        return _augment_tensor(
            images, method, mixing, seed=seed, epoch=epoch, indices=indices, view=view,
            engine=engine, output=output, mean=mean, std=std, threads=threads,
        )  # fmt: skip
    images = contiguous_images(images)
    check_method(method)
    check_mixing(mixing)
    check_threads(threads)
    if threads > 1 and not method.mixes_labels:
        # Each thread draws for its own range as well: drawing for all beforehand would keep the others waiting.
        form = make_output(output, layout, images.shape[3], mean, std)
        whole = make_out(out, form, images)
        numbers = _keys_for(len(images), seed, epoch, indices, view).indices

        def augment_range(begin: int, end: int) -> None:
            augment(
                images[begin:end], method, mixing, seed=seed, epoch=epoch, indices=numbers[begin:end], view=view,
                engine=engine, output=output, mean=mean, std=std, layout=layout, out=whole[begin:end],
            )  # fmt: skip

        in_ranges(augment_range, len(images), threads, images.shape[1] * images.shape[2])
        return whole
    count = 0 if mixing is None else len(mixing)
    table = draw(method, images.shape, count, seed=seed, epoch=epoch, indices=indices, view=view)
    return apply(
        table,
        images,
        mixing,
        engine=engine,
        output=output,
        mean=mean,
        std=std,
        layout=layout,
        threads=threads,
        out=out,
    )
