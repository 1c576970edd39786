"""NIfTI files: from bytes to slices as radiologists see them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.limits import check_size
from tfadvpath.studies.nifti.byte_streams import unpacked_head
from tfadvpath.studies.nifti.header import LONGEST_HEADER, NiftiHeader, version_of
from tfadvpath.studies.nifti.voxels import NiftiFile, check_values, open_nifti, read_voxels, scaled
from tfadvpath.studies.readers import Reader, Reading, register

IMAGE_BYTES = 4  # of a voxel in a study, beside the stored one


@register
class NiftiReader(Reader):
    """Reads NIfTI-1 and NIfTI-2 volumes (.nii, or the .hdr and .img of a pair, .gz or not) as axial slices.

    The axes nearest to RAS+ are taken, so oblique volumes are not resampled. A volume that is one sagittal
    or coronal slice is shown in its own plane. A 4-D file needs a channel. Whether a file is packed by gzip
    is seen from its bytes, whatever its name says.
    """

    endings = (".nii.gz", ".nii", ".hdr.gz", ".hdr", ".img.gz", ".img")

    def recognizes(self, head: bytes) -> bool:
        return version_of(unpacked_head(head, LONGEST_HEADER)) is not None

    def read(self, path: Path, channel: int | None) -> Reading:
        file = open_nifti(path)
        grid = volume_grid(file)
        index = _channel(path, file.header, channel)
        stored = read_voxels(file, index, IMAGE_BYTES)
        check_values(path, file.header, stored)
        slices = _shown(file.header, grid.to_slices(stored))
        return Reading(slices, grid, list(file.header.remarks))

    def read_mask(self, path: Path, image: Path) -> Reading:
        """Reads a mask: True where the scaled value is not 0, but for rounding."""
        file = open_nifti(path)
        grid = volume_grid(file)
        if file.header.channels > 1:
            problem = f"has {file.header.channels} channels, where a mask has one"
            raise InputError(path, problem, "Take one volume out of it")
        stored = read_voxels(file, 0)
        check_values(path, file.header, stored)
        return Reading(_marked(file.header, grid.to_slices(stored)), grid, list(file.header.remarks))


def volume_grid(file: NiftiFile) -> Grid:
    """Returns the grid of a file.

    Args:
        file: The file and its header.

    Raises:
        InputError: The file is too large, or its orientation is unknown.
    """
    path, header = file.path, file.header
    grid = _grid(path, header)
    check_size(path, header.shape, math.prod(grid.slices_shape[1:]))
    return grid


def same_grid(one: Grid, other: Grid) -> bool:
    """Returns whether the values of two NIfTI files lie at the same places.

    Args:
        one: Grid of a file; an axis of length 1 at the end may be left out.
        other: Grid of another.
    """
    if one.affine is None or other.affine is None:
        return False
    shapes = [grid.shape + (1,) * (3 - len(grid.shape)) for grid in (one, other)]
    return shapes[0] == shapes[1] and bool(np.allclose(one.affine, other.affine, atol=1e-4))


def _shown(header: NiftiHeader, slices: np.ndarray) -> Iterator[np.ndarray]:
    for stored in slices:
        yield scaled(header, stored)


def _marked(header: NiftiHeader, slices: np.ndarray) -> Iterable[np.ndarray]:
    """Yields where the scaled values are other than 0, but for the rounding of the scaling."""
    rounding = 0.0
    if (header.slope, header.intercept) != (1, 0):
        if header.dtype.kind in "iu":
            rounding = abs(header.slope) / 2
        else:
            rounding = 4 * float(np.finfo(header.dtype).eps) * abs(header.intercept)
    for stored in slices:
        yield np.abs(scaled(header, stored)) > rounding if rounding else scaled(header, stored) != 0


def _grid(path: Path, header: NiftiHeader) -> Grid:
    shape, affine = header.space, header.affine
    axes = affine[:3, :3].copy()
    if len(shape) == 2 and not axes[:, 2].any():
        axes[:, 2] = np.cross(axes[:, 0], axes[:, 1])  # a 2-D file may leave out the third axis
    lengths = np.linalg.norm(axes, axis=0)
    # The volume spanned by the unit axes: 1 if they are perpendicular, 0 if they do not span space.
    if not np.isfinite(affine).all() or not lengths.all() or abs(np.linalg.det(axes / lengths)) < 1e-4:
        raise InputError(
            path,
            "has an affine that cannot be inverted, so its orientation is unknown",
            "Correct its sform or qform, for example with nibabel or fslorient",
        )
    directions = np.eye(4)
    directions[:3, :3] = axes
    orientation = nib.orientations.io_orientation(directions).astype(int)
    thin = [int(orientation[axis, 0]) for axis in range(3) if (*shape, 1)[axis] == 1]
    slice_axis = thin[0] if len(thin) == 1 else 2
    return Grid(shape, affine, header.source.copy(), orientation, slice_axis)


def _channel(path: Path, header: NiftiHeader, channel: int | None) -> int:
    """Returns the index into the fourth axis; 0 for a file with one channel, whatever is asked for."""
    channels = header.channels
    if channels == 1:
        return 0
    if channel is None:
        problem = f"has {channels} channels (0 to {channels - 1})"
        raise InputError(path, problem, "Choose one by `channel`")
    if not 0 <= channel < channels:
        problem = f"has no channel {channel}"
        raise InputError(path, problem, f"Choose one of 0 to {channels - 1} by `channel`")
    return channel
