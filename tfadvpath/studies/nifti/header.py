"""Headers of NIfTI files, checked before anything follows them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError

from tfadvpath.errors import InputError, quoted

LONGEST_HEADER = 540
CORRECT = "Correct its header, for example with nibabel"
MAX_OFFSET = 2**24  # bytes: room for all header extensions that are in use, which tell of the acquisition
_SIZES = {1: 348, 2: LONGEST_HEADER}
_MAGIC = {1: (344, b"n+1\x00", b"ni1\x00"), 2: (4, b"n+2\x00", b"ni2\x00")}  # place; single file, pair
_TYPES = {
    2: np.uint8,
    4: np.int16,
    8: np.int32,
    16: np.float32,
    64: np.float64,
    256: np.int8,
    512: np.uint16,
    768: np.uint32,
    1024: np.int64,
    1280: np.uint64,
}
_UNREAD_TYPES = {
    0: ("does not say of which type its voxels are (datatype 0)", CORRECT),
    1: ("holds single bits", "Convert it to bytes"),
    32: ("holds complex voxels", "Take their magnitude"),
    128: ("holds colour (RGB) voxels", "Convert it to one grey value a voxel"),
    1536: ("holds floats of 128 bits", "Convert it to float32"),
    1792: ("holds complex voxels", "Take their magnitude"),
    2048: ("holds complex voxels", "Take their magnitude"),
    2304: ("holds colour (RGB) voxels", "Convert it to one grey value a voxel"),
}


@dataclass(frozen=True, eq=False)
class NiftiHeader:
    """What a header says, where it makes sense.

    Attributes:
        shape: Lengths of all axes.
        dtype: Type of the stored voxels.
        offset: Place of the first voxel, in bytes.
        single: Whether the voxels follow in the header's file; else they are in the .img file of a pair.
        slope: Factor of the stored values; 1 for none.
        intercept: Number that is added to their product; 0 for none.
        affine: float64 [4, 4], from voxel indices to millimetres in RAS+.
        source: The header as nibabel has it.
        remarks: Sentences on what was passed over in it.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int
    single: bool
    slope: float
    intercept: float
    affine: np.ndarray
    source: Nifti1Header
    remarks: list[str]

    @property
    def space(self) -> tuple[int, ...]:
        """Lengths of the axes in space: two or three."""
        return self.shape[:3]

    @property
    def channels(self) -> int:
        """Number of volumes."""
        return self.shape[3] if len(self.shape) > 3 else 1


def version_of(head: bytes) -> int | None:
    """Returns the version of NIfTI that a file starts like; None for another format."""
    kind = _kind(head)
    return None if kind is None else kind[0]


def read_header(path: Path, head: bytes) -> NiftiHeader:
    """Reads a header.

    Args:
        path: File, for the message.
        head: First ``LONGEST_HEADER`` bytes of the unpacked file, or all that it has.

    Raises:
        InputError: It is no header of NIfTI, or says what cannot be.
    """
    kind = _kind(head)
    if kind is None:
        raise _refusal(path, head)
    version, order, single = kind
    if len(head) < _SIZES[version]:
        raise InputError(path, "is truncated: it ends within its header", "Copy or write it again")
    source = (Nifti1Header if version == 1 else Nifti2Header)(head[: _SIZES[version]], order, check=False)
    shape = _shape(path, [int(length) for length in source["dim"]])
    dtype = _dtype(path, source, order)
    offset = _offset(path, source, single, 352 if version == 1 else 544)
    bits = int(source["bitpix"])
    remarks = []
    if bits != 8 * dtype.itemsize:
        remarks.append(f"its bitpix of {bits} does not go with its datatype ({dtype.name}), which counts")
    source["vox_offset"] = offset
    try:
        source.check_fix()
        slope, intercept = source.get_slope_inter()
        affine = np.asarray(source.get_best_affine(), dtype=np.float64)
    except HeaderDataError as error:
        problem = f"has a header that NIfTI does not allow ({quoted(error)})"
        raise InputError(path, problem, CORRECT) from None
    except ValueError as error:
        raise InputError(path, f"has a qform that is no rotation ({quoted(error)})", CORRECT) from None
    scaling = 1.0 if slope is None else slope, intercept or 0.0
    return NiftiHeader(shape, dtype, offset, single, *scaling, affine, source, remarks)


def _kind(head: bytes) -> tuple[int, str, bool] | None:
    """Returns the version, the byte order, and whether header and voxels are in one file."""
    for version, (place, single, pair) in _MAGIC.items():
        magic = head[place : place + 4]
        for order in "<>":
            if head[:4] == struct.pack(f"{order}i", _SIZES[version]) and magic in (single, pair):
                return version, order, magic == single
    return None


def _refusal(path: Path, head: bytes) -> InputError:
    place, *magic = _MAGIC[1]
    size = struct.unpack("<i", head[:4].ljust(4, b"\x00"))[0]
    if head[place : place + 4] in magic:
        return InputError(path, f"has the sizeof_hdr {size}, where NIfTI-1 has 348", CORRECT)
    sizes = (struct.pack("<i", 348), struct.pack(">i", 348))
    if head[:4] in sizes and head[place : place + 1] == b"n":
        return InputError(path, "has a magic that NIfTI does not know", CORRECT)
    if head[:4] in sizes and len(head) >= 348:
        return InputError(
            path,
            "is no NIfTI volume but Analyze 7.5, which does not tell left from right",
            "Convert it to NIfTI with the program that wrote it",
        )
    if head[:4] in sizes or head[4:8] in _MAGIC[2][1:]:
        return InputError(path, "is truncated: it ends within its header", "Copy or write it again")
    return InputError(path, "is not a NIfTI file, whatever its name says", "Give it its true ending")


def _shape(path: Path, dim: list[int]) -> tuple[int, ...]:
    if not 1 <= dim[0] <= 7:
        raise InputError(path, f"has {dim[0]} dimensions (dim[0]), where NIfTI has 1 to 7", CORRECT)
    shape = dim[1 : 1 + dim[0]]
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if not 2 <= len(shape) <= 4:
        problem = f"is {len(shape)}-D, where 2-D to 4-D files are read"
        raise InputError(path, problem, "Take one volume out of it")
    return tuple(shape)


def _dtype(path: Path, source: Nifti1Header, order: str) -> np.dtype:
    code = int(source["datatype"])
    if code in _UNREAD_TYPES:
        raise InputError(path, *_UNREAD_TYPES[code])
    if code not in _TYPES:
        raise InputError(path, f"has the datatype {code}, which NIfTI does not know", CORRECT)
    return np.dtype(order + np.dtype(_TYPES[code]).str[1:])


def _offset(path: Path, source: Nifti1Header, single: bool, least: int) -> int:
    """Returns where the voxels start. The standard counts what is too low for a single file as the least."""
    offset = float(source["vox_offset"])
    if not 0 <= offset <= MAX_OFFSET or offset != int(offset):
        problem = f"has the vox_offset {offset:.15g}, where no voxels of a NIfTI file start"
        raise InputError(path, problem, CORRECT)
    return max(int(offset), least) if single else int(offset)
