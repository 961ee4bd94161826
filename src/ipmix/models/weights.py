"""Our files of weights (safetensors, with what is needed to rebuild the network), and fitting weights to a network."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import torch

from ipmix.core.errors import InputError, first_line, plain
from ipmix.core.files import replacing
from ipmix.core.json_text import json_text
from ipmix.models.checkpoints import bare, check_exists, name_in_utf8
from ipmix.models.classifier import Classifier, check_classes
from ipmix.models.tensors import check_tensors, is_finite

FORMAT = 1
METADATA = "ipmix"
LARGEST_SIDE = 4096
"""Of the images that a network in a file says it is for, in pixels."""

PREFIXES = ("", "model.", "net.", "network.", "backbone.", "encoder.", "classifier.")
"""What frameworks put before a network's names: Lightning the name of the attribute that holds it."""

_NEEDLESS = re.compile(r"(?:^|\.)(?:total_ops|total_params|n_averaged)$|^network\.(?:AuxLogits|aux1|aux2)\.")
Renames: TypeAlias = Iterable[tuple[str, str | Callable[[re.Match[str]], str]]]


def save(path: str | Path, classifier: Classifier, facts: Mapping[str, object] | None = None) -> None:
    """Write a classifier as safetensors in one step: weights, normalisation, name, classes.

    ``facts``: anything JSON can hold that should travel with the weights (how it was trained, its figures).
    """
    from safetensors.torch import save as serialise

    about = {
        "format": FORMAT,
        "name": classifier.name,
        "classes": classifier.classes,
        "facts": dict(facts or {}),
    }
    # Memory formats and shared storage don't survive: every tensor is written on its own, contiguous.
    state = {key: value.detach().cpu().contiguous().clone() for key, value in classifier.state_dict().items()}
    with replacing(path) as file:
        # One entry: safetensors puts several in any order, and the same network would not be the same bytes.
        file.write(serialise(state, {METADATA: json_text(about)}))


def read(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """What :func:`save` wrote: the tensors, and what is known of them (name, classes, facts).

    Raises:
        InputError: no such file, not one of ours, or one that says of itself what can't be.
    """
    with _opened(path) as file:
        about = _about(path, file.metadata())
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    check_tensors(path, state)
    _check_normalisation(path, state)
    return state, about


def facts(path: str | Path) -> dict[str, object]:
    """What was saved along with a classifier's weights; errors as :func:`read`."""
    with _opened(path) as file:
        found: dict[str, object] = _about(path, file.metadata())["facts"]
    return found


def translated(state: Mapping[str, torch.Tensor], renames: Renames, classifier: Classifier) -> dict[str, torch.Tensor]:
    """The same tensors under the names of ``classifier``'s own state.

    Where all of the network's tensors lie behind one of the prefixes that training frameworks add ("model.",
    "net."), only these are kept: beside them such a file holds losses and measures. Counters of profilers, and the
    auxiliary heads of GoogLeNet and Inception, which only training uses, are left out.
    """
    expected = classifier.state_dict()
    wanted = _wanted(expected)
    best: dict[str, torch.Tensor] = {}
    for prefix in PREFIXES:
        chosen = {bare(key[len(prefix) :]): value for key, value in state.items() if key.startswith(prefix)}
        named = {key: value for key, value in _named(chosen, renames, expected).items() if not _NEEDLESS.search(key)}
        if wanted <= named.keys() <= expected.keys():
            return named
        if prefix and wanted <= named.keys() and not {"mean", "std"} <= state.keys():  # which only our files have
            return {key: value for key, value in named.items() if key in expected}
        if not prefix or len(wanted & named.keys()) > len(wanted & best.keys()):
            best = named
    return best


def _named(
    state: Mapping[str, torch.Tensor], renames: Renames, expected: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    if any(key in expected for key in state):
        return dict(state)
    result = {}
    for key, value in state.items():
        if f"network.{key}" not in expected:
            for pattern, replacement in renames:
                key = re.sub(pattern, replacement, key)
        result[f"network.{key}"] = value
    return result


def fill(classifier: Classifier, state: Mapping[str, torch.Tensor], *, source: str, new_head: bool = False) -> None:
    """Copy tensors into the classifier; every one must fit.

    The file's mean and std win over the classifier's. ``new_head``: tensors of the last layer that don't
    fit are left out.

    Raises:
        InputError: a tensor is missing, unknown, of another shape, or not finite.
    """
    kept = fitting(classifier, state, source=source, new_head=new_head)
    classifier.load_state_dict({**classifier.state_dict(), **kept})


def fitting(
    classifier: Classifier,
    state: Mapping[str, torch.Tensor],
    *,
    source: str,
    new_head: bool = False,
    all_of: bool = False,
) -> dict[str, torch.Tensor]:
    """The tensors that :func:`fill` would copy; the classifier itself may be on the device "meta".

    ``all_of``: the batches that a norm has counted, mean and std must be there too, as in our own files.
    """
    expected = classifier.state_dict()
    wanted = expected.keys() if all_of else _wanted(expected)
    missing = sorted(wanted - state.keys())
    unknown = sorted(state.keys() - expected.keys())
    if missing or unknown:
        raise InputError(
            f"{source} does not fit {classifier.name}: "
            + "; ".join(
                f"{what} {plain(', '.join(keys[:4]))}{' ...' if len(keys) > 4 else ''}"
                for what, keys in (("it lacks", missing), ("it also has", unknown))
                if keys
            )
        )
    kept = dict(state)
    for key, value in state.items():
        if value.dtype != expected[key].dtype and value.is_floating_point() != expected[key].is_floating_point():
            raise InputError(
                f"{source} does not fit {classifier.name}: {plain(key)} is {value.dtype}, expected "
                f"{expected[key].dtype}"
            )
        if value.shape == expected[key].shape:
            _check_finite(source, key, value)  # not before: one of another shape may be of any size
            continue
        if new_head and expected[key].shape[0] == len(classifier.classes):
            kept[key] = expected[key]
            continue
        raise InputError(
            f"{source} does not fit {classifier.name} with {len(classifier.classes)} classes: {key} is "
            f"{list(value.shape)}, expected {list(expected[key].shape)}"
        )
    return kept


def _wanted(expected: Mapping[str, torch.Tensor]) -> set[str]:
    """Without these tensors, weights don't fit."""
    return {key for key in expected if key not in ("mean", "std") and not key.endswith("num_batches_tracked")}


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    check_exists(Path(path))
    try:
        with name_in_utf8(path) as name, safe_open(name, "pt") as file:
            yield file
    except SafetensorError as error:
        raise InputError(f"{path} is not a safetensors file ({first_line(error)})") from None


def _about(path: str | Path, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    """What a file says of itself, checked: it may come from a stranger."""
    text = (metadata or {}).get(METADATA)
    if text is None:
        raise InputError(
            f"{path} does not say which network it holds (expected a file written by ipmix train); "
            "name the network and pass the file as its weights"
        )
    try:
        about = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"{path}: its metadata {METADATA!r} is not JSON") from None
    if not isinstance(about, dict):
        raise InputError(f"{path}: its metadata {METADATA!r} must be a JSON object, got {plain(text, most=40)}")
    for key, kind, words in (
        ("format", int, "a whole number"),
        ("name", str, "the network's name"),
        ("classes", list, "a list of names"),
        ("facts", dict, "an object"),
    ):
        value = about.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            given = f"got {plain(json.dumps(value), most=60)}" if key in about else "which is missing"
            raise InputError(f"{path}: its metadata {METADATA!r} needs {key}, {words}, {given}")
    if about["format"] != FORMAT:
        raise InputError(f"{path} has format {about['format']}, expected {FORMAT}: read it with a newer version")
    try:
        check_classes(about["classes"])
    except InputError as error:
        raise InputError(f"{path}: classes in its metadata: {error}") from None
    size = about["facts"].get("size")
    whole = isinstance(size, int) and not isinstance(size, bool)
    if size is not None and not (whole and 1 <= size <= LARGEST_SIDE):
        raise InputError(
            f"{path}: facts.size in its metadata must be a whole number of 1 to {LARGEST_SIDE} pixels, "
            f"got {plain(json.dumps(size), most=60)}"
        )
    return about


def _check_normalisation(path: str | Path, state: Mapping[str, torch.Tensor]) -> None:
    """Raise InputError unless the normalisation is one, and every number is finite."""
    for key in ("mean", "std"):
        if key not in state:
            raise InputError(f"{path} does not hold the tensor {key}, one number a channel")
        shape = list(state[key].shape)
        if len(shape) != 4 or shape[1] < 1 or shape != [1, shape[1], 1, 1] or not state[key].is_floating_point():
            raise InputError(f"{path}: {key} must be float[1, channels, 1, 1], got {state[key].dtype}{shape}")
        _check_finite(path, key, state[key])
    if state["std"].float().min() <= 0:
        raise InputError(f"{path}: std must be above 0 in each channel, got {state['std'].flatten().tolist()}")


def _check_finite(path: object, key: str, value: torch.Tensor) -> None:
    if not is_finite(value):
        raise InputError(f"{path}: the tensor {plain(key)} holds numbers that are not finite: its training went wrong")
