"""JPEG 2000 streams: what their headers claim, read before a decoder takes memory for it."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tfadvpath.errors import InputError
from tfadvpath.studies.limits import check_expansion

COPY_AGAIN = "Copy or export it again"
_Result = TypeVar("_Result")
_SOC, _SIZ, _COD, _COC, _SOT, _SOD, _EOC = 0xFF4F, 0xFF51, 0xFF52, 0xFF53, 0xFF90, 0xFF93, 0xFFD9
_STREAM = b"\xff\x4f\xff\x51"
_SIGNATURE = b"\x00\x00\x00\x0cjP  "
# What OpenJPEG takes for each, rounded up.
_BYTES_OF_TILE, _BYTES_OF_PRECINCT, _BYTES_OF_BLOCK = 8192, 512, 256


@dataclass(frozen=True)
class Jpeg2000Header:
    """Size of a JPEG 2000 image (ISO 15444-1, A.5.1).

    Attributes:
        rows: Number of rows.
        columns: Number of columns.
        components: Number of components.
        precision: Bits of a sample.
        signed: Whether samples have a sign.
        tile: Columns and rows of a tile, no larger than the image.
        tiles: Number of tiles.
    """

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool
    tile: tuple[int, int]
    tiles: int


@dataclass(frozen=True)
class _Coding:
    """Coding style (ISO 15444-1, A.6.1), as far as it takes memory.

    Attributes:
        layers: Number of quality layers.
        block: Width and height of a code block as powers of 2.
        precincts: Width and height of a precinct as powers of 2, for each resolution from the smallest.
    """

    layers: int
    block: tuple[int, int]
    precincts: tuple[tuple[int, int], ...]


def read_jpeg_2000_header(path: Path, content: bytes) -> Jpeg2000Header:
    """Returns the size that a stream claims.

    Args:
        path: File that holds the stream, for the message.
        content: The stream, as such or in the boxes of a JP2 file.

    Raises:
        InputError: The content is no JPEG 2000 stream, or its size cannot be used.
    """
    return _cut_is_refused(path, content, _read_header)


def check_jpeg_2000(path: Path, content: bytes) -> None:
    """Refuses a stream that is cut, or that claims more parts than its bytes account for.

    A decoder takes memory for every tile, precinct and code block, and fills what is missing.

    Args:
        path: File that holds the stream, for the message.
        content: The stream, as such or in the boxes of a JP2 file.

    Raises:
        InputError: The stream is cut or damaged, or takes too much memory.
    """
    _cut_is_refused(path, content, _check)


def _cut_is_refused(path: Path, content: bytes, function: Callable[[Path, memoryview], _Result]) -> _Result:
    try:
        stream = memoryview(content)[_start_of_stream(content) :]
        if bytes(stream[:4]) != _STREAM:
            raise InputError(path, "holds no JPEG 2000 stream where one should be", COPY_AGAIN)
        return function(path, stream)
    except (struct.error, IndexError):
        problem = "is truncated: its JPEG 2000 stream ends within a header"
        raise InputError(path, problem, COPY_AGAIN) from None


def _start_of_stream(content: bytes) -> int:
    """Returns the offset of the stream, which a JP2 file has in a box (ISO 15444-1, I.4)."""
    if not content.startswith(_SIGNATURE):
        return 0
    position = 0
    while True:
        length, kind = struct.unpack_from(">I4s", content, position)
        header = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", content, position + 8)
            header = 16
        if kind == b"jp2c":
            return position + header
        if length < header:
            return len(content)
        position += length


def _read_header(path: Path, stream: memoryview) -> Jpeg2000Header:
    length, _, x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0, components = struct.unpack_from(
        ">HHIIIIIIIIH", stream, 4
    )
    if components == 0 or length != 38 + 3 * components or x1 <= x0 or y1 <= y0 or not tile_x or not tile_y:
        raise _damaged(path, "an unusable image size")
    depths = {struct.unpack_from(">BBB", stream, 42 + 3 * index) for index in range(components)}
    depth, *subsampling = next(iter(depths))
    if len(depths) > 1 or subsampling != [1, 1]:
        problem = "has a JPEG 2000 stream whose components differ in depth or size, which is not read"
        raise InputError(path, problem, "Export it uncompressed")
    columns, rows = x1 - x0, y1 - y0
    tiles = math.ceil((x1 - tile_x0) / tile_x) * math.ceil((y1 - tile_y0) / tile_y)
    tile = (min(tile_x, columns), min(tile_y, rows))
    return Jpeg2000Header(rows, columns, components, (depth & 0x7F) + 1, depth >= 0x80, tile, tiles)


def _check(path: Path, stream: memoryview) -> None:
    header = _read_header(path, stream)
    codings, found = [], set()
    for marker, segment in _segments(path, stream, 4 + 38 + 3 * header.components):
        if marker in (_COD, _COC):
            codings.append(_coding(path, marker, segment, header.components))
        elif marker == _SOT:
            found.add(segment)
    if not codings:
        raise _damaged(path, "no coding style")
    if len(found) < header.tiles:
        problem = (
            f"is truncated or damaged: its JPEG 2000 stream holds {len(found):,} of {header.tiles:,} tiles"
        )
        raise InputError(path, problem, COPY_AGAIN)
    for coding in codings:
        _check_cost(path, coding, header, len(stream))


def _segments(path: Path, stream: memoryview, position: int) -> Iterator[tuple[int, bytes]]:
    """Yields the marker and the content of each segment; of a tile-part its tile's index is the content.

    Raises:
        InputError: The stream ends early.
    """
    while True:
        (marker,) = struct.unpack_from(">H", stream, position)
        if marker == _EOC:
            return
        (length,) = struct.unpack_from(">H", stream, position + 2)
        if marker < 0xFF00 or length < 2 or position + 2 + length > len(stream):
            raise _damaged(path, "what is no marker segment")
        if marker != _SOT:
            yield marker, bytes(stream[position + 4 : position + 2 + length])
            position += 2 + length
            continue
        (part,) = struct.unpack_from(">I", stream, position + 6)
        yield _SOT, bytes(stream[position + 4 : position + 6])  # the tile's index
        end = position + part if part else len(stream)  # the last part may leave its length open
        if part and part < 14:
            raise _damaged(path, "a tile of an unusable length")
        if end > len(stream):
            problem = (
                f"is truncated: its JPEG 2000 stream lacks the last {end - len(stream):,} bytes of a tile"
            )
            raise InputError(path, problem, COPY_AGAIN)
        position += 12
        while struct.unpack_from(">H", stream, position)[0] != _SOD:
            marker, length = struct.unpack_from(">HH", stream, position)
            if marker < 0xFF00 or length < 2 or position + 2 + length > end:
                raise _damaged(path, "what is no marker segment")
            yield marker, bytes(stream[position + 4 : position + 2 + length])
            position += 2 + length
        if not part:
            if b"\xff\xd9" not in bytes(stream[max(position, end - 4) :]):
                raise InputError(path, "is truncated: its JPEG 2000 stream lacks its end mark", COPY_AGAIN)
            return
        position = end
        if position + 2 > len(stream) or stream[position] != 0xFF:  # some encoders leave out the end mark
            return


def _coding(path: Path, marker: int, segment: bytes, components: int) -> _Coding:
    if marker == _COD:
        style, layers, at = segment[0], struct.unpack_from(">H", segment, 2)[0], 5
    else:
        at = 1 if components < 257 else 2
        style, layers, at = segment[at], 1, at + 1
    levels, width, height = struct.unpack_from(">BBB", segment, at)
    if levels > 32 or width > 8 or height > 8 or width + height > 8:
        raise _damaged(path, "an unusable coding style")
    sizes = segment[at + 5 : at + 6 + levels] if style & 1 else b"\xff" * (levels + 1)
    if len(sizes) != levels + 1:
        raise _damaged(path, "a coding style of a wrong length")
    return _Coding(layers, (width + 2, height + 2), tuple((size & 15, size >> 4) for size in sizes))


def _check_cost(path: Path, coding: _Coding, header: Jpeg2000Header, stored: int) -> None:
    """Refuses a stream of more tiles, precincts, code blocks or packets than its bytes account for."""
    tiles, size = header.tiles * header.components, header.tile
    precincts = blocks = 0
    levels = len(coding.precincts) - 1
    for resolution, (across, down) in enumerate(coding.precincts):
        scale = levels - resolution
        columns, rows = -(-size[0] >> scale), -(-size[1] >> scale)
        precincts += -(-columns >> across) * -(-rows >> down)
        # A code block is no larger than a precinct's part of a subband.
        inner = 1 if resolution else 0
        block = min(coding.block[0], max(0, across - inner)), min(coding.block[1], max(0, down - inner))
        blocks += -(-columns >> block[0]) * -(-rows >> block[1])
    # A packet takes a byte. Tiles at the edges are counted as if they were whole ones.
    if precincts * coding.layers * tiles > 4 * stored:
        problem = (
            f"is damaged: its JPEG 2000 stream claims {precincts * coding.layers * tiles:,} packets, more "
            "than its bytes can hold"
        )
        raise InputError(path, problem, COPY_AGAIN)
    cost = tiles * (_BYTES_OF_TILE + precincts * _BYTES_OF_PRECINCT + blocks * _BYTES_OF_BLOCK)
    check_expansion(path, cost, stored)


def _damaged(path: Path, what: str) -> InputError:
    return InputError(path, f"is truncated or damaged: its JPEG 2000 stream holds {what}", COPY_AGAIN)
