"""DICOM files: where their attributes and their pixels stand, found before anything is decoded."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

from pydicom.datadict import keyword_for_tag
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tfadvpath.errors import InputError, quoted
from tfadvpath.studies.dicom.attributes import Attributes
from tfadvpath.studies.dicom.parse import (
    BoundedStream,
    Elements,
    TooManyElements,
    group_of,
    is_explicit,
    parse_elements,
)
from tfadvpath.studies.dicom.start import MAGIC, looks_like_dicom
from tfadvpath.studies.dicom.values import KNOWN_VRS
from tfadvpath.studies.limits import most_bytes

COPY_AGAIN = "Copy or export it again"
_PIXELS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
_PIXEL_VRS = ("OB", "OW", "OF", "OD", "OL", "OV", "UN", None)
_UNDEFINED = 0xFFFFFFFF
# Inflated bytes are parsed into elements beside them, and decoded into values beside both.
_COPIES = 3
# Where only the header is asked for, no more than that is inflated.
_HEADER_BYTES = 2**22


@dataclass(frozen=True)
class PixelElement:
    """Place of the pixels in the content of a file.

    Attributes:
        name: PixelData, FloatPixelData or DoubleFloatPixelData.
        vr: Value representation; None if the file does not name it.
        start: Offset of the first byte of the value.
        length: Bytes of the value as the file says; None where it is encapsulated in items.
    """

    name: str
    vr: str | None
    start: int
    length: int | None


@dataclass(frozen=True, eq=False)
class DicomFile:
    """A DICOM file, taken apart.

    Attributes:
        path: The file.
        attributes: Attributes before the pixels.
        pixels: Place of the pixels; None where there are none.
        syntax: Transfer syntax: as the file says, else as it looks.
        names_syntax: Whether the file names its transfer syntax.
        little_endian: Order of the bytes.
        content: Bytes in which the pixels lie: those of the file, or what they were inflated to; b"" where
            only the header was asked for.
        stored: Bytes of the file.
    """

    path: Path
    attributes: Attributes
    pixels: PixelElement | None
    syntax: UID
    names_syntax: bool
    little_endian: bool
    content: bytes
    stored: int


def open_dicom(path: Path) -> DicomFile:
    """Takes a file apart.

    Args:
        path: File that exists.

    Raises:
        InputError: It is no DICOM file, is cut within its header, or its header cannot be parsed.
        OSError: It cannot be read.
    """
    content = path.read_bytes()
    return _take_apart(path, io.BytesIO(content), content, len(content))


def open_header(path: Path) -> DicomFile:
    """Takes a file apart without reading its pixels.

    Args:
        path: File that exists.

    Raises:
        InputError: It is no DICOM file, is cut within its header, or its header cannot be parsed.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return _take_apart(path, file, None, path.stat().st_size)


def _take_apart(path: Path, stream: BinaryIO, content: bytes | None, size: int) -> DicomFile:
    bounded = BoundedStream(stream, size, size)
    head = bounded.peek(1024)
    if head[128:132] == MAGIC:
        bounded.seek(132)
    elif head[:4] == MAGIC:
        bounded.seek(4)
    elif not looks_like_dicom(head) and group_of(head) not in (0x0002, 0x0008, 0x0200, 0x0800):
        raise InputError(path, "is not a DICOM file, whatever its name says", "Give it its true ending")
    meta: Elements = {}
    if group_of(bounded.peek(2)) == 0x0002:
        _Parser(path, bounded, True).parse(meta, lambda tag: tag >> 16 != 0x0002)
    if group_of(bounded.peek(2)) == 0x0000:  # commands, which a file should not hold
        _Parser(path, bounded, True).parse({}, lambda tag: tag >> 16 != 0x0000)
    named = UID(Attributes(path, meta).text("TransferSyntaxUID"))
    if named == DeflatedExplicitVRLittleEndian:
        inflated = _inflated(path, bounded, content is None)
        bounded = BoundedStream(io.BytesIO(inflated), len(inflated), size)
        content = None if content is None else inflated
    little_endian = named != ExplicitVRBigEndian
    if not named and (group_of(bounded.peek(2)) or 0) >= 0x0400:
        little_endian = False  # no file starts with so high a group
    implied = ImplicitVRLittleEndian
    if not little_endian:
        implied = ExplicitVRBigEndian
    elif is_explicit(bounded.peek(6)):
        implied = ExplicitVRLittleEndian
    parser = _Parser(path, bounded, little_endian)
    elements: Elements = {}
    parser.parse(elements, lambda tag: tag in _PIXELS)
    return DicomFile(
        path,
        Attributes(path, elements),
        parser.pixels(),
        named or implied,
        bool(named),
        little_endian,
        content or b"",
        size,
    )


class _Parser:
    """Parses elements, and notes what it met last: the pixels, or what a cut file ends in."""

    def __init__(self, path: Path, stream: BoundedStream, little_endian: bool):
        self._path = path
        self._stream = stream
        self._little_endian = little_endian
        self._tag = self._length = self._start = 0
        self._vr: str | None = None
        self._unreadable: int | None = None  # first element whose value representation is none

    def parse(self, elements: Elements, is_end: Callable[[int], bool]) -> None:
        start, known = self._stream.tell(), dict(elements)
        try:
            self._parse(elements, is_end, may_switch=True)
        except InputError:
            if self._unreadable is None:
                raise
            # Some programs write "??" or worse for a value representation that they do not know.
            self._unreadable = None
            self._stream.seek(start)
            elements.clear()
            elements.update(known)
            self._parse(elements, is_end, may_switch=False)

    def _parse(self, elements: Elements, is_end: Callable[[int], bool], may_switch: bool) -> None:
        implicit = not is_explicit(self._stream.peek(6))

        def note(tag: BaseTag, vr: str | None, length: int) -> bool:
            self._tag, self._vr, self._length, self._start = int(tag), vr, length, self._stream.tell()
            if not implicit and vr not in KNOWN_VRS and self._unreadable is None:
                self._unreadable = int(tag)
            return is_end(int(tag))

        try:
            parse_elements(self._stream, implicit, self._little_endian, note, elements, may_switch)
        except TooManyElements:
            problem = "has a DICOM header of more elements than any image needs"
            raise InputError(
                self._path, problem, "Export it again with the attributes of an image alone"
            ) from None
        except Exception as error:  # struct, encoding and pydicom errors, of many kinds
            # pydicom makes an error of its own of whatever it meets at an item's tag.
            if isinstance(error, RecursionError) or isinstance(error.__context__, RecursionError):
                problem = "has a DICOM header whose sequences are nested too deeply"
                raise InputError(self._path, problem, COPY_AGAIN) from None
            if isinstance(error, OSError) and error.errno is not None:  # of the disk
                raise
            self._refuse("its DICOM header cannot be parsed beyond")
        if is_end(self._tag):
            return
        if self._unreadable is not None or self._overrun() > 0:
            self._refuse("its DICOM header cannot be parsed beyond")

    def pixels(self) -> PixelElement | None:
        """Returns the place of the pixels, where the parsing ended at them."""
        name = _PIXELS.get(self._tag)
        if name is None:
            return None
        if self._vr not in _PIXEL_VRS:
            self._refuse("it has another value representation than pixels in")
        length = None if self._length == _UNDEFINED else self._length
        return PixelElement(name, self._vr, self._start, length)

    def _overrun(self) -> int:
        """Returns how many bytes of the last element lie beyond the end."""
        return 0 if self._length == _UNDEFINED else self._start + self._length - self._stream.size

    def _refuse(self, otherwise: str) -> NoReturn:
        """Refuses the file, naming the element at which it is damaged."""
        if self._unreadable is not None:
            problem = f"is damaged: its {_name(self._unreadable)} cannot be read"
        elif self._overrun() > 0:
            beyond = f"{_name(self._tag)} is {self._overrun():,} bytes longer than the file"
            problem = f"is truncated or damaged: its {beyond}"
        else:
            problem = f"is truncated or damaged: {otherwise} its {_name(self._tag)}"
        raise InputError(self._path, problem, COPY_AGAIN)


def _name(tag: int) -> str:
    return keyword_for_tag(BaseTag(tag)) or f"element {BaseTag(tag)}"


def _inflated(path: Path, stream: BoundedStream, header_only: bool) -> bytes:
    """Returns what the rest of a file inflates to, or as much of it as a header takes."""
    limit = _HEADER_BYTES if header_only else most_bytes(stream.size) // _COPIES
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(stream.read(), limit)
        if not header_only and inflater.unconsumed_tail and inflater.decompress(inflater.unconsumed_tail, 1):
            raise InputError(
                path,
                f"grows from {stream.size:,} to more than {limit:,} bytes, which no image of a patient does",
                "Export it uncompressed; if its pixels are right, crop or shrink it",
            )
    except zlib.error as error:
        problem = f"is truncated or damaged: its deflated data set cannot be inflated ({quoted(error)})"
        raise InputError(path, problem, COPY_AGAIN) from None
    if not header_only and not inflater.eof:
        raise InputError(path, "is truncated: its deflated data set ends early", COPY_AGAIN)
    return content
