"""JPEG streams taken apart, without decoding them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tfadvpath.errors import InputError

START = b"\xff\xd8\xff"
COPY_AGAIN = "Copy or save it again"
PROGRESSIVE = 2
JPEG_LS = 55

_EOI, _SOI, _SOS, _DHT, _JPG, _DAC, _COM = 0xD9, 0xD8, 0xDA, 0xC4, 0xC8, 0xCC, 0xFE
_SOF_OF_JPEG_LS = 0xF7
_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_NO_FILLING = re.compile(rb"[^\xff]")
# What follows the data of a scan: a marker that is neither a stuffed byte, a filling byte nor a restart.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_MARKER_OF_JPEG_LS = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")


@dataclass(frozen=True)
class JpegHeader:
    """Frame of a JPEG stream, and the number of its scans.

    Attributes:
        rows: Number of rows.
        columns: Number of columns.
        components: Number of components: 1 for grey, 3 for colour, 4 for CMYK.
        precision: Bits of a sample.
        progressive: Whether the image is refined scan by scan.
        scans: Number of scans.
        process: Number of the start-of-frame marker: 0 baseline, 1 extended, 2 progressive, 3 lossless, above
            8 arithmetic coding; 55 for JPEG-LS.
    """

    rows: int
    columns: int
    components: int
    precision: int
    progressive: bool
    scans: int
    process: int


@dataclass
class JpegStream:
    """A stream taken apart.

    Attributes:
        frame: Precision, rows, columns and process of the frame; None before it is met.
        bits_left: For each component the number of low bits that no scan has held yet, for each of its 64
            coefficients; 255 where no scan has held any.
        scans: Number of scans so far.
        jfif: Whether it is marked as JFIF.
        adobe: Adobe's number of the colour transform; None without it.
        parts: Segments and scans that a decoder needs.
    """

    frame: tuple[int, int, int, int] | None = None
    bits_left: dict[int, bytearray] = field(default_factory=dict)
    scans: int = 0
    jfif: bool = False
    adobe: int | None = None
    parts: list[bytes] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether the scans hold every bit of every coefficient."""
        return not any(map(any, self.bits_left.values()))

    def header(self, path: Path) -> JpegHeader:
        """Returns what the frame header says.

        Args:
            path: File that holds the stream, for the message.

        Raises:
            InputError: The stream has no frame header, or no scan.
        """
        if self.frame is None or not self.scans:
            missing = "a frame header" if self.frame is None else "image data"
            raise InputError(path, f"holds a JPEG stream without {missing}", COPY_AGAIN)
        precision, rows, columns, process = self.frame
        progressive = process % 4 == PROGRESSIVE
        return JpegHeader(rows, columns, len(self.bits_left), precision, progressive, self.scans, process)

    def rebuilt(self) -> bytes:
        """Returns the stream without notes that a strict decoder would refuse.

        What they say of the colours is kept, in the form that each decoder knows.
        """
        head = [b"\xff\xd8"]
        if self.jfif:
            head.append(_JFIF)
        if self.adobe is not None:
            known = (0, 2) if len(self.bits_left) == 4 else (0, 1)
            transform = self.adobe if self.adobe in known else known[1]
            head.append(b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform]))
        return b"".join([*head, *self.parts, b"\xff\xd9"])


def taken_apart(path: Path, content: bytes) -> JpegStream:
    """Walks over the markers of a stream to its end mark.

    Args:
        path: File that holds the stream, for the message.
        content: The stream. What follows its end is passed over.

    Raises:
        InputError: The content is no JPEG stream, is cut, or its segments do not go together.
    """
    if not content.startswith(START):
        raise InputError(path, "holds no JPEG stream where one should be", "Pass an image, or save it again")
    stream = JpegStream()
    for marker, start, end, scan_end in _segments(path, content):
        segment = content[start:end]  # with its length, without its marker
        if marker == _SOF_OF_JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in (_DHT, _JPG, _DAC)):
            _take_frame(path, stream, marker, segment)
        elif marker == _SOS:
            segment = _take_scan(path, stream, segment)
        elif 0xE0 <= marker <= 0xEF or marker == _COM:
            if not stream.scans:
                _take_note(stream, marker, segment)
            continue
        stream.parts.append(bytes((0xFF, marker)) + segment + content[end:scan_end])
    return stream


def _segments(path: Path, content: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yields each segment: its marker, where it starts and ends, and where the data of its scan end.

    Raises:
        InputError: The stream ends before its end mark, or holds bytes that belong to no segment.
    """
    ends_early = InputError(path, "is truncated: its JPEG stream lacks its end mark", COPY_AGAIN)
    next_marker = _MARKER
    position = 2
    while True:
        found = _NO_FILLING.search(content, position)
        if found is None:
            raise ends_early
        marker, start = content[found.start()], found.end()
        if found.start() == position or marker in (0x00, 0x01, _SOI) or 0xD0 <= marker <= 0xD7:
            raise _damaged(path, f"no segment begins at byte {position:,}, where one should")
        if marker == _EOI:
            return
        length = content[start : start + 2]
        end = start + int.from_bytes(length, "big")
        if len(length) < 2 or end > len(content):
            raise ends_early
        if end < start + 2:
            raise _damaged(path, f"the segment at byte {position:,} has no length")
        if marker == _SOF_OF_JPEG_LS:
            next_marker = _MARKER_OF_JPEG_LS
        position = end
        if marker == _SOS:
            after = next_marker.search(content, end)
            if after is None:
                raise ends_early
            position = after.start()
        yield marker, start, end, position


def _take_frame(path: Path, stream: JpegStream, marker: int, segment: bytes) -> None:
    if stream.frame is not None:
        raise _damaged(path, "it has two frame headers")
    numbers = segment[8::3]
    if not numbers or len(segment) != 8 + 3 * segment[7] or len(set(numbers)) != len(numbers):
        raise _damaged(path, "its frame header does not describe its components")
    rows, columns = int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[5:7], "big")
    process = JPEG_LS if marker == _SOF_OF_JPEG_LS else marker - 0xC0
    stream.frame = segment[2], rows, columns, process
    stream.bits_left = {number: bytearray(b"\xff" * 64) for number in numbers}


def _take_scan(path: Path, stream: JpegStream, segment: bytes) -> bytes:
    """Notes what a scan holds, and returns its header."""
    if stream.frame is None:
        raise _damaged(path, "a scan comes before its frame header")
    numbers = segment[3:-3:2]
    if len(segment) < 8 or len(segment) != 6 + 2 * segment[2] or not stream.bits_left.keys() >= set(numbers):
        raise _damaged(path, "the header of a scan does not go with its frame header")
    stream.scans += 1
    process = stream.frame[3]
    first, last, low_bit = 0, 63, 0
    if process == PROGRESSIVE:
        first, last, low_bit = segment[-3], segment[-2], segment[-1] & 0x0F
        if not first <= last <= 63:
            raise _damaged(path, "the header of a scan names no coefficients")
    elif process < PROGRESSIVE:
        # Some cameras write other numbers here, which mean nothing in a stream that is not progressive.
        segment = segment[:-3] + b"\x00\x3f\x00"
    for number in numbers:
        stream.bits_left[number][first : last + 1] = bytes([low_bit]) * (last + 1 - first)
    return segment


def _take_note(stream: JpegStream, marker: int, segment: bytes) -> None:
    """Notes what an application segment says of the colours, as libjpeg takes it."""
    if marker == 0xE0 and segment[2:7] == b"JFIF\x00" and len(segment) >= 16:
        stream.jfif = True
    if marker == 0xEE and segment[2:7] == b"Adobe" and len(segment) >= 14:
        stream.adobe = segment[13]


def _damaged(path: Path, how: str) -> InputError:
    return InputError(path, f"is truncated or damaged: in its JPEG stream {how}", COPY_AGAIN)
