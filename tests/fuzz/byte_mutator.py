"""Changes of bytes that know nothing of a format."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

Mutator = Callable[[bytes, random.Random, Sequence[bytes]], bytes]

# Whole numbers at which programs err: ends of types, and their neighbours.
WHOLE = [0, 1, 2, 3, 7, 8, 16, 127, 128, 255, 256, 4096, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1]
WHOLE += [2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1]
# The same as text, as DICOM and JSON write numbers, and what is no number.
NUMBERS = [b"0", b"-0", b"1", b"-1", b"65536", b"2147483648", b"-9223372036854775809", b"1e308", b"-1e308"]
NUMBERS += [b"1e-320", b"1e999", b"nan", b"inf", b"-inf", b"", b" ", b"1,5", b"0x10", b"1_0", b"9" * 400]
NUMBERS += ["١".encode(), b"1\\2\\3", b"1\\", b"\\"]
_LARGEST = 2**20  # of a mutant


def change_bytes(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Returns data after one to eight random changes.

    Args:
        data: Content of a file.
        rng: Generator that alone decides.
        others: Contents of which parts may be taken over.
    """
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4, 8))):
        changed = rng.choice(_CHANGES)(changed, rng, others)
    return bytes(changed[:_LARGEST])


def place(data: bytes | bytearray, rng: random.Random) -> int:
    """Returns a random place in data; half of the time within the first bytes, where headers are."""
    end = min(len(data), 400) if rng.random() < 0.5 else len(data)
    return rng.randrange(end) if end else 0


def whole_number(rng: random.Random, size: int) -> bytes:
    """Returns an interesting number in ``size`` bytes of either order."""
    value = rng.choice(WHOLE) if rng.random() < 0.8 else rng.getrandbits(8 * size)
    return (value % 2 ** (8 * size)).to_bytes(size, rng.choice(("little", "big")))


def _flip_bit(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    if data:
        data[place(data, rng)] ^= 1 << rng.randrange(8)
    return data


def _set_bytes(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    at = place(data, rng)
    for i in range(at, min(at + rng.randrange(1, 9), len(data))):
        data[i] = rng.randrange(256)
    return data


def _set_number(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    number = whole_number(rng, rng.choice((1, 2, 2, 4, 4, 8)))
    at = place(data, rng)
    data[at : at + len(number)] = number
    return data


def _set_text(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    at = place(data, rng)
    text = rng.choice(NUMBERS)
    data[at : at + (len(text) if rng.random() < 0.7 else 0)] = text
    return data


def _cut(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    return data[: rng.randrange(len(data) + 1)]


def _remove(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    at = place(data, rng)
    del data[at : at + rng.choice((1, 2, 4, 8, 64, 1000))]
    return data


def _repeat(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    at = place(data, rng)
    part = data[at : at + rng.choice((1, 2, 4, 8, 64, 1000))]
    data[at:at] = part * rng.choice((1, 1, 2, 100))
    return data


def _blank_out(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    at = place(data, rng)
    length = min(rng.choice((4, 16, 64, 1000)), len(data) - at)
    data[at : at + length] = bytes([rng.choice((0, 0xFF))]) * length
    return data


def _splice(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> bytearray:
    other = rng.choice(others) if others else bytes(data)
    if rng.random() < 0.5:
        return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]
    at, start = place(data, rng), rng.randrange(len(other) + 1)
    part = other[start : start + rng.choice((8, 64, 512))]
    data[at : at + len(part)] = part
    return data


_CHANGES = (
    _flip_bit,
    _flip_bit,
    _set_bytes,
    _set_number,
    _set_number,
    _set_text,
    _cut,
    _remove,
    _repeat,
    _blank_out,
    _splice,
)
