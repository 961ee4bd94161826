"""Which image files a folder holds: what ``torchvision.datasets.ImageFolder`` finds, but for hidden ones.

Folders below a class folder belong to it; links to files and folders are followed, those that lead back into a
folder they lie in are not. What begins with a dot (an editor's checkpoints, a file manager's previews) is left out.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from ipmix.core.errors import InputError
from ipmix.data.decoding import SUFFIXES, is_image_file


@dataclass(frozen=True)
class ImageFiles:
    """The image files in a folder and below it.

    Attributes:
        paths: in the order of their folders, then of their names, as ImageFolder has them.
        hidden: hidden image files and folders, which were left out.
    """

    paths: tuple[Path, ...]
    hidden: tuple[Path, ...]


def image_files(folder: Path) -> ImageFiles:
    """All image files in a folder and the folders below it.

    Raises:
        InputError: it is not a folder, one below it can't be read, or a link leads nowhere.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; expected a folder of images")
    found: list[Path] = []
    hidden: list[Path] = []
    above = [parent.stat() for parent in folder.absolute().parents]
    _walk(folder, tuple((status.st_dev, status.st_ino) for status in above), found, hidden)
    return ImageFiles(tuple(sorted(found, key=lambda path: (str(path.parent), path.name))), tuple(sorted(hidden)))


def class_folders(top: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The folders in a folder, sorted by name (links to folders too), and the hidden ones, which are left out."""
    folders = sorted(path for path in top.iterdir() if path.is_dir())
    shown = tuple(path for path in folders if not path.name.startswith("."))
    return shown, tuple(path for path in folders if path.name.startswith("."))


def _walk(folder: Path, within: tuple[tuple[int, int], ...], found: list[Path], hidden: list[Path]) -> None:
    """``within`` names the folders that this one lies in, so that a link back to one of them is known."""
    try:
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(
            f"{folder} can't be read ({error.strerror or error}); allow reading it, or take it out"
        ) from None
    here = (status.st_dev, status.st_ino)
    if here in within:
        return
    for entry in entries:
        path = folder / entry.name
        if _is_folder(entry):
            if entry.name.startswith("."):
                hidden.append(path)
            else:
                _walk(path, (*within, here), found, hidden)
        elif is_image_file(path):
            if entry.is_symlink() and not path.exists():
                raise InputError(f"{path} is a link to {os.readlink(path)}, which is not there; mend or remove it")
            found.append(path)
        elif entry.name.startswith(".") and path.suffix.lower() in SUFFIXES:
            hidden.append(path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one; a link that leads to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False
