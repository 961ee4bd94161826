"""One image file -> ``uint8[H, W, 3]``, or an error that names the file and what is wrong with it.

The one place that opens image files. A file is opened by its ending and its first bytes together, by a reader from
the list below and by no other: nothing that Pillow can do besides (Ghostscript for EPS, fonts, movies) is reachable
through the name of an image.
"""

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile

from ipmix.core.errors import InputError
from ipmix.data.cropping import resize_and_crop

WEB = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
"""What a browser shows, and what is mixed up: ImageNet's training set holds a PNG that ends in .JPEG."""

FORMATS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((".jpg", ".jpeg", ".jfif", ".png", ".gif", ".bmp", ".webp"), WEB),
    **dict.fromkeys((".ppm", ".pgm"), ("PPM",)),
    **dict.fromkeys((".tif", ".tiff"), ("TIFF",)),
    ".avif": ("AVIF",),
}
"""The formats that a file with an ending may hold."""

SUFFIXES = frozenset(FORMATS)
"""Files with one of these endings (in any case) count as images; others are passed over."""

MAX_PIXELS_VARIABLE = "IPMIX_MAX_PIXELS"
"""The environment variable that says how many pixels an image may have at most.

Without it twice ``PIL.Image.MAX_IMAGE_PIXELS`` (178,956,970), where Pillow refuses too. A larger number raises
Pillow's own limit, for this process.
"""

_READERS = {
    "JPEG": "JpegImagePlugin.JpegImageFile",
    "PNG": "PngImagePlugin.PngImageFile",
    "GIF": "GifImagePlugin.GifImageFile",
    "BMP": "BmpImagePlugin.BmpImageFile",
    "WEBP": "WebPImagePlugin.WebPImageFile",
    "PPM": "PpmImagePlugin.PpmImageFile",
    "TIFF": "TiffImagePlugin.TiffImageFile",
    "AVIF": "AvifImagePlugin.AvifImageFile",
}

_EIGHT_BITS = frozenset(("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"))

_ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientations (Exif 2.32, tag 0x0112) and what undoes them; 1 is upright."""


class BrokenImage(InputError):
    """An image file that can't be read: empty, cut short, or no image at all."""


@dataclass(frozen=True)
class DecodeConfig:
    """How image files are read. A data set holds one (``FileDataset.decoding``), and all its readers obey it.

    Attributes:
        exif: turn images upright as their EXIF orientation says. False leaves them as they are stored, as
            torchvision's ImageFolder does. (Pillow itself always turns TIFF files.)
        grey: read images as one channel, ``uint8[H, W, 1]`` (ITU-R 601 luma of colored ones).
        exact: treat training's random parts (``ipmix.data.parts``) as torchvision treats Pillow images: JPEG files
            decoded in full, and resized by Pillow. All else is always read so.
    """

    exif: bool = True
    grey: bool = False
    exact: bool = False

    def mark(self) -> str:
        """What of this changes pixels, for fingerprints: empty for the default."""
        return "".join(
            word for word, said in ((" as stored", not self.exif), (" grey", self.grey), (" exact", self.exact)) if said
        )


DEFAULT = DecodeConfig()


def most_pixels() -> float:
    """How many pixels an image may have; see :data:`MAX_PIXELS_VARIABLE`."""
    pillows = float("inf") if Image.MAX_IMAGE_PIXELS is None else 2 * Image.MAX_IMAGE_PIXELS
    text = os.environ.get(MAX_PIXELS_VARIABLE)
    if not text:
        return pillows
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**62):
        raise InputError(f"{MAX_PIXELS_VARIABLE} is a whole number of pixels, at least 1, got {text!r}")
    if int(text) > pillows:  # some of Pillow's readers check before the size can be seen from here
        Image.MAX_IMAGE_PIXELS = -(-int(text) // 2)
    return int(text)


def is_image_file(path: Path) -> bool:
    """Whether the name says that this is an image: a known ending, not hidden."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def decode(path: str | Path, config: DecodeConfig = DEFAULT) -> np.ndarray:
    """Read an image as ``uint8[H, W, 3]`` (RGB), or ``uint8[H, W, 1]`` where ``config.grey``.

    Grey is repeated; transparency is dropped, so that a pixel has the color stored under it, as torchvision reads it;
    CMYK is converted without a profile; of several frames the first is read.

    Raises:
        BrokenImage: the file is empty, cut short or not an image of a format that its ending stands for.
        InputError: it does not exist, may not be read, holds more than 8 bits a channel, or is too large.
    """
    return pixels_of(open_image(path, config))


def decode_square(path: str | Path, size: int, crop: float = 1.0, config: DecodeConfig = DEFAULT) -> np.ndarray:
    """Read an image as ``uint8[size, size, 3 or 1]``, by :func:`ipmix.data.cropping.resize_and_crop`.

    An image of that size comes back untouched where ``crop`` is 1. Errors as :func:`decode`.
    """
    return pixels_of(square(open_image(path, config), path, size, crop))


def pixels_of(image: Image.Image) -> np.ndarray:
    """An RGB or grey image as ``uint8[H, W, 3 or 1]``."""
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def square(image: Image.Image, path: str | Path, size: int, crop: float = 1.0) -> Image.Image:
    """An opened image resized and cropped; errors name its file."""
    try:
        return resize_and_crop(image, size, crop)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def open_rgb(path: str | Path, config: DecodeConfig = DEFAULT) -> Image.Image:
    """The decoded image in Pillow's RGB mode, whatever ``config.grey`` says; errors as :func:`decode`."""
    return _opened(Path(path), config, "RGB")


def open_image(path: str | Path, config: DecodeConfig = DEFAULT) -> Image.Image:
    """The decoded image in Pillow's mode RGB, or L where ``config.grey``; errors as :func:`decode`."""
    return _opened(Path(path), config, "L" if config.grey else "RGB")


def is_grey(path: str | Path) -> bool:
    """Whether the file's header says that it holds one channel (and perhaps transparency); errors as :func:`decode`."""
    path = Path(path)
    with _file(path) as file, _naming(path):
        return _reader_of(path, file)(file).mode in ("1", "L", "LA")


def _opened(path: Path, config: DecodeConfig, mode: str) -> Image.Image:
    with header(path) as (image, _):
        return loaded(image, config, mode)


@contextmanager
def header(path: Path) -> Iterator[tuple[Any, BinaryIO]]:
    """A file's image in Pillow, of which only the header has been read and found good, and the file.

    What goes wrong within is told as :func:`decode` tells it.
    """
    with _file(path) as file, _naming(path), _WHOLE:
        limit = most_pixels()
        image = _reader_of(path, file)(file)
        _check(path, image, limit)
        yield image, file


def loaded(image: Any, config: DecodeConfig, mode: str) -> Image.Image:
    """The pixels of what :func:`header` gave, in Pillow's ``mode``, upright where ``config`` says so."""
    image.load()
    turn = TURNS.get(orientation(image)) if config.exif else None
    # The palette's transparency is dropped with all other; Pillow would warn that it is.
    image.info.pop("transparency", None)
    same = image.mode == mode and image.format == "JPEG"  # for others, the copy is the plain image that is wanted
    upright = image if same else image.convert(mode)
    return upright if turn is None else upright.transpose(turn)


@contextmanager
def _file(path: Path) -> Iterator[BinaryIO]:
    """The open file, if there is one with content that may be read."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would wait for ever
            raise InputError(f"{path} is not a file (but a folder, pipe or device); expected an image")
        if status.st_size == 0:
            raise BrokenImage(f"{path} is empty (0 bytes); expected an image. Delete it or copy it again")
        file = path.open("rb")
    except InputError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path} does not exist; expected an image") from None
    except PermissionError:
        raise InputError(f"{path} can't be opened: permission denied. Allow this user to read it") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise InputError(f"{str(path)!r} can't be opened ({getattr(error, 'strerror', None) or error})") from None
    with file:
        yield file


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """What goes wrong within is told as an error that names the file."""
    try:
        yield
    except InputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{path} is too large ({str(error).partition(',')[0]}){_ADVICE}") from None
    except MemoryError:
        raise InputError(
            f"{path} does not fit into memory once decoded; set {MAX_PIXELS_VARIABLE} to refuse images of its size"
        ) from None
    except OSError as error:
        if error.errno is not None:  # of the system, not of a decoder
            raise InputError(f"{path} can't be read ({error.strerror or error})") from None
        raise _broken(path, error) from error
    except Exception as error:
        # A decoder that is fed damaged bytes may raise anything: SyntaxError, RuntimeError, struct.error, KeyError.
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> InputError:
    if str(error).startswith("cannot handle ") and str(error).endswith("-bit layers"):
        return InputError(_too_deep(path, f"{str(error).split()[2].removesuffix('-bit')}-bit"))
    return BrokenImage(f"{path} can't be decoded ({error}): it is cut short or damaged. Delete it or copy it again")


def _reader_of(path: Path, file: BinaryIO) -> Any:
    """Pillow's class for what the file holds, if its ending stands for that."""
    allowed = FORMATS.get(path.suffix.lower())
    if allowed is None:
        raise InputError(f"{path} does not end like an image; expected one of {', '.join(sorted(SUFFIXES))}")
    kind = _kind(file.read(16))
    file.seek(0)
    if kind not in allowed:
        found = f" but {kind}" if kind else ""
        raise BrokenImage(f"{path} is not an image of the kind {' or '.join(allowed)}{found}; delete or replace it")
    return _reader(kind)


def _kind(head: bytes) -> str:
    """The format that a file of these first bytes is in; empty for one that isn't read here."""
    begins = {
        b"\xff\xd8\xff": "JPEG",
        b"\x89PNG\r\n\x1a\n": "PNG",
        b"GIF8": "GIF",
        b"BM": "BMP",
        **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "TIFF"),
    }
    for begin, kind in begins.items():
        if head.startswith(begin):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return "AVIF"
    return "PPM" if head[:1] == b"P" and head[1:2] in (b"1", b"2", b"3", b"4", b"5", b"6", b"f", b"F") else ""


@cache
def _reader(kind: str) -> Any:
    module, _, name = _READERS[kind].partition(".")
    found = import_module(f"PIL.{module}")
    if not getattr(found, "SUPPORTED", True):
        raise InputError(f"this Pillow can't read {kind} files; install one that can, or convert them")
    return getattr(found, name)


_ADVICE = f". If you trust it, raise the environment variable {MAX_PIXELS_VARIABLE}, or make the image smaller"


def _check(path: Path, image: Any, limit: float) -> None:
    """Raise :class:`InputError` for what would be read wrongly or is too large."""
    width, height = image.size
    if width * height > limit:
        raise InputError(f"{path} is {width}x{height}: {width * height:,} pixels; the limit is {limit:,}{_ADVICE}")
    if image.mode == "LAB":
        raise InputError(f"{path} holds colors in L*a*b*; expected RGB, CMYK or grey. Convert it first")
    samples = {"F": "float", "I": "32-bit"}.get(image.mode, "16-bit" if image.mode.startswith("I;16") else "unknown")
    if image.mode in _EIGHT_BITS:
        bits = _bits(image)
        if bits <= 8:
            return
        samples = f"{bits}-bit"  # Pillow would keep the high byte and say nothing
    raise InputError(_too_deep(path, samples, f" (Pillow mode {image.mode!r})"))


def _too_deep(path: Path, samples: str, mode: str = "") -> str:
    return (
        f"{path} holds {samples} samples{mode}; expected 8 bits a channel. Convert it first: how to scale the values "
        "is yours to decide"
    )


def _bits(image: Any) -> int:
    """How many bits the file gives to a channel of an image that Pillow opens in an 8-bit mode."""
    if image.format == "TIFF":
        return int(max(image.tag_v2.get(258, (8,))))
    form = image.tile[0].args if image.tile else None
    if image.format == "PNG":
        return 16 if ";16" in str(form) else 8
    if image.format == "PPM" and isinstance(form, tuple) and isinstance(form[-1], int):
        return form[-1].bit_length()
    return 8


def orientation(image: Any) -> int:
    """EXIF's number for how the image lies; 1 where nothing is said."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged tag is no damaged image
        return 1


class _OnlyWhole:
    """While an image is read, Pillow's LOAD_TRUNCATED_IMAGES is off, whatever other code has set it to.

    The switch belongs to the process: the first reader turns it off, the last one puts it back.
    """

    def __init__(self) -> None:
        self._lock, self._readers, self._before = threading.Lock(), 0, False
        if hasattr(os, "register_at_fork"):  # a child must not inherit a lock that a thread it hasn't got holds
            os.register_at_fork(after_in_child=self._forget)

    def __enter__(self) -> None:
        with self._lock:
            if not self._readers:
                self._before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
            self._readers += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._readers -= 1
            if not self._readers:
                ImageFile.LOAD_TRUNCATED_IMAGES = self._before

    def _forget(self) -> None:
        if self._readers:
            ImageFile.LOAD_TRUNCATED_IMAGES = self._before
        self._lock, self._readers = threading.Lock(), 0


_WHOLE = _OnlyWhole()
