"""Operations of AutoAugment and its kin beside torchvision's: their tables, and one by one in value."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from ipmix.augmentation.batches import apply
from ipmix.core.errors import InputError
from ipmix.methods.autoaugment import POLICIES
from ipmix.methods.magnitudes import NARROW, WIDE, Magnitudes, check_filling, evenly, make_magnitudes
from ipmix.recipe.format import NO_OPERATION, WHOLE
from ipmix.recipe.operations import CODES, OPERATIONS
from ipmix.recipe.recipe import Chain, Recipe, Step
from ipmix.recipe.table import RecipeTable

torch = pytest.importorskip("torch", reason="compares with torchvision: the train extra is not installed")
transforms = pytest.importorskip("torchvision.transforms.v2")
AutoAugmentPolicy = pytest.importorskip("torchvision.transforms").AutoAugmentPolicy

THEIRS = {
    "": "Identity",
    "shear_x_filled": "ShearX",
    "shear_y_filled": "ShearY",
    "translate_x_filled": "TranslateX",
    "translate_y_filled": "TranslateY",
    "rotate_filled": "Rotate",
    "brightness": "Brightness",
    "color": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "autocontrast": "AutoContrast",
    "equalize": "Equalize",
    "invert": "Invert",
}
SPACES = {
    "autoaugment": (NARROW | {"invert": 0.0}, transforms.AutoAugment),
    "randaugment": ({"": 0.0} | NARROW, transforms.RandAugment),
    "trivialaugment": ({"": 0.0} | WIDE, transforms.TrivialAugmentWide),
}


def made(space: str, bins: int, height: int, width: int, interpolation: str = "nearest", fill: int = 0) -> Magnitudes:
    return make_magnitudes(SPACES[space][0], bins, height, width, interpolation, fill)


def theirs(space: str, name: str, bins: int, height: int, width: int) -> tuple[list[float] | None, bool]:
    """torchvision's magnitudes of an operation, and whether they have a sign."""
    function, signed = SPACES[space][1]._AUGMENTATION_SPACE[THEIRS[name]]
    values = function(bins, height, width)
    return None if values is None else [float(value) for value in values], signed


def step_of(magnitudes: Magnitudes, which: int, magnitude: int, negative: bool) -> Step:
    name = "" if magnitudes.codes[which] == NO_OPERATION else OPERATIONS[magnitudes.codes[which]].name
    level = float((magnitudes.down if negative else magnitudes.up)[which, magnitude])
    filled = magnitudes.filled[which]
    a, b = (magnitudes.fill, magnitudes.interpolation) if filled else (0.0, 0.0)
    return Step(operation=name, level=level, a=a, b=b)


@pytest.mark.parametrize(("first", "last"), [(0.0, 0.3), (0.0, 0.99), (1.0, 0.0), (0.0, 150 / 331 * 37), (0.0, 135.0)])
def test_even_numbers_are_torchs(first: float, last: float) -> None:
    for count in range(2, 300):
        assert np.array_equal(evenly(first, last, count), torch.linspace(first, last, count).numpy()), count


@pytest.mark.parametrize("space", SPACES)
def test_operations_are_torchvisions(space: str) -> None:
    assert {THEIRS[name] for name in SPACES[space][0]} == set(SPACES[space][1]._AUGMENTATION_SPACE)
    magnitudes = made(space, 10, 32, 32)
    for which, name in enumerate(SPACES[space][0]):
        assert magnitudes.codes[which] == (CODES[name] if name else NO_OPERATION)
        assert magnitudes.signed[which] == theirs(space, name, 10, 32, 32)[1]


@pytest.mark.parametrize("space", SPACES)
def test_levels_are_torchvisions_magnitudes(space: str) -> None:
    """In its own unit each, for many sizes and numbers of bins; a factor is 1 more than a magnitude."""
    for bins in (2, 3, 10, 11, 31, 100):
        for height, width in ((32, 32), (1, 1), (33, 47), (224, 224), (331, 662), (999, 500)):
            magnitudes = made(space, bins, height, width)
            for which, name in enumerate(SPACES[space][0]):
                values, _ = theirs(space, name, bins, height, width)
                if values is None:
                    assert not magnitudes.up[which].any()
                    continue
                for sign, levels in ((1, magnitudes.up[which]), (-1, magnitudes.down[which])):
                    if sign < 0 and not magnitudes.signed[which]:
                        continue
                    expected = {
                        "brightness": [1 + sign * value for value in values],
                        "solarize": np.ceil([255 * value for value in values]),
                        "translate": [int(sign * value) for value in values],
                        "posterize": [int(value) for value in values],
                    }
                    kind = "brightness" if name in ("color", "contrast", "sharpness") else name.split("_")[0]
                    wanted = expected.get(kind, [sign * value for value in values])
                    assert np.array_equal(levels, np.array(wanted, np.float32)), (name, bins, height, width)


def by_torchvision(
    space: str, image: np.ndarray, name: str, magnitude: float, interpolation: str, fill: int
) -> np.ndarray:
    policy = SPACES[space][1](interpolation=interpolation, fill=fill)
    given = Image.fromarray(image if image.shape[2] == 3 else image[:, :, 0])
    mode, filling = transforms.InterpolationMode(interpolation), policy._fill
    result = policy._apply_image_or_video_transform(given, THEIRS[name], magnitude, interpolation=mode, fill=filling)
    return np.asarray(result).reshape(image.shape)


def differences(
    space: str, name: str, shape: tuple[int, int, int], interpolation: str, fill: int, engine: str, make_images: Any
) -> list[int]:
    """The largest difference of a pixel from torchvision's, for every magnitude and sign of an operation."""
    height, width, channels = shape
    bins = 10 if space == "autoaugment" else 31
    magnitudes = made(space, bins, height, width, interpolation, fill)
    which = list(SPACES[space][0]).index(name)
    values, signed = theirs(space, name, bins, height, width)
    image = make_images(1, height, width, channels, seed=which)
    found = []
    for magnitude in range(1 if values is None else bins):
        for negative in (False, True)[: 1 + signed]:
            step = step_of(magnitudes, which, magnitude, negative)
            recipe = Recipe(height, width, 0, (Chain(WHOLE, (step,) if name else ()),))
            ours = apply(RecipeTable.pack([recipe]), image, engine=engine)[0]
            # A translation says where a pixel comes from, torchvision's where it goes to.
            value = 0.0 if values is None else -values[magnitude] if negative else values[magnitude]
            value = -value if name.startswith("translate") else value
            expected = by_torchvision(space, image[0], name, value, interpolation, fill)
            found.append(int(np.abs(ours.astype(int) - expected).max()))
    return found


@pytest.mark.parametrize("engine", ["compiled", "reference"])
@pytest.mark.parametrize(("space", "name"), [(space, name) for space in SPACES for name in SPACES[space][0]])
def test_every_operation_is_torchvisions_to_the_byte(space: str, name: str, engine: str, make_images: Any) -> None:
    for shape in ((32, 32, 3), (33, 47, 3), (20, 31, 1), (1, 1, 3), (64, 2, 3)):
        for fill in (0, 128):
            assert set(differences(space, name, shape, "nearest", fill, engine, make_images)) == {0}, (shape, fill)


@pytest.mark.parametrize("engine", ["compiled", "reference"])
@pytest.mark.parametrize("name", [name for name in WIDE if name.endswith("_filled")])
def test_bilinear_values_are_torchvisions_within_one_level(name: str, engine: str, make_images: Any) -> None:
    for space in ("randaugment", "trivialaugment"):
        for shape in ((32, 32, 3), (33, 47, 1)):
            found = differences(space, name, shape, "bilinear", 77, engine, make_images)
            assert max(found) <= (engine == "compiled"), shape


def test_another_fill_or_interpolation_is_noticed(make_images: Any) -> None:
    image = make_images(1, 32, 32)[0]
    one = by_torchvision("randaugment", image, "rotate_filled", 20.0, "nearest", 0)
    assert (
        np.abs(one.astype(int) - by_torchvision("randaugment", image, "rotate_filled", 20.0, "nearest", 9)).max() == 9
    )
    assert not np.array_equal(one, by_torchvision("randaugment", image, "rotate_filled", 20.0, "bilinear", 0))


@pytest.mark.parametrize("policy", POLICIES)
def test_policies_are_torchvisions(policy: str) -> None:
    expected = transforms.AutoAugment(AutoAugmentPolicy(policy))._policies
    ours = [tuple((THEIRS[name], p, magnitude) for name, p, magnitude in pair) for pair in POLICIES[policy]]
    assert ours == [tuple((name, p, magnitude or 0) for name, p, magnitude in pair) for pair in expected]


def test_a_fill_is_a_byte_and_interpolations_are_two() -> None:
    check_filling("bilinear", 255)
    for interpolation, fill, text in (("cubic", 0, "interpolation"), ("nearest", 256, "byte"), ("nearest", -1, "fill")):
        with pytest.raises(InputError, match=text):
            check_filling(interpolation, fill)
