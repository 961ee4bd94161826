"""IPMix: image-level, patch-level and pixel-level operations in one framework, labels untouched.

Source: Huang, Bao, Zhang, Lin, "IPMix: Label-Preserving Data Augmentation Method for Training Robust
Classifiers", NeurIPS 2023 (arXiv 2310.04780), appendix D, Algorithm 1; and the authors' public code
(github.com/hzlsaber/IPMix). Where the two differ, both forms are presets; ``docs/fidelity.md`` has the list.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ipmix.core.bounds import SIDE_MOST, STEPS_MOST
from ipmix.core.checking import check_choice, check_count, check_positive, check_severity, check_subset
from ipmix.core.compiling import compiled_disjoint, embedded
from ipmix.core.errors import InputError
from ipmix.core.image_sizes import SMALL_SIDE
from ipmix.core.randomness import Keys, below, beta, bits, dirichlet, start, uniform
from ipmix.methods.drawing import (
    DrawPlan,
    check_images,
    draw_coefficients,
    draw_level,
    draw_mixing_image,
    draw_table,
    find_preset,
    make_drawer,
    stage_seed,
)
from ipmix.methods.drawn import Configurable
from ipmix.recipe.format import ADD, MIXERS, MIXING_IMAGE, MULTIPLY, NO_OPERATION, OPERATION, ORIGINAL, OVERFLOWS, WHOLE
from ipmix.recipe.operations import CODES, operation_names
from ipmix.recipe.recipe import ImageSpec
from ipmix.recipe.table import RecipeSequence, RecipeTable

MIXES = ("add", "multiply", "random_pixels", "random_elements")
LEVELS = ("image", "patch", "pixel")
SHAPES = ("both", "square", "scar")
PARTNERS = ("both", "mixing_image", "original")
FRAMEWORKS = ("chains", "one_chain", "fed_back")
BOTH = 0  # the code of "both" in SHAPES and PARTNERS
SQUARE = SHAPES.index("square")


@dataclass(frozen=True)
class IPMix(Configurable):
    """How IPMix draws its recipes. ``None`` means: chosen by the image's size (CIFAR form up to 64 pixels).

    >>> IPMix(k=4, t=2)
    >>> IPMix.preset("code-cifar")
    """

    k: int = 3
    """Width: how many chains are mixed (Algorithm 1; Table 1 varies 2, 3, 4)."""
    t: int = 3
    """Depth: the most steps in a chain (Table 1 varies 2, 3)."""
    min_ops: int = 1
    """The fewest steps in a chain: 1 in Algorithm 1, 0 in the authors' code (a quarter of chains unchanged)."""
    alpha: float = 1.0
    """Parameter of Dirichlet(alpha, ..., alpha) and Beta(alpha, alpha); the authors' code fixes 1."""
    patch_sizes: tuple[int, ...] | None = None
    """Sides of the square patches, pixels. One as large as the image or larger is pixel-level: the image.
    None: 4, 8, 16 and the image; above 64 pixels also 32 and 64."""
    patch_shape: str = "both"
    """"square"; "scar", a rectangle with sides drawn from 2..size; or "both", each half of the time (Table 3)."""
    mixers: tuple[str, ...] = MIXES
    """Out of add, multiply, random_pixels, random_elements (Table 2)."""
    mix_with: str = "both"
    """A patch is mixed with the "mixing_image", with the "original" after an operation, or "both", each half
    of the time (Algorithm 1, lines 11 to 16; the authors' CIFAR code knows only the image)."""
    levels: tuple[str, ...] = LEVELS
    """Out of image, patch, pixel (Table 10 leaves out one at a time)."""
    operations: str | tuple[str, ...] = "core"
    """"core" (10), "all" (15, some resemble the -C test corruptions), "photometric" (moves no pixel), or names."""
    severity: float | None = None
    """Upper bound of an operation's strength, of 10. None: 3 on small images, 1 above (authors' code)."""
    beta: float | None = None
    """Parameter of the coefficients of add and multiply. None: 3 on small images, 4 above (authors' code)."""
    overflow: str = "clip"
    """What happens to mixed values outside 0..255: "clip", or "wrap" modulo 256 as in the authors' code. Both cut
    fractions, as they do; "round" clips and rounds."""
    framework: str = "chains"
    """How it fits together (paper, Figure 4): "chains", Algorithm 1; "one_chain", a single chain in which every
    step is of a level of its own; "fed_back", k rounds of one chain, each mixed with the image before it."""

    name = "ipmix"
    mixes_labels = False

    def __post_init__(self) -> None:
        for name in ("k", "t"):
            check_count(name, getattr(self, name), 1, STEPS_MOST)
        check_count("min_ops", self.min_ops, 0)
        if self.min_ops > self.t:
            raise InputError(f"min_ops must be at most t = {self.t}, got {self.min_ops}")
        check_positive("alpha", self.alpha)
        if self.beta is not None:
            check_positive("beta", self.beta)
        check_severity(self.severity)
        if self.patch_sizes is not None:
            if not isinstance(self.patch_sizes, Iterable):
                raise InputError(f"patch_sizes must be a list of sides in pixels, got {self.patch_sizes!r}")
            object.__setattr__(self, "patch_sizes", tuple(self.patch_sizes))
            for size in self.patch_sizes:
                check_count("each of patch_sizes", size, 2, SIDE_MOST)
            if not self.patch_sizes:
                raise InputError("patch_sizes is empty; give sides of at least 2 pixels, or leave it out")
        check_choice("patch_shape", self.patch_shape, SHAPES)
        check_choice("mix_with", self.mix_with, PARTNERS)
        check_choice("overflow", self.overflow, OVERFLOWS)
        check_choice("framework", self.framework, FRAMEWORKS)
        object.__setattr__(self, "mixers", check_subset("mixers", self.mixers, MIXES))
        object.__setattr__(self, "levels", check_subset("levels", self.levels, LEVELS))
        if not isinstance(self.operations, str):
            object.__setattr__(self, "operations", operation_names(self.operations))
        operation_names(self.operations)

    @classmethod
    def preset(cls, name: str) -> "IPMix":
        """One of :data:`PRESETS`, such as "paper-cifar", "code-imagenet", "k4-t2" or "without-patch"."""
        found: IPMix = find_preset("IPMix", PRESETS, name)
        return found

    @property
    def needs_mixing_images(self) -> bool:
        """Whether recipes can ask for a mixing image."""
        return self.mix_with != "original" and bool({"patch", "pixel"} & set(self.levels))

    def draw(self, keys: Keys, scene: ImageSpec) -> RecipeTable | RecipeSequence:
        """One recipe for each key, for images of the scene's size; a sequence of them if ``fed_back``.

        Raises :class:`InputError` if mixing images are needed and the scene has none, or if no patch size is
        left for the levels asked for.
        """
        if self.needs_mixing_images:
            check_images("IPMix", scene, ', or mix_with="original"')
        plan = self._plan(scene)
        if self.framework != "fed_back":
            return draw_table(plan, keys, scene)
        # Every round has a stream of its own; the mixing image stays that of the first.
        tables = [draw_table(plan, replace(keys, seed=stage_seed(keys.seed, n)), scene) for n in range(self.k)]
        for table in tables[1:]:
            for name in ("mixing_image", "crop_x", "crop_y"):
                table.heads[name] = tables[0].heads[name]
        return RecipeSequence(tuple(tables))

    def drawer(self, seed: int, scene: ImageSpec) -> tuple[RecipeTable, Callable[[int, int, int], None]] | None:
        """See :func:`~ipmix.methods.drawing.make_drawer`; None for a framework that takes several tables."""
        if self.framework == "fed_back":
            return None
        self.draw(Keys.of(seed, 0, [0]), scene)  # checks
        return make_drawer(self._plan(scene), seed, scene)

    def _plan(self, scene: ImageSpec) -> DrawPlan:
        chains = self.k if self.framework == "chains" else 1
        return DrawPlan(_draw_table, _options(self, scene.height, scene.width), chains, self.t)


PRESETS = {
    "paper-cifar": IPMix(patch_sizes=(4, 8, 16, 32), severity=3.0, beta=3.0),
    "paper-imagenet": IPMix(patch_sizes=(4, 8, 16, 32, 64, 256), severity=1.0, beta=4.0),
    "code-cifar": IPMix(
        patch_sizes=(4, 8, 16, 32), severity=3.0, beta=3.0, min_ops=0, mix_with="mixing_image", overflow="wrap"
    ),
    "code-imagenet": IPMix(patch_sizes=(4, 8, 16, 32, 64, 224), severity=1.0, beta=4.0, min_ops=0, overflow="wrap"),
}
"""Settings of the paper's appendix (A.1, A.2, Algorithm 1) and of the authors' code. The appendix states
neither severity nor beta: those are the code's in all four."""

VARIANTS: dict[str, dict[str, Any]] = {
    "k2-t2": {"k": 2, "t": 2},  # Table 1
    "k2-t3": {"k": 2, "t": 3},
    "k3-t2": {"k": 3, "t": 2},
    "k3-t3": {"k": 3, "t": 3},
    "k4-t2": {"k": 4, "t": 2},
    "k4-t3": {"k": 4, "t": 3},
    "mixers-arithmetic": {"mixers": ("add", "multiply")},  # Table 2
    "mixers-random-pixels": {"mixers": ("random_pixels",)},
    "mixers-random-elements": {"mixers": ("random_elements",)},
    "square": {"patch_shape": "square"},  # Table 3
    "scar": {"patch_shape": "scar"},
    "without-patch": {"levels": ("image", "pixel")},  # Table 10
    "without-pixel": {"levels": ("image", "patch")},
    "without-image": {"levels": ("patch", "pixel")},
    "framework-chains": {"framework": "chains"},  # Figure 4 of the main paper
    "framework-one-chain": {"framework": "one_chain"},
    "framework-fed-back": {"framework": "fed_back"},
}
"""What each ablation of the paper changes in "paper-cifar", its name being a preset too."""

PRESETS |= {name: PRESETS["paper-cifar"].with_options(**changes) for name, changes in VARIANTS.items()}


class Options(NamedTuple):
    """The options as compiled code reads them, settled for one image size."""

    k: int
    t: int
    min_ops: int
    alpha: float
    beta: float
    severity: float
    image_level: bool
    patch_levels: bool
    shape: int
    partner: int
    overflow: int
    one_chain: bool
    sizes: np.ndarray
    mixers: np.ndarray
    operations: np.ndarray


@lru_cache(maxsize=64)
def _options(method: IPMix, height: int, width: int) -> Options:
    side = max(height, width)
    small = side <= SMALL_SIDE
    asked = method.patch_sizes or ((4, 8, 16, side) if small else (4, 8, 16, 32, 64, side))
    levels = set(method.levels)
    sizes = [min(size, side) for size in asked if ("pixel" if size >= side else "patch") in levels]
    if levels == {"pixel"} or levels == {"pixel", "image"}:
        sizes = sizes or [side]
    if levels & {"patch", "pixel"} and not sizes:
        raise InputError(
            f"no patch size is left for levels {', '.join(method.levels)} on images of {width}x{height}: "
            f"patch_sizes {method.patch_sizes} are all as large as the image"
        )
    whole_only = "patch" not in levels
    return Options(
        method.k if method.framework == "chains" else 1,
        method.t,
        method.min_ops,
        float(method.alpha),
        float(method.beta or (3.0 if small else 4.0)),
        float(method.severity or (3.0 if small else 1.0)),
        "image" in levels,
        bool(levels & {"patch", "pixel"}),
        # Without the patch level, a "scar" smaller than the image would be a patch after all.
        SQUARE if whole_only else SHAPES.index(method.patch_shape),
        PARTNERS.index(method.mix_with),
        OVERFLOWS.index(method.overflow),
        method.framework == "one_chain",
        np.array(sizes or [side], np.int64),
        np.array([MIXERS.index(name) for name in method.mixers], np.int64),
        np.array([CODES[name] for name in operation_names(method.operations)], np.int64),
    )


@compiled_disjoint
def _draw_table(seed, epoch, indices, view, o, height, width, images, heads, chains, steps, state, weights):
    for n in range(indices.size):
        draw_mixing_image(state, seed, epoch, indices[n], images, heads[n])
        heads[n].overflow = o.overflow
        start(state, seed, epoch, indices[n], view)
        _draw_recipe(state, o, height, width, weights, heads[n], chains[n], steps[n])


@embedded
def _draw_recipe(state, o, height, width, w, head, chains, steps):
    """Algorithm 1; the comments give its line numbers. Line 21's sum is left to the engine."""
    dirichlet(state, o.alpha, w)  # 1
    m = beta(state, o.alpha, o.alpha)  # 2
    clean = np.int64(WHOLE)
    for i in range(o.k):  # 4
        patch_level = o.patch_levels and (not o.image_level or below(state, 2) == 0)  # 6
        length = o.min_ops + below(state, o.t - o.min_ops + 1)  # 8, 18
        for j in range(length):
            steps[i, j].mixer = OPERATION
            steps[i, j].seed = 0
            if o.one_chain and j > 0:
                patch_level = o.patch_levels and (not o.image_level or below(state, 2) == 0)
            if patch_level:  # 7
                _draw_patch(state, o, height, width, steps[i, j])  # 9 - 16
            else:
                code = o.operations[below(state, o.operations.size)]  # 19
                steps[i, j].operation = code
                steps[i, j].level = draw_level(state, code, o.severity, height, width)
        chains[i].length = length
        chains[i].share = np.uint32(m * w[i] * WHOLE)  # 21, 22
        clean -= np.int64(chains[i].share)
    head.clean = np.uint32(clean)  # 22: (1 - m), and what rounding the shares down leaves over


@embedded
def _draw_patch(state, o, height, width, step):
    size = o.sizes[below(state, o.sizes.size)]  # 9
    mixer = o.mixers[below(state, o.mixers.size)]  # 10
    across, down = min(size, width), min(size, height)
    step.left = below(state, width - across + 1)
    step.top = below(state, height - down + 1)
    square = o.shape == SQUARE or (o.shape == BOTH and below(state, 2) == 0)
    if not square:  # a scar: independent sides of 2..size pixels, from the same corner
        across = min(across, 2 + below(state, max(across - 1, 1)))
        down = min(down, 2 + below(state, max(down - 1, 1)))
    step.right = step.left + across
    step.bottom = step.top + down
    image = o.partner == 1 or (o.partner == BOTH and below(state, 2) == 0)  # 11
    step.mixer = mixer
    step.operation = NO_OPERATION
    if image:
        step.source = MIXING_IMAGE  # 12
    else:
        step.source = ORIGINAL  # 16
        code = o.operations[below(state, o.operations.size)]  # 14
        step.operation = code
        step.level = draw_level(state, code, o.severity, height, width)  # 15
    if mixer == ADD or mixer == MULTIPLY:
        a, b = draw_coefficients(state, o.beta)
        step.a = a
        step.b = b
    else:
        step.a = uniform(state)
        step.seed = np.uint32(bits(state) >> np.uint64(32))
