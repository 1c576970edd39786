"""Changes of NIfTI files field by field, inside their gzip streams too."""

from __future__ import annotations

import gzip
import random
import struct
from collections.abc import Sequence

import nibabel as nib
import numpy as np
from fuzz.byte_mutator import change_bytes, whole_number

_FLOATS = (0.0, -1.0, 1.0, 1e-45, 1e-30, 3e38, float("nan"), float("inf"), float("-inf"))
_DATATYPES = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2304, -1)


def change_nifti(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Returns an uncompressed NIfTI file with changed fields; sometimes with changed bytes."""
    if rng.random() < 0.15 or len(data) < 348:
        return change_bytes(data, rng, others)
    changed = bytearray(data)
    kind = nib.Nifti2Header if changed[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c") else nib.Nifti1Header
    order = "<" if changed[0] else ">"
    fields = kind.template_dtype.fields
    for _ in range(rng.choice((1, 1, 2, 3))):
        name = rng.choice(list(fields))
        dtype, offset = fields[name][:2]
        changed = _change_field(changed, name, dtype, offset, order, rng)
    if rng.random() < 0.1:
        return change_bytes(bytes(changed), rng, others)
    return bytes(changed)


def change_nifti_gz(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Returns a gzip stream of a changed NIfTI file, or a changed stream.

    Args:
        data: Uncompressed NIfTI file.
        rng: Generator that alone decides.
        others: Uncompressed files too.
    """
    choice = rng.random()
    if choice < 0.7:
        return gzip.compress(change_nifti(data, rng, others), 1, mtime=0)
    packed = gzip.compress(data, 1, mtime=0)
    if choice < 0.9:
        return change_bytes(packed, rng, others)
    middle = rng.randrange(len(data) + 1)
    parts = [gzip.compress(part, 1, mtime=0) for part in (data[:middle], data[middle:])]
    return (
        parts[0] + rng.choice((b"", bytes(512), packed)) + parts[1] + rng.choice((b"", b"behind", bytes(99)))
    )


def _change_field(
    data: bytearray, name: str, dtype: np.dtype, offset: int, order: str, rng: random.Random
) -> bytearray:
    base, shape = dtype.base, dtype.shape
    at = offset + base.itemsize * (rng.randrange(shape[0]) if shape else 0)
    if name in ("datatype", "bitpix") and rng.random() < 0.7:
        value = struct.pack(f"{order}h", rng.choice(_DATATYPES))
    elif base.kind == "f":
        value = np.array(rng.choice(_FLOATS)).astype(np.dtype(f"{order}f{base.itemsize}")).tobytes()
    elif base.kind in "iu" and rng.random() < 0.6:
        small = rng.choice((0, 1, 2, 3, 4, 5, 7, 8, 100, 352, 1000, 2**15 - 1)) % 2 ** (8 * base.itemsize)
        value = small.to_bytes(base.itemsize, "little" if order == "<" else "big")
    else:
        value = whole_number(rng, base.itemsize) if base.itemsize <= 8 else rng.randbytes(base.itemsize)
    data[at : at + len(value)] = value
    return data
