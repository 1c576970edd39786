"""DICOM series: one-slice files that together are one study, in the order of their positions.

Files belong together if they lie in one folder and have the same SeriesInstanceUID. They are ordered by
ImagePositionPatient along the normal of ImageOrientationPatient (DICOM PS3.3, C.7.6.2); where files lack
these, by InstanceNumber. Radiographs are never joined: the views of one examination are no volume.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.file import open_header
from tfadvpath.studies.dicom.kinds import kind_of
from tfadvpath.studies.readers import quiet

# Radiography, mammography, dental images, angiography, fluoroscopy, scanned film: images of their own.
_RADIOGRAPHS = ("CR", "DX", "MG", "IO", "PX", "RG", "XA", "RF", "DF", "OPG")
# Distances of neighbouring slices that differ by more than that share of their median are said to be uneven.
_UNEVEN = 0.05
# A slice that lies so far from its place on the straight line through the volume, as a share of the slices'
# distance, has no place in an affine.
_OFF_THE_LINE = 0.1
# Scanners write the same direction cosines and spacings with rounding.
_ROUNDING = 1e-3
# Positions are compared to a thousandth of a millimetre.
_DIGITS = 3


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
        spacing: float64 [2], distances of rows and of columns in millimetres, or None.
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
    spacing: np.ndarray | None

    def is_parallel_to(self, other: SliceHeader) -> bool:
        """Returns whether two slices have one size, directions and spacing, as all of a volume have."""
        return (
            self.size == other.size
            and _same(self.directions, other.directions)
            and _same(self.spacing, other.spacing)
        )


@dataclass(frozen=True, eq=False)
class Series:
    """Files that are one study.

    Attributes:
        headers: Headers of the files, in the order of the slices.
        remarks: Sentences on what is unusual: gaps, slices at one position or beside the others.
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
        first, places = self.headers[0], _places(self.headers)
        if places is None or first.directions is None or first.spacing is None:
            return None
        positions = _positions(self.headers)
        if _uneven(np.diff(places)) or _off_the_line(positions):
            return None
        across, down = first.directions
        affine = np.eye(4)
        affine[:3, 0] = across * first.spacing[1]
        affine[:3, 1] = down * first.spacing[0]
        affine[:3, 2] = (positions[-1] - positions[0]) / (len(positions) - 1)
        affine[:3, 3] = positions[0]
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


def group_series(headers: Iterable[SliceHeader | None]) -> Grouped:
    """Finds the series among DICOM files; files that belong to none are in no list of the result.

    Args:
        headers: Header of each file, as ``read_slice_header`` returns it.
    """
    members: dict[tuple[Path, str], list[SliceHeader]] = {}
    for header in headers:
        if header is not None:
            members.setdefault((header.path.parent, header.series), []).append(header)
    grouped = Grouped()
    for together in members.values():
        if len(together) > 1:
            _group(together, grouped)
    return grouped


def series_of(paths: Sequence[Path]) -> Series:
    """Returns several files as one series.

    Args:
        paths: Two files or more, in any order.

    Raises:
        InputError: They are not one-slice files of one series, or differ in size, direction or spacing.
    """
    headers = []
    for path in paths:
        header = read_slice_header(path)
        if header is None:
            raise InputError(path, "is no slice of a DICOM series", "Pass it as a study of its own")
        headers.append(header)
    for header in headers:
        if header.series != headers[0].series or not header.is_parallel_to(headers[0]):
            raise InputError(
                header.path,
                f"is of another series, size, direction or spacing than {headers[0].path.name}",
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
        with quiet():
            return _header(path)
    except (InputError, OSError):  # the reader will say it of the file itself
        return None


def _header(path: Path) -> SliceHeader | None:
    file = open_header(path)
    attributes = file.attributes
    series = attributes.text("SeriesInstanceUID")
    size = attributes.whole("Rows") or 0, attributes.whole("Columns") or 0
    single = (attributes.whole("NumberOfFrames") or 1) == 1
    if not series or not single or 0 in size or attributes.text("Modality") in _RADIOGRAPHS:
        return None
    if kind_of(attributes, file.pixels is not None) is not None:
        return None
    directions = _numbers(attributes.numbers("ImageOrientationPatient"), 6)
    return SliceHeader(
        path=path,
        series=series,
        instance=attributes.text("SOPInstanceUID"),
        size=size,
        number=attributes.whole("InstanceNumber"),
        series_number=attributes.whole("SeriesNumber"),
        localizer="LOCALIZER" in attributes.texts("ImageType"),
        directions=None if directions is None else directions.reshape(2, 3),
        position=_numbers(attributes.numbers("ImagePositionPatient"), 3),
        spacing=_numbers(attributes.numbers("PixelSpacing"), 2),
    )


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
    volumes = _parallel(single)
    if len(volumes) > 1:
        remark = (
            f"its series holds images of {len(volumes)} sizes, directions or spacings: "
            "each is a study of its own"
        )
        grouped.remarks.append((single[0].path, remark))
    for members in volumes:
        series = _ordered(members) if len(members) > 1 else None
        if series is not None:
            grouped.series.append(series)
            grouped.remarks.extend((series.paths[0], remark) for remark in series.remarks)


def _parallel(headers: Iterable[SliceHeader]) -> list[list[SliceHeader]]:
    """Returns slices in groups that are parallel to each other."""
    groups: list[list[SliceHeader]] = []
    for header in headers:
        for members in groups:
            if header.is_parallel_to(members[0]):
                members.append(header)
                break
        else:
            groups.append([header])
    return groups


def _ordered(headers: Sequence[SliceHeader]) -> Series | None:
    """Returns parallel slices as a series; None where nothing tells their order."""
    places = _places(headers)
    if places is not None:
        numbered = np.array([header.number or 0 for header in headers])
        order = np.lexsort([numbered, places])  # by the places first
        ordered = [headers[index] for index in order]
        return Series(ordered, _remarks(ordered, places[order]))
    numbers = [header.number for header in headers if header.number is not None]
    if len(set(numbers)) < len(headers):
        return None
    ordered = [headers[index] for index in np.argsort(numbers)]
    return Series(ordered, ["its files have no positions: ordered by InstanceNumber"])


def _remarks(ordered: Sequence[SliceHeader], places: np.ndarray) -> list[str]:
    distances = np.diff(places)
    doubled = int((distances == 0).sum())
    if doubled:
        return [f"its series has images at the position of another ({doubled}): ordered by InstanceNumber"]
    if _uneven(distances):
        return [f"its series has gaps: slices are {distances.min():.3g} to {distances.max():.3g} mm apart"]
    if _off_the_line(_positions(ordered)):
        return ["its series has slices that are shifted against the others: it has no place in space"]
    return []


def _positions(headers: Sequence[SliceHeader]) -> np.ndarray:
    """Returns the positions of slices that all have one, float64 [N, 3]."""
    return np.array([header.position for header in headers], np.float64)


def _places(headers: Sequence[SliceHeader]) -> np.ndarray | None:
    """Returns positions along the slices' normal in millimetres, float64 [N]; None where a file lacks its."""
    directions = headers[0].directions
    if directions is None or any(header.position is None for header in headers):
        return None
    return (_positions(headers) @ np.cross(*directions)).round(_DIGITS)


def _uneven(distances: np.ndarray) -> bool:
    middle = float(np.median(distances))
    return bool(middle <= 0 or np.any(np.abs(distances - middle) > _UNEVEN * middle))


def _off_the_line(positions: np.ndarray) -> bool:
    """Returns whether a position is not where even steps from the first to the last would put it."""
    even = np.linspace(positions[0], positions[-1], len(positions))
    step = np.linalg.norm(positions[-1] - positions[0]) / (len(positions) - 1)
    return bool(np.any(np.linalg.norm(positions - even, axis=1) > _OFF_THE_LINE * step))


def _same(values: np.ndarray | None, others: np.ndarray | None) -> bool:
    if values is None or others is None:
        return values is others
    return bool(np.allclose(values, others, rtol=_ROUNDING, atol=_ROUNDING))


def _numbers(values: Sequence[float], count: int) -> np.ndarray | None:
    numbers = np.asarray(values, np.float64)
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None
