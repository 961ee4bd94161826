"""What the classes of methods have in common."""

import pytest

import ipmix
from ipmix.core.errors import InputError
from ipmix.methods import METHODS


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_among_transforms_says_what_to_take(name: str) -> None:
    """A list of transforms calls what it holds: ``v2.Compose([ipmix.IPMix()])``."""
    kind = METHODS[name]
    words = rf"{kind.__name__}\(\.\.\.\) holds the settings .* ipmix\.transforms\.MethodTransform"
    with pytest.raises(InputError, match=words):
        kind()("an image")


def test_options_are_changed_in_a_copy() -> None:
    method = ipmix.IPMix()
    assert method.with_options(k=4) == ipmix.IPMix(k=4)
    assert method == ipmix.IPMix()
