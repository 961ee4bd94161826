"""Images that a browser sends, read as all image files are: by the list of formats, with the limits of sizes."""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import ipmix
from ipmix.data.decoding import SUFFIXES, open_rgb

UPLOAD_MOST = 64 * 2**20
"""Bytes of an image file that is taken."""

SHOWN = 168
"""Pixels that the longer side of an image is shown with at least: smaller ones are enlarged without smoothing."""

BOX, BESIDE = (220, 38, 38), (255, 255, 255)
CLEAR = 2
"""Pixels between a box and its outline; more where an image is enlarged."""


def read_upload(name: str, content: bytes, size: int) -> np.ndarray:
    """An image file's content as uint8[H, W, 3], its longer side brought to ``size`` if it is longer.

    Raises:
        InputError: it is none that is read here, is broken or too large; the message says so of ``name``.
    """
    if len(content) > UPLOAD_MOST:
        raise ipmix.InputError(
            f"{name} has {len(content) / 2**20:.0f} MiB; an image is read up to {UPLOAD_MOST // 2**20} MiB"
        )
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise ipmix.InputError(f"{name} does not end like an image; expected one of {', '.join(sorted(SUFFIXES))}")
    with tempfile.TemporaryDirectory(prefix="ipmix-explore-") as folder:
        file = Path(folder) / f"image{suffix}"
        file.write_bytes(content)
        try:
            return read_image(file, size)
        except ipmix.InputError as error:
            raise ipmix.InputError(str(error).replace(str(file), name)) from None


def read_image(file: Path, size: int) -> np.ndarray:
    """An image file as uint8[H, W, 3], its longer side brought to ``size`` if it is longer; errors as the reader's."""
    image = open_rgb(file)
    if max(image.size) > size:
        scale = size / max(image.size)
        sides = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(sides, Image.Resampling.LANCZOS)
    return np.asarray(image)


def as_shown(image: np.ndarray, box: tuple[int, int, int, int] | None = None) -> np.ndarray:
    """An image uint8[H, W, 1 or 3] for the eye: small ones enlarged in whole pixels, ``box`` outlined.

    The outline lies outside the box, so that small ones aren't covered; where the box ends with the image, it is open.
    """
    times = max(1, -(-SHOWN // max(image.shape[:2])))
    large = np.repeat(np.repeat(image, times, axis=0), times, axis=1)
    shown = Image.fromarray(large if large.shape[2] == 3 else large[:, :, 0]).convert("RGB")
    if box is not None:
        left, top, right, bottom = (times * side for side in box)
        line = clear = max(CLEAR, times // 2)
        pen = ImageDraw.Draw(shown)
        for away, color, width in ((clear + line + 1, BESIDE, 1), (clear + line, BOX, line)):
            pen.rectangle((left - away, top - away, right - 1 + away, bottom - 1 + away), outline=color, width=width)
    return np.asarray(shown)


def sample_image(size: int) -> np.ndarray:
    """A drawn scene, uint8[size, size, 3], to begin with: sky, hills, a house and a sun; edges, areas, a gradient."""
    side = 4 * size
    share = np.linspace(0, 1, side)[:, None, None]
    sky = (1 - share) * np.array([92, 158, 220]) + share * np.array([226, 238, 246])
    scene = Image.fromarray(np.broadcast_to(sky, (side, side, 3)).astype(np.uint8))
    pen = ImageDraw.Draw(scene)

    def at(*shares: float) -> tuple[int, ...]:
        return tuple(round(each * side) for each in shares)

    pen.ellipse(at(0.70, 0.08, 0.90, 0.28), (250, 204, 74))
    pen.ellipse(at(-0.35, 0.52, 0.75, 1.5), (104, 156, 84))
    pen.ellipse(at(0.25, 0.60, 1.45, 1.6), (74, 124, 70))
    pen.rectangle(at(0.26, 0.50, 0.58, 0.80), (214, 190, 158))
    pen.polygon([at(0.22, 0.50), at(0.42, 0.32), at(0.62, 0.50)], (164, 66, 54))
    pen.rectangle(at(0.37, 0.62, 0.46, 0.80), (98, 66, 46))
    for left in (0.29, 0.49):
        pen.rectangle(at(left, 0.56, left + 0.06, 0.62), (58, 84, 110))
    pen.rectangle(at(0.765, 0.62, 0.80, 0.80), (96, 70, 50))
    pen.ellipse(at(0.68, 0.40, 0.88, 0.68), (46, 104, 58))
    return np.asarray(scene.resize((size, size), Image.Resampling.LANCZOS))
