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
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from importlib.resources import files
from pathlib import Path

import numpy as np

from ipmix.core.checking import shown
from ipmix.core.errors import InputError, first_line, plain
from ipmix.core.terminal import tell
from ipmix.data.sources import InMemory, OnDisk
from ipmix.evaluation.class_outputs import ClassOutputs, CompetingOutputs
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
    return {name: place for place, name in enumerate(identifiers())}


@cache
def identifiers() -> tuple[str, ...]:
    """ImageNet's 1,000 WordNet identifiers, in the order of the outputs."""
    return tuple(_data()["imagenet"])


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
        content = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=partial(_once, path))
    except InputError:
        raise
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({first_line(error)}); a class map is {_EXAMPLE}") from None
    return _as_map(path, content)


def _once(path: str, pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place]))
        raise InputError(f"{path} names {shown(twice)} twice; which of the two is meant can't be told")
    return found


def _as_map(name: str, content: object) -> ClassMap:
    if not isinstance(content, dict) or not content:
        raise InputError(f"{name} holds no class map but {shown(content)}; it looks like {_EXAMPLE}")
    found: ClassMap = {}
    for folder, value in content.items():
        numbers = value if isinstance(value, list) else [value]
        if not numbers or any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in numbers):
            raise InputError(
                f"{name}: {shown(folder)} stands for {shown(value)}; expected the numbers of outputs, 0 first"
            )
        found[folder] = numbers[0] if len(numbers) == 1 else tuple(numbers)
    return found


_EXAMPLE = '{"folder": 5, "other folder": [7, 9]}'


def match_classes(
    source: InMemory | OnDisk, request: EvaluationRequest, names: Sequence[str] | None, total: int
) -> tuple[InMemory | OnDisk, ClassOutputs | None]:
    """Bring data and model to the same classes: by subset, by class map, by name, or as they are.

    Args:
        source: the images, labelled by the data's classes.
        request: ``subset``, ``class_map`` and ``restrict`` are looked at, and the file's name in ``data``.
        names: the model's classes, if they were named.
        total: how many outputs the model has.

    Returns:
        The images, labelled by what competes; and the outputs that do: None for all of the model's, one by one.

    Raises:
        InputError: which of the model's outputs the data's classes are can't be told, or the model lacks them.
    """
    if len(set(source.classes)) < len(source.classes):
        twice = next(name for name in source.classes if source.classes.count(name) > 1)
        raise InputError(f"{request.data}: two of the data's classes are called {twice!r}")
    if request.subset is not None:
        return _of_subset(source, request, total)
    if request.class_map is not None:
        found = outputs_of(request.class_map, source.classes)
    else:
        found = _told_by_names(source, request, None if names is None or _numbered(names) else names, total)
    for name, outputs in found.items():
        largest = outputs if isinstance(outputs, int) else max(outputs)
        if largest >= total:
            where = f"the class map {request.class_map}: " if request.class_map is not None else ""
            raise InputError(
                f"{where}the data's class {plain(name)!r} needs output {shown(largest)} of the model, which has "
                f"{total} (0 to {total - 1})"
            )
    source, kept = _without_unknown(source, found, request)
    if request.restrict:
        return _among_its_own(source, kept, request, total)
    return _among_all(source, kept, names, total)


def _of_subset(
    source: InMemory | OnDisk, request: EvaluationRequest, total: int
) -> tuple[InMemory | OnDisk, ClassOutputs]:
    """ImageNet-A, -O, -R as published: 200 of the 1,000 outputs compete."""
    if request.class_map is not None or request.restrict:
        raise InputError("--subset names both the classes and their order: leave out --class-map and --restrict")
    chosen = subset_classes(str(request.subset)).tolist()
    if total != 1000:
        raise InputError(f"--subset {request.subset} is for models of ImageNet's 1,000 classes; this one has {total}")
    competing = CompetingOutputs(chosen, total)
    if is_wordnet(source.classes):  # whole or in part: the folders say themselves which they are
        place = {output: number for number, output in enumerate(chosen)}
        places = [place.get(_wordnet(folder), -1) for folder in source.classes]
        names = [identifiers()[output] for output in chosen]
        return _relabelled(source, places, names), competing
    if len(source.classes) == len(chosen):
        return source, competing
    if len(source.classes) == total:
        return _only_classes(source, chosen), competing
    raise InputError(
        f"--subset {request.subset} needs data with 200 classes (the set itself) or all 1,000 (of which 200 "
        f"are taken), or folders named by WordNet identifiers; {source.name} has {len(source.classes)} classes"
    )


def _told_by_names(
    source: InMemory | OnDisk, request: EvaluationRequest, names: Sequence[str] | None, total: int
) -> ClassMap:
    """Which output each class of the data is, without a map: by the model's names, or by what can't be mistaken."""
    by_order: ClassMap = {name: place for place, name in enumerate(source.classes)}
    of_file = request.labels_are_outputs or Path(request.data).suffix == ".npz"
    if names is not None and all(name in names for name in source.classes):
        place = {name: output for output, name in enumerate(names)}
        return {name: place[name] for name in source.classes}
    if of_file and (names is None or _numbered(source.classes)):  # labels in a file are the model's outputs
        if int(source.labels.max()) >= total:
            first = int((source.labels >= total).argmax())
            which = "a label" if request.limit is not None else f"labels[{first}]"  # places are those of all images
            file = f"{request.data}: " if Path(request.data).suffix == ".npz" else ""
            raise InputError(
                f"{file}{which} is {int(source.labels[first])}, none of the model's outputs, which are 0 to {total - 1}"
            )
        return {name: place for place, name in enumerate(source.classes[:total])}
    if is_wordnet(source.classes) and total == 1000:  # whatever the model calls them, they stand in this order
        return outputs_of("imagenet", source.classes)
    if names is not None:
        missing = [name for name in source.classes if name not in names]
        raise InputError(
            f"the model does not know {len(missing)} of the data's classes, such as {missing[0]!r}; "
            f"it knows {', '.join(map(str, names[:4]))}, ... ({len(names)}). If the folders only have other names, "
            "say which is which with --class-map"
        )
    if is_numbered_out_of_order(source.classes):
        raise InputError(
            f"{source.name} has folders named by numbers, whose sorted order is not that of the numbers "
            f"({', '.join(source.classes[:4])}, ...). Pass --class-map numbers if a folder's name is the number of the "
            "model's output (ImageNet-V2), or --class-map sorted if the model was trained on folders so sorted"
        )
    if len(source.classes) != total:
        raise InputError(
            f"the model has {total} outputs without names and {source.name} {len(source.classes)} classes "
            f"({', '.join(source.classes[:3])}{', ...' if len(source.classes) > 3 else ''}): say which is which with "
            "--class-map sorted, numbers or FILE"
        )
    return by_order


def _without_unknown(
    source: InMemory | OnDisk, found: ClassMap, request: EvaluationRequest
) -> tuple[InMemory | OnDisk, list[int | tuple[int, ...]]]:
    """Without the images of classes that have no output; and the outputs of the others, in the data's order."""
    kept = [place for place, name in enumerate(source.classes) if name in found]
    outputs = [found[source.classes[place]] for place in kept]
    if len(kept) < len(source.classes):
        if request.class_map is not None:
            tell(
                f"{len(source.classes) - len(kept)} of the data's {len(source.classes)} folders are not in the class "
                f"map {request.class_map}: their images are left out.\n"
            )
        source = _only_classes(source, kept)
    return source, outputs


def _among_its_own(
    source: InMemory | OnDisk, outputs: list[int | tuple[int, ...]], request: EvaluationRequest, total: int
) -> tuple[InMemory | OnDisk, ClassOutputs]:
    """Only the outputs of the data's classes compete."""
    if _numbered(source.classes) and (
        request.labels_are_outputs or Path(request.data).suffix == ".npz"
    ):  # without names: the labels that are there
        present = np.unique(source.labels).tolist()
        source, outputs = _only_classes(source, present), [outputs[place] for place in present]
    if len(outputs) < 2:
        raise InputError(
            f"{request.data}: --restrict leaves one class, {source.classes[0]!r}: every answer would be right"
        )
    return source, CompetingOutputs(outputs, total)


def _among_all(
    source: InMemory | OnDisk, outputs: list[int | tuple[int, ...]], names: Sequence[str] | None, total: int
) -> tuple[InMemory | OnDisk, ClassOutputs | None]:
    """All outputs compete; several that mean the same class compete as one."""
    groups = [(output,) if isinstance(output, int) else output for output in outputs]
    owner = {output: place for place, group in enumerate(groups) for output in group}
    # A class stands in the place of its first output; its others are merged into that one.
    merged = {output for group in groups for output in group if output != min(group)}
    competing = [output for output in range(total) if output not in merged]
    place_of = {output: place for place, output in enumerate(competing)}
    places = [place_of[min(group)] for group in groups]
    known: Sequence[str] = [str(output) for output in range(total)] if names is None else names
    if total == 1000 and (names is None or _numbered(names)) and is_wordnet(source.classes):
        known = identifiers()
    shown = [source.classes[owner[output]] if output in owner else str(known[output]) for output in competing]
    whole = None if not merged else CompetingOutputs([_entry(groups, owner, o) for o in competing], total)
    if whole is None and places == list(range(total)):
        return source, None
    return _relabelled(source, places, shown), whole


def _entry(groups: list[tuple[int, ...]], owner: dict[int, int], output: int) -> int | tuple[int, ...]:
    group = groups[owner[output]] if output in owner else (output,)
    return group if len(group) > 1 else output


def _relabelled(source: InMemory | OnDisk, places: Sequence[int], names: Sequence[str]) -> InMemory | OnDisk:
    """The images, the class ``c`` now called ``places[c]`` among ``names``; those of -1 are left out."""
    labels = np.asarray(places, np.int64)[source.labels]
    chosen, classes = np.flatnonzero(labels >= 0), tuple(names)
    if not len(chosen):
        raise InputError(f"{source.name} has no image of the subset's classes")
    if isinstance(source, InMemory):
        dataset = source.dataset
        images = dataset.images if len(chosen) == len(labels) else dataset.images[chosen]
        return InMemory(replace(dataset, images=images, labels=labels[chosen], classes=classes))
    paths = tuple(source.files.paths[i] for i in chosen)
    return replace(source, files=replace(source.files, paths=paths, labels=labels[chosen], classes=classes))


def _only_classes(source: InMemory | OnDisk, classes_kept: list[int]) -> InMemory | OnDisk:
    """Only the images of some classes, relabelled 0, 1, ... in the order of ``classes_kept``."""
    places = np.full(len(source.classes), -1, np.int64)
    places[classes_kept] = np.arange(len(classes_kept))
    return _relabelled(source, places.tolist(), [source.classes[c] for c in classes_kept])


def _numbered(names: Sequence[str]) -> bool:
    """Whether classes were never named: then their order is all there is to go by."""
    return tuple(names) == tuple(str(i) for i in range(len(names)))
