"""Which 200 of ImageNet's 1,000 classes ImageNet-A, ImageNet-O and ImageNet-R use.

The indices count the 1,000 WordNet identifiers in sorted order, as every ImageNet classifier does.
"""

import json
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from ipmix.core.errors import InputError


def subset(name: str) -> NDArray[np.int64]:
    """The 200 sorted class indices of ``"imagenet-a"``, ``"imagenet-o"`` or ``"imagenet-r"``: int64[200]."""
    table = _table()
    if name not in table:
        raise InputError(f"there is no subset {name!r}; choose one of {', '.join(sorted(table))}")
    return np.array(table[name], dtype=np.int64)


@cache
def _table() -> dict[str, list[int]]:
    text = files("ipmix.measures").joinpath("imagenet_subsets.json").read_text(encoding="utf-8")
    table: dict[str, list[int]] = json.loads(text)
    return table
