"""Changes of PNG files chunk by chunk, with right checksums, and of JPEG files segment by segment."""

from __future__ import annotations

import contextlib
import random
import struct
import zlib
from collections.abc import Sequence

from fuzz.byte_mutator import change_bytes, whole_number

_PNG = b"\x89PNG\r\n\x1a\n"
# Chunks that decoders look at beside the image itself.
_KINDS = (b"tRNS", b"gAMA", b"PLTE", b"zTXt", b"iTXt", b"iCCP", b"acTL", b"fcTL", b"fdAT", b"IDAT", b"IEND")
_KINDS += (b"IHDR", b"eXIf", b"bKGD", b"sBIT", b"cHRM", b"tEXt", b"CgBI")


def change_png(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Returns a PNG file with changed chunks; sometimes with changed bytes in place of them."""
    chunks = _chunks(data)
    if rng.random() < 0.15 or not chunks:
        return change_bytes(data, rng, others)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(chunks))
        kind, content = chunks[at]
        choice = rng.randrange(8)
        if choice <= 1:  # the header, whose fields decide on all
            changed = bytearray(chunks[0][1].ljust(13, b"\0"))
            place = rng.choice((0, 4, 8, 9, 10, 11, 12))
            number = whole_number(rng, 4)[-4 if place < 8 else -1 :]
            changed[place : place + len(number)] = number
            chunks[0] = chunks[0][0], bytes(changed)
        elif choice <= 3:
            chunks[at] = kind, change_bytes(content, rng, [])
        elif choice == 4:  # the image, and its stream made anew
            chunks = _change_image(chunks, rng)
        elif choice == 5:
            del chunks[at]
        elif choice == 6:
            chunks.insert(rng.randrange(len(chunks) + 1), chunks[at])
        else:
            made = rng.choice((b"", rng.randbytes(rng.randrange(40)), b"a\0\0" + zlib.compress(bytes(9999))))
            chunks.insert(rng.randrange(len(chunks) + 1), (rng.choice(_KINDS), made))
        if not chunks:
            break
    return _PNG + b"".join(_chunk(kind, content, rng) for kind, content in chunks)


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    chunks, at = [], len(_PNG)
    while at + 12 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def _chunk(kind: bytes, content: bytes, rng: random.Random) -> bytes:
    right = rng.random() < 0.98
    length = struct.pack(">I", len(content)) if right else whole_number(rng, 4)
    return length + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _change_image(chunks: list[tuple[bytes, bytes]], rng: random.Random) -> list[tuple[bytes, bytes]]:
    places = [i for i, (kind, _) in enumerate(chunks) if kind == b"IDAT"]
    with contextlib.suppress(zlib.error):
        image = zlib.decompress(b"".join(chunks[i][1] for i in places))
        stream = zlib.compress(change_bytes(image, rng, []))
        middle = rng.randrange(len(stream))
        new = [(b"IDAT", stream[:middle]), (b"IDAT", stream[middle:])]
        rest = [chunk for i, chunk in enumerate(chunks) if i not in places]
        start = places[0] if places else 0
        return rest[:start] + new + rest[start:]
    return chunks


def change_jpeg(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Returns a JPEG or JPEG-LS stream with changed segments, or with changed entropy-coded data."""
    segments, scan = _segments(data)
    if rng.random() < 0.15 or not segments:
        return change_bytes(data, rng, others)
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(segments))
        marker, content = segments[at]
        choice = rng.randrange(8)
        if choice <= 2:
            segments[at] = marker, change_bytes(content, rng, [])
        elif choice == 3:
            scan = change_bytes(scan, rng, [])
        elif choice == 4:
            segments.insert(at, segments[rng.randrange(len(segments))])
        elif choice == 5:
            del segments[at]
        elif choice == 6:  # another process, table or application
            segments[at] = rng.choice((0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xF7, 0xF8, 0xDD, 0xDC, 0xEE)), content
        else:  # scans that add nothing, or a picture in the picture
            scan = scan[:-2] + b"\xff\xd9" + rng.choice((data, scan, b"", bytes(9)))
        if not segments:
            break
    written = (bytes([0xFF, marker]) + _length(content, rng) + content for marker, content in segments)
    return data[:2] + b"".join(written) + scan


def _length(content: bytes, rng: random.Random) -> bytes:
    return struct.pack(">H", (len(content) + 2) % 65536) if rng.random() < 0.97 else whole_number(rng, 2)


def _segments(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Returns the segments up to the first scan's header, and all that follows."""
    segments, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        segments.append((marker, data[at + 4 : at + 2 + length]))
        at += 2 + length
        if marker == 0xDA:
            break
    return segments, data[at:]
