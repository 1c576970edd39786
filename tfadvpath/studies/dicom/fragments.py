"""Encapsulated DICOM pixels: which fragments belong to which frame (PS3.5, A.4)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.file import COPY_AGAIN, DicomFile, PixelElement

# Offset and length of a fragment in the content of its file.
Fragment = tuple[int, int]

_ITEM, _END = 0xFFFEE000, 0xFFFEE0DD
# Streams of JPEG, of JPEG 2000 as such, and of JPEG 2000 in a file of its own.
_STARTS = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP")


def frames_of(file: DicomFile, pixels: PixelElement, count: int) -> list[list[Fragment]]:
    """Returns the fragments of each frame.

    Args:
        file: File of the image.
        pixels: Its pixels, which are encapsulated.
        count: Number of frames that the header names.

    Raises:
        InputError: The items are cut or damaged, or there are fewer or more than the frames take.
    """
    table, fragments = _items(file, pixels.start)
    if not fragments:
        raise InputError(file.path, "holds no pixels: its encapsulated pixel data is empty", COPY_AGAIN)
    offsets = _extended_offsets(file) or _basic_offsets(file, table)
    frames = _by_offsets(fragments, offsets)
    if frames is None:
        frames = [fragments] if count == 1 else [[fragment] for fragment in fragments]
        starts = [index for index, one in enumerate(fragments) if _starts_stream(file, one)]
        if len(fragments) != count and starts[:1] == [0]:
            frames = [fragments[one:other] for one, other in zip(starts, [*starts[1:], None], strict=True)]
    if len(frames) < count:
        raise InputError(
            file.path,
            f"holds {len(frames)} of {count} frames",
            "Copy or export it again, or correct its NumberOfFrames",
        )
    if len(frames) > count:
        raise InputError(
            file.path,
            f"holds more than the {count} frames of its header",
            "Correct its NumberOfFrames, or export it again",
        )
    return frames


def joined(file: DicomFile, fragments: Sequence[Fragment]) -> bytes:
    """Returns the compressed bytes of a frame.

    Args:
        file: File of the image.
        fragments: Fragments of the frame.
    """
    return b"".join(file.content[start : start + length] for start, length in fragments)


def _items(file: DicomFile, start: int) -> tuple[Fragment, list[Fragment]]:
    """Returns the first item, which is the basic offset table, and the others."""
    unpack = struct.Struct("<HHI" if file.little_endian else ">HHI").unpack_from
    content, position = file.content, start
    items: list[Fragment] = []
    while position < len(content) or not items:  # the end mark may be missing where all items are whole
        if position + 8 > len(content):
            raise _cut(file.path, len(items))
        group, element, length = unpack(content, position)
        tag = group << 16 | element
        position += 8
        if tag == _END:
            break
        if tag != _ITEM:
            problem = f"is damaged: its pixel data is no sequence of fragments beyond the {len(items)}th item"
            raise InputError(file.path, problem, COPY_AGAIN)
        if position + length > len(content):
            raise _cut(file.path, len(items))
        items.append((position, length))
        position += length
    return (items[0], items[1:]) if items else ((position, 0), [])


def _cut(path: Path, items: int) -> InputError:
    problem = f"is truncated: it ends within its pixel data, in item {items + 1}"
    return InputError(path, problem, COPY_AGAIN)


def _basic_offsets(file: DicomFile, table: Fragment) -> list[int]:
    start, length = table
    order = "<" if file.little_endian else ">"
    return list(struct.unpack_from(f"{order}{length // 4}I", file.content, start))


def _extended_offsets(file: DicomFile) -> list[int]:
    """Returns the 64-bit offsets; [] where they are missing or no whole number of them is there."""
    stored = file.attributes.stored("ExtendedOffsetTable")
    if stored is None or len(stored.content) % 8:
        return []
    order = "<" if stored.little_endian else ">"
    return list(struct.unpack(f"{order}{len(stored.content) // 8}Q", stored.content))


def _by_offsets(fragments: list[Fragment], offsets: list[int]) -> list[list[Fragment]] | None:
    """Returns the fragments of each frame by an offset table; None where the table is empty or wrong."""
    first = fragments[0][0] - 8
    places = {start - 8 - first: index for index, (start, _) in enumerate(fragments)}
    if not offsets or offsets[0] != 0 or sorted(set(offsets)) != offsets:
        return None
    if any(offset not in places for offset in offsets):
        return None
    starts = [places[offset] for offset in offsets]
    return [fragments[one:other] for one, other in zip(starts, [*starts[1:], None], strict=True)]


def _starts_stream(file: DicomFile, fragment: Fragment) -> bool:
    start, length = fragment
    return file.content[start : start + min(length, 6)].startswith(_STARTS)
