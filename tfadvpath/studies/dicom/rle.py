"""RLE Lossless: the byte-wise run-length coding of DICOM (PS3.5, Annex G)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.file import COPY_AGAIN
from tfadvpath.studies.dicom.pixels import PixelFormat

_HEADER_BYTES = 64
_MOST_SEGMENTS = 15


def decode_rle(path: Path, content: bytes, layout: PixelFormat) -> np.ndarray:
    """Returns the words of a frame [rows, columns(, samples)].

    Args:
        path: File, for the message.
        content: Compressed bytes of the frame.
        layout: Format of the image.

    Raises:
        InputError: The header does not go with the image, or a segment is cut.
    """
    if layout.allocated == 1:
        raise InputError(
            path, "has single bits compressed as RLE, which is not read", "Export it uncompressed"
        )
    if len(content) < _HEADER_BYTES:
        raise InputError(path, "is truncated or damaged: an RLE frame lacks its header", COPY_AGAIN)
    octets = layout.allocated // 8
    count, *offsets = struct.unpack_from(f"<{1 + _MOST_SEGMENTS}I", content)
    if count != octets * layout.samples or count > _MOST_SEGMENTS:
        raise InputError(
            path,
            f"is truncated or damaged: an RLE frame has {count} segments, where its BitsAllocated and "
            f"SamplesPerPixel make {octets * layout.samples}",
            COPY_AGAIN,
        )
    bounds = [*offsets[:count], len(content)]
    if any(one > other for one, other in zip([_HEADER_BYTES, *bounds], bounds, strict=False)):
        raise InputError(path, "is truncated or damaged: an RLE frame has wrong offsets", COPY_AGAIN)
    size = layout.rows * layout.columns
    planes = np.empty((layout.samples, size, octets), np.uint8)
    for index in range(count):
        segment = _segment(content, bounds[index], bounds[index + 1], size)
        if len(segment) < size:
            problem = f"is truncated or damaged: an RLE segment holds {len(segment):,} of {size:,} bytes"
            raise InputError(path, problem, COPY_AGAIN)
        # The most significant bytes of a sample come first.
        sample, octet = divmod(index, octets)
        planes[sample, :, octets - 1 - octet] = np.frombuffer(segment, np.uint8, size)
    words = planes.view(f"<u{octets}").astype(layout.dtype, copy=False)
    words = words.reshape(layout.samples, layout.rows, layout.columns)
    return words[0] if layout.samples == 1 else np.moveaxis(words, 0, -1)


def _segment(content: bytes, position: int, end: int, size: int) -> bytearray:
    """Returns what a segment holds: all, or a little more than the bytes that are needed."""
    values = bytearray()
    while position + 1 < end and len(values) < size:
        head = content[position]
        if head < 128:  # so many bytes as they are
            values += content[position + 1 : min(position + 2 + head, end)]
            position += 2 + head
        elif head > 128:  # one byte, repeated
            values += content[position + 1 : position + 2] * (257 - head)
            position += 2
        else:
            position += 1
    return values
