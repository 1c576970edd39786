"""Headers of a study's DICOM files, rid of what an object that is derived from them must not inherit.

Only the attributes that are named here are taken, each in a form that the standard allows. What has another
form is left out, or empty where an object must have it: no age is better than a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag
from pydicom.valuerep import DSfloat

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.attributes import Attributes
from tfadvpath.studies.dicom.file import DicomFile, open_header
from tfadvpath.studies.dicom.plane import Plane, plane_of
from tfadvpath.studies.dicom.start import looks_like_dicom
from tfadvpath.studies.readers import quiet
from tfadvpath.studies.study import Study, source_name
from tfadvpath.writers.dicom.classes import PICTURES, SLICES, VOLUMES

_IDENTIFIERS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_UID = re.compile(r"[0-9.]{1,64}")
_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")
_DATE = re.compile(r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
_AGE = re.compile(r"\d{3}[DWMY]")
# An axis of the image points to the left or right, front or back, head or feet, or between them (PS3.3,
# C.7.6.1.1.1).
_DIRECTION = re.compile(r"(?!.*(.).*\1)[LRAPHF]{1,3}")
_NO_DATE = "19000101"
# Images at one position have no order in space. Numbers are written with rounding.
_SAME_PLACE = 1e-3


@dataclass(frozen=True, eq=False)
class Source:
    """Cleaned headers of a study's files.

    Attributes:
        images: Header of each file, without pixels, as an image of its class.
        frames: Number of slices.
        in_space: Whether each slice has a place in one frame of reference.
        date: Date of the source, YYYYMMDD.
        time: Time of the source, HHMMSS.
        series_number: Number of the source's series; 0 where it has none.
    """

    images: Sequence[Dataset]
    frames: int
    in_space: bool
    date: str
    time: str
    series_number: int

    @property
    def is_segmentable(self) -> bool:
        """Whether a segmentation can refer to the slices: they have places, or are one picture."""
        return self.in_space or (self.frames == 1 and self.first.SOPClassUID in PICTURES)

    @property
    def first(self) -> Dataset:
        """Header of the first file."""
        return self.images[0]

    def instance_of(self, index: int) -> tuple[Dataset, int | None]:
        """Returns the file of a slice, and the number of its frame from 1; None where it is of one slice.

        Args:
            index: Index of the slice, from 0.
        """
        if len(self.images) == self.frames and self.first.SOPClassUID not in VOLUMES:
            return self.images[index], None
        # Some files of classes of one frame have more; they cannot be referred to.
        return self.first, None if self.first.SOPClassUID in (*SLICES, *PICTURES) else index + 1


def names_its_study(path: Path) -> bool:
    """Returns whether a file is DICOM and names the study, the series and the instance that it is.

    Args:
        path: File of a study that was read.
    """
    try:
        with path.open("rb") as file:
            if not looks_like_dicom(file.read(1024)):
                return False
        with quiet():
            attributes = open_header(path).attributes
        return all(_UID.fullmatch(attributes.text(name)) for name in _IDENTIFIERS)
    except (InputError, OSError):
        return False


def read_source(study: Study) -> Source:
    """Reads the headers of a study's files.

    Args:
        study: Study of DICOM files.

    Raises:
        InputError: A file cannot be read, or does not name its study, series, instance and class.
    """
    with quiet():
        try:
            files = [open_header(path) for path in study.sources]
        except OSError as error:
            problem = f"cannot be read again ({error.strerror or error})"
            raise InputError(source_name(study.sources), problem, "Check its permissions") from None
        images = [_cleaned(file) for file in files]
        slices = study.grid.slices_shape[0]
        planes = (
            [plane_of(file.path, file.attributes) for file in files]
            if len(files) > 1 or slices == 1
            else [plane_of(files[0].path, files[0].attributes, frame) for frame in range(slices)]
        )
        first = files[0].attributes
        in_space = _place(images, planes, _thickness(first, planes))
        date, time = _moment(first)
        number = _cleaned_text(first, "SeriesNumber", lambda text: text.isdecimal() and len(text) <= 6)
    return Source(images, slices, in_space, date, time, int(number or 0))


def _cleaned(file: DicomFile) -> Dataset:
    attributes, dataset = file.attributes, Dataset()
    for name in _IDENTIFIERS:
        value = attributes.text(name)
        if not _UID.fullmatch(value):
            remedy = "Leave the format dicom out, or export the file from its archive"
            raise InputError(file.path, f"lacks the DICOM attribute {name}", remedy)
        setattr(dataset, name, value)
    for name, is_allowed in _PATIENT_AND_STUDY.items():
        setattr(dataset, name, _cleaned_text(attributes, name, is_allowed))
    for name, is_allowed in _WHERE_KNOWN.items():
        value = _cleaned_text(attributes, name, is_allowed)
        if value:
            setattr(dataset, name, value)
    directions = [text.upper() for text in attributes.texts("PatientOrientation")]
    if len(directions) == 2 and all(map(_DIRECTION.fullmatch, directions)):
        dataset.PatientOrientation = directions
    if attributes.text("LossyImageCompression") == "01":
        _note_loss(file, dataset)
    dataset.Rows, dataset.Columns = attributes.needed("Rows"), attributes.needed("Columns")
    return dataset


def _note_loss(file: DicomFile, dataset: Dataset) -> None:
    """Says of an image that was compressed with loss how much, as what is derived from it has to say."""
    attributes = file.attributes
    dataset.LossyImageCompression = "01"
    method = _cleaned_text(attributes, "LossyImageCompressionMethod", _CODE.fullmatch)
    ratios = [ratio for ratio in attributes.numbers("LossyImageCompressionRatio") if ratio >= 1]
    if not ratios and file.pixels is not None:
        values = attributes.needed("Rows") * attributes.needed("Columns")
        values *= attributes.whole("NumberOfFrames") or 1
        whole = values * (attributes.whole("BitsAllocated") or 8) / 8
        ratios = [max(1.0, whole / max(1, file.stored - file.pixels.start))]
    if ratios:
        dataset.LossyImageCompressionRatio = DSfloat(round(ratios[-1], 2))
    if method:
        dataset.LossyImageCompressionMethod = method


def _cleaned_text(attributes: Attributes, name: str, is_allowed: Callable[[str], object]) -> str:
    """Returns an attribute's first value in a form that the standard allows; "" where it has none."""
    try:
        stored, characters = attributes.stored(name), attributes.stored("SpecificCharacterSet")
    except InputError:
        return ""
    if stored is None:
        return ""
    decoding = Dataset()
    for keyword, value in (("SpecificCharacterSet", characters), (name, stored)):
        if value is not None:
            tag = Tag(keyword)
            decoding[tag] = RawDataElement(
                tag, value.vr, len(value.content), value.content, 0, value.implicit, value.little_endian
            )
    try:
        decoded = decoding[name].value
    except Exception:  # pydicom has one of many kinds for what cannot be decoded
        return ""
    single = decoded if isinstance(decoded, str) or not isinstance(decoded, Sequence) else decoded[0]
    text = str(single).strip(" \0\t\r\n")
    # The forms of before 1993, which the standard has retired: 2001.12.31 and 23:59:59.
    if stored.vr in ("DA", "TM"):
        text = text.replace("." if stored.vr == "DA" else ":", "")
    return text if text.isprintable() and is_allowed(text) else ""


def _at_most(letters: int) -> Callable[[str], object]:
    return lambda text: len(text) <= letters and "\\" not in text


def _is_size(text: str) -> bool:
    return re.fullmatch(r"\d{1,4}(\.\d{1,6})?", text) is not None


# Attributes that every object has, if only empty.
_PATIENT_AND_STUDY: dict[str, Callable[[str], object]] = {
    "PatientName": _at_most(194),  # three groups of 64
    "PatientID": _at_most(64),
    "PatientBirthDate": _DATE.fullmatch,
    "PatientSex": re.compile("[MFO]").fullmatch,
    "StudyDate": _DATE.fullmatch,
    "StudyTime": _TIME.fullmatch,
    "ReferringPhysicianName": _at_most(194),
    "StudyID": _at_most(16),
    "AccessionNumber": _at_most(16),
    "Modality": _CODE.fullmatch,
}
_WHERE_KNOWN: dict[str, Callable[[str], object]] = {
    "PatientAge": _AGE.fullmatch,
    "PatientSize": _is_size,
    "PatientWeight": _is_size,
    "StudyDescription": _at_most(64),
    "IssuerOfPatientID": _at_most(64),
    "BodyPartExamined": _CODE.fullmatch,
    "Laterality": re.compile("[LR]").fullmatch,
    "ImageLaterality": re.compile("[LRUB]").fullmatch,
    "FrameOfReferenceUID": _UID.fullmatch,
}


def _moment(attributes: Attributes) -> tuple[str, str]:
    """Returns the date and the time that are nearest to when the image was made."""
    for of in ("Content", "Acquisition", "Series", "Study"):
        date = _cleaned_text(attributes, f"{of}Date", _DATE.fullmatch)
        if date:
            return date, _cleaned_text(attributes, f"{of}Time", _TIME.fullmatch) or "000000"
    return _NO_DATE, "000000"


def _thickness(attributes: Attributes, planes: Sequence[Plane]) -> float | None:
    """Returns the thickness of slices in millimetres, else their distance; None where neither is known."""
    for name in ("SliceThickness", "SpacingBetweenSlices"):
        try:
            number = attributes.of_frame(0, "PixelMeasuresSequence").number(name)
        except InputError:
            continue
        if number and number > 0:
            return number
    places = [plane.position for plane in planes]
    if len(places) < 2 or any(place is None for place in places):
        return None
    return float(np.median(np.linalg.norm(np.diff(np.array(places), axis=0), axis=1))) or None


def _place(images: list[Dataset], planes: Sequence[Plane], thickness: float | None) -> bool:
    """Gives the images their places, and returns whether all slices have one in one frame of reference."""
    first = planes[0]
    references = {image.get("FrameOfReferenceUID") for image in images}
    classes = SLICES if len(images) == len(planes) and images[0].SOPClassUID not in VOLUMES else VOLUMES
    if (
        None in references
        or len(references) > 1
        or any(image.SOPClassUID not in classes for image in images)
        or (classes is VOLUMES and len(images) > 1)
        or thickness is None
        or first.directions is None
        or first.spacing is None
        or not (first.spacing > 0).all()
        or any(plane.position is None or first.turn(plane) is not None for plane in planes)
        or _some_coincide(planes)
    ):
        for image in images:
            if "FrameOfReferenceUID" in image:  # a reference without a place in it places nothing
                del image.FrameOfReferenceUID
        return False
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing = _decimals(first.spacing)
    measures.SliceThickness = _decimals([thickness])[0]
    orientation.ImageOrientationPatient = _decimals(first.directions)
    positions = [Dataset() for _ in planes]
    for position, plane in zip(positions, planes, strict=True):
        position.ImagePositionPatient = _decimals(plane.position)
    if classes is VOLUMES:
        _place_frames(images[0], measures, orientation, positions)
    else:
        for image, position in zip(images, positions, strict=True):
            for attributes in (measures, orientation, position):
                image.update(attributes)
    return True


def _place_frames(image: Dataset, measures: Dataset, orientation: Dataset, positions: list[Dataset]) -> None:
    shared = Dataset()
    shared.PixelMeasuresSequence = Items([measures])
    shared.PlaneOrientationSequence = Items([orientation])
    frames = [Dataset() for _ in positions]
    for frame, position in zip(frames, positions, strict=True):
        frame.PlanePositionSequence = Items([position])
    image.NumberOfFrames = len(frames)
    image.SharedFunctionalGroupsSequence = Items([shared])
    image.PerFrameFunctionalGroupsSequence = Items(frames)


def _some_coincide(planes: Sequence[Plane]) -> bool:
    """Returns whether two slices are at one place along their normal, which orders them in a volume."""
    directions = planes[0].directions
    assert directions is not None
    normal = np.cross(directions[:3], directions[3:])
    places = np.sort(np.array([plane.position for plane in planes], np.float64) @ normal)
    return bool((np.diff(places) < _SAME_PLACE).any())


def _decimals(values: Sequence[float] | np.ndarray | None) -> list[DSfloat]:
    """Returns numbers in the 16 characters that a DICOM file has for each."""
    assert values is not None
    return [DSfloat(float(value), auto_format=True) for value in values]
