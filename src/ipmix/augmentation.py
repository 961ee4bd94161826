"""Draw, then apply: the one place that joins a method, an engine and a mixing set."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ipmix.checking import check_count
from ipmix.engines import engine as find_engine
from ipmix.engines.output import Output, make_output
from ipmix.engines.threads import in_parts
from ipmix.errors import InputError
from ipmix.randomness import Keys
from ipmix.recipe import NO_PICTURE, RecipeSequence, RecipeTable, Scene

Recipes = RecipeTable | RecipeSequence
"""What methods draw: a table, or several to be carried out one after the other."""


class Method(Protocol):
    """What every method has: options in its fields, and :meth:`draw`.

    One that draws a single table for a single picture also has ``drawer(seed, scene)``: a table for one picture,
    and a function of (epoch, index, view) that fills it; or None where its options don't allow it.

    A method that another library carries out has ``transform(images, keys) -> uint8[N, H, W, C]`` in place of
    ``draw``: it has no recipes, and :func:`augment`, :class:`Augmenter` and the loader take it all the same.
    """

    @property
    def name(self) -> str:
        """Its name on the command line."""

    @property
    def needs_pictures(self) -> bool:
        """Whether its recipes can ask for a mixing picture."""

    @property
    def mixes_labels(self) -> bool:
        """Whether its recipes can give a share of the label to another picture of the batch."""

    def draw(self, keys: Keys, scene: Scene) -> Recipes:
        """One recipe for each key."""


def draw(
    method: Method,
    shape: Sequence[int],
    mixing_count: int = 0,
    *,
    seed: int,
    epoch: int = 0,
    indices: Any = None,
    view: int = 0,
) -> Recipes:
    """The recipes that :func:`augment` would carry out on pictures of this shape.

    Args:
        method: what draws, such as ``IPMix()``.
        shape: (N, H, W, C) of the pictures.
        mixing_count: how many mixing pictures there are.
        seed, epoch, view: the key's parts, integers.
        indices: int[N], the pictures' own numbers in their data set; 0 .. N-1 if left out.

    Returns:
        A :class:`~ipmix.recipe.RecipeTable`, or a :class:`~ipmix.recipe.RecipeSequence` of them for a method that
        works in stages. Where the method mixes labels, ``.labels(labels, classes)`` gives the pictures' new ones.
    """
    if len(shape) != 4:
        raise InputError(f"shape must be (N, H, W, C), got {tuple(shape)}")
    if hasattr(method, "transform"):
        raise InputError(f"{method.name} draws no recipes, since another library carries it out: use augment()")
    keys = _keys_for(int(shape[0]), seed, epoch, indices, view)
    return method.draw(keys, Scene(int(shape[1]), int(shape[2]), int(shape[3]), int(mixing_count)))


def _keys_for(count: int, seed: int, epoch: int, indices: Any, view: int) -> Keys:
    keys = Keys.of(seed, epoch, range(count) if indices is None else indices, view)
    if len(keys) != count:
        raise InputError(f"indices must have one number for each of the {count} pictures, got {len(keys)}")
    return keys


def apply(
    table: Recipes,
    images: np.ndarray,
    mixing: Any = None,
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
    images = check_images(images)
    form = make_output(output, layout, images.shape[3], mean, std)
    check_count("threads", threads, 1)
    if isinstance(table, RecipeSequence):
        for earlier in table.tables[:-1]:
            images = apply(earlier, images, mixing, engine=engine, threads=threads)
        table = table.tables[-1]
    if len(table) != len(images) or (len(table) and (table.height, table.width) != images.shape[1:3]):
        raise InputError(
            f"the recipes are for {len(table)} pictures of {table.width}x{table.height}, "
            f"got {len(images)} of {images.shape[2]}x{images.shape[1]}"
        )
    if len(table) and table.heads["partner"].max() >= len(images):
        raise InputError(
            f"a recipe's partner is {table.heads['partner'].max()}, and the batch has {len(images)} pictures"
        )
    out = _check_out(out, form, images)
    table, planes = _pictures_for(table, images, mixing)
    if len(images):
        find_engine(engine).apply(table, images, planes, form, threads, out)
    return out


def augment(
    images: np.ndarray,
    method: Method,
    mixing: Any = None,
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
) -> np.ndarray:
    """Augment a batch of pictures. The result depends on (seed, epoch, indices, view), the pictures, the method
    and the mixing set: not on the batch, its order, the threads or the process.

    A method that mixes labels (``method.mixes_labels``) mixes the pictures of this batch with each other, so that
    for it the batch counts; it needs the two steps of :func:`draw` and :func:`apply`, since the labels come from
    the recipes:

    >>> table = draw(CutMix(), images.shape, seed=0)                     # doctest: +SKIP
    >>> images, labels = apply(table, images), table.labels(labels, 10)  # doctest: +SKIP

    Args:
        images: uint8[N, H, W, C].
        method: what to do, such as ``IPMix()``.
        mixing: a :class:`~ipmix.mixing_set.MixingSet`, or pictures as uint8[M, h, w, C], h >= H and w >= W.
        seed, epoch, view: integers; view tells apart several versions of a picture in one step.
        indices: int[N], the pictures' own numbers in their data set; 0 .. N-1 if left out.
        engine: "compiled", or "reference" (slow: the definition).
        output: "uint8", or "float32": in [0, 1], normalised if mean and std are given.
        mean, std: one number, or one a channel, in the unit of [0, 1] pictures.
        layout: "nhwc" or "nchw".
        threads: how many threads of this process share the work.
        out: an array to write to: of the result's shape and dtype, C-contiguous.

    Returns:
        uint8 or float32, [N, H, W, C] or [N, C, H, W].

    Raises:
        InputError: naming what was expected and what was received.
    """
    images = check_images(images)
    if mixing is not None and not hasattr(mixing, "__len__"):
        raise InputError(f"mixing must be a MixingSet or an array uint8[M, h, w, C], got {type(mixing).__name__}")
    check_count("threads", threads, 1)
    if threads > 1 and hasattr(method, "draw") and not method.mixes_labels:
        # Each thread draws for its own part as well: drawing for all beforehand would keep the others waiting.
        form = make_output(output, layout, images.shape[3], mean, std)
        whole = _check_out(out, form, images)
        numbers = _keys_for(len(images), seed, epoch, indices, view).indices

        def part(begin: int, end: int) -> None:
            augment(
                images[begin:end], method, mixing, seed=seed, epoch=epoch, indices=numbers[begin:end], view=view,
                engine=engine, output=output, mean=mean, std=std, layout=layout, out=whole[begin:end],
            )  # fmt: skip

        in_parts(part, len(images), threads, images.shape[1] * images.shape[2])
        return whole
    table: Recipes
    if hasattr(method, "transform"):
        # Recipes that change nothing bring its pictures into the form that is asked for.
        images = method.transform(images, _keys_for(len(images), seed, epoch, indices, view))
        table, mixing = RecipeTable.empty(len(images), 1, 1, *images.shape[1:3], rare=False), None
    else:
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


MAPPED_MOST = 128 * 2**20
"""Bytes of mapped mixing pictures that :class:`Augmenter` reads through their map, all of them resident in time."""


class Augmenter:
    """:func:`augment` made ready for one picture at a time, in the compiled engine.

    Checks are done once and arrays are kept, so that a call costs little more than the work. The result is that of
    ``augment(image[None], method, mixing, seed=seed, epoch=epoch, indices=[index], view=view, ...)[0]``. Not for
    several threads at once: give each its own.

    Args:
        method, mixing, seed, output, mean, std, layout: as in :func:`augment`.
        shape: (H, W, C) of every picture.
    """

    def __init__(
        self,
        method: Method,
        mixing: Any = None,
        *,
        shape: Sequence[int],
        seed: int,
        output: str = "uint8",
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        layout: str = "nhwc",
    ) -> None:
        if len(shape) != 3:
            raise InputError(f"shape must be (H, W, C), got {tuple(shape)}")
        height, width, channels = (int(side) for side in shape)
        self._method, self._mixing = method, mixing
        self._draw: Callable[[int, int, int], None] | None
        self._run: Callable[..., None]
        self._settings: dict[str, Any] = {
            "shape": (height, width, channels),
            "seed": seed,
            "output": output,
            "mean": mean,
            "std": std,
            "layout": layout,
        }
        self._image = (height, width, channels)
        if mixing is not None and not hasattr(mixing, "planes"):
            mixing = check_images(mixing, "mixing")
        scene = Scene(height, width, channels, 0 if mixing is None else len(mixing))
        if mixing is None:
            planes = np.zeros((1, channels, height, width), np.uint8)
        elif hasattr(mixing, "planes"):
            planes = mixing.planes(height, width, channels)
        else:
            planes = _as_planes(mixing, height, width, channels)
        form = make_output(output, layout, channels, mean, std)
        self._out = form.shape(1, height, width)[1:], np.dtype(form.kind)
        if method.mixes_labels:
            raise InputError(f"{method.name} mixes the pictures of a batch: use draw() and apply() on batches")
        make_drawer = getattr(method, "drawer", lambda seed, scene: None)
        prepared = make_drawer(seed, scene)
        # Several tables for one picture, or none: the general way, at its cost for each call. Likewise a large set
        # that is mapped: the general way reads single pictures of it, a map would make all of it resident in time.
        if prepared is None or (isinstance(planes, np.memmap) and planes.nbytes > MAPPED_MOST):
            self._draw, self._run = None, self._in_stages
            return
        table, self._draw = prepared
        self._run = find_engine("compiled").applier(table, np.asarray(planes), form)

    def __call__(
        self, image: np.ndarray, *, epoch: int = 0, index: int = 0, view: int = 0, out: np.ndarray | None = None
    ) -> np.ndarray:
        """The augmented picture, of the output's shape and dtype; written to ``out`` if one is given."""
        if type(image) is not np.ndarray or image.shape != self._image or image.dtype != np.uint8:
            got = f"{image.dtype}{list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
            raise InputError(f"this augmenter takes uint8{list(self._image)}, got {got}")
        shape, dtype = self._out
        if out is None:
            out = np.empty(shape, dtype)
        else:
            _check_target(out, shape, dtype, image)
        if self._draw is None:
            self._run(image, out, epoch, index, view)
            return out
        self._draw(epoch, index, view)
        self._run(image if image.flags.c_contiguous else np.ascontiguousarray(image), out)
        return out

    def _in_stages(self, image: np.ndarray, out: np.ndarray, epoch: int, index: int, view: int) -> None:
        form = {name: self._settings[name] for name in ("seed", "output", "mean", "std", "layout")}
        augment(image[None], self._method, self._mixing, epoch=epoch, indices=[index], view=view, out=out[None], **form)

    def __reduce__(self) -> Any:  # machine code can't be sent to another process: make it ready again there
        return _make_augmenter, (self._method, self._mixing, self._settings)


def _make_augmenter(method: Method, mixing: Any, settings: dict[str, Any]) -> Augmenter:
    return Augmenter(method, mixing, **settings)


def check_images(images: Any, name: str = "images") -> np.ndarray:
    """``images`` as C-contiguous uint8[N, H, W, C]; :class:`InputError` for anything else, by this name."""
    if not isinstance(images, np.ndarray):
        raise InputError(f"{name} must be a NumPy array uint8[N, H, W, C], got {type(images).__name__}")
    if images.dtype != np.uint8:
        hint = ""
        if np.issubdtype(images.dtype, np.floating):
            bad = "with NaN or infinite values " if not np.isfinite(images).all() else ""
            hint = f": got numbers {bad}- for pictures in [0, 1], (255 * {name}).round().astype(numpy.uint8)"
        elif images.dtype == np.uint16:
            hint = f": for 16-bit pictures, ({name} >> 8).astype(numpy.uint8)"
        raise InputError(f"{name} must be uint8, got {images.dtype}{hint}")
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise InputError(f"{name} must have the shape [N, H, W, C], none of H, W, C zero, got {list(images.shape)}")
    return np.ascontiguousarray(images)


def _check_out(out: np.ndarray | None, form: Output, images: np.ndarray) -> np.ndarray:
    expected = form.shape(*images.shape[:3])
    if out is None:
        return np.empty(expected, form.kind)
    _check_target(out, expected, np.dtype(form.kind), images)
    return out


def _check_target(out: Any, shape: tuple[int, ...], dtype: np.dtype, images: np.ndarray) -> None:
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != dtype:
        got = f"{out.dtype}{list(out.shape)}" if isinstance(out, np.ndarray) else type(out).__name__
        raise InputError(f"out must be {dtype}{list(shape)}, got {got}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise InputError("out must be C-contiguous and writeable")
    if np.may_share_memory(out, images):
        raise InputError("out must not share memory with images: engines read a picture while they write")


def _pictures_for(table: RecipeTable, images: np.ndarray, mixing: Any) -> tuple[RecipeTable, np.ndarray]:
    """The mixing pictures as planes uint8[M, C, h, w], and the table with its picture numbers fitting them."""
    height, width, channels = images.shape[1:]
    used = table.heads["picture"]
    if mixing is None:
        if len(used) and used.max(initial=NO_PICTURE) > NO_PICTURE:
            raise InputError("the recipes use mixing pictures, and mixing is None: pass the set they were drawn for")
        return table, np.zeros((1, channels, height, width), np.uint8)
    if len(used) and used.max(initial=NO_PICTURE) >= len(mixing):
        raise InputError(f"a recipe uses mixing picture {used.max()}, and the set has {len(mixing)}")
    if hasattr(mixing, "planes"):
        planes = mixing.planes(height, width, channels)
        if not isinstance(planes, np.memmap):
            return table, planes
        # A set larger than memory: only this batch's pictures are read.
        table, chosen = _renumbered(table)
        return table, mixing.gather(chosen, height, width, channels)
    return _gather(table, check_images(mixing, "mixing"), height, width, channels)


def _gather(
    table: RecipeTable, pictures: np.ndarray, height: int, width: int, channels: int
) -> tuple[RecipeTable, np.ndarray]:
    _check_pictures(pictures, height, width, channels)
    # Only the pictures that this batch uses are rearranged.
    table, chosen = _renumbered(table)
    return table, np.ascontiguousarray(pictures[chosen].transpose(0, 3, 1, 2))


def _renumbered(table: RecipeTable) -> tuple[RecipeTable, np.ndarray]:
    """The table with its picture numbers pointing into the pictures it uses, and those: int64[n], n >= 1."""
    used = table.heads["picture"]
    chosen, places = np.unique(used[used != NO_PICTURE], return_inverse=True)
    heads = table.heads.copy()
    heads["picture"][used != NO_PICTURE] = places
    if not len(chosen):
        chosen = np.zeros(1, np.int64)
    return RecipeTable(table.height, table.width, heads, table.chains, table.steps, table.rare), chosen


def _as_planes(pictures: np.ndarray, height: int, width: int, channels: int) -> np.ndarray:
    _check_pictures(pictures, height, width, channels)
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))


def _check_pictures(pictures: np.ndarray, height: int, width: int, channels: int) -> None:
    if pictures.shape[3] != channels:
        raise InputError(f"the images have {channels} channels, the mixing pictures {pictures.shape[3]}: convert one")
    if pictures.shape[1] < height or pictures.shape[2] < width:
        raise InputError(
            f"mixing pictures must be at least as large as the images ({width}x{height}), got "
            f"{pictures.shape[2]}x{pictures.shape[1]}; MixingSet.array(pictures) resizes them"
        )
