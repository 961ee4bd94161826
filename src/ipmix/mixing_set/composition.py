"""How a set is composed: which kinds there are beyond painting, and how a count is split over them."""

import re
from collections.abc import Callable, Mapping

import numpy as np

from ipmix.core.bounds import MIXING_MOST
from ipmix.core.checking import check_count
from ipmix.core.errors import InputError, plain
from ipmix.fractals.kinds import KINDS, Painting

EXTERNAL = ("feature", "image")
"""Kinds that need more than a seed: a network to visualise, a folder of images."""


ALIASES = {"escape": ("mandelbrot", "julia")}
"""Names that stand for several kinds in equal parts."""


DEFAULT_MIX: Mapping[str, int] = {"ifs": 3000, "fractaldb": 1000, "escape": 5000, "flame": 4000}


Painter = Callable[[int, list[int], int], list[Painting]]
"""Paints images of an external kind: (seed, indices, size) to one image per index."""


def compose(count: int, mix: Mapping[str, int] | None = None) -> dict[str, int]:
    """Split ``count`` images over the kinds in the proportions of ``mix``; the parts sum to ``count``.

    ``mix`` maps kinds (or aliases) to counts or weights; shares are rounded by largest remainder, so a mix
    that sums to ``count`` is kept exactly.
    """
    check_count("a mixing set's count", count, 1, MIXING_MOST)
    if mix is not None and not isinstance(mix, Mapping):
        raise InputError(f"a mix is kinds with their counts, such as {{'ifs': 3}}, got {plain(repr(mix), most=60)}")
    weights: dict[str, float] = {}
    for name, weight in (DEFAULT_MIX if mix is None else mix).items():
        if name not in KINDS and name not in ALIASES and name not in EXTERNAL:
            known = ", ".join([*KINDS, *ALIASES, *EXTERNAL])
            raise InputError(f"unknown kind of image {name!r} in the mix; expected some of: {known}")
        if isinstance(weight, bool) or not isinstance(weight, int | np.integer) or weight < 0:
            raise InputError(f"the mix's count of {name!r} must be a whole number >= 0, got {weight!r}")
        parts = ALIASES.get(name, (name,))
        for part in parts:
            weights[part] = weights.get(part, 0.0) + weight / len(parts)
    total = sum(weights.values())
    if total <= 0:
        raise InputError(f"the mix {dict(mix or {})} holds no images; give at least one kind a count above 0")
    exact = {name: count * weight / total for name, weight in weights.items() if weight > 0}
    counts = {name: int(share) for name, share in exact.items()}
    rest = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in rest[: count - sum(counts.values())]:
        counts[name] += 1
    # The kinds that are made in batches come first, so that a batch is never cut by a part of the set.
    ordered = sorted(counts, key=lambda name: name not in EXTERNAL)
    return {name: counts[name] for name in ordered if counts[name] > 0}


def parse_mix(text: str | None, called: str = "--mix") -> dict[str, int] | None:
    """``"ifs=3000,flame=4000"`` as a dict; None stays None. Errors call it as ``called`` says."""
    if text is None:
        return None
    mix: dict[str, int] = {}
    for item in text.split(","):
        name, equals, number = item.strip().partition("=")
        if not equals or not re.fullmatch("[0-9]{1,18}", number.strip()) or name in mix:
            raise InputError(
                f"{called} is kind=count,kind=count,... with each kind once; got {item.strip()!r} in {text!r}"
            )
        mix[name.strip()] = int(number)
    return mix
