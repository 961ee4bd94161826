"""Image files as bytes that Pillow itself can't write: deep samples, orientation tags, other formats in disguise."""

import struct
import zlib

import numpy as np

EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 8 8
%%EndComments
newpath 0 0 moveto 8 8 lineto stroke
showpage
%%EOF
"""


def png(samples: np.ndarray) -> bytes:
    """[H, W, C] of uint8 or uint16, C = 1 (grey), 2 (with alpha), 3, 4."""
    height, width, channels = samples.shape
    bits, color = 8 * samples.itemsize, {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.tobytes() for row in samples.astype(samples.dtype.newbyteorder(">")))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in parts)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def tiff(samples: np.ndarray, photometric: int, **tags: int) -> bytes:
    """[H, W, C] of uint8 or uint16, uncompressed; photometric 1 grey, 2 RGB, 5 CMYK, 8 L*a*b*.

    ``tags`` are further ones: ``tag_274=6`` is the orientation.
    """
    height, width, channels = samples.shape
    content = samples.astype(samples.dtype.newbyteorder("<")).tobytes()
    entries = {
        256: [width], 257: [height], 258: [8 * samples.itemsize] * channels, 259: [1], 262: [photometric],
        277: [channels], 278: [height], **{int(name.removeprefix("tag_")): [value] for name, value in tags.items()},
    }  # fmt: skip
    begin = 8 + 2 + 12 * (len(entries) + 2) + 4
    beyond, lines = b"", {}
    for tag, values in entries.items():
        packed = struct.pack(f"<{len(values)}H", *values)
        if len(packed) > 4:
            place, beyond = begin + len(beyond), beyond + packed
            packed = struct.pack("<I", place)
        lines[tag] = struct.pack("<HHI", tag, 3, len(values)) + packed.ljust(4, b"\0")
    lines[273] = struct.pack("<HHII", 273, 4, 1, begin + len(beyond))
    lines[279] = struct.pack("<HHII", 279, 4, 1, len(content))
    directory = b"".join(lines[tag] for tag in sorted(lines))
    return b"II*\0" + struct.pack("<IH", 8, len(lines)) + directory + b"\0\0\0\0" + beyond + content
