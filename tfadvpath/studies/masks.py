"""Masks of findings, read by their stored values, beside the slices of their image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.files import check_file
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.nifti.reader import same_grid
from tfadvpath.studies.readers import quiet
from tfadvpath.studies.registry import endings, reader_for


def read_mask(path: Path | str, image: Path | str, grid: Grid) -> np.ndarray:
    """Reads a mask.

    Args:
        path: File of the mask, whose format its content tells.
        image: File of the image that it belongs to.
        grid: Grid of that image.

    Returns:
        bool [N, rows, columns] beside the image's slices, True where the stored value is not 0.

    Raises:
        InputError: The file cannot be read as a mask, or does not lie on its image's grid.
    """
    path = Path(path)
    check_file(path)
    try:
        reader = reader_for(path)
        if reader is None:
            problem = "is of no format that is read"
            raise InputError(path, problem, f"Pass one of: {', '.join(endings())}")
        with quiet():
            reading = reader.read_mask(path, Path(image))
            _check_grid(path, reading.grid, grid)
            mask = np.empty(grid.slices_shape, bool)
            for place, values in zip(mask, reading.slices, strict=True):
                place[...] = values
            return mask
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
        raise InputError(path, problem, "Check its permissions") from None
    except MemoryError:
        raise InputError(path, "does not fit into memory", "Crop or shrink it") from None


def _check_grid(path: Path, own: Grid, image: Grid) -> None:
    """Makes sure that a mask lies on its image's grid, not only on one of the same size."""
    turned = own.orientation is not None, image.orientation is not None
    if turned[0] != turned[1]:
        which = "is a NIfTI volume and its image is none" if turned[0] else "is no NIfTI volume as its image"
        raise InputError(path, f"{which}, so how they lie is not known", "Save it in its image's format")
    if own.slices_shape != image.slices_shape:
        raise InputError(path, "is not of its image's size", "Save it in that size")
    if turned[0] and not same_grid(own, image):
        problem = "lies on another grid than its image: their affines differ"
        raise InputError(path, problem, "Resample it to its image's grid, or correct its affine")
