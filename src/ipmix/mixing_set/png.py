"""A PNG encoder for noisy images: one filter, one Huffman code, no search for repetitions.

A fractal repeats itself at no distance that Deflate could use, so that all of the saving is in the code:
files are as large as zlib's at its fastest level, and take a quarter of its time. (RFC 1950, RFC 1951, PNG's
third edition.)
"""

import struct
import zlib

import numpy as np

from ipmix.core.compiling import compiled

END = 256
"""Deflate's symbol for the end of a block, after the 256 bytes."""

SYMBOLS = 257
LONGEST = 15
"""The longest code word that Deflate allows."""

HEADER_BITS = 17 + 19 * 3 + 4 * (SYMBOLS + 2)


def png(pixels: np.ndarray) -> bytes:
    """``pixels``, uint8[h, w, 3], as a PNG file."""
    height, width, _ = pixels.shape
    lines = np.empty((height, 1 + 3 * width), np.uint8)
    words = np.empty((2 * HEADER_BITS + 64 + LONGEST * (lines.size + 1)) // 64 + 1, np.uint64)
    counts = np.zeros(SYMBOLS, np.int64)
    subtract_left(np.ascontiguousarray(pixels), lines, counts)
    length = deflate(lines, counts, words)
    data = b"\x78\x01" + words.astype("<u8", copy=False).view(np.uint8)[:length].tobytes()
    data += struct.pack(">I", zlib.adler32(lines.data))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))


@compiled
def subtract_left(pixels, lines, counts):
    """PNG's filter 1: each byte minus the one a pixel to its left, into ``lines``, uint8[h, 1 + 3 w].

    Adds to ``counts``, int64[257], how often each symbol is written (END once).
    """
    height, width, _ = pixels.shape
    n = np.uint64(3 * width)
    flat = pixels.reshape(height, 3 * width)
    three = np.uint64(3)
    one = np.uint64(1)
    # Two tables in turn: equal neighbours would wait for each other's sum.
    other = np.zeros(SYMBOLS, np.int64)
    for y in range(height):
        source = flat[y]
        line = lines[y]
        line[0] = 1
        for i in range(three):
            line[i + one] = source[i]
        for i in range(three, n):
            line[i + one] = source[i] - source[i - three]
        for i in range(np.uint64(0), n, np.uint64(2)):
            counts[line[i]] += 1
            other[line[i + one]] += 1
        if n & one == np.uint64(0):
            counts[line[n]] += 1
    for symbol in range(SYMBOLS):
        counts[symbol] += other[symbol]
    counts[END] += 1


@compiled
def code_lengths(counts, lengths):
    """Huffman's code for ``counts``, int64[n]: the bits of each symbol's word, at most 15, to ``lengths``.

    Counts are raised to 1/1024 of their sum: by Fibonacci's bound no word then gets longer than 15 bits.
    At least two symbols must occur.
    """
    n = 0
    least = max(counts.sum() >> 10, 1)
    order = np.argsort(counts, kind="mergesort")
    weights = np.empty(2 * counts.size, np.int64)
    parents = np.empty(2 * counts.size, np.int64)
    used = np.empty(counts.size, np.int64)
    for k in range(counts.size):
        lengths[k] = 0
        if counts[order[k]] > 0:
            used[n] = order[k]
            weights[n] = max(counts[order[k]], least)
            n += 1
    # Leaves lie sorted in 0 .. n-1, inner nodes arise sorted behind them: two queues.
    leaf = 0
    node = n
    for new in range(n, 2 * n - 1):
        weights[new] = 0
        for _ in range(2):
            if leaf < n and (node >= new or weights[leaf] <= weights[node]):
                pick = leaf
                leaf += 1
            else:
                pick = node
                node += 1
            weights[new] += weights[pick]
            parents[pick] = new
    depths = weights
    depths[2 * n - 2] = 0
    for k in range(2 * n - 3, -1, -1):
        depths[k] = depths[parents[k]] + 1
        if k < n:
            lengths[used[k]] = depths[k]


@compiled
def code_words(lengths, words):
    """Deflate's canonical words for ``lengths``: bits in the order of writing | length << 16, uint64[n]."""
    following = np.zeros(LONGEST + 2, np.int64)
    for length in lengths:
        if length > 0:
            following[length + 1] += 1
    for k in range(1, LONGEST + 2):
        following[k] = (following[k - 1] + following[k]) << 1 if k > 1 else 0
    for symbol in range(lengths.size):
        length = lengths[symbol]
        word = following[length]
        following[length] += 1 if length > 0 else 0
        turned = 0
        for _ in range(length):
            turned = (turned << 1) | (word & 1)
            word >>= 1
        words[symbol] = turned | (length << 16)


@compiled
def deflate(lines, counts, out):
    """``lines`` as one Deflate block into ``out``, uint64 words; returns the bytes it takes."""
    lengths = np.zeros(SYMBOLS, np.int64)
    code_lengths(counts, lengths)
    code = np.zeros(SYMBOLS, np.uint64)
    code_words(lengths, code)
    # A last block with its own code: 257 symbols, 2 distances (never used), all 19 lengths of code lengths.
    place = 0
    held = np.uint64(0)
    filled = 0
    for k in range(4 + 19 + SYMBOLS + 2):
        if k == 0:
            value, length = 0b101, 3
        elif k == 1:
            value, length = SYMBOLS - 257, 5
        elif k == 2:
            value, length = 2 - 1, 5
        elif k == 3:
            value, length = 19 - 4, 4
        elif k < 4 + 19:
            # 0 .. 15 have four bits each, the three kinds of repetition (they come first) none.
            value, length = 0 if k < 7 else 4, 3
        else:
            number = lengths[k - 23] if k < 23 + SYMBOLS else 1
            value, length = 0, 4
            for bit in range(4):
                value |= ((number >> bit) & 1) << (3 - bit)
        held |= np.uint64(value) << np.uint64(filled)
        filled += length
        if filled >= 64:
            out[place] = held
            place += 1
            filled -= 64
            held = np.uint64(value) >> np.uint64(length - filled)
    flat = lines.reshape(lines.size)
    full = np.uint64(64)
    low = np.uint64(0xFFFF)
    shift = np.uint64(16)
    bits = np.uint64(filled)
    where = np.uint64(place)
    for i in range(np.uint64(flat.size)):
        entry = code[flat[i]]
        word = entry & low
        length = entry >> shift
        held |= word << bits
        bits += length
        if bits >= full:
            out[where] = held
            where += np.uint64(1)
            bits -= full
            held = word >> (length - bits)
    held |= (code[END] & low) << bits
    bits += code[END] >> shift
    out[where] = held
    if bits > full:
        bits -= full
        where += np.uint64(1)
        out[where] = (code[END] & low) >> ((code[END] >> shift) - bits)
    return np.int64(where) * 8 + (np.int64(bits) + 7) // 8
