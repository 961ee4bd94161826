"""``perturb``: the sequences of -P, in which an image changes a little from frame to frame."""

from collections.abc import Sequence

import numpy as np

from ipmix.core.checking import check_choice, check_count, check_int64, check_threads
from ipmix.core.threads import in_ranges
from ipmix.corruptions.inputs import checked_batch, writeable
from ipmix.corruptions.own import check_perturbation
from ipmix.corruptions.perturbations.sequences import SEQUENCES, SequenceTask, frame_count

CHUNK = 16
"""The most images that a thread takes at a time: each becomes some thirty."""


def perturb(
    images: np.ndarray,
    name: str,
    *,
    seed: int,
    difficulty: int = 1,
    indices: Sequence[int] | np.ndarray | None = None,
    threads: int = 1,
    crop: int | None = None,
    form: str = "original",
) -> np.ndarray:
    """Make a perturbation sequence of T frames from each image.

    Args:
        images: uint8[N, H, W, C]. Left as they are.
        name: one of :data:`PERTURBATIONS_CIFAR`, :data:`PERTURBATIONS_IMAGENET`,
            :data:`PERTURBATIONS_VALIDATION`.
        seed: any integer of 64 bits.
        difficulty: 1 to 3. For the noises a higher one means more noise (frame 0 is the clean image); for the
            others it is the stride: every ``difficulty``-th frame is kept, from the first. Published numbers use 1.
            The public evaluation takes such a stride from each of the first frames in turn and averages: make the
            sequences with 1, and give ``difficulty`` to :func:`ipmix.measures.consistency.flip_rate`.
        indices: int64[N], the name of each image's randomness; 0 .. N-1 where not given.
        threads: how many threads share the batch.
        crop: cut the middle ``crop`` pixels out at the end. ImageNet-P moves, turns and scales images whose
            shorter side is 256 and then crops 224, so that less black comes in: give such images and
            ``crop=224``.
        form: "original" turns and scales about a point half a pixel off the centre, as torchvision did when
            -P was made; "corrected" about the centre. "original" also has spatter's black frames, where no water is
            left, and the levels that Gaussian blur cuts off.

    Returns:
        uint8[N, T, H, W, C] (H = W = crop where that is given). T is 31 at most sizes and names; motion blur has 21
        frames and translate 16 at CIFAR sizes, translate 41 at ImageNet's.

    Raises:
        InputError: an unknown name, a difficulty outside 1 .. 3, images of another type or shape.

    Source: Hendrycks and Dietterich (ICLR 2019), section 3.2, and the public code for CIFAR-10-P and
    ImageNet-P. ImageNet-P is stored as H.264 video; these frames are not compressed.
    """
    images, indices = checked_batch(images, indices)
    check_perturbation(name)
    check_count("difficulty", difficulty, 1, 3)
    check_int64("seed", seed)
    check_threads(threads)
    difficulty, seed = int(difficulty), int(seed)
    check_choice("form", form, ("original", "corrected"))
    height, width = images.shape[1:3]
    if crop is not None:
        check_count("crop", crop, 1, min(height, width))
        height = width = crop = int(crop)
    stride = 1 if name.endswith("noise") else difficulty
    frames = frame_count(name, height, width)
    out = np.empty((len(images), -(-frames // stride), height, width, images.shape[3]), np.uint8)

    def run(begin: int, end: int) -> None:
        part = slice(begin, end)
        scene = SequenceTask(
            writeable(images[part]), indices[part], seed, name, difficulty, crop, corrected=form == "corrected"
        )
        for number, frame in enumerate(SEQUENCES[name](scene)):
            if number % stride == 0:
                out[part, number // stride] = frame

    in_ranges(run, len(images), int(threads), images.shape[1] * images.shape[2], CHUNK)
    return out
