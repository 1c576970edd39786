"""Writes DICOM series: one file a slice, in files whose names and numbers tell nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.uid import MRImageStorage, generate_uid
from pydicom.valuerep import DSfloat

from support.broken_files import dicom, dicom_bytes

# Directions of a row and of a column in the patient, to the left, back and head.
AXIAL = np.array([[1.0, 0, 0], [0, 1, 0]])
CORONAL = np.array([[1.0, 0, 0], [0, 0, -1]])
SAGITTAL = np.array([[0.0, 1, 0], [0, 0, -1]])


def oblique(angles: Sequence[float] = (0.4, -0.3, 1.1)) -> np.ndarray:
    """The axial directions, turned about the three axes."""
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[one, one] = step[other, other] = np.cos(angle)
        step[one, other], step[other, one] = -np.sin(angle), np.sin(angle)
        turn = step @ turn
    return AXIAL @ turn.T


def noise(slices: int = 5, rows: int = 12, columns: int = 9) -> np.ndarray:
    """int16 [slices, rows, columns], each slice another."""
    return np.random.default_rng(7).integers(-900, 900, (slices, rows, columns)).astype(np.int16)


def decimals(values: Sequence[float]) -> list[DSfloat]:
    """Numbers in the 16 characters that a file holds of each."""
    return [DSfloat(float(value), auto_format=True) for value in values]


def write_series(
    folder: Path,
    slices: np.ndarray,
    *,
    directions: np.ndarray = AXIAL,
    spacing: tuple[float, float] = (1.5, 0.75),
    step: float | np.ndarray = 3.0,
    origin: Sequence[float] = (-40.0, 17.5, 8.25),
    names: Sequence[str] | None = None,
    numbers: Sequence[int | None] | None = None,
    uid: str = "series",
    **attributes: object,
) -> list[Path]:
    """Writes one file a slice, and returns the files in the order of the slices.

    Args:
        folder: It is made.
        slices: int16 [N, rows, columns].
        directions: Of a row and of a column.
        spacing: Millimetres between rows and between columns.
        step: Millimetres from slice to slice along the normal; or float [3], from slice to slice.
        origin: Position of the first slice's first pixel in millimetres.
        names: File names; None shuffles them.
        numbers: InstanceNumbers; None counts against the slices. None for a slice leaves its out.
        uid: Text that the series' identifier is made of.
        attributes: Further DICOM attributes; None removes one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = len(slices)
    if names is None:
        names = [f"IM{index:04d}.dcm" for index in np.random.default_rng(count).permutation(count)]
    numbers = range(count, 0, -1) if numbers is None else numbers
    along = np.cross(*directions) * step if np.ndim(step) == 0 else np.asarray(step)
    paths = []
    for index, (values, name, number) in enumerate(zip(slices, names, numbers, strict=True)):
        given = {
            "Modality": "MR",
            "SOPClassUID": MRImageStorage,
            "SOPInstanceUID": generate_uid(entropy_srcs=[uid, str(index)]),
            "SeriesInstanceUID": generate_uid(entropy_srcs=[uid]),
            "SeriesNumber": 4,
            "ImageOrientationPatient": decimals(directions.ravel()),
            "ImagePositionPatient": decimals(np.asarray(origin) + index * along),
            "PixelSpacing": decimals(spacing),
            **({} if number is None else {"InstanceNumber": number}),
        }
        present = {key: value for key, value in (given | attributes).items() if value is not None}
        (folder / name).write_bytes(dicom_bytes(dicom(values, **present)))
        paths.append(folder / name)
    return paths
