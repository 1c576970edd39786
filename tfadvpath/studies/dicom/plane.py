"""Planes of DICOM frames in the patient (PS3.3, C.7.6.2), and whether two are the same grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.attributes import MEND, Attributes

# Numbers are written with rounding.
_ROUNDING = 1e-3
# A grid that is shifted by less than this part of a pixel is the same.
_SHIFT = 0.05
_MILLIMETRES = 0.01  # where no spacing is known


@dataclass(frozen=True, eq=False)
class Plane:
    """Plane of a frame; what the file does not say is None.

    Attributes:
        position: float64 [3], ImagePositionPatient in millimetres.
        directions: float64 [6], ImageOrientationPatient.
        spacing: float64 [2], PixelSpacing in millimetres.
    """

    position: np.ndarray | None
    directions: np.ndarray | None
    spacing: np.ndarray | None

    def difference(self, other: Plane) -> str | None:
        """Returns the attribute in which two grids differ; None where all that both have are the same."""
        named = self.turn(other)
        if named is None and _differ(self.position, other.position, self._shift(other)):
            return "ImagePositionPatient"
        return named

    def turn(self, other: Plane) -> str | None:
        """Returns the attribute in which two grids differ that cannot be moved onto each other, or None."""
        if _differ(self.directions, other.directions, _ROUNDING):
            return "ImageOrientationPatient"
        if _differ(self.spacing, other.spacing, _ROUNDING * _smallest(other.spacing, 1.0)):
            return "PixelSpacing"
        return None

    def lies_in(self, other: Plane) -> bool:
        """Returns whether both have a place in the patient, and in one plane, wherever their corners are."""
        if self.position is None or other.position is None or other.directions is None:
            return False
        normal = np.cross(other.directions[:3], other.directions[3:])
        return bool(abs((self.position - other.position) @ normal) <= self._shift(other))

    def _shift(self, other: Plane) -> float:
        smallest = min(_smallest(plane.spacing, np.inf) for plane in (self, other))
        return _MILLIMETRES if np.isinf(smallest) else max(_MILLIMETRES / 10, _SHIFT * smallest)


def plane_of(path: Path, attributes: Attributes, frame: int = 0) -> Plane:
    """Returns the plane of a frame.

    Args:
        path: File, for the message.
        attributes: Its attributes.
        frame: Index of the frame, for files with attributes for each.

    Raises:
        InputError: An attribute cannot be used.
    """
    places = (
        ("ImagePositionPatient", 3, "PlanePositionSequence"),
        ("ImageOrientationPatient", 6, "PlaneOrientationSequence"),
        ("PixelSpacing", 2, "PixelMeasuresSequence"),
    )
    values = []
    for name, count, sequence in places:
        numbers = attributes.of_frame(frame, sequence).numbers(name)
        if numbers and (len(numbers) != count or not np.isfinite(numbers).all()):
            raise InputError(path, f"has an {name} that is not of {count} numbers", MEND)
        values.append(np.array(numbers) if numbers else None)
    return Plane(*values)


def _differ(one: np.ndarray | None, other: np.ndarray | None, tolerance: float) -> bool:
    return one is not None and other is not None and bool(np.abs(one - other).max() > tolerance)


def _smallest(spacing: np.ndarray | None, unknown: float) -> float:
    return unknown if spacing is None else float(np.abs(spacing).min())
