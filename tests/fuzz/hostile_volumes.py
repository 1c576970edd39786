"""Small NIfTI files that ask for much memory or time."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable

import nibabel as nib
import numpy as np
from support.broken_files import nifti_bytes, volume

_MEMBER = 2**26


def _header(shape: tuple[int, ...], dtype: type = np.uint8, offset: int = 352) -> bytes:
    header = nib.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(dtype)
    header.set_sform(np.eye(4), 1)
    header["magic"], header["vox_offset"] = b"n+1", offset
    return header.binaryblock


def _slices(count: int) -> bytes:
    header = nib.Nifti2Header()
    header.set_data_shape((1, 1, count))
    header.set_data_dtype(np.uint8)
    header.set_sform(np.eye(4), 1)
    header["magic"], header["vox_offset"] = b"n+2", 544
    return header.binaryblock + bytes(4) + bytes(np.arange(count, dtype=np.uint8))


def _zeros(count: int) -> bytes:
    """Members of a gzip stream that hold zeros, at least ``count`` of them."""
    return gzip.compress(bytes(_MEMBER), 9, mtime=0) * -(-count // _MEMBER)


def _packed(head: bytes, zeros: int) -> bytes:
    return gzip.compress(head, 9, mtime=0) + _zeros(zeros)


def _extensions(size: int, count: int) -> bytes:
    extension = struct.pack("<2i", size, 6) + bytes(size - 8)
    offset = 352 + size * count
    return _header((8, 8, 8), offset=offset) + b"\1\0\0\0" + extension * count + bytes(512)


def _small() -> bytes:
    return nifti_bytes(volume((8, 8, 8)))


VOLUMES: dict[str, Callable[[], bytes]] = {
    "offset_8GB.nii.gz": lambda: _packed(_header((8, 8, 8), offset=2**33) + bytes(4), 2**33),
    "allowed_4GB.nii.gz": lambda: _packed(_header((512, 512, 2048), np.float64) + bytes(4), 2**32),
    "allowed_500MB.nii.gz": lambda: _packed(_header((512, 512, 2000)) + bytes(4), 2**29),
    "zeros_9GB_behind.nii.gz": lambda: gzip.compress(_small(), mtime=0) + _zeros(9 * 2**30),
    "size_30000x30000x30000.nii": lambda: _header((30000, 30000, 30000)) + bytes(1000),
    "four_dimensions_2GB.nii.gz": lambda: _packed(_header((64, 64, 64, 8000)) + bytes(4), 2**31),
    "members_10000.nii.gz": lambda: gzip.compress(b"", mtime=0) * 10_000 + gzip.compress(_small(), mtime=0),
    "members_400000.nii.gz": lambda: gzip.compress(b"", mtime=0) * 400_000 + gzip.compress(_small(), mtime=0),
    "gzip_in_gzip.nii.gz": lambda: gzip.compress(gzip.compress(_small())),
    "extension_2GB.nii.gz": lambda: _packed(
        _header((8, 8, 8), offset=2**31) + b"\1\0\0\0" + struct.pack("<2i", 2**31 - 368, 6), 2**31
    ),
    "extensions_500000.nii": lambda: _extensions(16, 500_000),
    "extension_1GB_claimed.nii": lambda: _header((8, 8, 8)) + b"\1\0\0\0" + struct.pack("<2i", 2**30, 6),
    "slices_4000000_of_1x1.nii": lambda: _slices(4_000_000),
    "slope_3e38.nii": lambda: _small()[:112] + struct.pack("<2f", 3e38, 3e38) + _small()[120:],
}
