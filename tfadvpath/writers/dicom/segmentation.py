"""Segmentations: the most important pixels, or a map as shares of its largest value (PS3.3, A.51)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationFractionalTypeValues,
    SegmentationTypeValues,
    SegmentDescription,
)
from pydicom.sr.codedict import codes

from tfadvpath.writers.dicom.finish import finish
from tfadvpath.writers.dicom.made_by import MadeBy, described

# The pixels of a slice that a binary segmentation holds, in percent.
TOP_PERCENT = 5.0
_LEVELS = 255


def top_segmentation(made_by: MadeBy, maps: Mapping[str, np.ndarray]) -> Segmentation:
    """Returns the pixels at or above each slice's 95th percentile that are not 0, a segment for each map.

    Every slice has its frame, also where it is empty.

    Args:
        made_by: Source, whose slices have places, and settings.
        maps: Maps by name, float32 [slices, rows, columns], not negative, on the source's grid.
    """
    chosen = [top_pixels(values) for values in maps.values()]
    labels = {name: f"{name}, top {TOP_PERCENT:g} %" for name in maps}
    return _segmentation(made_by, SegmentationTypeValues.BINARY, np.stack(chosen, axis=-1), labels)


def top_pixels(values: np.ndarray) -> np.ndarray:
    """Returns which pixels are at or above their slice's percentile and not 0, bool of the same shape.

    Args:
        values: float32 [slices, rows, columns], not negative.
    """
    least = np.percentile(values, 100 - TOP_PERCENT, axis=(1, 2), keepdims=True)
    chosen: np.ndarray = (values >= least) & (values > 0)
    return chosen


def fractional_segmentation(made_by: MadeBy, maps: Mapping[str, np.ndarray]) -> Segmentation:
    """Returns maps as shares of their largest values in 255 levels, a segment for each map.

    Args:
        made_by: Source, one slice that need have no place, and settings.
        maps: Maps by name, float32 [1, rows, columns], not negative, on the source's grid.
    """
    largest = {name: float(values.max()) or 1.0 for name, values in maps.items()}
    shares = np.stack([values / largest[name] for name, values in maps.items()], axis=-1)
    labels = {name: f"{name}, full at {largest[name]:.4g}" for name in maps}
    return _segmentation(made_by, SegmentationTypeValues.FRACTIONAL, shares, labels)


def _segmentation(
    made_by: MadeBy, kind: SegmentationTypeValues, pixels: np.ndarray, labels: Mapping[str, str]
) -> Segmentation:
    segments = [
        SegmentDescription(
            segment_number=number,
            segment_label=label[:64],
            segmented_property_category=codes.SCT.SpatialAndRelationalConcept,
            segmented_property_type=codes.DCM.Saliency,
            algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=made_by.algorithm(),
            tracking_uid=made_by.uid("segment", name),
            tracking_id=name[:64],
        )
        for number, (name, label) in enumerate(labels.items(), start=1)
    ]
    image = Segmentation(
        source_images=made_by.source.images,
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=segments,
        fractional_type=SegmentationFractionalTypeValues.PROBABILITY,
        max_fractional_value=_LEVELS,
        omit_empty_frames=False,
        content_label="SALIENCY",
        content_description=described("saliency"),
        **made_by.names("segmentation", 0, [kind.value, *labels]),
    )
    return finish(image, made_by)
