"""PNG files: their chunks, checked, and the stored values of their pixels."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tfadvpath.errors import InputError, quoted
from tfadvpath.studies.limits import check_size

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNK = 2**31 - 1  # bytes, by the standard
COPY_AGAIN = "Copy or save it again"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # colour types
_DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGBA: (8, 16)}
_SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
# First column and row, and distances of the columns and rows, of Adam7's passes.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_PIECE = 2**20  # bytes that are unpacked at once


@dataclass(frozen=True)
class Png:
    """Content of a PNG file whose chunks are whole.

    Attributes:
        rows: Number of rows.
        columns: Number of columns.
        depth: Bits of a sample: 1, 2, 4, 8 or 16.
        colour: Colour type: ``GREY``, ``RGB``, ``PALETTE``, ``GREY_ALPHA`` or ``RGBA``.
        palette: Red, green and blue of the colours of a palette; else empty.
        opacity: Alpha of the first colours of a palette; the others are opaque.
        plain: A file with the chunks alone that its pixels need.
    """

    rows: int
    columns: int
    depth: int
    colour: int
    palette: bytes
    opacity: bytes
    plain: bytes


def read_png(path: Path, content: bytes) -> Png:
    """Checks the chunks of a PNG file, and that its pixels are whole, without keeping them.

    Notes are passed over: texts, colour profiles, gamma, physical sizes. So is what follows the end mark.

    Args:
        path: The file, for the message.
        content: Its bytes, which begin with ``SIGNATURE``.

    Raises:
        InputError: The file is cut or damaged, too large, an animation, or needs what is not read.
    """
    header, palette, opacity = b"", b"", b""
    packed: list[memoryview] = []
    for kind, data in _chunks(path, content):
        if not header:
            header = _checked_header(path, kind, data)
        elif kind == b"IHDR":
            raise InputError(path, "is truncated or damaged: it has two header chunks", COPY_AGAIN)
        if (kind == b"acTL" and int.from_bytes(data[:4], "big") > 1) or kind == b"fdAT":
            raise InputError(path, "is an animation", "Save its frames as single files")
        if kind == b"PLTE":
            palette = bytes(data)
        elif kind == b"tRNS":
            opacity = bytes(data)
        elif kind == b"IDAT":
            if data:
                packed.append(data)
        elif kind not in (b"IHDR", b"IEND") and not kind[:1].islower():
            problem = f"needs a PNG extension that is not read (chunk {kind.decode('ascii')})"
            raise InputError(path, problem, "Save it without that extension")
    columns, rows = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    depth, colour, interlaced = header[8], header[9], header[12]
    if colour == PALETTE and (not palette or len(palette) % 3 or len(palette) > 3 * 256):
        raise InputError(path, "is truncated or damaged: it has no palette for its colours", COPY_AGAIN)
    _check_pixels(path, packed, _row_groups(rows, columns, depth * _SAMPLES[colour], interlaced))
    if colour != PALETTE:
        palette = opacity = b""
    chunks = [(b"IHDR", header), (b"PLTE", palette), (b"IDAT", b"".join(packed)[:MAX_CHUNK]), (b"IEND", b"")]
    plain = b"".join(_chunk(kind, data) for kind, data in chunks if data or kind == b"IEND")
    return Png(rows, columns, depth, colour, palette, opacity, SIGNATURE + plain)


def decode_png(path: Path, png: Png) -> np.ndarray:
    """Returns the stored values of a PNG file.

    Args:
        path: The file, for the message.
        png: Its content.

    Returns:
        bool, uint8 or uint16 [rows, columns] of grey values, or of places in the palette; else [rows,
        columns, channels]: the colours in no fixed order, or one or more times grey; then alpha, if the file
        has it.

    Raises:
        InputError: The pixels cannot be decoded.
    """
    if png.depth == 16 and png.colour != GREY:
        # Pillow keeps 8 of the 16 bits of these.
        pixels = cv2.imdecode(np.frombuffer(png.plain, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is None or pixels.dtype != np.uint16 or pixels.shape[:2] != (png.rows, png.columns):
            raise InputError(path, "is truncated or damaged: its pixels cannot be decoded", COPY_AGAIN)
        return np.asarray(pixels)
    try:
        with Image.open(io.BytesIO(png.plain), formats=("PNG",)) as image:
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        problem = f"is truncated or damaged: its pixels cannot be decoded ({quoted(error)})"
        raise InputError(path, problem, COPY_AGAIN) from None


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _chunks(path: Path, content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yields each chunk's kind and data, up to the end mark."""
    view = memoryview(content)
    position = len(SIGNATURE)
    while True:
        end = position + 12 + int.from_bytes(view[position : position + 4], "big")
        if end > len(content):
            raise InputError(path, "is truncated or damaged: it lacks its end mark", COPY_AGAIN)
        kind, data = content[position + 4 : position + 8], view[position + 8 : end - 4]
        if not kind.isalpha():
            raise InputError(
                path, f"is truncated or damaged: no chunk begins at byte {position:,}", COPY_AGAIN
            )
        if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            problem = f"is truncated or damaged: the checksum of its chunk {kind.decode('ascii')} is wrong"
            raise InputError(path, problem, COPY_AGAIN)
        yield kind, data
        if kind == b"IEND":
            return
        position = end


def _checked_header(path: Path, kind: bytes, data: memoryview) -> bytes:
    if kind != b"IHDR" or len(data) != 13:
        raise InputError(path, "is no standard PNG file: it does not begin with its header", "Save it again")
    header = bytes(data)
    columns, rows = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    depth, colour, packing, filtering, interlaced = header[8:]
    check_size(path, (rows, columns), rows * columns)
    if depth not in _DEPTHS.get(colour, ()) or packing or filtering or interlaced > 1:
        problem = f"has a header that PNG does not know (colour type {colour} with {depth} bits)"
        raise InputError(path, problem, "Save it again")
    return header


def _row_groups(rows: int, columns: int, bits: int, interlaced: int) -> list[tuple[int, int]]:
    """Returns the number of rows and the bytes of a row, with its filter's number, of each pass."""
    groups = []
    for left, top, across, down in _PASSES if interlaced else ((0, 0, 1, 1),):
        width, height = -(-(columns - left) // across), -(-(rows - top) // down)
        if width > 0 and height > 0:
            groups.append((height, 1 + -(-width * bits // 8)))
    return groups


def _check_pixels(path: Path, packed: list[memoryview], groups: list[tuple[int, int]]) -> None:
    """Unpacks the pixels piece by piece and counts them: decoders take missing rows for black ones."""
    needed = sum(rows * length for rows, length in groups)
    found = 0
    stream = zlib.decompressobj()
    try:
        for rest in _pieces(packed):
            while found <= needed and not stream.eof:
                piece = stream.decompress(rest, _PIECE)
                _check_filters(path, piece, found, groups)
                found += len(piece)
                rest = stream.unconsumed_tail
                if not rest and len(piece) < _PIECE:
                    break
    except zlib.error as error:
        problem = f"is truncated or damaged: its pixels cannot be unpacked ({quoted(error)})"
        raise InputError(path, problem, COPY_AGAIN) from None
    if found < needed:
        problem = f"is truncated: it holds {found:,} of {needed:,} bytes of pixels"
        raise InputError(path, problem, COPY_AGAIN)
    if found == needed and not stream.eof:
        raise InputError(path, "is truncated: its pixels lack their checksum", COPY_AGAIN)


def _check_filters(path: Path, piece: bytes, start: int, groups: list[tuple[int, int]]) -> None:
    """Makes sure that the rows that begin in a piece name one of the five filters."""
    group_start = 0
    for rows, length in groups:
        group_end = group_start + rows * length
        skipped = -(-max(0, start - group_start) // length)
        filters = piece[max(0, group_start + skipped * length - start) : max(0, group_end - start) : length]
        if filters and max(filters) > 4:
            problem = "is truncated or damaged: its pixels are filtered in a way that PNG does not know"
            raise InputError(path, problem, COPY_AGAIN)
        group_start = group_end


def _pieces(packed: list[memoryview]) -> Iterator[bytes | memoryview]:
    """Yields packed data in pieces; of what it does not take, a decoder makes a copy each time."""
    for data in packed:
        for start in range(0, len(data), _PIECE // 16):
            yield data[start : start + _PIECE // 16]
