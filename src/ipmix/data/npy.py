"""Reading .npy and .npz files: without pickled content, whatever their headers claim, with errors that name the file.

A file may be damaged, or made to do harm: nothing is allocated or mapped before the header has been compared with
the bytes that are there.
"""

import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from ipmix.core.errors import InputError

CLASSES_MOST = 2**20
"""Labels lie below this: a list of so many class names still fits into any memory."""

MAGIC = b"\x93NUMPY"
"""How a .npy file begins."""


def read_array(path: str | Path, *, axes: int) -> np.ndarray:
    """A .npy file of images, memory-mapped: uint8 with this many axes, in C order or Fortran's.

    Raises:
        InputError: the file is missing, cut short, no .npy file, holds pickled objects (which could run
            code), or numbers of another type or shape.
    """
    path = Path(path)
    values = read_npy(path)
    if values.dtype != np.uint8 or values.ndim != axes or 0 in values.shape:
        raise InputError(
            f"{path}: expected uint8 with {axes} axes and at least one image, got {values.dtype}"
            f"{list(values.shape)}; is it a file of another set?"
        )
    return values


def read_npy(path: Path) -> np.ndarray:
    """Any .npy file without pickled content, memory-mapped; errors as :func:`read_array`.

    Numbers in another byte order than this machine's are converted, which reads them into memory.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected a .npy file")
    try:
        with path.open("rb") as file:
            if file.read(2) == b"PK":
                raise InputError(f"{path} is an .npz archive; expected a single array (.npy)")
            file.seek(0)
            shape, dtype, fortran = _read_header(file, path.stat().st_size)
            if math.prod(shape) == 0:
                return np.empty(shape, dtype.newbyteorder("="))
            order = "F" if fortran else "C"
            values = np.memmap(path, dtype, "r", file.tell(), shape, order)  # type: ignore[call-overload]
    except InputError:
        raise
    except Exception as error:  # a header is parsed as Python: damaged ones raise a dozen kinds
        raise InputError(
            f"{path} can't be read as an array ({_reason(error)}). It is cut short, no .npy file, or holds pickled "
            "objects, which are refused because they can run code; get the file again"
        ) from None
    return _native(values)


def read_npz(path: Path) -> Mapping[str, np.ndarray]:
    """All arrays of an .npz file by their names, without pickled content, in C order and native byte order.

    Raises:
        InputError: the file is missing, no archive, encrypted, compressed in an unknown way, cut short, or an array in
            it is no plain one or not as long as it says.
    """
    arrays: dict[str, np.ndarray] = {}
    name = ""
    if path.exists() and not path.is_file():  # reading a pipe would wait for somebody to write into it
        raise InputError(f"{path} is no file (but a folder, pipe or device); expected an .npz file")
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                with archive.open(member) as file:
                    arrays[name] = _read_member(file, member.file_size)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; expected an .npz file") from None
    except Exception as error:  # of zipfile, of five decompressors, and of the header's parser
        where = f"{path}: {name!r}" if name else str(path)
        raise InputError(f"{where} can't be read as arrays ({_reason(error)}); get the file again") from None
    return arrays


def checked_labels(values: np.ndarray, count: int, where: str | Path) -> np.ndarray:
    """Labels as int64[count], each a class's number from 0; :class:`InputError` for anything else."""
    if values.shape != (count,) or values.dtype.kind not in "iu":
        raise InputError(
            f"{where}: expected {count} labels (integers from 0), one per image, got {values.dtype}{list(values.shape)}"
        )
    if count and (values.min() < 0 or values.max() >= CLASSES_MOST):
        raise InputError(
            f"{where}: labels are the numbers of classes, 0 to {CLASSES_MOST - 1}, got {values.min()} to {values.max()}"
        )
    return values.astype(np.int64)


def _read_header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], np.dtype, bool]:
    """Shape, dtype and whether in Fortran's order; the ``size`` bytes of the file must hold what they describe."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"version {version[0]}.{version[1]} of the format is for other content than numbers")
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if not dtype.itemsize:
        raise ValueError(f"it holds {dtype}, of no bytes each")
    if any(side < 0 for side in shape):
        raise ValueError(f"its header claims the shape {list(shape)}")
    needed, there = math.prod(shape) * dtype.itemsize, size - file.tell()
    if needed > there:
        raise ValueError(f"its header claims {needed} bytes of {dtype}{list(shape)}, {there} are there")
    return shape, dtype, fortran


def _read_member(file: IO[bytes], size: int) -> np.ndarray:
    begin = file.read(len(MAGIC))
    if begin != MAGIC:
        raise ValueError("it is no .npy file")
    file.seek(0)
    shape, dtype, fortran = _read_header(file, size)
    # Read piece by piece: the size in the archive's list may be a lie as well.
    content = bytearray()
    needed = math.prod(shape) * dtype.itemsize
    while len(content) < needed:
        piece = file.read(min(needed - len(content), 2**24))
        if not piece:
            raise ValueError(f"it ends after {len(content)} of {needed} bytes")
        content += piece
    values = np.frombuffer(content, dtype) if needed else np.empty(math.prod(shape), dtype)
    return np.asarray(_native(values.reshape(shape, order="F" if fortran else "C")), order="C")


def _native(values: np.ndarray) -> np.ndarray:
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def _reason(error: Exception) -> str:
    """One short line, whatever the error says."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    lines = str(error).strip().splitlines()
    line = lines[0] if lines else type(error).__name__
    # Python's parser tells of its own objects, by their place in memory, and repeats what it was given.
    if " object at 0x" in line or "((((" in line or "[[[[" in line or "parser" in line:
        return "its header is none of NumPy's"
    return line[:200]
