"""What a saved run must hold to be gone on with: checked before anything is changed, each fault named by its key.

``state.pt`` holds numbers and tensors only (no code of it is run), but anybody can write one.
"""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ipmix.core.errors import InputError, first_line, plain
from ipmix.core.json_text import parse_json
from ipmix.models.tensors import is_finite

ADVICE = "put the saved one back, or pass --force to start anew"


def bad(path: str | Path, key: str, expected: str, got: Any) -> InputError:
    """The error of a key that is not as it should be."""
    shown = plain(repr(got), most=60) if isinstance(got, str | int | float | bool | None) else type(got).__name__
    return InputError(f"{path}: {key} should be {expected}, got {shown}; {ADVICE}")


def check_keys(path: str | Path, state: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    """Raise :class:`InputError` naming the first of the keys that a state lacks."""
    for key in keys:
        if key not in state:
            raise InputError(f"{path}: the key {key!r} is missing; {ADVICE}")


def check_form(path: str | Path, state: Mapping[str, Any], logs: tuple[str, ...]) -> dict[str, Any]:
    """The run's record (``experiment``) of a state whose form is right; what depends on the network comes later."""
    check_keys(path, state, ("experiment", "log_lengths"))
    record = state["experiment"]
    if not isinstance(record, str):
        raise bad(path, "experiment", "the run's record as JSON", record)
    experiment = parse_json(record, f"{path}: experiment")
    if not isinstance(experiment, dict):
        raise bad(path, "experiment", "the run's record, a JSON object", experiment)
    lengths = state["log_lengths"]
    if not isinstance(lengths, dict) or set(lengths) != set(logs):
        raise bad(path, "log_lengths", f"the lengths of {' and '.join(logs)}", lengths)
    for name, length in lengths.items():
        if not _whole(length, 0):
            raise bad(path, f"log_lengths.{name}", "a number of bytes", length)
    return experiment


def check_log(path: Path, length: int) -> None:
    """Raise :class:`InputError` unless the log's first ``length`` bytes are whole lines, each a JSON object."""
    if (path.stat().st_size if path.exists() else 0) < length:  # before memory for so many bytes is asked for
        raise InputError(
            f"{path} is shorter than it was when the run was saved ({length} bytes): it was changed or "
            "cut. Put it back, or pass --force to start anew"
        )
    content = b""
    if path.exists():
        with path.open("rb") as file:
            content = file.read(length)
    if content and not content.endswith(b"\n"):
        raise InputError(f"{path} was changed since the run was saved: no line ends at byte {length}; {ADVICE}")
    for number, line in enumerate(content.splitlines(), start=1):
        row = None
        with suppress(ValueError, RecursionError):
            row = json.loads(line)
        if not isinstance(row, dict):
            raise InputError(f"{path}: line {number} is no line of figures (a JSON object); {ADVICE}")


def check_position(path: str | Path, position: Any, fields: tuple[str, ...], epochs: int, steps: int) -> None:
    """Raise :class:`InputError` unless a run of this many epochs of this many steps can stand there."""
    if not isinstance(position, dict) or set(position) != set(fields):
        names = sorted(map(str, set(position) ^ set(fields))) if isinstance(position, dict) else []
        where = f" (not {', '.join(plain(name, most=40) for name in names[:4])})" if names else ""
        raise bad(path, "position", f"an object with the keys {', '.join(fields)}{where}", position)
    for name, most in (("epoch", epochs), ("batch", steps), ("seen", None), ("recent_seen", None)):
        if not _whole(position[name], 0) or (most is not None and position[name] > most):
            limits = "0 or more" if most is None else f"from 0 to {most}"
            raise bad(path, f"position.{name}", f"a whole number {limits}", position[name])
    for name in ("loss", "wrong", "recent_loss"):
        value, least = position[name], 0.0 if name == "wrong" else -math.inf
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or value < least:
            raise bad(path, f"position.{name}", f"a finite number{' of at least 0' if least == 0 else ''}", value)
    if position["wrong"] > position["seen"]:
        raise bad(path, "position.wrong", f"at most position.seen, {position['seen']}", position["wrong"])
    rows = position["rows"]
    if not isinstance(rows, list) or len(rows) != position["epoch"]:
        raise bad(path, "position.rows", f"a list of {position['epoch']} finished epochs", rows)
    for number, row in enumerate(rows, start=1):
        check_row(path, f"position.rows[{number - 1}]", row, number)
    best = position["best"]
    if best is not None and (not isinstance(best, dict) or not any(best is row or _same(best, row) for row in rows)):
        raise bad(path, "position.best", "one of position.rows, or none", best)


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return repr(one) == repr(other)


def check_row(path: str | Path, key: str, row: Any, epoch: int) -> None:
    """Raise :class:`InputError` unless this is the line of figures of an epoch."""
    names = {"epoch", "step", "loss", "train_error"}
    if not isinstance(row, dict) or not names <= set(row) <= names | {"test_error", "test_loss"}:
        raise bad(path, key, "the figures of an epoch", row)
    if not all(isinstance(value, int | float) for value in row.values()) or row["epoch"] != epoch:
        raise bad(path, key, f"the figures of epoch {epoch}, all numbers", row)


def load_network(path: str | Path, key: str, network: nn.Module, tensors: Any) -> None:
    """Load a network's tensors; :class:`InputError` for others than it has, or for values that are no numbers."""
    if not isinstance(tensors, dict):
        raise bad(path, key, "the network's tensors", tensors)
    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor):
            raise bad(path, f"{key}.{plain(name, most=60)}", "a tensor", tensor)
    check_finite(path, tensors, f"{key}.")
    try:
        network.load_state_dict(tensors)
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = plain(" ".join(str(error).split()), most=200)
        raise InputError(f"{path}: {key} does not fit the network ({reason}); {ADVICE}") from None


def check_finite(path: str | Path, tensors: Mapping[str, torch.Tensor], prefix: str = "") -> None:
    """Raise :class:`InputError` if a tensor holds NaN or infinite values."""
    for name, tensor in tensors.items():
        if not is_finite(tensor):
            raise InputError(
                f"{path}: {prefix}{plain(name, most=80)} holds values that are no numbers (NaN or infinite)"
            )


def load_optimizer(path: str | Path, optimizer: Any, state: Any) -> None:
    """Load an optimizer's state; :class:`InputError` unless it is one of this very optimizer."""
    groups = optimizer.param_groups
    mine = optimizer.state_dict()["param_groups"]
    theirs = state.get("param_groups") if isinstance(state, dict) else None
    if not isinstance(theirs, list) or not isinstance(state.get("state"), dict):
        raise bad(path, "optimizer", "an optimizer's state (state and param_groups)", state)
    for place, group in enumerate(mine):
        found = theirs[place] if place < len(theirs) else None
        # The learning rate follows from the step.
        if not isinstance(found, dict) or "params" not in found or _differs(found, group):
            raise bad(path, f"optimizer.param_groups[{place}]", "this run's settings", found)
    weights = [weight for group in groups for weight in group["params"]]
    for place, kept in state["state"].items():
        if not _whole(place, 0) or place >= len(weights) or not isinstance(kept, dict):
            raise bad(path, "optimizer.state", f"something for each of {len(weights)} weights", place)
        for name, value in kept.items():
            key = f"optimizer.state.{place}.{plain(name, most=40)}"
            if isinstance(value, torch.Tensor):
                if value.ndim and value.shape != weights[place].shape:
                    raise bad(path, key, f"of the weight's shape {list(weights[place].shape)}", list(value.shape))
                check_finite(path, {key: value})
            elif value is not None and not isinstance(value, int | float):
                raise bad(path, key, "a tensor or a number", value)
    try:
        optimizer.load_state_dict(state)
    except (KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise InputError(f"{path}: optimizer does not fit this run ({first_line(error)}); {ADVICE}") from None


def check_scaler(path: str | Path, state: Any) -> None:
    """Raise :class:`InputError` unless this is a state of float16's loss scaling, or none: finite numbers by name."""
    if state is None:
        return
    if not isinstance(state, dict):
        raise bad(path, "scaler", "the state of the loss scaling, or none", state)
    for name, value in state.items():
        key, number = f"scaler.{plain(name, most=40)}", isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0:
            raise bad(path, key, "a finite number of at least 0", value)


def _differs(theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Whether a group has another value where ours has one; another version of PyTorch may have other keys."""
    try:
        return any(type(theirs.get(k, v)) is not type(v) or theirs.get(k, v) != v for k, v in ours.items() if k != "lr")
    except (RuntimeError, ValueError, TypeError):  # tensors where numbers should be
        return True


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
