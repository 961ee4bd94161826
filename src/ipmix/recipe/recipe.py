"""The language every method speaks: chains of steps, mixed by shares, blended with the clean image.

A :class:`Recipe` says what is done to one image; it holds plain data and no pixels. It prints readably and
goes to JSON and back exactly. A :class:`RecipeTable` holds the recipes of a whole batch in three packed
arrays, which is what methods fill and engines read.

    augmented = clean_share * clean + sum over chains of share * chain(clean)

A *step* either applies an image operation to the whole chain image, or mixes a box of it with the same box
of another image: the recipe's mixing image, the clean image after an operation, or the recipe's partner,
which is another image of the same batch. Pixel-level mixing is a box as large as the image.

Labels are mixed where a recipe says so: ``label`` is the partner's share of the label. A :class:`RecipeSequence`
carries out several tables one after the other.
"""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from ipmix.core.errors import InputError
from ipmix.core.json_text import json_text
from ipmix.recipe.checks import check_known, check_ranges, check_step
from ipmix.recipe.format import (
    FORMAT,
    INTERPOLATIONS,
    NO_MIXING_IMAGE,
    NO_PARTNER,
    OVERFLOWS,
    WHOLE,
)
from ipmix.recipe.operations import CODES, OPERATIONS


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """What a method needs to know before it draws: the images' shape and how many mixing images there are."""

    height: int
    width: int
    channels: int
    mixing_count: int

    def __post_init__(self) -> None:
        for name in ("height", "width", "channels"):
            if getattr(self, name) < 1:
                raise InputError(f"images need a {name} of at least 1, got {getattr(self, name)}")
        if self.mixing_count < 0:
            raise InputError(f"the number of mixing images can't be negative, got {self.mixing_count}")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a chain. Coordinates are pixels; right and bottom are exclusive.

    ``mixer == ""``: apply ``operation`` at ``level`` to the chain's whole image; the rest is unused.
    Otherwise: inside the box, mix the chain's image (A) with ``source`` (B). For "add" and "multiply", ``a``
    and ``b`` are the coefficients; for the random mixers ``a`` is the probability of keeping A, and ``seed``
    names the mask; "paste" puts B over A; "fill" takes no other image: ``a``, ``b`` and ``level`` are the bytes
    for the first, the second and all further channels. ``operation`` is what an "original" source goes through
    first; "" for nothing. The seeded operations ("spectral", "color_curve", "spatial") only stand alone, and take
    ``seed``, ``a`` and ``b`` as parameters of their own (``engines/prime_reference.py``). So do the filled ones
    ("rotate_filled" and its kin): ``a`` is the byte that moves in at the edges, ``b`` 0 for nearest or 1 for bilinear.
    """

    mixer: str = ""
    source: str = "mixing_image"
    operation: str = ""
    level: float = 0.0
    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0
    a: float = 0.0
    b: float = 0.0
    seed: int = 0

    def __str__(self) -> str:
        operation = _describe_operation(self.operation, self.level)
        if not self.mixer:
            filled = self.operation and OPERATIONS[CODES[self.operation]].filled
            return f"{operation} ({INTERPOLATIONS[int(self.b)]}, fill {self.a:g})" if filled else operation
        box = f"{self.right - self.left}x{self.bottom - self.top} at ({self.left}, {self.top})"
        if self.mixer == "fill":
            return f"fill {box} with {self.a:g}, {self.b:g}, {self.level:g}"
        what = "the original" + (f", {operation}" if operation else "")
        if self.source != "original":
            what = f"the {self.source.replace('_', ' ')}"
        if self.mixer == "paste":
            return f"paste {box} of {what}"
        if self.mixer in ("add", "multiply"):
            how = f"{self.mixer} (a {self.a:.2f}, b {self.b:+.2f})"
        else:
            how = f"{self.mixer.replace('_', ' ')} (keep {self.a:.0%})"
        return f"{how} with {what} in {box}"


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps applied one after the other to a copy of the clean image, and its share in 32768ths."""

    share: int
    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        return " -> ".join(str(step) for step in self.steps) if self.steps else "unchanged"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is done to one image of height x width."""

    height: int
    width: int
    clean: int
    """The clean image's share in 32768ths; with the chains' shares it sums to 32768."""
    chains: tuple[Chain, ...] = ()
    mixing_image: int = NO_MIXING_IMAGE
    """Index of the mixing image; -1 if none is used."""
    crop_x: int = 0
    crop_y: int = 0
    """Where the mixing image is cropped: left = crop_x * (its width - width + 1) // 2**32, top alike."""
    overflow: str = "clip"
    partner: int = NO_PARTNER
    """Position in the batch of the image that this one is mixed with; -1 if with none."""
    label: int = 0
    """The partner's share of the label in 32768ths; 0 keeps the label."""

    def __post_init__(self) -> None:
        total = self.clean + sum(chain.share for chain in self.chains)
        if total != WHOLE or self.clean < 0 or any(chain.share < 0 for chain in self.chains):
            raise InputError(f"a recipe's shares must be 0 or more and sum to {WHOLE}, got a sum of {total}")
        check_ranges(self, "recipe", height=(1, 2**31), width=(1, 2**31), mixing_image=(NO_MIXING_IMAGE, 2**31))
        check_ranges(self, "recipe", crop_x=(0, 2**32), crop_y=(0, 2**32))
        check_ranges(self, "recipe", partner=(NO_PARTNER, 2**31), label=(0, WHOLE + 1))
        if self.label and self.partner == NO_PARTNER:
            raise InputError(f"the recipe gives {self.label} of the label to a partner and names none")
        check_known("recipe", "overflow", self.overflow, OVERFLOWS)
        for i, chain in enumerate(self.chains):
            for j, step in enumerate(chain.steps):
                check_step(step, self, f"chain {i}, step {j}")

    def __str__(self) -> str:
        lines = [f"{self.width}x{self.height} image"]
        if self.mixing_image != NO_MIXING_IMAGE:
            where = f"{self.crop_x / 2**32:.0%} across and {self.crop_y / 2**32:.0%} down"
            lines[0] += f", mixing image {self.mixing_image} (cropped {where}), overflow: {self.overflow}"
        if self.partner != NO_PARTNER:
            lines[0] += f", partner {self.partner} of the batch, with {self.label / WHOLE:.1%} of the label"
        lines.append(f"  {self.clean / WHOLE:6.1%}  clean")
        lines += [f"  {chain.share / WHOLE:6.1%}  {chain}" for chain in self.chains]
        return "\n".join(lines)

    def to_json(self) -> str:
        """This recipe as one line of JSON; :meth:`from_json` gives back an equal recipe."""
        default = asdict(Step())
        chains = [
            {
                "share": chain.share,
                "steps": [{k: v for k, v in asdict(s).items() if v != default[k]} for s in chain.steps],
            }
            for chain in self.chains
        ]
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return json_text({"format": FORMAT, **values, "chains": chains})

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Read what :meth:`to_json` wrote. Raises :class:`InputError` naming the key that is wrong."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError, TypeError) as error:  # also what is too long or deep for Python
            raise InputError(f"this is no recipe: not valid JSON ({error})") from None
        if isinstance(values, dict) and values.get("format") == 1:
            _modernize(values)
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise InputError(f'this is no recipe of format {FORMAT}: expected {{"format": {FORMAT}, ...}}')
        del values["format"]
        chains = _list(values.pop("chains", []), "chains")
        return _build(cls, values, "recipe", chains=tuple(_chain(value, i) for i, value in enumerate(chains)))


def _describe_operation(name: str, level: float) -> str:
    if not name:
        return ""
    operation = OPERATIONS[CODES[name]]
    if not operation.unit:
        return name
    number = f"{level:+g}" if operation.signed and operation.whole else f"{level:+.3f}" if operation.signed else ""
    if operation.filled:
        number = f"{level:+.3g}"
    unit = {"degrees": "°", "pixels": " px", "percent": " %", "bits": " bits"}.get(operation.unit, "")
    return f"{name} {number or f'{level:.3g}'}{unit}"


# --- reading JSON -----------------------------------------------------------------------------------------


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"a recipe's {name} must be a list, got {value!r}")
    return value


def _chain(value: Any, number: int) -> Chain:
    where = f"chain {number}"
    if not isinstance(value, dict):
        raise InputError(f"{where} of the recipe must be an object, got {value!r}")
    rest = {key: v for key, v in value.items() if key != "steps"}
    steps = _list(value.get("steps", []), f"{where} steps")
    return _build(Chain, rest, where, steps=tuple(_step(v, f"{where}, step {i}") for i, v in enumerate(steps)))


def _step(value: Any, where: str) -> Step:
    if not isinstance(value, dict):
        raise InputError(f"{where} of the recipe must be an object, got {value!r}")
    step: Step = _build(Step, value, where)
    return step


def _modernize(values: dict[str, Any]) -> None:
    """Bring the JSON of format 1, which said "picture" for a mixing image, into today's."""
    values["format"] = FORMAT
    if "picture" in values:
        values["mixing_image"] = values.pop("picture")
    steps = [
        step
        for chain in _list(values.get("chains", []), "chains")
        if isinstance(chain, dict) and isinstance(chain.get("steps"), list)
        for step in chain["steps"]
        if isinstance(step, dict)
    ]
    for step in steps:
        if step.get("source") == "picture":
            step["source"] = "mixing_image"
        if step.get("operation") == "colour_curve":
            step["operation"] = "color_curve"


_KINDS: dict[str, tuple[type, ...]] = {"level": (int, float), "a": (int, float), "b": (int, float)}


def _build(cls: Any, values: dict[str, Any], where: str, **parts: Any) -> Any:
    names = {field.name for field in fields(cls)} - set(parts)
    for key, value in values.items():
        if key not in names:
            raise InputError(f"{where}: unknown key {key!r}; known are {', '.join(sorted(names))}")
        expected = _KINDS.get(key, (str,) if key in ("mixer", "source", "operation", "overflow") else (int,))
        if isinstance(value, bool) or not isinstance(value, expected):
            raise InputError(f"{where}: {key} must be {' or '.join(t.__name__ for t in expected)}, got {value!r}")
    try:
        return cls(**values, **parts)
    except TypeError:
        missing = [
            f.name for f in fields(cls) if f.name not in values and f.name in ("height", "width", "clean", "share")
        ]
        raise InputError(f"{where}: {', '.join(missing)} is missing") from None
