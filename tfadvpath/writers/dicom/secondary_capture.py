"""Secondary Captures: pictures that every viewer shows (PS3.3, A.8)."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from tfadvpath.explanation import PathExplanation, StudyExplanation
from tfadvpath.studies.study import read_study
from tfadvpath.writers.dicom.finish import finish, instance_reference, refer_to_source
from tfadvpath.writers.dicom.legend import with_legend
from tfadvpath.writers.dicom.made_by import WARNING, MadeBy, described
from tfadvpath.writers.npz import at_slices
from tfadvpath.writers.pictures import display_scale, grey, overlay, picture_size

# Longer side in pixels of an overlay; small images are enlarged to be readable. Of several slices each is
# smaller.
LEAST, MOST, MOST_OF_SEVERAL = 512, 1024, 512
_PATIENT_AND_STUDY = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
    *("PatientAge", "PatientSize", "PatientWeight"),
    *("StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),
    "StudyDescription",
)


def overlays(made_by: MadeBy, result: StudyExplanation) -> dict[str, Dataset]:
    """Returns each map over the image, with a legend, as a colour Secondary Capture; a frame for each slice.

    Args:
        made_by: Source and settings.
        result: Study and explanation.

    Raises:
        InputError: A file cannot be read again.
    """
    study, explanation = result.study, result.explanation
    shape, most = study.grid.slices_shape[1:], MOST if made_by.source.frames == 1 else MOST_OF_SEVERAL
    size = picture_size(shape, LEAST, most)
    # The files are read again, finer than the model sees them.
    fine = read_study(study.sources, picture_size(shape, 0, most), study.channel).images
    inputs = [grey(image, size) for image in fine]
    score = at_slices(explanation.score, study.blank, np.nan)
    checks = _checks(result)
    captures = {}
    for index, (name, values) in enumerate(explanation.maps.items()):
        spread, scale = at_slices(values, study.blank, 0), display_scale(values)
        pictures = [
            with_legend(
                overlay(picture, one, scale),
                scale,
                [*_lines(made_by, name, number, score, len(inputs)), *checks[number]],
            )
            for number, (picture, one) in enumerate(zip(inputs, spread, strict=True))
        ]
        captures[name] = secondary_capture(
            made_by,
            np.stack(pictures),
            "picture",
            index,
            name,
            described(f"{made_by.method} {name}"),
            "Map of a classifier's decision over the image, with a legend of its values",
        )
    return captures


def _lines(made_by: MadeBy, name: str, number: int, score: np.ndarray, slices: int) -> list[str]:
    place = f"slice {number}, " if slices > 1 else ""
    decided = "blank" if np.isnan(score[number]) else f"probability {score[number]:.3f}"
    return [f"{place}{made_by.method} {name}", decided, f"tfadvpath {made_by.version}, {WARNING}"]


def _checks(result: StudyExplanation) -> list[list[str]]:
    """Returns for each slice what its pair of images allows to read; nothing of methods without a path."""
    explanation, blank = result.explanation, result.study.blank
    if not isinstance(explanation, PathExplanation):
        return [[] for _ in blank]
    crossed, kept = (at_slices(flags, blank, True) for flags in (explanation.crossed, explanation.kept))
    lines = []
    # As many lines for each slice: the frames of one object have one size.
    for is_blank, has_crossed, has_kept in zip(blank, crossed, kept, strict=True):
        if is_blank:
            lines.append([""])
        elif not has_crossed:
            lines.append(["the adversary did not cross the decision: do not read this map"])
        elif not has_kept:
            lines.append(["the start image did not keep the decision: do not read this map"])
        else:
            lines.append(["the adversary crossed the decision"])
    return lines


def secondary_capture(
    made_by: MadeBy,
    pixels: np.ndarray,
    kind: str,
    index: int,
    name: str,
    description: str,
    derivation: str,
) -> Dataset:
    """Returns pictures as a Secondary Capture, of several frames where there are several.

    Args:
        made_by: Source and settings.
        pixels: uint8, RGB [frames, rows, columns, 3] or grey [frames, rows, columns].
        kind: Kind of the object; those of one kind are a series.
        index: Index of the object in its series, from 0.
        name: Name of the picture.
        description: Description of the series, with what it is not for.
        derivation: Sentence on how the pixels came about.
    """
    source, frames, colour = made_by.source, len(pixels), pixels.ndim == 4
    names = made_by.names(kind, index, [name])
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = _storage(frames, colour)
    meta.MediaStorageSOPInstanceUID = UID(names["sop_instance_uid"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset("", {}, bytes(128), meta)
    image.SOPClassUID = meta.MediaStorageSOPClassUID
    image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    for keyword in _PATIENT_AND_STUDY:
        if keyword in source.first:
            setattr(image, keyword, source.first[keyword].value)
    image.Modality = "OT"
    image.SeriesInstanceUID = names["series_instance_uid"]
    image.SeriesNumber = names["series_number"]
    image.SeriesDescription = names["series_description"]
    image.InstanceNumber = names["instance_number"]
    image.Manufacturer = names["manufacturer"]
    image.ManufacturerModelName = names["manufacturer_model_name"]
    image.SoftwareVersions = names["software_versions"]
    image.DeviceSerialNumber = names["device_serial_number"]
    image.ConversionType = "WSD"
    image.ImageType = ["DERIVED", "SECONDARY"]
    image.ImageComments = description
    image.DerivationDescription = derivation
    image.SourceImageSequence = Items([instance_reference(each) for each in source.images])
    refer_to_source(image, source)
    image.BurnedInAnnotation = "NO"  # none that tells who the patient is
    if "LossyImageCompression" in source.first:
        for keyword in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if keyword in source.first:
                setattr(image, keyword, source.first[keyword].value)
    _set_pixels(image, pixels, colour)
    return finish(image, made_by)


def _storage(frames: int, colour: bool) -> UID:
    if frames == 1:
        return SecondaryCaptureImageStorage
    if colour:
        return MultiFrameTrueColorSecondaryCaptureImageStorage
    return MultiFrameGrayscaleByteSecondaryCaptureImageStorage


def _set_pixels(image: Dataset, pixels: np.ndarray, colour: bool) -> None:
    image.SamplesPerPixel = 3 if colour else 1
    image.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        image.PlanarConfiguration = 0
    image.Rows, image.Columns = pixels.shape[1:3]
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit = 7
    image.PixelRepresentation = 0
    if len(pixels) > 1:
        image.NumberOfFrames = len(pixels)
        image.FrameIncrementPointer = [0x00182001]  # PageNumberVector
        image.PageNumberVector = list(range(1, len(pixels) + 1))
        if not colour:
            image.PresentationLUTShape = "IDENTITY"
            image.RescaleIntercept, image.RescaleSlope, image.RescaleType = 0, 1, "US"
    content = pixels.tobytes()
    image.PixelData = content + bytes(len(content) % 2)
    image["PixelData"].VR = "OB"
