"""DICOM series: one-slice files that together are one study, in the order of their positions.

Files belong together if they lie in one folder and have the same SeriesInstanceUID. They are ordered by
ImagePositionPatient along the normal of ImageOrientationPatient (DICOM PS3.3, C.7.6.2); where files lack
these, by InstanceNumber. Radiographs are never joined: the views of one examination are no volume.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from tfadvpath.errors import InputError

_TAGS = (
    "Columns",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "ImageType",
    "InstanceNumber",
    "Modality",
    "NumberOfFrames",
    "PixelSpacing",
    "Rows",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
)
# Radiography, mammography, dental images, angiography, fluoroscopy, scanned film: images of their own.
_RADIOGRAPHS = ("CR", "DX", "MG", "IO", "PX", "RG", "XA", "RF", "DF", "OPG")
# Distances of neighbouring slices that differ by more than that share of their median are said to be uneven.
_UNEVEN = 0.05
_DIRECTION_DIGITS = 3  # of a direction cosine: scanners write the same plane with rounding


@dataclass(frozen=True, eq=False)
class SliceHeader:
    """Attributes of a one-slice file that tell its place in a series.

    Attributes:
        path: The file.
        series: SeriesInstanceUID.
        instance: SOPInstanceUID; "" where the file has none.
        size: Rows and columns.
        number: InstanceNumber, or None.
        series_number: SeriesNumber, or None.
        localizer: Whether the image is a localizer.
        directions: float64 [2, 3], directions of a row and of a column in the patient, or None.
        position: float64 [3], ImagePositionPatient in millimetres, or None.
        spacing: Distances of rows and of columns in millimetres, or None.
    """

    path: Path
    series: str
    instance: str
    size: tuple[int, int]
    number: int | None
    series_number: int | None
    localizer: bool
    directions: np.ndarray | None
    position: np.ndarray | None
    spacing: tuple[float, float] | None

    @property
    def place(self) -> float | None:
        """Position along the normal of the slice in millimetres; None where the file does not tell."""
        if self.directions is None or self.position is None:
            return None
        return float(np.cross(*self.directions) @ self.position)

    @property
    def plane(self) -> tuple[Any, ...]:
        """Size and directions: what all slices of one volume have in common."""
        if self.directions is None:
            return self.size
        return (*self.size, *self.directions.ravel().round(_DIRECTION_DIGITS).tolist())


@dataclass(frozen=True, eq=False)
class Series:
    """Files that are one study.

    Attributes:
        headers: Headers of the files, in the order of the slices.
        remarks: Sentences on what is unusual: gaps, slices at one position.
    """

    headers: Sequence[SliceHeader]
    remarks: Sequence[str] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, in the order of the slices."""
        return tuple(header.path for header in self.headers)

    @property
    def label(self) -> str:
        """Name for a folder of results; it holds no word of the file's header but the series' number."""
        number = self.headers[0].series_number
        return "series" if number is None else f"series_{number:03d}"

    @property
    def affine(self) -> np.ndarray | None:
        """float64 [4, 4], from (column, row, slice) to millimetres in RAS+; None where slices are uneven."""
        first, last = self.headers[0], self.headers[-1]
        if first.directions is None or first.spacing is None or first.position is None:
            return None
        if last.position is None or _uneven(_distances(self.headers)):
            return None
        across, down = first.directions
        affine = np.eye(4)
        affine[:3, 0] = across * first.spacing[1]
        affine[:3, 1] = down * first.spacing[0]
        affine[:3, 2] = (last.position - first.position) / (len(self.headers) - 1)
        affine[:3, 3] = first.position
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine  # DICOM's axes point left and to the back


@dataclass(frozen=True, eq=False)
class Grouped:
    """Files as series and single files.

    Attributes:
        series: Series of two files or more.
        ignored: Files that are left out, with the reason.
        remarks: Sentences on series, each with one of its files.
    """

    series: list[Series] = field(default_factory=list)
    ignored: list[tuple[Path, str]] = field(default_factory=list)
    remarks: list[tuple[Path, str]] = field(default_factory=list)


def group_series(paths: Iterable[Path]) -> Grouped:
    """Finds the series among DICOM files; files that belong to none are in no list of the result.

    Args:
        paths: DICOM files. One that cannot be read belongs to no series: its reader says what is wrong.
    """
    members: dict[tuple[Path, str], list[SliceHeader]] = {}
    for path in paths:
        header = read_slice_header(path)
        if header is not None:
            members.setdefault((path.parent, header.series), []).append(header)
    grouped = Grouped()
    for headers in members.values():
        if len(headers) > 1:
            _group(headers, grouped)
    return grouped


def series_of(paths: Sequence[Path]) -> Series:
    """Returns several files as one series.

    Args:
        paths: Two files or more, in any order.

    Raises:
        InputError: They are not one-slice files of one series, or differ in size or direction.
    """
    headers = []
    for path in paths:
        header = read_slice_header(path)
        if header is None:
            raise InputError(path, "is no slice of a DICOM series", "Pass it as a study of its own")
        headers.append(header)
    for header in headers:
        if (header.series, header.plane) != (headers[0].series, headers[0].plane):
            raise InputError(
                header.path,
                f"is of another series, size or direction than {headers[0].path.name}",
                "Pass the files of one series",
            )
    ordered = _ordered(headers)
    if ordered is None:
        raise InputError(
            headers[0].path,
            "and the files beside it tell no order (no ImagePositionPatient, no InstanceNumber)",
            "Pass each as a study of its own",
        )
    return ordered


def read_slice_header(path: Path) -> SliceHeader | None:
    """Returns the header of a file that can be a slice of a series, else None."""
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS), force=True)
        series = str(dataset.get("SeriesInstanceUID") or "")
        size = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
        single = int(dataset.get("NumberOfFrames") or 1) == 1
        if not series or not single or 0 in size or dataset.get("Modality") in _RADIOGRAPHS:
            return None
        directions = _numbers(dataset.get("ImageOrientationPatient"), 6)
        spacing = _numbers(dataset.get("PixelSpacing"), 2)
        return SliceHeader(
            path=path,
            series=series,
            instance=str(dataset.get("SOPInstanceUID") or ""),
            size=size,
            number=_whole(dataset.get("InstanceNumber")),
            series_number=_whole(dataset.get("SeriesNumber")),
            localizer="LOCALIZER" in (dataset.get("ImageType") or ()),
            directions=None if directions is None else directions.reshape(2, 3),
            position=_numbers(dataset.get("ImagePositionPatient"), 3),
            spacing=None if spacing is None else (float(spacing[0]), float(spacing[1])),
        )
    except Exception:  # whatever is wrong with the header: the reader will say it of the file itself
        return None


def _group(headers: list[SliceHeader], grouped: Grouped) -> None:
    """Adds the series that files of one SeriesInstanceUID make."""
    images = [header for header in headers if not header.localizer]
    if images and len(images) < len(headers):
        reason = "is a localizer beside the slices of its series"
        grouped.ignored.extend((header.path, reason) for header in headers if header.localizer)
        headers = images
    seen: dict[str, Path] = {}
    single = []
    for header in headers:
        if header.instance and header.instance in seen:
            grouped.ignored.append((header.path, f"is a copy of {seen[header.instance].name}"))
            continue
        seen[header.instance] = header.path
        single.append(header)
    planes: dict[tuple[Any, ...], list[SliceHeader]] = {}
    for header in single:
        planes.setdefault(header.plane, []).append(header)
    if len(planes) > 1:
        remark = f"its series holds images of {len(planes)} sizes or directions: each is a study of its own"
        grouped.remarks.append((single[0].path, remark))
    for members in planes.values():
        series = _ordered(members) if len(members) > 1 else None
        if series is not None:
            grouped.series.append(series)
            grouped.remarks.extend((series.paths[0], remark) for remark in series.remarks)


def _ordered(headers: Sequence[SliceHeader]) -> Series | None:
    """Returns slices of one plane as a series; None where nothing tells their order."""

    def number(header: SliceHeader) -> int:
        return header.number or 0

    if all(header.place is not None for header in headers):
        ordered = sorted(headers, key=lambda header: (header.place or 0.0, number(header)))
        return Series(ordered, _remarks(ordered))
    numbers = {header.number for header in headers}
    if None in numbers or len(numbers) < len(headers):
        return None
    return Series(sorted(headers, key=number), ["its files have no positions: ordered by InstanceNumber"])


def _remarks(ordered: Sequence[SliceHeader]) -> list[str]:
    distances = _distances(ordered)
    doubled = int((distances == 0).sum())
    if doubled:
        return [f"its series holds {doubled} images at the position of another: ordered by InstanceNumber"]
    if _uneven(distances):
        return [f"its series has gaps: slices are {distances.min():.3g} to {distances.max():.3g} mm apart"]
    return []


def _distances(ordered: Sequence[SliceHeader]) -> np.ndarray:
    """Returns the distances of neighbouring slices in millimetres, rounded to a thousandth."""
    places = [header.place for header in ordered if header.place is not None]
    return np.diff(np.asarray(places, np.float64)).round(3)


def _uneven(distances: np.ndarray) -> bool:
    middle = float(np.median(distances))
    return bool(middle <= 0 or np.any(np.abs(distances - middle) > _UNEVEN * middle))


def _numbers(values: Any, count: int) -> np.ndarray | None:
    if values is None or len(values) != count:
        return None
    numbers = np.asarray([float(value) for value in values], np.float64)
    return numbers if np.isfinite(numbers).all() else None


def _whole(value: Any) -> int | None:
    return None if value is None or str(value) == "" else int(value)
