import numpy as np
import pytest

from ipmix.augmentation.batches import augment
from ipmix.augmentation.single import Augmenter
from ipmix.core.errors import InputError
from ipmix.methods import METHODS, choosing
from ipmix.methods.choosing import chosen_method, named_method
from ipmix.methods.pixels import PixelMethod


def test_by_name_preset_and_option() -> None:
    kind = METHODS["ipmix"]
    assert chosen_method("none") is None
    assert chosen_method("ipmix") == kind()
    assert chosen_method("ipmix", "code-cifar") == kind.preset("code-cifar")
    assert chosen_method("ipmix", None, {"patch_sizes": [4, 8]}) == kind(patch_sizes=(4, 8))
    assert chosen_method("ipmix", "code-cifar", {"k": 4}).min_ops == kind.preset("code-cifar").min_ops


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_can_be_chosen(name: str) -> None:
    assert type(chosen_method(name)) is METHODS[name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sharpen",), "no method 'sharpen'; methods are none, "),
        (("ipmix", "best"), "no preset 'best'"),
        (("ipmix", None, {"width": 3}), "no option 'width'"),
        (("ipmix", None, {"k": 0}), "k must be"),
        (("none", "code-cifar"), "leave out the preset"),
    ],
)
def test_what_is_unknown_is_named(arguments: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        chosen_method(*arguments)


def test_a_method_without_presets_says_so() -> None:
    with pytest.raises(InputError, match="vanilla has no preset 'cifar'; it has no presets"):
        chosen_method("vanilla", "cifar")


def test_a_method_is_found_in_any_case_and_by_its_class() -> None:
    assert choosing.method_name("RandAugment") == choosing.method_name("randaugment") == "randaugment"
    assert choosing.method_name("TrivialAugmentWide") == "trivialaugment"
    with pytest.raises(InputError, match="no method 'randagment'; did you mean randaugment"):
        choosing.method_name("randagment")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none", "'none' is no method to carry out: leave it out, or take 'vanilla'"),
        ("ipmix-", "'ipmix-' ends in a dash: give 'ipmix', or a preset or options"),
        ("json:dumps", r"function \(images, keys\) -> images; dumps can't be called so"),
    ],
)
def test_names_that_can_t_be_carried_out(name, words):
    with pytest.raises(InputError, match=words):
        named_method(name)


@pytest.mark.parametrize("function", [None, 3, "darker", int])
def test_a_method_of_pixels_is_a_function(function):
    with pytest.raises(InputError, match=r"is a function \(images, keys\) -> images, got"):
        PixelMethod(function)


class Broken:
    """A method of one's own with a mistake in it."""

    name = "broken"
    mixes_labels = needs_mixing_images = False

    def draw(self, keys, scene):
        return [][len(keys)]


def broken_pixels(images, keys):
    return images[0] / {}["missing"]


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (Broken(), r"the method broken failed in draw\(\): IndexError: list index out of range"),
        (PixelMethod(broken_pixels), "the method broken_pixels failed: KeyError: 'missing'"),
    ],
)
def test_errors_of_a_method_of_one_s_own_name_it(method, words):
    images = np.zeros((2, 8, 8, 3), np.uint8)
    with pytest.raises(InputError, match=words) as told:
        augment(images, method, seed=0)
    assert isinstance(told.value.__cause__, LookupError), "where it happened is not lost"
    with pytest.raises(InputError, match=words):
        Augmenter(method, seed=0)(images[0], index=0, epoch=0)
