"""Archives from the network: over https alone, compared with a known SHA-256, unpacked file by file."""

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from ipmix.core.errors import InputError, first_line, plain
from ipmix.core.files import real, replacing

_AT_ONCE = 2**20
_SECONDS = 60.0
"""How long a server may keep silent."""


def fetch(url: str, path: Path, *, sha256: str, size: int) -> None:
    """Load ``url`` into the file ``path``, which is there only if it is what it should be.

    Args:
        url: an https address; one that it leads on to must be one too.
        path: the file; its folder must exist.
        sha256: of the whole content, 64 hexadecimal digits.
        size: of the content in bytes: no more than that is read.

    Raises:
        InputError: another kind of address, or another content.
        OSError: the network or the disk fails.
    """
    from urllib.request import urlopen

    _check_https(url)
    digest, got = hashlib.sha256(), 0
    with urlopen(url, timeout=_SECONDS) as answer, replacing(path) as file:
        _check_https(answer.geturl())
        while block := answer.read(_AT_ONCE):
            got += len(block)
            if got > size:
                raise InputError(f"{url} gives more than the {size:,} bytes that it should; nothing was kept")
            digest.update(block)
            file.write(block)
        if digest.hexdigest() != sha256:
            raise InputError(
                f"{url} gave {got:,} bytes with the SHA-256 {digest.hexdigest()}; expected {sha256}. Nothing was kept: "
                "try again, or get the archive elsewhere"
            )


def is_whole(path: Path, sha256: str) -> bool:
    """Whether a file is there and has this SHA-256."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def unpack(archive: Path, folder: Path, *, most: int) -> None:
    """Write a tar archive's files below ``folder``; nothing is written unless everything in it is harmless.

    Args:
        archive: a tar file, compressed or not.
        folder: where its files go; must exist.
        most: how many bytes they may have together.

    Raises:
        InputError: it is no such archive; a file in it would lie outside of the folder (an absolute name, ``..``);
            it holds links or devices; or the files are larger than ``most`` together.
    """
    try:
        with tarfile.open(archive) as opened:
            for member, name in list(_checked(archive, opened, most)):
                target = folder.joinpath(*name.parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                if not real(target.parent).is_relative_to(real(folder)):
                    raise InputError(f"{target.parent} leads out of {folder}; nothing is unpacked through a link")
                source = cast(BinaryIO, opened.extractfile(member))
                with source, replacing(target) as file:
                    while block := source.read(_AT_ONCE):
                        file.write(block)
    except (tarfile.TarError, EOFError) as error:
        raise InputError(f"{archive} can't be unpacked ({first_line(error)}); delete it and get it again") from None


def _checked(archive: Path, opened: tarfile.TarFile, most: int) -> Iterator[tuple[tarfile.TarInfo, PurePosixPath]]:
    """The files of an archive with their names; sizes are counted before anything is unpacked."""
    total = 0
    for member in opened:
        name, shown = PurePosixPath(member.name), plain(repr(member.name), most=80)
        if name.is_absolute() or ".." in name.parts or "\\" in member.name or ":" in member.name:
            raise InputError(f"{archive} holds {shown}, which would lie outside of its folder; nothing was unpacked")
        if member.isdir():
            continue
        if not member.isreg():
            raise InputError(f"{archive} holds {shown}, which is a link or a device; nothing was unpacked")
        total += member.size
        if total > most:
            raise InputError(f"{archive} holds more than {most:,} bytes; nothing was unpacked")
        yield member, name


def _check_https(url: str) -> None:
    if not url.lower().startswith("https://"):
        raise InputError(f"{plain(url)} is not read: expected an address that begins with https://")
