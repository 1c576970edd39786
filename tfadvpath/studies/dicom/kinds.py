"""Kinds of DICOM objects: images that were taken, and what only goes with them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pydicom.uid import UID

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.attributes import Attributes

_LEAST_DOTS = 3  # of all that organisations give
_STORAGE = "1.2.840.10008.5.1.4.1.1."


class Kind(NamedTuple):
    """Objects that are no images, although some of them hold pixels.

    Attributes:
        name: Name in the messages, with its article.
        classes: Beginnings of their SOPClassUIDs, after that of all storage classes. One that ends in a dot
            stands for all that begin so.
        modalities: Modalities that tell them where the class does not.
        remedy: Remark on what to pass in their place.
    """

    name: str
    classes: tuple[str, ...]
    modalities: tuple[str, ...]
    remedy: str

    def is_of(self, uid: str) -> bool:
        """Returns whether a SOPClassUID is of this kind."""
        starts = [_STORAGE + start for start in self.classes]
        return any(uid.startswith(start) if start.endswith(".") else uid == start for start in starts)


SEGMENTATION = Kind("a segmentation", ("66.4", "66.5", "66.7"), ("SEG",), "Pass the image that it segments")
_THE_OTHERS = (
    Kind("a dose distribution", ("481.2",), ("RTDOSE",), "Pass the images that the dose was planned on"),
    Kind("a set of contours", ("481.3",), ("RTSTRUCT",), "Pass the images that they were drawn on"),
    Kind("a radiotherapy plan", ("481.5", "481.8"), ("RTPLAN",), "Pass the images that it was planned on"),
    Kind(
        "a record of a treatment",
        tuple(f"481.{number}" for number in (4, 6, 7, 9, *range(16, 21))),
        ("RTRECORD",),
        "Pass the images that it was planned on",
    ),
    Kind(
        "a part of a radiotherapy plan",
        tuple(f"481.{number}" for number in (*range(10, 16), 21, 22, 25)),
        ("RTINTENT", "RTSEGANN", "RTRAD"),
        "Pass the images that it was planned on",
    ),
    Kind("a selection of key objects", ("88.59",), ("KO",), "Pass the images that it selects"),
    Kind("a structured report", ("88.",), ("SR",), "Pass the image that it reports on"),
    Kind("a presentation state", ("11.",), ("PR",), "Pass the images that it presents"),
    Kind("a registration", ("66.1", "66.3"), ("REG",), "Pass the images that it registers"),
    Kind("a set of fiducials", ("66.2",), ("FID",), "Pass the images that they were set on"),
    Kind("a result of tractography", ("66.6",), (), "Pass the images that it was computed from"),
    Kind("a mapping to real-world values", ("67",), ("RWV",), "Pass the images that it maps"),
    Kind("a surface scan", ("68.",), (), "Pass an image"),
    Kind("an encapsulated document or model", ("104.",), ("DOC", "M3D"), "Save its pages as images"),
    Kind("a waveform", ("9.",), ("ECG", "EPS", "EEG", "EMG", "EOG", "RESP"), "Pass an image"),
    Kind("raw data", ("66",), (), "Pass the images that were reconstructed from it"),
    Kind("a set of annotations", ("91.1",), ("ANN",), "Pass the images that it annotates"),
    Kind("a protocol", ("200.",), (), "Pass the images that were taken by it"),
)
# Scanned documents and pictures of curves are images, if nothing but their modality says what they show.
_MAY_HOLD_IMAGES = ("an encapsulated document or model", "a waveform")
_DIRECTORY = "1.2.840.10008.1.3.10"


def check_is_image(path: Path, attributes: Attributes, holds_pixels: bool) -> None:
    """Refuses what is no image that was taken, by its SOPClassUID or else by its modality.

    Args:
        path: File, for the message.
        attributes: Its attributes.
        holds_pixels: Whether it has pixels.

    Raises:
        InputError: It is no image, or has no pixels.
    """
    kind = kind_of(attributes, holds_pixels)
    if kind is not None:
        raise InputError(path, f"is {kind.name}{named(attributes, kind)}, not an image", kind.remedy)
    if attributes.text("SOPClassUID") == _DIRECTORY or "DirectoryRecordSequence" in attributes:
        raise InputError(path, "is an index of DICOM files (DICOMDIR), not an image", "Pass the files")
    if not holds_pixels and "PixelDataProviderURL" in attributes:
        problem = "holds no pixel data: it lies on a server, at its PixelDataProviderURL"
        raise InputError(path, problem, "Fetch it from there with its pixels")
    if not holds_pixels:
        name = uid_name(UID(attributes.text("SOPClassUID")))
        problem = f"holds no pixel data ({name})" if name else "holds no pixel data"
        raise InputError(path, problem, "Pass an image; if it should be one, it was cut short: copy it again")


def kind_of(attributes: Attributes, holds_pixels: bool) -> Kind | None:
    """Returns which kind of object that is no image a file holds; None of all others.

    Args:
        attributes: Its attributes.
        holds_pixels: Whether it has pixels.

    Raises:
        InputError: Its SOPClassUID or Modality cannot be read.
    """
    uid = attributes.text("SOPClassUID")
    modality = attributes.text("Modality")
    kinds = (SEGMENTATION, *_THE_OTHERS)
    for kind in kinds:
        if kind.is_of(uid):
            return kind
    for kind in kinds:
        if modality in kind.modalities and not (holds_pixels and kind.name in _MAY_HOLD_IMAGES):
            return kind
    return None


def named(attributes: Attributes, kind: Kind) -> str:
    """Returns in brackets what tells the kind of an object: the name of its class, or its modality.

    Args:
        attributes: Attributes of the file.
        kind: Kind of the object.
    """
    uid = UID(attributes.text("SOPClassUID"))
    told = uid_name(uid) if kind.is_of(uid) else f"modality {attributes.text('Modality')}"
    return f" ({told})" if told else ""


def uid_name(uid: UID) -> str:
    """Returns the name of an identifier, or the identifier itself; "" where it may not be one.

    Args:
        uid: Identifier of a class or of a transfer syntax, as the file has it.
    """
    # A damaged file may have a date of birth there, or a number of the patient.
    return uid.name if uid.is_valid and uid.count(".") >= _LEAST_DOTS else ""
