"""Reading .npy files: mapped, without pickled content, with errors that name the file."""

from pathlib import Path

import numpy as np

from ipmix.core.errors import InputError


def read_array(path: str | Path, *, axes: int) -> np.ndarray:
    """A .npy file of images, memory-mapped: uint8 with this many axes.

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
    """Any .npy file without pickled content, memory-mapped; errors as :func:`read_array`."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected a .npy file")
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(
            f"{path} can't be read as an array ({error}). It is cut short, no .npy file, or holds pickled objects, "
            "which are refused because they can run code; get the file again"
        ) from None
    if not isinstance(values, np.ndarray):
        raise InputError(f"{path} is an .npz archive; expected a single array (.npy)")
    return values
