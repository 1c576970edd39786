"""Volumes of the Medical Segmentation Decathlon's Task01_BrainTumour, at the paper's distance of slices."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from tfadvpath.datasets.phantoms.brain_slices import TUMOUR_LABELS
from tfadvpath.errors import InputError
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.label_volume import read_labels
from tfadvpath.studies.sizes import nearest, resized
from tfadvpath.studies.study import open_slices

CHANNEL = 2  # T1 with gadolinium
# The paper's volumes of 155 mm become 145 slices.
SLICES_PER_MM = 145 / 155
MAX_MM = 3000  # no patient is longer, and each millimetre takes memory


def read_brain(path: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads a volume and brings its slices to the paper's distance.

    Args:
        path: NIfTI file with the channels FLAIR, T1w, T1gd, T2w.
        labels: NIfTI file of its labels.

    Returns:
        The T1gd slices, float32 [N, rows, columns], inferior ones first, rows from anterior to posterior; and
        the tumour, bool of that shape.

    Raises:
        InputError: A file is missing or damaged, has no channel 2, or the two lie on different grids.
    """
    if not os.path.lexists(labels):
        raise InputError(path, "has no labels in labelsTr", f"Put {labels.name} there")
    with open_slices(path, CHANNEL) as reading:
        grid = reading.grid
        channels = () if grid.source is None else grid.source.get_data_shape()[3:]
        if not channels or channels[0] <= CHANNEL:
            raise InputError(path, "has no channels", "Pass volumes with FLAIR, T1w, T1gd and T2w")
        volume = np.empty(grid.slices_shape, np.float32)
        for place, values in zip(volume, reading.slices, strict=True):
            place[...] = values
    covered = len(volume) * _slice_distance(grid)
    if covered > MAX_MM:
        problem = f"says that it covers {covered:,.0f} mm, which no patient does"
        raise InputError(path, problem, "Correct its affine, for example with nibabel")
    tumour = np.isin(read_labels(labels, grid), TUMOUR_LABELS)
    count = max(1, round(covered * SLICES_PER_MM))
    _, rows, columns = volume.shape
    if count != len(volume):
        volume = np.stack([resized(volume[:, row], (count, columns)) for row in range(rows)], axis=1)
    return volume, nearest(tumour, (count, rows, columns))


def _slice_distance(grid: Grid) -> float:
    """Returns the millimetres between the slices."""
    if grid.affine is None or grid.orientation is None:
        raise ValueError("`grid` must be of a NIfTI file. Received: one that lies nowhere")
    axis = int(np.flatnonzero(grid.orientation[:, 0] == grid.slice_axis)[0])
    return float(np.linalg.norm(grid.affine[:3, axis]))
