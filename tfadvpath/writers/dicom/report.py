"""Structured report: the numbers of each slice, and the objects that show them (PS3.16, TID 1500).

The numbers of a slice are a measurement group whose finding is "Visual explanation". The objects stand in it
under the same name, as TID 1410 has it for images that explain a finding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    CodedConcept,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    ImageContentItem,
    LanguageOfContentItemAndDescendants,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegmentationFrame,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceImageForSegmentation,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from tfadvpath.explanation import Explanation, PathExplanation
from tfadvpath.writers.dicom.finish import finish
from tfadvpath.writers.dicom.made_by import MANUFACTURER, MadeBy

_Group: TypeAlias = "PlanarROIMeasurementsAndQualitativeEvaluations | MeasurementsAndQualitativeEvaluations"
_SCHEME = "99TFADVPATH"
CROSSED = CodedConcept("crossed", _SCHEME, "Adversary has the other decision")
KEPT = CodedConcept("kept", _SCHEME, "Start image has the decision of the image")
RESIDUAL = CodedConcept("residual", _SCHEME, "Completeness residual, relative")
SCORE_START = CodedConcept("score_start", _SCHEME, "Probability of the start image")
SCORE_ADVERSARY = CodedConcept("score_adversary", _SCHEME, "Probability of the adversary")


def report(
    made_by: MadeBy,
    explanation: Explanation,
    explained: Sequence[int],
    pictures: Mapping[str, Dataset],
    segmentation: Dataset | None,
) -> ComprehensiveSR:
    """Returns a structured report with a group of measurements for each slice that was explained.

    Args:
        made_by: Source and settings.
        explanation: Explanation of B >= 1 slices.
        explained: Indices of these slices in the study.
        pictures: Maps as objects, by name.
        segmentation: Segmentation of the maps; None where there is none.
    """
    shown = [_Frames(picture) for picture in pictures.values()]
    segments = None if segmentation is None else _Frames(segmentation)
    groups = [
        _group(made_by, explanation, row, index, shown, segments) for row, index in enumerate(explained)
    ]
    observer = ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=made_by.uid("observer"),
            name=MANUFACTURER,
            manufacturer_name=MANUFACTURER,
            model_name=f"{MANUFACTURER} {made_by.method}",
            serial_number=made_by.bundle,
        ),
    )
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(
            CodedConcept("en-US", "RFC5646", "English (United States)")
        ),
    )
    objects = [*pictures.values(), *([] if segmentation is None else [segmentation])]
    document = ComprehensiveSR(
        evidence=[*objects, *made_by.source.images],
        content=content,
        is_complete=True,
        coding_schemes=[CodingSchemeIdentificationItem(_SCHEME, name=MANUFACTURER)],
        **made_by.names("report", 0, [*pictures]),
    )
    return finish(document, made_by)


def _group(
    made_by: MadeBy,
    explanation: Explanation,
    row: int,
    index: int,
    pictures: Sequence[_Frames],
    segmentation: _Frames | None,
) -> _Group:
    image, frame = made_by.source.instance_of(index)
    common = {
        "tracking_identifier": TrackingIdentifier(made_by.uid("slice", str(index)), f"slice {index}"),
        "finding_type": codes.DCM.VisualExplanation,
        "algorithm_id": made_by.reported_algorithm(),
        "measurements": _measurements(explanation, row),
        "qualitative_evaluations": _evaluations(explanation, row),
    }
    frames = None if frame is None else [frame]
    group: _Group
    if segmentation is None:
        instance = SourceImageForMeasurementGroup(image.SOPClassUID, image.SOPInstanceUID, frames)
        group = MeasurementsAndQualitativeEvaluations(source_images=[instance], **common)
    else:
        segment = ReferencedSegmentationFrame(
            segmentation.instance.SOPClassUID,
            segmentation.instance.SOPInstanceUID,
            segmentation.of(image, frame, index) or 1,
            1,
            SourceImageForSegmentation(image.SOPClassUID, image.SOPInstanceUID, frames),
        )
        # The frame is of one segment, and a reference names the one or the other (PS3.3, 10.3).
        del segment[0].ReferencedSOPSequence[0].ReferencedSegmentNumber
        group = PlanarROIMeasurementsAndQualitativeEvaluations(referenced_segment=segment, **common)
    for picture in pictures:
        item = ImageContentItem(
            codes.DCM.VisualExplanation,
            picture.instance.SOPClassUID,
            picture.instance.SOPInstanceUID,
            referenced_frame_numbers=picture.of(image, frame, index),
            relationship_type=RelationshipTypeValues.CONTAINS,
        )
        group[0].ContentSequence.append(item)
    return group


def _measurements(explanation: Explanation, row: int) -> list[Measurement]:
    found = [(codes.DCM.Probability, explanation.score)]
    if isinstance(explanation, PathExplanation):
        found += [
            (SCORE_START, explanation.score_start),
            (SCORE_ADVERSARY, explanation.score_adversary),
            (RESIDUAL, explanation.completeness_residual),
        ]
    # Six digits: float32 has no more. What is not finite has no place in a report.
    return [
        Measurement(name, float(f"{values[row]:.6g}"), codes.UCUM.NoUnits)
        for name, values in found
        if np.isfinite(values[row])
    ]


def _evaluations(explanation: Explanation, row: int) -> list[QualitativeEvaluation]:
    if not isinstance(explanation, PathExplanation):
        return []
    flags = ((CROSSED, explanation.crossed), (KEPT, explanation.kept))
    return [
        QualitativeEvaluation(name, codes.SCT.Yes if values[row] else codes.SCT.No) for name, values in flags
    ]


class _Frames:
    """Frames of an object by the slice that they were derived from.

    Args:
        derived: Parametric Map or Segmentation with a frame for every slice, or pictures in their order.
    """

    def __init__(self, derived: Dataset):
        self.instance = derived
        self._numbers: dict[tuple[str, int | None], int] = {}
        self._several = derived.get("NumberOfFrames", 1) > 1
        for number, group in enumerate(derived.get("PerFrameFunctionalGroupsSequence", []), start=1):
            for derivation in group.DerivationImageSequence:
                for source in derivation.SourceImageSequence:
                    slice_of = source.ReferencedSOPInstanceUID, source.get("ReferencedFrameNumber")
                    self._numbers.setdefault(slice_of, number)  # of the first segment

    def of(self, image: Dataset, frame: int | None, index: int) -> int | None:
        """Returns the number of a slice's frame from 1; None where the object is one picture.

        Args:
            image: File of the slice.
            frame: Number of the slice's frame in it, from 1; None where it is one slice.
            index: Index of the slice, from 0.
        """
        if self._numbers:
            return self._numbers[image.SOPInstanceUID, frame]
        return index + 1 if self._several else None
