"""One thread's working space, reused for every image of a call: arrays that compiled code can't make for itself."""

from typing import NamedTuple

import numpy as np

from ipmix.engines.compiled.interpolation import LANES, SLACK
from ipmix.engines.compiled.prime import scratch_sizes

CLEAN, OTHER, SPARE, FIRST = 0, 1, 2, 3
"""Buffers: the clean image, what a box is mixed with, one to ping-pong with, and one for each chain."""

BLOCK = 1024
"""Pixels whose numbers are interleaved at a time: they stay in the fastest cache in between."""

BLENDED_AT_ONCE = 4
"""Images that are read in one pass; :class:`Terms` have at least as many places."""


class Terms(NamedTuple):
    """The terms of an image's weighted sum, the clean image being the first."""

    buffers: np.ndarray
    """int64[K + 1]: which buffer holds the term's image."""
    shares: np.ndarray
    """uint32[K + 1]: its share, in 32768ths."""
    spans: np.ndarray
    """int64[K + 1, 2]: from and to which row it differs from the clean image."""


class BlendingScratch(NamedTuple):
    """Arrays for :func:`~ipmix.engines.compiled.blending.blend`."""

    buffers: np.ndarray
    """int64[K + 1]: the buffers whose images a run of rows consists of."""
    shares: np.ndarray
    """uint32[K + 1]: their shares there."""
    sums: np.ndarray
    """uint32[C, P]: weighted sums of more images than are read at once."""
    block: np.ndarray
    """float32[C, BLOCK]: a piece of the result in planes."""
    page: np.ndarray
    """float32[C * BLOCK]: a piece of the result that is about to be streamed."""


class LookupScratch(NamedTuple):
    """Tables of 256 bytes, and the histograms that some are made from."""

    tables: np.ndarray
    """uint8[2, C, 256]: a chain's pending table, and one in the making."""
    counts: np.ndarray
    """int32[3, C, 256]: histograms of the clean image, of a chain's, and scratch."""
    counted: np.ndarray
    """bool[1]: whether the clean image's histograms are there."""
    tally: np.ndarray
    """int32[1024]: for counting bytes."""
    cumulated: np.ndarray
    """int32[256]: a histogram's sums from its beginning."""


class MovingScratch(NamedTuple):
    """Arrays for :func:`~ipmix.engines.compiled.geometry.move`."""

    padded: np.ndarray
    """uint8[C, *]: an image with a border, for rotations, or with columns shifted; PRIME's filter uses it too."""
    fractions: np.ndarray
    """uint16[2, *]: a row's fractions of positions between pixels."""
    runs: np.ndarray
    """int32[2, W + 1]: where a row is cut."""
    taps: np.ndarray
    """uint8[4, *]: the four pixels that each of a row lies between."""


class MixingScratch(NamedTuple):
    """Arrays for :func:`~ipmix.engines.compiled.mixers.mix_box`."""

    masks: np.ndarray
    """uint8[*]: rows of masks, at least one of whole lanes."""
    powers: np.ndarray
    """float32[2, 256]: the factors of multiply."""
    exponents: np.ndarray
    """int64[256]: their whole powers of two."""
    series: np.ndarray
    """float64[256]: their fractional powers of two."""


class PrimeScratch(NamedTuple):
    """Arrays for PRIME's operations (``prime.py``)."""

    floats: np.ndarray
    """float32[:func:`~ipmix.engines.compiled.prime.scratch_sizes`]."""
    series: np.ndarray
    """float64[5, *]: waves at their points, from which the next ones follow."""
    words: np.ndarray
    """uint32[5, *]: random bits, or places in an image and the pixels there, of one row."""
    pixels: np.ndarray
    """uint32[P]: up to four channels of an image."""
    state: np.ndarray
    """uint64[1]: a stream of random numbers."""


class Workspace(NamedTuple):
    """All arrays for images of one size and recipes of up to K chains; what an image leaves in them doesn't matter."""

    height: int
    width: int
    buffers: np.ndarray
    """uint8[FIRST + K, C, P]: images as planes of height * width bytes, and padding."""
    terms: Terms
    blending: BlendingScratch
    lookup: LookupScratch
    moving: MovingScratch
    mixing: MixingScratch
    prime: PrimeScratch


def _aligned(count: int) -> np.ndarray:
    """float32[count] that begins where a line of the cache does: reading lanes across two lines takes twice as long."""
    whole = np.empty(count + 16, np.float32)
    ahead = -whole.ctypes.data % 64 // 4
    return whole[ahead : ahead + count]


def make_workspace(height: int, width: int, channels: int, chains: int) -> Workspace:
    """A workspace for images of this size, and recipes of up to ``chains`` chains."""
    size = (height * width + SLACK + 63) // 64 * 64
    terms = max(chains + 1, BLENDED_AT_ONCE)
    floats, longest = scratch_sizes(height, width, channels)
    return Workspace(
        height=height,
        width=width,
        buffers=np.empty((FIRST + chains, channels, size), np.uint8),
        terms=Terms(
            buffers=np.zeros(terms, np.int64),
            shares=np.zeros(terms, np.uint32),
            spans=np.zeros((terms, 2), np.int64),
        ),
        blending=BlendingScratch(
            buffers=np.zeros(terms, np.int64),
            shares=np.zeros(terms, np.uint32),
            sums=np.empty((channels, size), np.uint32),
            block=np.empty((channels, BLOCK), np.float32),
            page=np.empty(channels * BLOCK, np.float32),
        ),
        lookup=LookupScratch(
            tables=np.empty((2, channels, 256), np.uint8),
            counts=np.empty((3, channels, 256), np.int32),
            counted=np.empty(1, np.bool_),
            tally=np.empty(1024, np.int32),
            cumulated=np.empty(256, np.int32),
        ),
        moving=MovingScratch(
            padded=np.empty((channels, (height + 2) * (width + LANES) + SLACK), np.uint8),
            fractions=np.empty((2, width + SLACK), np.uint16),
            runs=np.empty((2, width + 1), np.int32),
            taps=np.empty((4, width + SLACK), np.uint8),
        ),
        mixing=MixingScratch(
            masks=np.empty(max(2 * width + SLACK, 2048), np.uint8),
            powers=np.empty((2, 256), np.float32),
            exponents=np.empty(256, np.int64),
            series=np.empty(256, np.float64),
        ),
        prime=PrimeScratch(
            floats=_aligned(floats),
            series=np.empty((5, longest), np.float64),
            words=np.empty((5, longest), np.uint32),
            pixels=np.empty(height * width, np.uint32),
            state=np.empty(1, np.uint64),
        ),
    )
