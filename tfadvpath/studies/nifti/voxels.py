"""Voxels of NIfTI files, of one channel, read in bounded pieces."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from nibabel.volumeutils import apply_read_scaling

from tfadvpath.errors import InputError
from tfadvpath.studies.limits import check_expansion
from tfadvpath.studies.nifti.byte_streams import COPY_AGAIN, open_bytes
from tfadvpath.studies.nifti.header import CORRECT, LONGEST_HEADER, NiftiHeader, read_header, version_of
from tfadvpath.studies.readers import check_finite

HEADER_ENDINGS, VOXEL_ENDINGS = (".hdr", ".hdr.gz"), (".img", ".img.gz")
_ENDINGS = (".nii", ".nii.gz", *HEADER_ENDINGS, *VOXEL_ENDINGS)


@dataclass(frozen=True)
class NiftiFile:
    """A NIfTI file, or a pair of files, with its header.

    Attributes:
        path: File that was asked for, which messages name.
        voxels: File that holds the voxels.
        header: The header.
    """

    path: Path
    voxels: Path
    header: NiftiHeader


def open_nifti(path: Path) -> NiftiFile:
    """Reads the header of a file, or of the other file of its pair.

    Args:
        path: A single file, or either file of a pair, packed by gzip or not.

    Raises:
        InputError: There is no NIfTI header, or the other file of the pair is missing.
        OSError: A file cannot be read.
    """
    header_file = path
    head = _head(path, path)
    if version_of(head) is None and path.name.lower().endswith(VOXEL_ENDINGS):
        other = header_beside(path)
        if other is None:
            raise InputError(path, "is half of a pair without its .hdr file", "Put the .hdr file beside it")
        header_file, head = other, _head(other, path)
    header = read_header(path, head)
    if header.single and not _is_half(header_file, path, header):
        if header_file != path:
            problem = f"is beside {header_file.name}, which holds its voxels itself"
            raise InputError(path, problem, f"Pass {header_file.name}")
        return NiftiFile(path, path, header)
    voxels = path if header_file != path else _beside(path, VOXEL_ENDINGS)
    if voxels is None:
        raise InputError(path, "is half of a pair without its .img file", "Put the .img file beside it")
    if header.single:
        remark = "its magic says that its voxels follow it, but they are in its .img file"
        header = replace(header, single=False, offset=0, remarks=[*header.remarks, remark])
    return NiftiFile(path, voxels, header)


def header_beside(path: Path) -> Path | None:
    """Returns the header that a file of voxels is read with; None for another file, or where there is none.

    Args:
        path: The file.
    """
    return _beside(path, HEADER_ENDINGS) if path.name.lower().endswith(VOXEL_ENDINGS) else None


def other_files(path: Path) -> list[Path]:
    """Returns the files beside a file that are read with it if it is one of a pair.

    Args:
        path: The file, which may not exist.
    """
    found = (_beside(path, endings) for endings in (HEADER_ENDINGS, VOXEL_ENDINGS))
    return [other for other in found if other is not None and other != path]


def read_voxels(file: NiftiFile, channel: int, per_voxel: int = 0) -> np.ndarray:
    """Reads the stored voxels of one channel.

    Args:
        file: The file and its header.
        channel: Index of the channel, 0 where there is one.
        per_voxel: Bytes of memory that the caller takes for each voxel.

    Returns:
        Stored values in the file's axes and types, of the shape ``header.space``.

    Raises:
        InputError: The file is cut or damaged, or too large.
        OSError: The file cannot be read.
    """
    path, header = file.path, file.header
    count = math.prod(header.space)
    stored = count * header.dtype.itemsize
    needed = header.offset + header.channels * stored
    with open_bytes(file.voxels, path) as stream:
        if stream.packed:
            check_expansion(path, max(needed, stored + count * per_voxel), stream.size)
        else:
            _check_length(file, stream.size, needed)
        found = stream.skip(header.offset + channel * stored)
        voxels = np.empty(count, header.dtype)
        found += stream.fill(voxels.view(np.uint8).data)
        found += stream.skip(max(0, needed - found))
        _check_length(file, found, needed)
        stream.finish()
    return voxels.reshape(header.space, order="F")


def scaled(header: NiftiHeader, stored: np.ndarray) -> np.ndarray:
    """Applies slope and intercept as nibabel does; without them returns the stored values.

    Args:
        header: The file's header.
        stored: Some of its voxels.
    """
    return np.asarray(apply_read_scaling(stored, np.float64(header.slope), np.float64(header.intercept)))


def check_values(path: Path, header: NiftiHeader, stored: np.ndarray) -> None:
    """Makes sure that all voxels are finite, as stored and as scaled.

    Args:
        path: File, for the message.
        header: The file's header.
        stored: Its voxels.

    Raises:
        InputError: A voxel is not.
    """
    check_finite(path, stored)
    if (header.slope, header.intercept) == (1, 0):
        return
    largest = max(abs(float(stored.min())), abs(float(stored.max())))
    with np.errstate(over="ignore"):
        far = np.float64(largest) * abs(header.slope) + abs(header.intercept)
    if not np.isfinite(far):
        problem = (
            f"has the scl_slope {header.slope:.6g}, which takes its voxels beyond what a number can hold"
        )
        raise InputError(path, problem, CORRECT)


def _head(path: Path, named: Path) -> bytes:
    with open_bytes(path, named) as stream:
        return stream.take(LONGEST_HEADER)


def _is_half(header_file: Path, named: Path, header: NiftiHeader) -> bool:
    """Returns whether a header that claims to be of a single file has nothing behind it but an .img file."""
    if not header_file.name.lower().endswith(HEADER_ENDINGS) or _beside(header_file, VOXEL_ENDINGS) is None:
        return False
    with open_bytes(header_file, named) as stream:
        return stream.skip(header.offset + 1) <= header.offset


def _check_length(file: NiftiFile, found: int, needed: int) -> None:
    if found < needed:
        offset = file.header.offset
        if found < offset:
            problem = f"has a vox_offset of {offset:,}, beyond the end of its {found:,} bytes"
            raise InputError(file.path, problem, f"Copy the file again, or c{CORRECT[1:]}")
        problem = f"is truncated: it has {found:,} of {needed:,} bytes"
        raise InputError(file.path, problem, COPY_AGAIN)


def _beside(path: Path, endings: tuple[str, ...]) -> Path | None:
    """Returns the other file of a pair, of the same spelling, packed if this one is."""
    name = path.name
    ending = next((ending for ending in _ENDINGS if name.lower().endswith(ending)), "")
    stem = name[: len(name) - len(ending)]
    packed_first = sorted(endings, key=lambda other: other.endswith(".gz") != ending.endswith(".gz"))
    for other in _spellings(packed_first):
        if path.with_name(stem + other).is_file():
            return path.with_name(stem + other)
    return None


def _spellings(endings: list[str]) -> Iterator[str]:
    for ending in endings:
        yield from (ending, ending.upper(), ending.capitalize())
