"""What classes are called where people read them: ImageNet's by their names, not by their WordNet identifiers.

The names are those of torchvision's published weights, in the order of the outputs; no two are the same.
"""

import json
from functools import cache
from importlib.resources import files

from ipmix.evaluation.class_maps import identifiers


def readable(name: str) -> str:
    """A class's name as a reader should see it: "goldfish" for "n01443537"; others stay as they are."""
    return imagenet_names().get(name, name)


@cache
def imagenet_names() -> dict[str, str]:
    """WordNet identifier -> name of ImageNet's 1,000 classes, in the order of the outputs."""
    text = files("ipmix.evaluation").joinpath("imagenet_names.json").read_text(encoding="utf-8")
    names: list[str] = json.loads(text)
    return dict(zip(identifiers(), names, strict=True))
