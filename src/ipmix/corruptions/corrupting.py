"""``corrupt``: one corruption at one severity over a batch of images."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ipmix.core.checking import check_choice, check_count, check_int64, check_out, check_threads
from ipmix.core.threads import in_ranges
from ipmix.corruptions.inputs import checked_batch, writeable
from ipmix.corruptions.own import known_corruption, own_corruption, own_seeds, run_own
from ipmix.corruptions.registry import RUN
from ipmix.corruptions.severities import ALL_CORRUPTIONS
from ipmix.corruptions.task import Task

Form = Literal["original", "corrected"]

CHUNK = 64
"""The most images that a thread takes at a time: what its working arrays hold."""


def corrupt(
    images: np.ndarray,
    name: str,
    severity: int,
    *,
    seed: int,
    indices: Sequence[int] | np.ndarray | None = None,
    form: Form = "original",
    threads: int = 1,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Corrupt a batch of images.

    Args:
        images: uint8[N, H, W, C], any H and W, C of 1, 3 or more. Left as it is.
        name: one of :data:`CORRUPTIONS` (the 15 of -C), :data:`VALIDATION` (its 4 more),
            :data:`C_BAR_CIFAR` and :data:`C_BAR_IMAGENET`. The constants are the public ones at 32 and 224
            pixels; for other sizes see :mod:`ipmix.corruptions.severities`. Or ``module:Name`` of one's own (see
            docs/extending.md).
        severity: 1 to 5.
        seed: any integer of 64 bits.
        indices: int64[N], the name of each image's randomness; 0 .. N-1 where not given. An image's result
            depends on (seed, name, severity, index) alone: not on the batch, the order, or the number of
            threads.
        form: "original" keeps the mistakes of the public generators, which the published numbers contain;
            "corrected" is without them (``glass_blur`` swaps pixels, ``frost`` uses all six images,
            ``elastic_transform`` takes its lengths from the image's side and not from 244, ``spatter`` without a
            drop leaves the image and makes none black, and others in docs/corruptions.md).
        threads: how many threads share the batch.
        out: uint8[N, H, W, C] to write to, C-contiguous, sharing no memory with ``images``.

    Returns:
        uint8[N, H, W, C]: ``out``, or a new array.

    Raises:
        InputError: an unknown name, a severity outside 1 .. 5, images of another type or shape.

    Sources: Hendrycks and Dietterich (ICLR 2019); Mintun, Kirillov and Xie (NeurIPS 2021).
    """
    images, indices = checked_batch(images, indices)
    name = known_corruption(name)
    check_count("severity", severity, 1, 5)
    check_int64("seed", seed)
    check_threads(threads)
    check_choice("form", form, ("original", "corrected"))
    if out is None:
        out = np.empty_like(images)
    check_out(out, images.shape, np.uint8, images)
    target = np.asarray(out)  # the plain array, were it a memory-mapped one
    if name not in ALL_CORRUPTIONS:
        function, seeds = own_corruption(name), own_seeds(name, int(severity), int(seed), indices)

        def run_function(begin: int, end: int) -> None:
            part = slice(begin, end)
            target[part] = run_own(function, name, images[part], int(severity), seeds[part])

        in_ranges(run_function, len(images), int(threads), images.shape[1] * images.shape[2], CHUNK)
        return out
    salt = ALL_CORRUPTIONS.index(name) * 16 + int(severity)

    def run(begin: int, end: int) -> None:
        part = slice(begin, end)
        RUN[name](
            Task(
                writeable(images[part]), target[part], indices[part], int(seed), salt, name, int(severity),
                form == "corrected",
            )
        )  # fmt: skip

    in_ranges(run, len(images), int(threads), images.shape[1] * images.shape[2], CHUNK)
    return out
