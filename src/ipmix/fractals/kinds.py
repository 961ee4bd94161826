"""The kinds of pictures by name, and how a set is composed of them.

Picture ``index`` of a kind is a pure function of (seed, kind, index, size): it is the same in every set,
whatever the set's count and composition, on any number of threads.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ipmix.errors import InputError
from ipmix.fractals import escape_time, flame, ifs

PICTURES_VERSION = 2
"""Raised whenever a change to this room changes a picture; a manifest names the version that made it."""

SIZE_LEAST = 8
SIZE_MOST = 4096


@dataclass(frozen=True)
class Picture:
    """A painted picture: ``pixels`` uint8[size, size, 3] and what it shows."""

    pixels: np.ndarray
    attempts: int
    parameters: dict[str, object]


@dataclass(frozen=True)
class Kind:
    """A way to paint. ``paint(seed, salt, index, size)`` needs no state; ``salt`` separates the kinds."""

    name: str
    salt: int
    about: str
    paint: Callable[[int, int, int, int], Picture] = field(repr=False)


_desks = threading.local()


def _desk(make: Callable[[int], tuple[np.ndarray, ...]], size: int) -> tuple[np.ndarray, ...]:
    # This thread's arrays to paint in, kept from picture to picture; of one size only.
    if getattr(_desks, "size", None) != size:
        _desks.size, _desks.kept = size, {}
    kept: dict[object, tuple[np.ndarray, ...]] = _desks.kept
    if make not in kept:
        kept[make] = make(size)
    return kept[make]


def _paint_ifs(plain: bool) -> Callable[[int, int, int, int], Picture]:
    def paint(seed: int, salt: int, index: int, size: int) -> Picture:
        pixels = np.empty((size, size, 3), np.uint8)
        parameters = np.zeros(ifs.PARAMETERS)
        attempts = ifs.paint(seed, salt, index, plain, pixels, parameters, _desk(ifs.desk, size))
        return Picture(pixels, int(attempts), ifs.describe(parameters))

    return paint


def _paint_escape_time(julia: bool) -> Callable[[int, int, int, int], Picture]:
    def paint(seed: int, salt: int, index: int, size: int) -> Picture:
        pixels = np.empty((size, size, 3), np.uint8)
        parameters = np.zeros(escape_time.PARAMETERS)
        desk = _desk(escape_time.desk, size)
        attempts = escape_time.paint(seed, salt, index, julia, pixels, parameters, desk)
        return Picture(pixels, int(attempts), escape_time.describe(parameters))

    return paint


def _paint_flame(seed: int, salt: int, index: int, size: int) -> Picture:
    pixels = np.empty((size, size, 3), np.uint8)
    parameters = np.zeros(flame.PARAMETERS)
    attempts = flame.paint(seed, salt, index, pixels, parameters, _desk(flame.desk, size))
    return Picture(pixels, int(attempts), flame.describe(parameters))


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("ifs", 1001, "affine systems by singular values, before clouds", _paint_ifs(False)),
        Kind("fractaldb", 1002, "affine systems by FractalDB's sampling, before clouds", _paint_ifs(True)),
        Kind("julia", 1003, "Julia sets with orbit traps", _paint_escape_time(True)),
        Kind("mandelbrot", 1004, "Mandelbrot windows with orbit traps", _paint_escape_time(False)),
        Kind("flame", 1005, "fractal flames before clouds", _paint_flame),
    )
}

EXTERNAL = ("feature", "image")
"""Kinds that need more than a seed: a network to visualise, a folder of pictures."""

ALIASES = {"escape": ("mandelbrot", "julia")}
"""Names that stand for several kinds in equal parts."""

DEFAULT_MIX: Mapping[str, int] = {"ifs": 3000, "fractaldb": 1000, "escape": 5000, "flame": 4000}


Painter = Callable[[int, list[int], int], list[Picture]]
"""Paints pictures of an external kind: (seed, indices, size) to one picture per index."""


def paint(kind: str, seed: int, index: int, size: int) -> Picture:
    """Paint picture ``index`` of ``kind`` for ``seed`` at ``size`` x ``size`` pixels."""
    return KINDS[kind].paint(seed, KINDS[kind].salt, index, size)


def compose(count: int, mix: Mapping[str, int] | None = None) -> dict[str, int]:
    """Split ``count`` pictures over the kinds in the proportions of ``mix``; the parts sum to ``count``.

    ``mix`` maps kinds (or aliases) to counts or weights; shares are rounded by largest remainder, so a mix
    that sums to ``count`` is kept exactly.
    """
    if count < 1:
        raise InputError(f"a mixing set needs at least 1 picture, got count={count}")
    weights: dict[str, float] = {}
    for name, weight in (DEFAULT_MIX if mix is None else mix).items():
        if name not in KINDS and name not in ALIASES and name not in EXTERNAL:
            known = ", ".join([*KINDS, *ALIASES, *EXTERNAL])
            raise InputError(f"unknown kind of picture {name!r} in the mix; expected some of: {known}")
        if isinstance(weight, bool) or not isinstance(weight, int | np.integer) or weight < 0:
            raise InputError(f"the mix's count of {name!r} must be a whole number >= 0, got {weight!r}")
        parts = ALIASES.get(name, (name,))
        for part in parts:
            weights[part] = weights.get(part, 0.0) + weight / len(parts)
    total = sum(weights.values())
    if total <= 0:
        raise InputError(f"the mix {dict(mix or {})} holds no pictures; give at least one kind a count above 0")
    exact = {name: count * weight / total for name, weight in weights.items() if weight > 0}
    counts = {name: int(share) for name, share in exact.items()}
    rest = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in rest[: count - sum(counts.values())]:
        counts[name] += 1
    # The kinds that are made in batches come first, so that a batch is never cut by a part of the set.
    ordered = sorted(counts, key=lambda name: name not in EXTERNAL)
    return {name: counts[name] for name in ordered if counts[name] > 0}
