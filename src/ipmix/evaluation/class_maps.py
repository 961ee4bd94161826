"""Which folder of a test set is which of a model's outputs: for sets that bring other folders than the training set.

==============  =====================================================================================
CLASS MAP       what a folder's name is
==============  =====================================================================================
``imagenet``    one of ImageNet's 1,000 WordNet identifiers (Sketch, Stylized, -A, -R, -O, parts of ImageNet)
``numbers``     the output's number, 0 first (ImageNet-V2)
``objectnet``   one of ObjectNet's 113 classes that ImageNet knows; its other 200 are left out
``sorted``      nothing: the first folder in sorted order is output 0, and so on
a JSON file     ``{"folder": 5, "other folder": [7, 9]}``; folders that it doesn't name are left out
==============  =====================================================================================
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from torch import nn

from ipmix.core.errors import InputError
from ipmix.data.sources import InMemory, OnDisk
from ipmix.evaluation.class_outputs import ClassOutputs
from ipmix.evaluation.request import EvaluationRequest
from ipmix.measures.subsets import subset as subset_classes

NAMED = ("imagenet", "numbers", "objectnet", "sorted")

ClassMap = dict[str, int | tuple[int, ...]]
"""The output, or the outputs, of a model that each folder stands for."""


def outputs_of(class_map: str, folders: Sequence[str]) -> ClassMap:
    """Which outputs each folder stands for; folders that the map leaves out are not in the result.

    Args:
        class_map: one of :data:`NAMED`, or the path of a JSON file.
        folders: the data's class folders, in sorted order.

    Raises:
        InputError: a folder has no place in a map that must know all, two folders share an output, or the
            file isn't such a map.
    """
    if class_map == "sorted":
        return {folder: place for place, folder in enumerate(folders)}
    if class_map == "numbers":
        found: ClassMap = {folder: _number(folder) for folder in folders}
    elif class_map == "imagenet":
        found = {folder: _wordnet(folder) for folder in folders}
    else:
        table = _objectnet() if class_map == "objectnet" else read_class_map(class_map)
        found = {folder: table[folder] for folder in folders if folder in table}
        if not found:
            raise InputError(
                f"the class map {class_map} knows none of the data's folders ({', '.join(folders[:3])}, ...); it "
                f"knows {', '.join(list(table)[:3])}, ..."
            )
    _refuse_shared(class_map, found)
    return found


def is_wordnet(folders: Sequence[str]) -> bool:
    """Whether all folders are named by WordNet identifiers of ImageNet's classes."""
    return all(folder in _places() for folder in folders)


def is_numbered_out_of_order(folders: Sequence[str]) -> bool:
    """Whether folders are numbers that sort otherwise as words: 0, 1, 10, 11, ..., 2."""
    if not all(folder.isascii() and folder.isdigit() for folder in folders):
        return False
    return [int(folder) for folder in folders] != sorted(int(folder) for folder in folders)


def _number(folder: str) -> int:
    if not (folder.isascii() and folder.isdigit()):
        raise InputError(f"with --class-map numbers each folder is named by a number, got {folder!r}")
    return int(folder)


def _wordnet(folder: str) -> int:
    if folder not in _places():
        raise InputError(
            f"with --class-map imagenet each folder is one of ImageNet's 1,000 WordNet identifiers, got {folder!r}"
        )
    return _places()[folder]


def _refuse_shared(class_map: str, found: ClassMap) -> None:
    owner: dict[int, str] = {}
    for folder, outputs in found.items():
        for output in (outputs,) if isinstance(outputs, int) else outputs:
            if output in owner:
                raise InputError(
                    f"the class map {class_map} gives output {output} to two folders, {owner[output]!r} and {folder!r}"
                )
            owner[output] = folder


@cache
def _places() -> dict[str, int]:
    return {name: place for place, name in enumerate(_data()["imagenet"])}


@cache
def _objectnet() -> ClassMap:
    return _as_map("objectnet", _data()["objectnet"])


@cache
def _data() -> dict:
    content: dict = json.loads(files("ipmix.evaluation").joinpath("class_maps.json").read_text(encoding="utf-8"))
    return content


def read_class_map(path: str) -> ClassMap:
    if not Path(path).is_file():
        raise InputError(f"there is no class map {path!r}: expected {', '.join(NAMED)}, or a JSON file that exists")
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}); a class map is {_EXAMPLE}") from None
    return _as_map(path, content)


def _as_map(name: str, content: object) -> ClassMap:
    if not isinstance(content, dict) or not content:
        raise InputError(f"{name} holds no class map; it looks like {_EXAMPLE}")
    found: ClassMap = {}
    for folder, value in content.items():
        numbers = value if isinstance(value, list) else [value]
        if not numbers or any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in numbers):
            raise InputError(f"{name}: {folder!r} stands for {value!r}; expected the numbers of outputs, 0 first")
        found[folder] = numbers[0] if len(numbers) == 1 else tuple(numbers)
    return found


_EXAMPLE = '{"folder": 5, "other folder": [7, 9]}'


def match_classes(
    source: InMemory | OnDisk, request: EvaluationRequest, model: nn.Module
) -> tuple[InMemory | OnDisk, ClassOutputs | None]:
    """Bring data and model to the same classes: by subset, by class map, by name, or as they are."""
    if request.subset is not None:
        if request.class_map is not None:
            raise InputError("--subset names both the classes and their order: leave out --class-map")
        class_outputs = subset_classes(request.subset).tolist()
        if len(source.classes) == len(class_outputs):
            return source, class_outputs
        if len(source.classes) == 1000:
            return _only_classes(source, class_outputs), class_outputs
        raise InputError(
            f"--subset {request.subset} needs data with 200 classes (the set itself) or all 1,000 (of which 200 "
            f"are taken); {source.name} has {len(source.classes)}"
        )
    if request.class_map is not None:
        return _mapped(source, request.class_map)
    names = getattr(model, "classes", None)
    if names is None or _numbered(names):
        return _guessed(source, names)
    if tuple(names) == source.classes:
        return source, None
    missing = [name for name in source.classes if name not in names]
    if missing:
        raise InputError(
            f"the model does not know {len(missing)} of the data's classes, such as {missing[0]!r}; "
            f"it knows {', '.join(map(str, names[:4]))}, ... ({len(names)}). If the folders only have other names, "
            "say which is which with --class-map"
        )
    return source, [list(names).index(name) for name in source.classes]


def _mapped(source: InMemory | OnDisk, class_map: str) -> tuple[InMemory | OnDisk, ClassOutputs | None]:
    """By a class map; images of folders that it leaves out are not measured."""
    outputs = outputs_of(class_map, source.classes)
    kept = [place for place, folder in enumerate(source.classes) if folder in outputs]
    class_outputs = [outputs[source.classes[place]] for place in kept]
    if len(kept) < len(source.classes):
        sys.stderr.write(
            f"{len(source.classes) - len(kept)} of the data's {len(source.classes)} folders are not in the class map "
            f"{class_map}: their images are left out.\n"
        )
        source = _only_classes(source, kept)
    return source, None if class_map == "sorted" else class_outputs


def _guessed(source: InMemory | OnDisk, names: Sequence[str] | None) -> tuple[InMemory | OnDisk, ClassOutputs | None]:
    """For a model whose classes have no names: their order is all there is to go by."""
    if is_numbered_out_of_order(source.classes):
        raise InputError(
            f"{source.name} has folders named by numbers, whose sorted order is not that of the numbers "
            f"({', '.join(source.classes[:4])}, ...). Pass --class-map numbers if a folder's name is the number of the "
            "model's output (ImageNet-V2), or --class-map sorted if the model was trained on folders so sorted"
        )
    if names is not None and len(names) == 1000 > len(source.classes) and is_wordnet(source.classes):
        return _mapped(source, "imagenet")
    return source, None


def _only_classes(source: InMemory | OnDisk, classes_kept: list[int]) -> InMemory | OnDisk:
    """Only the images of some classes, relabelled 0, 1, ... in the order of ``classes_kept``."""
    place = np.full(len(source.classes), -1, np.int64)
    place[classes_kept] = np.arange(len(classes_kept))
    chosen = np.flatnonzero(place[source.labels] >= 0)
    labels, classes = place[source.labels[chosen]], tuple(source.classes[c] for c in classes_kept)
    if not len(chosen):
        raise InputError(f"{source.name} has no image of the subset's classes")
    if isinstance(source, InMemory):
        dataset = source.dataset
        return InMemory(replace(dataset, images=dataset.images[chosen], labels=labels, classes=classes))
    paths = tuple(source.files.paths[i] for i in chosen)
    return replace(source, files=replace(source.files, paths=paths, labels=labels, classes=classes))


def _numbered(names: Sequence[str]) -> bool:
    """Whether classes were never named: then their order is all there is to go by."""
    return tuple(names) == tuple(str(i) for i in range(len(names)))
