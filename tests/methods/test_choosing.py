import pytest

from ipmix.core.errors import InputError
from ipmix.methods import METHODS, choosing
from ipmix.methods.choosing import chosen_method


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
