"""Bytes of files, as stored or packed by gzip, that are read in bounded pieces."""

from __future__ import annotations

import os
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from tfadvpath.errors import InputError, quoted
from tfadvpath.studies.limits import check_expansion, most_bytes

GZIP_MAGIC = b"\x1f\x8b"
COPY_AGAIN = "Copy or write it again"
_GZIP_FORMAT = 31  # zlib's number for gzip's header and checksum
_PACKED = 2**14  # packed bytes that are read at once; of what it does not take, zlib makes a copy each time
_UNPACKED = 2**20


class ByteStream(ABC):
    """Content of a file, from its start on.

    Attributes:
        packed: Whether the file is packed by gzip.
        size: Bytes of the file.
    """

    packed: bool
    size: int

    @abstractmethod
    def fill(self, buffer: memoryview) -> int:
        """Reads into a buffer, and returns how many bytes there were.

        Raises:
            InputError: The content cannot be unpacked.
        """

    @abstractmethod
    def skip(self, count: int) -> int:
        """Passes over so many bytes, and returns how many there were."""

    @abstractmethod
    def finish(self) -> None:
        """Passes over the rest, and checks the checksum where there is one."""

    def take(self, count: int) -> bytes:
        """Returns the next bytes, fewer at the end.

        Args:
            count: Number of bytes: few.
        """
        buffer = bytearray(count)
        return bytes(buffer[: self.fill(memoryview(buffer))])


@contextmanager
def open_bytes(path: Path, named: Path) -> Iterator[ByteStream]:
    """Gives the content of a file, unpacked if it is packed by gzip, whatever its name says.

    Args:
        path: The file.
        named: File that messages name: of a pair of files the one that was asked for.

    Raises:
        OSError: The file cannot be opened or read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        packed = file.read(2) == GZIP_MAGIC
        file.seek(0)
        yield _GzipBytes(named, file, size) if packed else _PlainBytes(file, size)


def unpacked_head(head: bytes, most: int) -> bytes:
    """Returns the first bytes of a content of which only the first packed bytes are known.

    Args:
        head: First bytes of a file.
        most: Number of bytes to return at most.
    """
    if not head.startswith(GZIP_MAGIC):
        return head[:most]
    try:
        return zlib.decompressobj(_GZIP_FORMAT).decompress(head, most)
    except zlib.error:
        return b""


class _PlainBytes(ByteStream):
    packed = False

    def __init__(self, file: BinaryIO, size: int):
        self.size = size
        self._file = file

    def fill(self, buffer: memoryview) -> int:
        filled = 0
        while filled < len(buffer):
            count = self._file.readinto(buffer[filled:])  # type: ignore[attr-defined]
            if not count:
                break
            filled += count
        return filled

    def skip(self, count: int) -> int:
        before = self._file.tell()
        return self._file.seek(min(before + count, max(before, self.size))) - before

    def finish(self) -> None:
        pass


class _GzipBytes(ByteStream):
    """Members of a gzip file one after another. What follows them is passed over, as gzip does.

    Args:
        named: File that messages name.
        file: The open file.
        size: Bytes of the file.
    """

    packed = True

    def __init__(self, named: Path, file: BinaryIO, size: int):
        self.size = size
        self._named = named
        self._file = file
        self._rest = b""
        self._member: Any = zlib.decompressobj(_GZIP_FORMAT)  # None between two members
        self._total = 0
        self._ended = False

    def fill(self, buffer: memoryview) -> int:
        filled = 0
        while filled < len(buffer):
            piece = self._piece(min(len(buffer) - filled, _UNPACKED))
            if not piece:
                break
            buffer[filled : filled + len(piece)] = piece
            filled += len(piece)
        return filled

    def skip(self, count: int) -> int:
        skipped = 0
        while skipped < count:
            piece = self._piece(min(count - skipped, _UNPACKED))
            if not piece:
                break
            skipped += len(piece)
        return skipped

    def finish(self) -> None:
        while self._piece(_UNPACKED):
            pass

    def _piece(self, most: int) -> bytes:
        """Returns the next bytes, at most so many; none at the end."""
        while self._member is not None or self._next_member():
            try:
                piece = self._member.decompress(self._rest, most)
            except zlib.error as error:
                problem = f"is damaged: its gzip stream cannot be unpacked ({quoted(error)})"
                raise InputError(self._named, problem, COPY_AGAIN) from None
            if self._member.eof:
                self._rest, self._member = self._member.unused_data, None
            else:
                self._rest = self._member.unconsumed_tail
            if piece:
                self._total += len(piece)
                if self._total > most_bytes(self.size):
                    check_expansion(self._named, self._total, self.size)
                return piece
            if self._member is not None and not self._rest:
                self._rest = self._file.read(_PACKED)
                if not self._rest:
                    raise InputError(self._named, "is truncated: its gzip stream ends early", COPY_AGAIN)
        return b""

    def _next_member(self) -> bool:
        """Goes on to the next member, and returns whether there is one."""
        if len(self._rest) < len(GZIP_MAGIC):
            self._rest += self._file.read(_PACKED)
        if self._ended or not self._rest.startswith(GZIP_MAGIC):
            self._ended = True
            return False
        self._member = zlib.decompressobj(_GZIP_FORMAT)
        return True
