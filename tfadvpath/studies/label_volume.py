"""Labels of a volume, as slices beside the volume's."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import nibabel
import numpy as np
from nibabel.nifti1 import Nifti1Pair

from tfadvpath.errors import InputError
from tfadvpath.studies.grid import Grid


def read_labels(path: Path | str, grid: Grid) -> np.ndarray:
    """Reads a NIfTI label volume.

    Args:
        path: File of the labels, NIfTI-1 or NIfTI-2.
        grid: Grid of the study that they label.

    Returns:
        The file's integers as slices [N, rows, columns], shown as the study's.

    Raises:
        InputError: The file cannot be read, or its grid is another.
    """
    path = Path(path)
    if grid.affine is None:
        raise ValueError("`grid` must be of a NIfTI file. Received: one without an affine")
    try:
        image = cast(Nifti1Pair, nibabel.load(path))
        labels = np.asarray(image.dataobj)
    except Exception as error:  # nibabel's own, gzip's and zlib's, and what damaged headers lead to
        raise InputError(path, f"cannot be read as labels ({error})", "Copy it again") from error
    while labels.ndim > len(grid.shape) and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.shape != tuple(grid.shape) or not np.allclose(np.asarray(image.affine), grid.affine, atol=1e-4):
        raise InputError(path, "lies on another grid than its study", "Pass the labels of that study")
    return grid.to_slices(labels)
