"""The kinds of images by name, and how a set is composed of them.

Image ``index`` of a kind is a pure function of (seed, kind, index, size): it is the same in every set,
whatever the set's count and composition, on any number of threads. What paints is loaded when the first image of its
kind is: whoever only mixes images that are there starts a tenth sooner.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

PAINTINGS_VERSION = 2
"""Raised whenever a change to this package changes an image; a manifest names the version that made it."""

SIZE_LEAST = 8
SIZE_MOST = 4096


@dataclass(frozen=True)
class Painting:
    """A painted image: ``pixels`` uint8[size, size, 3] and what it shows."""

    pixels: np.ndarray
    attempts: int
    parameters: dict[str, object]


@dataclass(frozen=True)
class Kind:
    """A way to paint. ``paint(seed, salt, index, size)`` needs no state; ``salt`` separates the kinds."""

    name: str
    salt: int
    about: str
    paint: Callable[[int, int, int, int], Painting] = field(repr=False)


_kept_workspaces = threading.local()


def _workspace(make: Callable[[int], tuple[np.ndarray, ...]], size: int) -> tuple[np.ndarray, ...]:
    # This thread's arrays to paint in, kept from image to image; of one size only.
    if getattr(_kept_workspaces, "size", None) != size:
        _kept_workspaces.size, _kept_workspaces.kept = size, {}
    kept: dict[object, tuple[np.ndarray, ...]] = _kept_workspaces.kept
    if make not in kept:
        kept[make] = make(size)
    return kept[make]


def _paint_ifs(plain: bool) -> Callable[[int, int, int, int], Painting]:
    def paint(seed: int, salt: int, index: int, size: int) -> Painting:
        from ipmix.fractals import ifs

        pixels = np.empty((size, size, 3), np.uint8)
        parameters = np.zeros(ifs.PARAMETERS)
        attempts = ifs.paint(seed, salt, index, plain, pixels, parameters, _workspace(ifs.make_workspace, size))
        return Painting(pixels, int(attempts), ifs.describe(parameters))

    return paint


def _paint_escape_time(julia: bool) -> Callable[[int, int, int, int], Painting]:
    def paint(seed: int, salt: int, index: int, size: int) -> Painting:
        from ipmix.fractals import escape_time

        pixels = np.empty((size, size, 3), np.uint8)
        parameters = np.zeros(escape_time.PARAMETERS)
        space = _workspace(escape_time.make_workspace, size)
        attempts = escape_time.paint(seed, salt, index, julia, pixels, parameters, space)
        return Painting(pixels, int(attempts), escape_time.describe(parameters))

    return paint


def _paint_flame(seed: int, salt: int, index: int, size: int) -> Painting:
    from ipmix.fractals import flame

    pixels = np.empty((size, size, 3), np.uint8)
    parameters = np.zeros(flame.PARAMETERS)
    attempts = flame.paint(seed, salt, index, pixels, parameters, _workspace(flame.make_workspace, size))
    return Painting(pixels, int(attempts), flame.describe(parameters))


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


def paint(kind: str, seed: int, index: int, size: int) -> Painting:
    """Paint image ``index`` of ``kind`` for ``seed`` at ``size`` x ``size`` pixels."""
    return KINDS[kind].paint(seed, KINDS[kind].salt, index, size)
