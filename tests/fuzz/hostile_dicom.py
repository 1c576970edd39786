"""Small DICOM files that ask for much memory or time."""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Callable

import numpy as np
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)
from support.broken_files import dicom, dicom_bytes, jpeg_bytes, picture

_SIDE = 64
_SEQUENCE = b"\x09\x00\x10\x10SQ\0\0\xff\xff\xff\xff"
_ITEM = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
_SOP_CLASS, _PIXEL_DATA = b"\x08\x00\x16\x00", b"\xe0\x7f\x10\x00"


@functools.cache
def _pixels() -> np.ndarray:
    return picture(_SIDE, _SIDE).astype(np.uint8)


def zeros_deflated(count: int) -> bytes:
    """Whole blocks of a raw deflate stream that inflate to zeros, at least ``count`` of them; no end."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    size = 2**24
    block = packer.compress(bytes(size)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * -(-count // size)


def _encoded(syntax: UID) -> bytes:
    dataset = dicom(_pixels())
    dataset.compress(syntax)
    return next(generate_frames(dataset.PixelData, number_of_frames=1))


def _in_frames(syntax: UID, frames: list[bytes], rows: int = _SIDE, columns: int = _SIDE) -> bytes:
    count = {"NumberOfFrames": len(frames)} if len(frames) > 1 else {}
    packed = encapsulate(frames, has_bot=False)
    return dicom_bytes(dicom(_pixels(), syntax=syntax, frames=packed, Rows=rows, Columns=columns, **count))


def _jpeg_2000(width: int, height: int, tile: int, rows: int, columns: int) -> bytes:
    """A codestream of 64 x 64 pixels whose SIZ segment claims other sizes of the image and its tiles."""
    frame = bytearray(_encoded(JPEG2000Lossless))
    at = frame.index(b"\xff\x51") + 6
    frame[at : at + 8] = struct.pack(">2I", width, height)
    frame[at + 16 : at + 24] = struct.pack(">2I", tile, tile)
    return _in_frames(JPEG2000Lossless, [bytes(frame)], rows, columns)


def _many_components() -> bytes:
    frame = bytearray(_encoded(JPEG2000Lossless))
    at = frame.index(b"\xff\x51") + 2
    length = struct.unpack_from(">H", frame, at)[0]
    count = 16384
    components = frame[at + length - 3 : at + length] * count
    segment = struct.pack(">H", length + 3 * (count - 1)) + bytes(frame[at + 2 : at + length - 5])
    frame[at : at + length] = segment + struct.pack(">H", count) + components
    return _in_frames(JPEG2000Lossless, [bytes(frame)])


def _sof(frame: bytes, marker: bytes, height: int, width: int) -> bytes:
    at = frame.index(marker) + 5
    return frame[:at] + struct.pack(">2H", height, width) + frame[at + 4 :]


def _jpeg(height: int, width: int, rows: int, columns: int) -> bytes:
    frame = _sof(jpeg_bytes(_pixels()), b"\xff\xc0", height, width)
    return _in_frames(JPEGBaseline8Bit, [frame], rows, columns)


def _jpeg_ls(height: int, width: int, rows: int, columns: int) -> bytes:
    frame = _sof(_encoded(JPEGLSLossless), b"\xff\xf7", height, width)
    return _in_frames(JPEGLSLossless, [frame], rows, columns)


def _rle(count: int, rows: int, columns: int, frames: int = 1) -> bytes:
    """Frames of one RLE segment that unpacks to ``count`` zeros."""
    segment = b"\x81\x00" * (count // 128)
    frame = struct.pack("<16I", 1, 64, *[0] * 14) + segment
    return _in_frames(RLELossless, [frame] * frames, rows, columns)


def _rle_many_segments() -> bytes:
    """All fifteen segments begin at the same place, and the frame has one byte a pixel."""
    frame = struct.pack("<16I", 15, *[64] * 15) + b"\x81\x00" * 4_000_000
    return _in_frames(RLELossless, [frame])


def _with_elements(elements: bytes, deflated: bool = False, end: bool = True) -> bytes:
    """A small image with raw elements before its pixel data."""
    whole = dicom_bytes(dicom(_pixels()))
    at, start = whole.index(_PIXEL_DATA), whole.index(_SOP_CLASS)
    if not deflated:
        return whole[:at] + elements + whole[at:]
    packer = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    packed = packer.compress(whole[start:at] + elements + whole[at:]) + packer.flush()
    return _head_of(DeflatedExplicitVRLittleEndian) + packed


def _head_of(syntax: UID) -> bytes:
    whole = dicom_bytes(dicom(_pixels(), syntax=syntax))
    # Group 2 begins with its own length, which counts from the element behind it.
    return whole[: 144 + struct.unpack_from("<I", whole, 140)[0]]


def _deflated(rows: int, columns: int, private: int = 0) -> bytes:
    """A deflated data set whose pixel data, or private elements of 2 GB before them, are zeros."""
    whole = dicom_bytes(dicom(_pixels(), Rows=rows, Columns=columns))
    at, start = whole.index(_PIXEL_DATA), whole.index(_SOP_CLASS)
    zeros = zeros_deflated(2**31 if private else rows * columns)
    length = struct.pack("<I", len(zeros) // len(zeros_deflated(1)) * 2**24)
    packed = _deflated_part(whole[start:at])
    for number in range(private):
        packed += _deflated_part(b"\x09\x00" + bytes([number]) + b"\x10OB\0\0" + length) + zeros
    if not private:
        packed += _deflated_part(_PIXEL_DATA + b"OB\0\0" + length) + zeros
    end = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed += end.compress(whole[at:] if private else b"") + end.flush()
    return _head_of(DeflatedExplicitVRLittleEndian) + packed


def _deflated_part(content: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush(zlib.Z_FULL_FLUSH)


def _nested(depth: int) -> bytes:
    return _with_elements((_SEQUENCE + _ITEM) * depth)


def _items(count: int) -> bytes:
    empty = b"\xfe\xff\x00\xe0\0\0\0\0" * count
    per_frame = b"\x00\x52\x30\x92SQ\0\0" + struct.pack("<I", len(empty)) + empty
    return _with_elements(per_frame)


def _empty_fragments(count: int) -> bytes:
    whole = _jpeg(_SIDE, _SIDE, _SIDE, _SIDE)
    at = whole.rindex(b"\xfe\xff\xdd\xe0")
    return whole[:at] + b"\xfe\xff\x00\xe0\0\0\0\0" * count + whole[at:]


def _long_text(length: int) -> bytes:
    """A name of many megabytes in which the character set changes all the time."""
    text = b"\x1b$B\x3b\x33\x1b(B" * (length // 8)
    head = b"\x08\x00\x05\x00CS\x10\x00\\ISO 2022 IR 87 "
    value = b"\x10\x00\x10\x00UT\0\0" + struct.pack("<I", len(text)) + text
    return _with_elements(head + value)


def _many_windows(count: int) -> bytes:
    """A window in implicit VR, where values may be long."""
    whole = dicom_bytes(dicom(_pixels(), syntax=UID("1.2.840.10008.1.2")))
    at = whole.index(_PIXEL_DATA)
    text = b"1\\" * count
    element = b"".join(
        tag + struct.pack("<I", len(text)) + text for tag in (b"\x28\0\x50\x10", b"\x28\0\x51\x10")
    )
    return whole[:at] + element + whole[at:]


def _tables(count: int) -> bytes:
    """A VOI LUT sequence with many tables of 65536 entries, as they stand in one stretch of the file."""
    table = b"\x28\x00\x02\x30US\x06\x00" + struct.pack("<3H", 0, 0, 16)
    table += b"\x28\x00\x06\x30OW\0\0" + struct.pack("<I", 2**17) + bytes(2**17)
    item = b"\xfe\xff\x00\xe0" + struct.pack("<I", len(table)) + table
    return _with_elements(b"\x28\x00\x10\x30SQ\0\0" + struct.pack("<I", len(item) * count) + item * count)


DICOM: dict[str, Callable[[], bytes]] = {
    "deflated_pixels_2GB.dcm": lambda: _deflated(2**15, 65535),
    "deflated_pixels_64MB.dcm": lambda: _deflated(2**13, 2**13),
    "deflated_private_2GB.dcm": lambda: _deflated(_SIDE, _SIDE, 1),
    "deflated_private_8GB.dcm": lambda: _deflated(_SIDE, _SIDE, 4),
    "deflated_2_million_elements.dcm": lambda: _with_elements(
        b"".join(struct.pack("<HHHH", 0x0009, 0x1000 + k % 0xE000, 0x4F4C, 0) for k in range(2_000_000)), True
    ),
    "j2k_claims_40000x40000.dcm": lambda: _jpeg_2000(40000, 40000, 40000, _SIDE, _SIDE),
    "j2k_claims_8192x8192_in_64x64.dcm": lambda: _jpeg_2000(8192, 8192, 8192, _SIDE, _SIDE),
    "j2k_8192x8192.dcm": lambda: _jpeg_2000(8192, 8192, 8192, 8192, 8192),
    "j2k_65536_tiles.dcm": lambda: _jpeg_2000(8192, 8192, 32, 8192, 8192),
    "j2k_tiles_of_1_pixel.dcm": lambda: _jpeg_2000(255, 255, 1, 255, 255),
    "j2k_16384_components.dcm": _many_components,
    "jpeg_ls_claims_65535x65535.dcm": lambda: _jpeg_ls(65535, 65535, _SIDE, _SIDE),
    "jpeg_ls_8192x8192.dcm": lambda: _jpeg_ls(8192, 8192, 8192, 8192),
    "jpeg_claims_65500x65500.dcm": lambda: _jpeg(65500, 65500, _SIDE, _SIDE),
    "jpeg_claims_8192x8192_in_64x64.dcm": lambda: _jpeg(8192, 8192, _SIDE, _SIDE),
    "jpeg_8192x8192.dcm": lambda: _jpeg(8192, 8192, 8192, 8192),
    "rle_unpacks_to_600MB.dcm": lambda: _rle(600_000_000, _SIDE, _SIDE),
    "rle_9_frames_8192x8192.dcm": lambda: _rle(2**26, 8192, 8192, 9),
    "rle_1_frame_8192x8192.dcm": lambda: _rle(2**26, 8192, 8192),
    "rle_15_segments_in_one_place.dcm": _rle_many_segments,
    "frames_2147483647.dcm": lambda: dicom_bytes(dicom(_pixels(), NumberOfFrames="2147483647")),
    "frames_4000000_of_1x1.dcm": lambda: dicom_bytes(
        dicom(np.arange(4_000_000, dtype=np.uint8)[:, None, None])
    ),
    "size_65535x65535.dcm": lambda: dicom_bytes(dicom(_pixels(), Rows=65535, Columns=65535)),
    "nested_200000_sequences.dcm": lambda: _nested(200_000),
    "elements_1200000.dcm": lambda: _with_elements(
        b"".join(struct.pack("<HHHH", 0x0009, 0x1000 + k % 0xE000, 0x4F4C, 0) for k in range(1_200_000))
    ),
    "private_9MB.dcm": lambda: _with_elements(
        b"\x09\x00\x10\x10UN\0\0" + struct.pack("<I", 9_000_000) + b"\x5c" * 9_000_000
    ),
    "functional_groups_1200000.dcm": lambda: _items(1_200_000),
    "fragments_1200000_of_0_bytes.dcm": lambda: _empty_fragments(1_200_000),
    "text_9MB_of_escape_sequences.dcm": lambda: _long_text(9_000_000),
    "windows_2000000.dcm": lambda: _many_windows(2_000_000),
    "tables_70.dcm": lambda: _tables(70),
}
