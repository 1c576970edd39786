"""Labels of a volume, as slices beside the volume's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.files import check_file
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.nifti.header import NiftiHeader
from tfadvpath.studies.nifti.reader import same_grid, volume_grid
from tfadvpath.studies.nifti.voxels import check_values, open_nifti, read_voxels, scaled
from tfadvpath.studies.readers import quiet

ROUNDING = 1e-3  # of a scaled label: slopes are stored in float32
LARGEST = 2**31 - 1


def read_labels(path: Path | str, grid: Grid) -> np.ndarray:
    """Reads a NIfTI label volume.

    Args:
        path: File of the labels, NIfTI-1 or NIfTI-2.
        grid: Grid of the study that they label.

    Returns:
        The file's integers as slices [N, rows, columns], shown as the study's.

    Raises:
        InputError: The file cannot be read, its grid is another, or its values are no whole numbers.
    """
    path = Path(path)
    if grid.affine is None:
        raise ValueError("`grid` must be of a NIfTI file. Received: one without an affine")
    check_file(path)
    try:
        with quiet():
            file = open_nifti(path)
            own = volume_grid(file)
            if file.header.channels > 1 or not same_grid(own, grid):
                raise InputError(path, "lies on another grid than its study", "Pass the labels of that study")
            stored = read_voxels(file, 0)
            check_values(path, file.header, stored)
            return _whole(path, file.header, grid.to_slices(stored))
    except OSError as error:
        problem = f"cannot be read as labels ({error.strerror or error})"
        raise InputError(path, problem, "Check its permissions") from None


def _whole(path: Path, header: NiftiHeader, slices: np.ndarray) -> np.ndarray:
    if header.dtype.kind in "iu" and (header.slope, header.intercept) == (1, 0):
        return slices
    labels = np.empty(slices.shape, np.int32)
    for label, stored in zip(labels, slices, strict=True):
        values = scaled(header, stored)
        whole = np.rint(values)
        if np.abs(values - whole).max() > ROUNDING:
            raise InputError(path, "holds values that are no whole numbers", "Pass the labels, not a map")
        if np.abs(whole).max() > LARGEST:
            raise InputError(path, f"holds labels beyond {LARGEST:,}", "Number them from 0 on")
        label[...] = whole
    return labels
