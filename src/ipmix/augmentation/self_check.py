"""Whether augmentation does here what it promises, in a second: for ``ipmix doctor``."""

import numpy as np

from ipmix.augmentation.batches import augment
from ipmix.engines import ENGINES
from ipmix.engines.compiled import beginning
from ipmix.methods.ipmix import IPMix


def engines_agree() -> str:
    """What is wrong where the engines give different bytes; empty if they don't."""
    beginning.wait_from_now_on()
    # Without what may be a level beside in Pillow's way, which a later step of a chain could magnify.
    exact = ("equalize", "posterize", "solarize", "translate_x", "translate_y", "mirror", "invert", "sharpness")
    plain = IPMix(operations=exact, mixers=("add", "random_pixels", "random_elements"))
    for method, engines in ((plain, tuple(ENGINES)), (IPMix(operations="all"), ("compiled", "numpy"))):
        images, mixing = samples()
        results = [augment(images, method, mixing, seed=1, engine=engine).astype(int) for engine in engines]
        apart = max(np.abs(result - results[0]).max() for result in results)
        if apart:
            return f"{', '.join(engines)} differ by {apart} levels"
    return ""


def batch_is_no_matter() -> str:
    """What is wrong where an image alone is another than in its batch; empty if it isn't."""
    images, mixing = samples()
    whole = augment(images, IPMix(), mixing, seed=1)
    alone = augment(images[5:6], IPMix(), mixing, seed=1, indices=[5])
    return "" if np.array_equal(whole[5:6], alone) else "it differs"


def samples() -> tuple[np.ndarray, np.ndarray]:
    """Images and mixing images of noise: uint8[16, 32, 32, 3], uint8[4, 36, 36, 3]."""
    random = np.random.Generator(np.random.Philox(key=0))
    images = random.integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)
    return images, random.integers(0, 256, (4, 36, 36, 3), dtype=np.uint8)
