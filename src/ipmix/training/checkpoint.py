"""The folder of a training run: what is written when, so that an interruption at any moment costs nothing.

    experiment.json    what is trained on what, and how
    metrics.jsonl      the figures: a line every few steps and one for each epoch; the same bytes in every run
                       of the same experiment, interrupted or not
    speed.jsonl        the clock's figures, one line for each epoch
    last.safetensors   the network after the last finished epoch
    best.safetensors   the network after the epoch with the lowest test error
    state.pt           what a resumed run needs: weights, optimizer, position, length of metrics.jsonl

Each file but the two logs is replaced whole. The logs are flushed to disk before the state that names their
length; a resumed run cuts them to that length first. So a state always finds the log lines it stands for, and
the lines of steps that will be repeated are gone.
"""

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from ipmix.core.errors import InputError, plain
from ipmix.core.files import FileLock, leads_nowhere, replacing, write_text
from ipmix.core.json_text import json_text, read_json_object
from ipmix.models import Classifier, save
from ipmix.models.checkpoints import load_plain, told
from ipmix.models.tensors import check_tensors
from ipmix.models.weights import read as read_network
from ipmix.training.run_record import changes, difference
from ipmix.training.saved_state import ADVICE, check_finite, check_form, check_log

STATE_FORMAT = 2
LOGS = ("metrics.jsonl", "speed.jsonl")
FILES = ("experiment.json", *LOGS, "last.safetensors", "best.safetensors", "state.pt")


class RunFolder:
    """One training run's folder, locked as long as the object is open.

    Args:
        path: the folder; made if it is missing.
        experiment: what identifies the run, as JSON holds it; a run of another one is not resumed.
        resume: go on with the run that is there (if there is one).
        force: replace the run that is there.

    Raises:
        InputError: another process trains in the folder; or it holds something, and neither ``resume`` nor
            ``force`` is set; or a run of another experiment is to be resumed.
    """

    def __init__(
        self, path: str | Path, experiment: Mapping[str, Any], *, resume: bool = False, force: bool = False
    ) -> None:
        self.path = Path(path)
        # Through JSON and back: what is compared on resuming is what the file can hold.
        self.experiment: dict[str, Any] = json.loads(json_text(dict(experiment)))
        refuse_taken(self.path, resume=resume, force=force)
        self.path.mkdir(parents=True, exist_ok=True)
        if resume:
            self._refuse_links()
        elif os.path.lexists(self.path / "run.lock") and not _is_own(self.path / "run.lock"):
            (self.path / "run.lock").unlink()
        try:
            self._lock = FileLock(self.path / "run.lock", wait=False)
        except BlockingIOError:
            raise InputError(
                f"another process is training in {self.path}; wait for it to end or choose another --out"
            ) from None
        try:
            self.state = self._found_state() if resume else None
            if self.state is None:
                self._clear()
                write_text(self.path / "experiment.json", json_text(self.experiment, indent=2) + "\n")
            self._files: dict[str, Any] = {}
        except BaseException:
            self._lock.release()
            raise

    def log(self, name: str, row: Mapping[str, Any]) -> None:
        """Append a line to ``metrics.jsonl`` or ``speed.jsonl``."""
        with _naming(self.path / name):
            self._logs()[name].write(json_text(dict(row)).encode() + b"\n")

    def save_state(self, state: Mapping[str, Any]) -> None:
        """Replace the state; the logs are on disk before it."""
        lengths = {}
        for name, file in self._logs().items():
            with _naming(self.path / name):
                file.flush()
                os.fsync(file.fileno())
            lengths[name] = file.tell()
        content = {
            "format": STATE_FORMAT,
            "experiment": json_text(self.experiment),
            "log_lengths": lengths,
            **state,
        }
        with _naming(self.path / "state.pt"), replacing(self.path / "state.pt") as out:
            torch.save(content, out)

    def save_network(self, name: str, network: Classifier, facts: Mapping[str, Any]) -> None:
        """Replace ``last.safetensors`` or ``best.safetensors``."""
        path = self.path / f"{name}.safetensors"
        with _naming(path):
            save(path, network, {**facts, "experiment": self.experiment})

    def what_is_kept(self) -> str:
        """Where the last good state is, in words."""
        if (self.path / "state.pt").exists():
            return f"the last good state is in {self.path}"
        return f"{self.path} holds no state yet: none was saved before"

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The lines of a log so far."""
        self._logs()[name].flush()
        return [json.loads(line) for line in (self.path / name).read_bytes().splitlines()]

    def close(self) -> None:
        """Close the logs and let others into the folder."""
        for file in self._files.values():
            with suppress(OSError):
                file.close()
        self._lock.release()

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _found_state(self) -> dict[str, Any] | None:
        path = self.path / "state.pt"
        if not path.exists():
            ours = (*FILES, "run.lock", "trackers")
            strangers = sorted(p.name for p in self.path.iterdir() if p.name not in ours and p.suffix != ".part")
            if strangers:
                raise InputError(
                    f"{self.path} holds no run to resume, but other things ({', '.join(strangers[:4])}); "
                    "choose another --out"
                )
            return None
        state = read_state(path)
        saved = check_form(path, state, LOGS)
        lines = difference(self.experiment, saved)
        if lines:
            raise InputError(
                f"the run in {self.path} is another experiment (there -> now):\n  " + "\n  ".join(lines) + "\n"
                "Set these back, choose another --out, or pass --force to start anew"
            )
        record = self.path / "experiment.json"
        if record.exists() and (changed := changes(read_json_object(record), saved)):
            told = plain(changed[0], most=200)
            raise InputError(f"{record} was changed since the run was begun ({told}); remove it, or {ADVICE}")
        for name in LOGS:
            check_log(self.path / name, state["log_lengths"][name])
        for name in ("last", "best"):
            if (self.path / f"{name}.safetensors").exists():
                check_finite(self.path / f"{name}.safetensors", read_network(self.path / f"{name}.safetensors")[0])
        if not record.exists():
            write_text(record, json_text(self.experiment, indent=2) + "\n")
        return state

    def _refuse_links(self) -> None:
        """What is appended to must be the run's own: through a link, another file would be cut and written."""
        for name in (*LOGS, "run.lock"):
            path = self.path / name
            if os.path.lexists(path) and not _is_own(path):
                raise InputError(f"{path} is a link or no file; training writes to files of its own: remove it")

    def _clear(self) -> None:
        """Remove an earlier run's files, and nothing else."""
        for name in FILES:
            with suppress(FileNotFoundError):
                (self.path / name).unlink()
        self._remove_parts()

    def _remove_parts(self) -> None:
        for name in FILES:
            for part in self.path.glob(f".{name}.*.part"):
                part.unlink()

    def _logs(self) -> dict[str, Any]:
        """The logs, opened when the first line is written, cut to the lengths that the state knows.

        Not before: a state that does not fit the network is refused after the folder was opened.
        """
        if not self._files:
            self._remove_parts()
            self._files = {name: self._open_log(self.path / name) for name in LOGS}
        return self._files

    def _open_log(self, path: Path) -> Any:
        length = self.state["log_lengths"][path.name] if self.state else 0
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        file = os.fdopen(os.open(path, flags, 0o666), "ab")
        file.truncate(length)
        file.seek(length)
        return file


def _is_own(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors of writing name the file; PyTorch's writer would hide a full disk behind a check of its own."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
    except RuntimeError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__context__
        if isinstance(cause, OSError):
            raise OSError(cause.errno, cause.strerror, str(path)) from None
        if "inline_container" not in str(error):
            raise
        raise OSError(errno.ENOSPC, "not all of it could be written (is the disk full?)", str(path)) from None


def refuse_taken(path: str | Path, *, resume: bool = False, force: bool = False) -> None:
    """Raise :class:`InputError` if a run's folder can't be used: a file, or full without leave to go on."""
    path = Path(path)
    if there := leads_nowhere(path):
        raise InputError(f"{there}; remove it, or choose another --out")
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file; expected a folder for the run")
    above = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
    if not above.is_dir():
        raise InputError(f"{path} can't be a folder, for {above} is a file; choose another --out")
    if not (resume or force) and path.exists() and any(path.iterdir()):
        raise InputError(
            f"{path} exists and is not empty; choose another --out, or pass --resume to go on with the run in "
            "it or --force to replace it"
        )


def read_state(path: str | Path) -> dict[str, Any]:
    """The content of a ``state.pt``: tensors, numbers and text; no code in it is run.

    Raises:
        InputError: the file is damaged or of another version.
    """
    try:
        state: dict[str, Any] = load_plain(path)
        version = state["format"]
    except FileNotFoundError:
        raise InputError(f"there is no saved run {path}") from None
    except Exception as error:  # torch raises many kinds for damaged files
        raise InputError(f"{path} can't be read as a saved run ({told(error)}); pass --force to start anew") from None
    if type(version) is not int or version != STATE_FORMAT:
        shown = version if isinstance(version, int | str) else f"a {type(version).__name__}"
        raise InputError(
            f"{path} has format {plain(shown, most=40)}, expected {STATE_FORMAT}: resume it with the version that "
            "wrote it"
        )
    check_tensors(path, state)
    return state
