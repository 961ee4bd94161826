"""The operations' levels against the authors' formulas written out, and the named groups."""

import math

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.core.randomness import Key, uniform
from ipmix.engines.reference import operate
from ipmix.methods.drawing import draw_level
from ipmix.recipe.operations import CODES, GROUPS, OPERATIONS, operation_names

SIGNED = {"rotate", "shear_x", "shear_y", "translate_x", "translate_y"}
WITHOUT_LEVEL = {"equalize", "mirror", "invert"}
DRAWS = 4000


def plain_level(name: str, strength: float, height: int, width: int) -> float:
    """The level of the authors' code for a strength L, before its sign."""
    formulas = {
        "posterize": lambda: 4 - int(strength * 4 / 10),
        "rotate": lambda: int(strength * 30 / 10),
        "solarize": lambda: 256 - int(strength * 256 / 10),
        "shear_x": lambda: strength * 0.3 / 10,
        "shear_y": lambda: strength * 0.3 / 10,
        "translate_x": lambda: int(strength * (width / 3) / 10),
        "translate_y": lambda: int(strength * (height / 3) / 10),
        "autocontrast": lambda: 10 - strength,
        "color": lambda: strength * 1.8 / 10 + 0.1,
        "contrast": lambda: strength * 1.8 / 10 + 0.1,
        "brightness": lambda: strength * 1.8 / 10 + 0.1,
        "sharpness": lambda: strength * 1.8 / 10 + 0.1,
    }
    return formulas[name]()


def drawn(name: str, severity: float, height: int = 32, width: int = 32, count: int = DRAWS) -> np.ndarray:
    state = Key(CODES[name]).stream()
    return np.array([draw_level(state, CODES[name], severity, height, width) for _ in range(count)])


@pytest.mark.parametrize("severity", [0.1, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("name", [name for name in GROUPS["all"] if name not in WITHOUT_LEVEL])
def test_every_level_is_the_authors_formula_of_its_draw(name: str, severity: float) -> None:
    for height, width in ((32, 32), (224, 224), (33, 470), (1, 2)):
        state, again = Key(height, width).stream(), Key(height, width).stream()
        for _ in range(100):
            level = draw_level(state, CODES[name], severity, height, width)
            expected = plain_level(name, 0.1 + (severity - 0.1) * uniform(again), height, width)
            if name in SIGNED and uniform(again) > 0.5:
                expected = -expected
            assert level == pytest.approx(expected, rel=1e-12, abs=1e-12)
        assert state[0] == again[0], "both have used the same count of numbers"


@pytest.mark.parametrize("name", sorted(WITHOUT_LEVEL))
def test_operations_without_a_level_draw_nothing(name: str) -> None:
    state = Key(1).stream()
    before = int(state[0])
    assert draw_level(state, CODES[name], 10.0, 32, 32) == 0
    assert state[0] == before
    assert OPERATIONS[CODES[name]].unit == ""


@pytest.mark.parametrize(
    ("name", "severity", "side", "low", "high"),
    [
        ("posterize", 1.0, 32, 4, 4),
        ("posterize", 3.0, 32, 3, 4),
        ("posterize", 10.0, 32, 1, 4),
        ("rotate", 3.0, 32, -8, 8),
        ("rotate", 1.0, 224, -2, 2),
        ("rotate", 10.0, 224, -29, 29),
        ("solarize", 3.0, 32, 180, 254),
        ("translate_x", 3.0, 32, -3, 3),
        ("translate_y", 1.0, 224, -7, 7),
    ],
)
def test_whole_levels_reach_exactly_their_ends(name: str, severity: float, side: int, low: int, high: int) -> None:
    levels = drawn(name, severity, side, side)
    assert np.array_equal(levels, np.trunc(levels))
    assert (levels.min(), levels.max()) == (low, high)


@pytest.mark.parametrize(
    ("name", "severity", "low", "high"),
    [
        ("shear_x", 3.0, 0.003, 0.09),
        ("shear_y", 10.0, 0.003, 0.3),
        ("autocontrast", 3.0, 7.0, 9.9),
        ("color", 3.0, 0.118, 0.64),
        ("sharpness", 10.0, 0.118, 1.9),
    ],
)
def test_fractional_levels_fill_their_range_evenly(name: str, severity: float, low: float, high: float) -> None:
    levels = np.sort(np.abs(drawn(name, severity)))
    assert low <= levels[0] < low + 0.002 * (high - low)
    assert high - 0.002 * (high - low) < levels[-1] <= high
    evenly = low + (high - low) * (np.arange(DRAWS) + 0.5) / DRAWS
    assert np.abs(levels - evenly).max() < 1.95 / math.sqrt(DRAWS) * (high - low)  # Kolmogorov and Smirnov


@pytest.mark.parametrize("name", ["rotate", "solarize", "posterize", "translate_x"])
def test_whole_levels_are_as_frequent_as_in_a_plain_version(name: str) -> None:
    strengths = np.random.default_rng(0).uniform(0.1, 3.0, 100_000)
    plain = np.array([plain_level(name, strength, 32, 32) for strength in strengths])
    levels = np.abs(drawn(name, 3.0))
    for value in np.unique(plain):
        share = (plain == value).mean()
        assert (levels == value).mean() == pytest.approx(share, abs=4 * math.sqrt(share / DRAWS) + 1e-9)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_signs(operation) -> None:
    assert operation.signed == (operation.name in SIGNED)
    levels = drawn(operation.name, 3.0)
    if operation.signed:
        moved = levels[levels != 0]
        assert (moved < 0).mean() == pytest.approx(0.5, abs=2 / math.sqrt(len(moved)))
    else:
        assert levels.min() >= 0


def test_translations_go_by_their_own_side() -> None:
    assert np.abs(drawn("translate_x", 10.0, height=3, width=300)).max() == 99
    assert np.abs(drawn("translate_y", 10.0, height=3, width=300)).max() == 0
    assert np.abs(drawn("translate_y", 10.0, height=300, width=3)).max() == 99


# --- groups -----------------------------------------------------------------------------------------------


def test_groups() -> None:
    core = (
        *("equalize", "posterize", "rotate", "solarize", "shear_x", "shear_y"),
        *("translate_x", "translate_y", "mirror", "invert"),
    )
    assert GROUPS["core"] == core
    assert GROUPS["all"] == (*core, "autocontrast", "color", "contrast", "brightness", "sharpness")
    assert GROUPS["photometric"] == ("equalize", "posterize", "solarize", "invert")
    assert [o.name for o in OPERATIONS if o.in_test_set] == ["color", "contrast", "brightness", "sharpness"]
    filled = [f"{name}_filled" for name in ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")]
    assert list(CODES) == [*GROUPS["all"], "spectral", "color_curve", "spatial", *filled]
    assert list(CODES.values()) == list(range(23))


@pytest.mark.parametrize("name", GROUPS["all"])
def test_exactly_the_photometric_operations_move_no_pixel(name: str, images: np.ndarray) -> None:
    """Shuffling an image's pixels and operating commute where an operation leaves every pixel in its place."""
    image = images[0]
    order = np.random.default_rng(0).permutation(image.shape[0] * image.shape[1])
    level = {"posterize": 3, "solarize": 100, "rotate": 8, "shear_x": 0.1, "shear_y": 0.1, "autocontrast": 5}
    level |= {"translate_x": 3, "translate_y": -2}

    def shuffled(sample: np.ndarray) -> np.ndarray:
        return sample.reshape(-1, 3)[order].reshape(image.shape)

    def operated(sample: np.ndarray) -> np.ndarray:
        return operate(name, sample, level.get(name, 0.5))

    commutes = np.array_equal(operated(shuffled(image)), shuffled(operated(image)))
    if name in GROUPS["photometric"]:
        assert commutes
    if OPERATIONS[CODES[name]].geometric:
        assert not commutes


def test_names_of_a_choice() -> None:
    assert operation_names("core") == GROUPS["core"]
    assert operation_names(["invert", "rotate", "invert"]) == ("invert", "rotate")


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("everything", "'everything' is no group of operations; groups are core, all, photometric"),
        ("rotate", "'rotate' is no group .* or give a list of names out of equalize"),
        (["rotate", "blur"], "unknown operation 'blur'; known are equalize"),
        ([], "operations is empty"),
        ([["rotate"]], "unknown operation \\['rotate'\\]"),
        (5, "operations must be a group .core, all, photometric. or a list of names, got 5"),
    ],
)
def test_bad_choices_are_refused(chosen: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        operation_names(chosen)  # type: ignore[arg-type]
