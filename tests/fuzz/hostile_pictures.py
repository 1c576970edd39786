"""Small PNG and JPEG files that ask for much memory or time."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from fuzz.hostile_dicom import zeros_deflated
from PIL import Image
from support.broken_files import jpeg_bytes, picture

_SIDE = 8192


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _zlib_zeros(count: int) -> bytes:
    """A zlib stream of at least ``count`` zeros, whose sum at the end is that of zeros."""
    blocks = zeros_deflated(count)
    size = len(blocks) // len(zeros_deflated(1)) * 2**24
    # Adler-32 of n zeros is n modulo 65521 in its upper half, 1 in its lower.
    return b"\x78\xda" + blocks + b"\x03\x00" + struct.pack(">I", (size % 65521) << 16 | 1)


def _png(
    width: int, height: int, depth: int, colour: int, *, interlaced: bool = False, extra: bytes = b""
) -> bytes:
    """A black picture; the stream of its lines is as long as they are, or a little longer."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    size = height * (1 + -(-width * channels * depth // 8))
    lines = zlib.compress(bytes(size), 9) if size < 2**28 else _zlib_zeros(size)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    chunks = _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", lines) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _interlaced() -> bytes:
    """The seven passes of Adam7 have a line each 8, 8, 8, 4, 4, 2 and 2 rows."""
    size = 0
    for x, y, dx, dy in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        size += -(-(_SIDE - y) // dy) * (1 + -(-(_SIDE - x) // dx))
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 0, 0, 0, 1)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(bytes(size), 9)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _small_png(extra: bytes) -> bytes:
    return _png(64, 64, 8, 0, extra=extra)


def _lines_bomb() -> bytes:
    header = struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", _zlib_zeros(2**32)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _animation() -> bytes:
    control = _chunk(b"acTL", struct.pack(">2I", 2**31 - 1, 0))
    frame = struct.pack(">IIIIIHHBB", 0, 64, 64, 0, 0, 1, 1, 0, 0)
    return _small_png(control + _chunk(b"fcTL", frame))


@functools.cache
def _jpeg(mode: str = "L", progressive: bool = False) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (_SIDE, _SIDE)).save(buffer, "JPEG", quality=50, progressive=progressive)
    return buffer.getvalue()


def _empty_scans(count: int) -> bytes:
    """Repeats the last scan, which refines coefficients that are all 0."""
    whole = _jpeg(progressive=True)
    last = whole[whole.rindex(b"\xff\xc4", 0, whole.rindex(b"\xff\xda")) : -2]
    return whole[:-2] + last * count + b"\xff\xd9"


def _claims(width: int, height: int) -> bytes:
    small = jpeg_bytes(picture(16, 16).astype(np.uint8))
    at = small.index(b"\xff\xc0") + 5
    return small[:at] + struct.pack(">2H", height, width) + small[at + 4 :]


def _segments(count: int) -> bytes:
    small = jpeg_bytes(picture(16, 16).astype(np.uint8))
    return small[:2] + b"\xff\xfe\0\2" * count + small[2:]


PICTURES: dict[str, Callable[[], bytes]] = {
    "8192x8192_1_bit.png": lambda: _png(_SIDE, _SIDE, 1, 0),
    "8192x8192_16_bits.png": lambda: _png(_SIDE, _SIDE, 16, 0),
    "8192x8192_rgb.png": lambda: _png(_SIDE, _SIDE, 8, 2),
    "8192x8192_rgba_16_bits.png": lambda: _png(_SIDE, _SIDE, 16, 6),
    "8192x8192_interlaced.png": _interlaced,
    "8192x8192_header_alone.png": lambda: _png(_SIDE, _SIDE, 8, 0)[:45],
    "65535x65535.png": lambda: _png(65535, 65535, 1, 0),
    "1x67108864.png": lambda: _png(1, 2**26, 8, 0),
    "lines_4GB.png": _lines_bomb,
    "zTXt_2GB.png": lambda: _small_png(_chunk(b"zTXt", b"Comment\0\0" + _zlib_zeros(2**31))),
    "iTXt_2GB.png": lambda: _small_png(_chunk(b"iTXt", b"Comment\0\1\0\0\0" + _zlib_zeros(2**31))),
    "iCCP_2GB.png": lambda: _small_png(_chunk(b"iCCP", b"profile\0\0" + _zlib_zeros(2**31))),
    "chunks_800000.png": lambda: _small_png(_chunk(b"tEXt", b"") * 800_000),
    "empty_lines_800000.png": lambda: _small_png(_chunk(b"IDAT", b"") * 800_000),
    "animation_of_2147483647_frames.png": _animation,
    "8192x8192_progressive.jpg": lambda: _jpeg(progressive=True),
    "8192x8192_200_empty_scans.jpg": lambda: _empty_scans(200),
    "8192x8192_1000_empty_scans.jpg": lambda: _empty_scans(1000),
    "8192x8192.jpg": _jpeg,
    "8192x8192_rgb.jpg": lambda: _jpeg("RGB"),
    "8192x8192_cmyk.jpg": lambda: _jpeg("CMYK"),
    "claims_65500x1024.jpg": lambda: _claims(65500, 1024),
    "claims_65500x65500.jpg": lambda: _claims(65500, 65500),
    "segments_2000000.jpg": lambda: _segments(2_000_000),
}
