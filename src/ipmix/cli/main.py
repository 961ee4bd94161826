"""The command line: finds the command, turns words into a function call, and errors into one clear line.

Commands live in ``ipmix.cli.commands.<name>``, each a plain annotated function named like its module, or a dict
``COMMANDS`` of such functions for a group. Only the one that is asked for is imported, and tyro with it, so that help
is quick.
"""

import errno
import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TextIO

from ipmix.cli.launching import say_last
from ipmix.core.errors import InputError, plain
from ipmix.core.files import FULL, leads_nowhere
from ipmix.core.terminal import say, tell

SUMMARIES = {
    "quickstart": "train a plain and an IPMix network on small images, score both, write a page",
    "augment": "augmented versions of your images, in a grid; --explain takes one apart",
    "mixing-set": "make, inspect and verify the images that IPMix mixes in",
    "train": "train a classifier on a folder of images, CIFAR or digits",
    "evaluate": "the safety scorecard of a classifier: five measures and more",
    "score": "the scorecard from saved predictions, without the model",
    "corrupt": "corrupted copies of a folder of images (the -C, C-bar and -P test sets)",
    "experiment": "run an experiment file: train, evaluate, record",
    "reproduce": "the paper's tables: run what is missing, print them beside the paper's",
    "report": "one page from the results of one or several evaluations",
    "explore": "a page on this machine: a method's knobs, corruptions, a scorecard",
    "doctor": "versions, devices, folders, and a self-check of the engines",
}
"""What ``ipmix --help`` lists; a command whose module isn't there isn't listed."""

TRAIN_EXTRA = frozenset(
    ("torch", "torchvision", "accelerate", "timm", "yaml", "rich", "jinja2", "markupsafe", "sklearn", "safetensors")
)
"""Modules that come with ``pip install "ipmix[train]"``."""

LESS_MEMORY = {
    "quickstart": "lower --size, --train-images or --test-images",
    "augment": "lower --size, --cell, --count or --mixing-count",
    "mixing-set": "lower --size, --count or --threads",
    "train": "lower --batch-size, raise --accumulate, or lower --size (images) and --mixing-count",
    "evaluate": "lower --batch-size, --threads or --size",
    "score": "lower --samples",
    "corrupt": "lower --size or --threads, or take --layout folders",
    "experiment": "lower training.batch_size, raise training.accumulate, or lower data.size",
}
"""Which options decide how much memory a command takes."""

LOST = (
    "connection closed by peer", "connection reset by peer", "broken pipe", "socket closed", "remote process exited",
    "timed out waiting", "socket timeout", "connection was likely closed",
)  # fmt: skip
"""What gloo, NCCL and torch's store say where another process has gone."""

SHELLS = ("bash", "zsh", "fish")

FULL_OR_FORBIDDEN = (*FULL, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)

NO_SUCH_PLACE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP)
"""Of a path that was given: what the system says of it is told in one line."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit code: 0 done, 2 bad input, 130 interrupted, 1 anything else."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # A damaged tag is no damaged image, and Pillow's line does not say of which file it speaks.
    warnings.filterwarnings("ignore", "Corrupt EXIF data", module=r"PIL\.")
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started this: what is said is for nobody
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (until the process ends)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that knows only ASCII gets \xe9, not a traceback
            stream.reconfigure(errors="backslashreplace")
    try:
        return _dispatch(words)
    except InputError as error:
        return _complain(str(error), 2)
    except KeyboardInterrupt:
        tell("\n")
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader has left (`| head`): nothing to report, nobody to report to
        return 0
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in TRAIN_EXTRA:
            raise
        return _complain(f'this needs {error.name}, which is not installed: pip install "ipmix[train]"', 2)
    except (MemoryError, RuntimeError) as error:
        if (lost := _lost_process(error)) is not None:
            again = "the same command with --resume" if words[0] in ("train", "experiment") else "the same command"
            return _complain(f"another process of this run has ended, and all with it ({lost}); {again} goes on", 1)
        if not _out_of_memory(error):
            raise
        asked, advice = plain(error, most=200) or "it was not said for what", LESS_MEMORY.get(words[0], "ask for less")
        return _complain(f"not enough memory ({asked}); {advice}", 1)
    except OSError as error:
        if error.errno in NO_SUCH_PLACE and error.filename:
            there = leads_nowhere(error.filename)
            return _complain(f"{there or f'{error.filename}: {error.strerror}'}; choose another path", 2)
        if error.errno not in FULL_OR_FORBIDDEN:
            raise
        return _complain(f"{error.filename or 'standard output'}: {error.strerror}", 1)


def _out_of_memory(error: BaseException) -> bool:
    """Also torch's own errors, without loading torch."""
    return isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__ or "allocate memory" in str(error)


def _lost_process(error: BaseException) -> str | None:
    """What torch says where a process of torchrun is gone, without loading torch; None where it says something else."""
    if os.environ.get("WORLD_SIZE", "1") in ("", "1"):
        return None
    return next((words for words in LOST if words.lower() in str(error).lower()), None)


def available() -> dict[str, str]:
    """The commands that can be run here, with their summaries."""
    return {name: text for name, text in SUMMARIES.items() if importlib.util.find_spec(_module(name))}


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        _print_help(sys.stdout)
        return 0
    if words[0] == "--version":
        from importlib.metadata import version

        say(f"ipmix {version('ipmix')}\n")
        return 0
    if words[0] == "--print-completion":
        return _print_completion(words[1:])
    name, rest = words[0], words[1:]
    commands = available()
    if name not in commands:
        return _complain(f"there is no command {name!r}; {_nearest(name, commands)}", 2)
    module = importlib.import_module(_module(name))
    group: dict[str, Callable[..., Any]] | None = getattr(module, "COMMANDS", None)
    if group is None:
        rest = [_renamed(word, getattr(module, "OLD_WORDS", {})) for word in rest]
        choose = getattr(module, "chosen_by", None)  # other defaults, where the words name a preset of them
        command = getattr(module, name.replace("-", "_"))
        return _call(f"ipmix {name}", command if choose is None else choose(rest), rest)
    if not rest or rest[0] in ("-h", "--help"):
        _print_group_help(name, group, sys.stdout)
        return 0
    if rest[0] not in group:
        return _complain(f"there is no 'ipmix {name} {rest[0]}'; {_nearest(rest[0], group)}", 2)
    return _call(f"ipmix {name} {rest[0]}", group[rest[0]], rest[1:])


def _call(program: str, function: Callable[..., Any], words: list[str]) -> int:
    from ipmix.cli.words import parse

    try:
        call = parse(program, function, words)
    except SystemExit:  # help has been printed
        return 0
    if call.named.get("processes", 1) != 1:
        from ipmix.cli.launching import in_processes

        return in_processes(call.named["processes"], [*program.split()[1:], *words])
    result = function(*call.positional, **call.named)
    return result if isinstance(result, int) and not isinstance(result, bool) else 0


def _renamed(word: str, names: Mapping[str, str]) -> str:
    option, equals, value = word.partition("=")
    return names.get(option, option) + equals + value


def _nearest(name: str, known: Iterable[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, 1)
    return f"did you mean {close[0]}?" if close else f"there is {', '.join(known)}"


def _print_completion(words: list[str]) -> int:
    if len(words) != 1 or words[0] not in SHELLS:
        return _complain(f"--print-completion takes one of {', '.join(SHELLS)}, got {' '.join(words) or 'nothing'}", 2)
    from ipmix.cli.words import print_completion

    tree: dict[str, Any] = {}
    for name in available():
        module = importlib.import_module(_module(name))
        tree[name] = getattr(module, "COMMANDS", None) or getattr(module, name.replace("-", "_"))
    print_completion(words[0], tree)
    return 0


def _module(name: str) -> str:
    return f"ipmix.cli.commands.{name.replace('-', '_')}"


def _complain(message: str, code: int) -> int:
    say_last()
    tell(f"ipmix: {plain(message, most=2000)}\n", fold=True)
    return code


def _print_help(out: TextIO) -> None:
    commands = available()
    width = max(map(len, commands), default=0)
    lines = [_entry(name, text, width) for name, text in commands.items()]
    out.write(
        "usage: ipmix COMMAND ...\n\n"
        "IPMix augmentation, and a safety scorecard for image classifiers.\n\n"
        "commands:\n" + "\n".join(lines) + "\n\n"
        "ipmix COMMAND --help explains one; ipmix --version tells the version.\n"
        "ipmix --print-completion SHELL prints what bash, zsh or fish needs to complete\n"
        "words.\n"
    )


def _entry(name: str, text: str, width: int) -> str:
    """A command and what it does, in lines of 80 characters."""
    import textwrap

    return textwrap.fill(text, 80, initial_indent=f"  {name:<{width}}  ", subsequent_indent=" " * (width + 4))


def _print_group_help(name: str, group: dict[str, Callable[..., Any]], out: TextIO) -> None:
    width = max(map(len, group))
    lines = [_entry(key, (function.__doc__ or "").strip().splitlines()[0], width) for key, function in group.items()]
    out.write(
        f"usage: ipmix {name} COMMAND ...\n\n{SUMMARIES[name]}\n\ncommands:\n"
        + "\n".join(lines)
        + f"\n\nipmix {name} COMMAND --help explains one.\n"
    )


if __name__ == "__main__":
    sys.exit(main())
