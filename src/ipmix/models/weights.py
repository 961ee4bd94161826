"""Weights in files: ours (safetensors, with what is needed to rebuild the network) and other people's."""

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import torch

from ipmix.core.errors import InputError
from ipmix.core.files import replacing
from ipmix.models.classifier import Classifier

FORMAT = 1
METADATA = "ipmix"
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
        file.write(serialise(state, {METADATA: json.dumps(about)}))


def read(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """What :func:`save` wrote: the tensors, and what is known of them (name, classes, facts).

    Raises:
        InputError: no such file, or not one of ours.
    """
    from safetensors import SafetensorError, safe_open

    _check_exists(path)
    try:
        with _name_in_utf8(path) as name, safe_open(name, "pt") as file:
            text = (file.metadata() or {}).get(METADATA)
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    except SafetensorError as error:
        raise InputError(f"{path} is not a safetensors file ({error})") from None
    if text is None:
        raise InputError(
            f"{path} does not say which network it holds (expected a file written by ipmix train); "
            "name the network and pass the file as its weights"
        )
    about: dict[str, Any] = json.loads(text)
    if about["format"] != FORMAT:
        raise InputError(f"{path} has format {about['format']}, expected {FORMAT}: read it with a newer version")
    return state, about


def facts(path: str | Path) -> dict[str, object]:
    """What was saved along with a classifier's weights; errors as :func:`read`."""
    found: dict[str, object] = read(path)[1]["facts"]
    return found


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file or a PyTorch checkpoint, by name, unwrapped.

    A checkpoint may hold them under "state_dict", "model", "net" or "model_state_dict"; the prefixes that
    DataParallel ("module.") and torch.compile ("_orig_mod.") add are removed. No code in the file is run.
    """
    _check_exists(path)
    if Path(path).suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            with _name_in_utf8(path) as name:
                content: object = load_file(name)
        except SafetensorError as error:
            raise InputError(f"{path} is not a safetensors file ({error})") from None
    else:
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for damaged files
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise InputError(
                f"{path} can't be read as weights ({reason}). If it holds more than tensors, load it "
                "yourself and save its state_dict: files that may run code are not opened here"
            ) from None
    for key in ("state_dict", "model_state_dict", "model", "net"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}; expected tensors by name")
    tensors = {_bare(key): value for key, value in content.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise InputError(f"{path} holds no weights (found: {', '.join(map(str, content)) or 'nothing'})")
    return tensors


def translated(state: Mapping[str, torch.Tensor], renames: Renames, classifier: Classifier) -> dict[str, torch.Tensor]:
    """The same tensors under the names of ``classifier``'s own state."""
    expected = classifier.state_dict()
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
    """
    expected = classifier.state_dict()
    wanted = {key for key in expected if key not in ("mean", "std") and not key.endswith("num_batches_tracked")}
    missing = sorted(wanted - state.keys())
    unknown = sorted(state.keys() - expected.keys())
    if missing or unknown:
        raise InputError(
            f"{source} does not fit {classifier.name}: "
            + "; ".join(
                f"{what} {', '.join(keys[:4])}{' ...' if len(keys) > 4 else ''}"
                for what, keys in (("it lacks", missing), ("it also has", unknown))
                if keys
            )
        )
    kept = dict(state)
    for key, value in state.items():
        if value.shape == expected[key].shape:
            continue
        if new_head and expected[key].shape[0] == len(classifier.classes):
            kept[key] = expected[key]
            continue
        raise InputError(
            f"{source} does not fit {classifier.name} with {len(classifier.classes)} classes: {key} is "
            f"{list(value.shape)}, expected {list(expected[key].shape)}"
        )
    classifier.load_state_dict({**expected, **kept})


def _bare(key: str) -> str:
    while True:
        for prefix in ("module.", "_orig_mod."):
            if key.startswith(prefix):
                key = key[len(prefix) :]
                break
        else:
            return key


def _check_exists(path: str | Path) -> None:
    if not Path(path).is_file():
        raise InputError(f"there is no file of weights {path}")


@contextmanager
def _name_in_utf8(path: str | Path) -> Iterator[Path]:
    """The file, or where its name is not UTF-8, which safetensors can't open, a copy of it for the time being."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(shutil.copyfile(path, Path(folder) / "copy.safetensors"))
        return
    yield Path(path)
