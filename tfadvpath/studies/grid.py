"""Grids: the way from the values of a file, or of a series, to slices on the screen, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Grid:
    """Place of the values of a file, or of a series.

    A file with an orientation (NIfTI) is shown as radiologists see it: rows from anterior to posterior and
    columns from the patient's right to left on axial slices. A file without one is shown as stored.

    Attributes:
        shape: Spatial shape in the file: [X, Y, Z] or [X, Y] with an orientation, else [rows, columns] or
            [slices, rows, columns].
        affine: float64 [4, 4], from voxel indices to millimetres in RAS+; None where it is not known. With an
            orientation the indices are those of ``shape``, without one they are (column, row, slice).
        source: Header that the reader keeps for a writer of the same format: of NIfTI files a NIfTI header,
            else None.
        orientation: int [3, 2], as nibabel has it: for each stored axis the RAS+ axis nearest to it, and 1
            or -1 for its direction; None shows the slices as stored.
        slice_axis: RAS+ axis along which slices are taken.
    """

    shape: tuple[int, ...]
    affine: np.ndarray | None = None
    source: Any = None
    orientation: np.ndarray | None = None
    slice_axis: int = 2

    @property
    def slices_shape(self) -> tuple[int, int, int]:
        """Number of slices, rows, columns."""
        if self.orientation is None:
            frames = self.shape[0] if len(self.shape) == 3 else 1
            return frames, self.shape[-2], self.shape[-1]
        lengths = dict(zip(self.orientation[:, 0].tolist(), self._stored_shape, strict=True))
        across, down = (lengths[axis] for axis in range(3) if axis != self.slice_axis)
        return lengths[self.slice_axis], down, across

    @property
    def _stored_shape(self) -> tuple[int, ...]:
        return self.shape + (1,) * (3 - len(self.shape))

    def to_slices(self, volume: np.ndarray) -> np.ndarray:
        """Shows an array of the file's shape as slices [N, rows, columns]; a view where possible."""
        if self.orientation is None:
            return volume.reshape(self.slices_shape)
        volume = volume.reshape(self._stored_shape)
        for axis, direction in enumerate(self.orientation[:, 1]):
            if direction < 0:
                volume = np.flip(volume, axis)
        canonical = volume.transpose(np.argsort(self.orientation[:, 0]))  # [R, A, S]
        slices = np.moveaxis(canonical, self.slice_axis, 0)
        return slices[:, ::-1, ::-1].transpose(0, 2, 1)

    def from_slices(self, slices: np.ndarray) -> np.ndarray:
        """Brings slices [N, rows, columns] back to the file's shape: the inverse of ``to_slices``."""
        if self.orientation is None:
            return slices.reshape(self.shape)
        shown = slices.transpose(0, 2, 1)[:, ::-1, ::-1]
        canonical = np.moveaxis(shown, 0, self.slice_axis)  # [R, A, S]
        volume = canonical.transpose(self.orientation[:, 0])
        for axis, direction in enumerate(self.orientation[:, 1]):
            if direction < 0:
                volume = np.flip(volume, axis)
        return np.ascontiguousarray(volume).reshape(self.shape)
