"""A map as a NIfTI volume on the grid of the volume that was explained."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header

from tfadvpath.datasets.grid import Grid
from tfadvpath.writers.atomic import replacing_file


def write_nifti(path: Path | str, volume: np.ndarray, grid: Grid, description: str) -> None:
    """Writes a float32 volume with the affine, the codes and the units of the grid's header.

    The rest of that header stays behind: its texts and extensions may name a patient.

    Args:
        path: Where to, ending in .nii or .nii.gz.
        volume: float [X, Y, Z] (or [X, Y]), of the shape ``grid.shape``.
        grid: Of a study that was read from NIfTI.
        description: At most 79 bytes.

    Raises:
        ValueError: The grid is not of a NIfTI file, or the volume has another shape.
    """
    if grid.header is None:
        raise ValueError("`grid` must be of a NIfTI file. Received: one without a header")
    if volume.shape != tuple(grid.shape):
        raise ValueError(f"`volume` must have the grid's shape {grid.shape}. Received: {volume.shape}")
    second = isinstance(grid.header, Nifti2Header)
    header = Nifti2Header() if second else Nifti1Header()
    header.set_data_dtype(np.float32)
    header.set_data_shape(volume.shape)
    for field in (
        "qform_code",
        "sform_code",
        "quatern_b",
        "quatern_c",
        "quatern_d",
        "qoffset_x",
        "qoffset_y",
    ):
        header[field] = grid.header[field]
    for field in ("qoffset_z", "srow_x", "srow_y", "srow_z", "xyzt_units"):
        header[field] = grid.header[field]
    header["pixdim"][: 1 + volume.ndim] = grid.header["pixdim"][: 1 + volume.ndim]
    header["descrip"] = description.encode()
    image = (nibabel.Nifti2Image if second else nibabel.Nifti1Image)(
        np.asarray(volume, np.float32), grid.affine, header
    )
    with replacing_file(path) as partial:
        nibabel.save(image, partial)
