"""Elements of a DICOM data set, taken apart within bounds and left as they are stored."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import BinaryIO

from pydicom import config
from pydicom.charset import default_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filereader import data_element_generator, read_sequence
from pydicom.tag import BaseTag

# By their tags. pydicom makes a DataElement of a sequence of undefined length; all else stays raw.
Elements = dict[int, RawDataElement | DataElement]
StopWhen = Callable[[BaseTag, str | None, int], bool]

# An item takes three reads, 0.7 KB and 20 microseconds, an element one or two. Headers of enhanced files with
# thousands of frames have hundreds of thousands of elements, beside pixels of hundreds of megabytes.
MOST_READS = 2**18
_BYTES_FOR_A_READ = 64


class TooManyElements(Exception):
    """A data set has more elements and items than its file may have."""


class BoundedStream:
    """A stream that ends at its size and that can be read in a limited number of steps.

    Args:
        stream: File or buffer that can be sought in.
        size: Bytes of it.
        stored: Bytes of the file that it comes from, which say how many steps it may take.

    Attributes:
        size: Bytes of the stream.
        left: Number of steps that are left, or less than 0.
    """

    def __init__(self, stream: BinaryIO, size: int, stored: int):
        self._stream = stream
        self.size = size
        self.left = MOST_READS + stored // _BYTES_FOR_A_READ

    def read(self, size: int = -1) -> bytes:
        """Returns the next bytes, as a file does."""
        self.left -= 1
        if self.left < 0:
            raise TooManyElements
        # A file takes memory for as many bytes as are asked for, whether it holds them or not.
        left = max(0, self.size - self._stream.tell())
        return self._stream.read(left if size < 0 else min(size, left))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Moves the position, as a file does."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Returns the position."""
        return self._stream.tell()

    def peek(self, size: int) -> bytes:
        """Returns the next bytes and leaves the position where it is."""
        position = self.tell()
        content = self.read(size)
        self.seek(position)
        return content


def parse_elements(
    stream: BoundedStream,
    implicit: bool,
    little_endian: bool,
    stop_when: StopWhen,
    elements: Elements,
    may_switch: bool = True,
) -> None:
    """Adds the elements of a data set to those that are known.

    What was parsed is kept if parsing fails: a file that was cut says by it what it is.

    Args:
        stream: Stream at the first element.
        implicit: Whether elements are stored without their value representation.
        little_endian: Order of the bytes.
        stop_when: Function that gets the tag, the value representation and the length of each element, and
            ends the parsing where it returns True.
        elements: Elements by tag, which are added to.
        may_switch: Whether an element without a value representation, among others with one, is taken for one
            that is stored so, with a length of four bytes; else for one of an unknown representation, with
            a length of two.

    Raises:
        TooManyElements: The data set has more than its file may have.
        Exception: pydicom has one of many kinds for what cannot be parsed.
    """
    with _counted(stream), nullcontext() if may_switch else _without_switch():
        for element in data_element_generator(stream, implicit, little_endian, stop_when):  # type: ignore[arg-type]
            elements[int(element.tag)] = element


def parse_items(content: bytes, implicit: bool, little_endian: bool) -> list[Elements]:
    """Returns the items of a sequence.

    Args:
        content: Value of the sequence.
        implicit: Whether elements are stored without their value representation.
        little_endian: Order of the bytes.

    Raises:
        TooManyElements: The sequence has more elements than a file of its size may have.
        Exception: pydicom has one of many kinds for what cannot be parsed.
    """
    mark = struct.pack("<HH" if little_endian else ">HH", 0xFFFE, 0xE000)
    stream = BoundedStream(io.BytesIO(content), len(content), len(content))
    with _counted(stream):
        items = read_sequence(stream, implicit, little_endian, len(content), default_encoding)  # type: ignore[arg-type]
    if any(not content.startswith(mark, item.seq_item_tell) for item in items):
        raise ValueError("what lies in the sequence is no item")
    return [{int(element.tag): element for element in item.elements()} for item in items]


@contextmanager
def _without_switch() -> Iterator[None]:
    before = config.assume_implicit_vr_switch
    config.assume_implicit_vr_switch = False
    try:
        yield
    finally:
        config.assume_implicit_vr_switch = before


@contextmanager
def _counted(stream: BoundedStream) -> Iterator[None]:
    """Says of a stream that was read too often that it was, which pydicom turns into other errors."""
    try:
        yield
    except Exception:
        if stream.left < 0:
            raise TooManyElements from None
        raise


def is_explicit(head: bytes) -> bool:
    """Returns whether a data set that starts so stores the value representations.

    Whatever the transfer syntax says: two capital letters would be a length of 16,705 or more.

    Args:
        head: First bytes of the data set.
    """
    return len(head) >= 6 and all(0x41 <= letter <= 0x5A for letter in head[4:6])


def group_of(head: bytes, little_endian: bool = True) -> int | None:
    """Returns the group of the element that starts so; None at the end of the data.

    Args:
        head: First bytes of the element.
        little_endian: Order of the bytes.
    """
    if len(head) < 2:
        return None
    (group,) = struct.unpack("<H" if little_endian else ">H", head[:2])
    return int(group)
