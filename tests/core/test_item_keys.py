"""Numbers for items that have names."""

import subprocess
import sys
from typing import Any

import pytest

import ipmix
from ipmix.core.errors import InputError

NAME = "n01440764/n01440764_10026"
KEY = 1232612731086706660


def test_a_key_is_the_same_everywhere() -> None:
    assert ipmix.key_of(NAME) == ipmix.key_of(NAME.encode())
    program = f"import ipmix; print(ipmix.key_of({NAME!r}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) == ipmix.key_of(NAME) == KEY


def test_keys_are_numbers_that_an_index_can_be() -> None:
    keys = [ipmix.key_of(f"image-{number}") for number in range(10_000)]
    assert len(set(keys)) == 10_000
    assert 0 <= min(keys)
    assert 2**62 < max(keys) < 2**63
    assert ipmix.key_of("\udce9.jpg") == ipmix.key_of(b"\xe9.jpg")


@pytest.mark.parametrize("value", [None, 3, ["a"]])
def test_what_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="key_of takes the item's key as text or bytes"):
        ipmix.key_of(value)
