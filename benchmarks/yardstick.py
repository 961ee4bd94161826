"""The yardstick: a throw-away fused kernel of the authors' form, kept outside of the repository.

IPMIX_YARDSTICK names its file. It offers ``alloc``, ``sample_batch``, ``apply_f32`` and ``apply_u8``; it clips,
knows the ten core operations and square images only, and writes planes. Its mixing images have the
images' size already, so that it has no crop to make.
"""

import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

VARIABLE = "IPMIX_YARDSTICK"
PARTS = ("alloc", "sample_batch", "apply_f32", "apply_u8")
K = T = 3


@dataclass(frozen=True)
class Form:
    """Severity, strength, patch sizes and mixing with the original: the authors' settings for one image size."""

    severity: float
    beta: float
    sizes: tuple[int, ...]
    original: bool


CIFAR = Form(3.0, 3.0, (4, 8, 16, 32), False)
IMAGENET = Form(1.0, 4.0, (4, 8, 16, 32, 64, 224), True)


def file() -> Path | None:
    """The file that the environment names, if any; a SystemExit where it does not exist."""
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    path = Path(named)
    if not path.is_file():
        raise SystemExit(f"{VARIABLE} is {path}, which is no file; name the yardstick's file or unset it")
    return path


def find() -> ModuleType | str:
    """The yardstick's module, or the reason why there is none."""
    path = file()
    if path is None:
        return f"{VARIABLE} does not name its file"
    if path.stem in sys.modules:
        return sys.modules[path.stem]
    # Numba's cache finds a module by the name that it was compiled under, which is the file's own.
    specification = importlib.util.spec_from_file_location(path.stem, path)
    if specification is None or specification.loader is None:
        return f"{path.name} is not Python"
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    specification.loader.exec_module(module)
    missing = [name for name in PARTS if not hasattr(module, name)]
    return f"{path.name} lacks {', '.join(missing)}" if missing else module


def runner(
    module: ModuleType, form: Form, images: np.ndarray, mixing: np.ndarray, output: str, *, single: bool = False
) -> Callable[[int], object]:
    """A call that draws and applies to all images; ``single``: one image per call of the yardstick.

    images uint8[N, S, S, 3]; mixing uint8[M, m, m, 3], m >= S, whose upper left corner is used.
    """
    count, side = len(images), images.shape[1]
    planes = np.ascontiguousarray(mixing[:, :side, :side].transpose(0, 3, 1, 2))
    chosen = np.random.default_rng(0).integers(0, len(planes), count).astype(np.int64)
    sizes = np.array(form.sizes, np.int64)
    scale, bias = np.full(3, 2 / 255, np.float32), np.full(3, -1, np.float32)
    step = 1 if single else count
    recipe = module.alloc(step, K, T)
    out = np.empty((step, 3, side, side), np.float32 if output == "float32" else np.uint8)

    def run(call: int) -> None:
        for first in range(0, count, step):
            some, places = images[first : first + step], chosen[first : first + step]
            module.sample_batch(
                call, first, step, K, T, form.severity, form.beta, side, sizes, form.original, *recipe
            )  # fmt: skip
            if output == "float32":
                module.apply_f32(some, planes, places, K, *recipe, scale, bias, out)
            else:
                module.apply_u8(some, planes, places, K, *recipe, out)

    return run
