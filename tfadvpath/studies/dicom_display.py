"""Values that a viewer shows, from the stored values of a DICOM file."""

from __future__ import annotations

import math

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_modality_lut, apply_voi


def displayed(stored: np.ndarray, dataset: Dataset, frame: int) -> np.ndarray:
    """Applies the modality and VOI transformations, inverts MONOCHROME1, and darkens the padding.

    The steps of DICOM PS3.4 N.2. A VOI LUT goes before a window, and of several the first is taken, as
    viewers do. A window of no width is passed over.

    Args:
        stored: Decoded values [rows, columns].
        dataset: The file's attributes.
        frame: Index of the frame, for files with per-frame attributes.

    Returns:
        float64 [rows, columns], bright for high, in no fixed range.
    """
    values = _modality(stored, dataset, frame)
    values = _voi(values, dataset, frame)
    if dataset.PhotometricInterpretation.strip() == "MONOCHROME1":
        values = -values
    padding = _padding(stored, dataset)
    if padding is not None and padding.any() and not padding.all():
        # The padding around the image lies far outside its range and would leave it without contrast.
        values[padding] = values[~padding].min()
    return values


def window(values: np.ndarray, center: float, width: float, function: str = "LINEAR") -> np.ndarray:
    """Maps a window to [0, 1] by the VOI LUT function of DICOM PS3.3 C.11.2.1.

    Args:
        values: Rescaled values of any shape.
        center: WindowCenter.
        width: WindowWidth: at least 1 for LINEAR, else above 0.
        function: VOILUTFunction: LINEAR, LINEAR_EXACT or SIGMOID; others count as LINEAR.

    Returns:
        float64 of the shape of ``values``.
    """
    values = values.astype(np.float64)
    if function == "SIGMOID":
        # tanh does not overflow, and 1 / (1 + exp(-4 t)) = (1 + tanh(2 t)) / 2.
        return (1 + np.tanh(2 * (values - center) / width)) / 2
    if function != "LINEAR_EXACT":
        center, width = center - 0.5, width - 1
    if width == 0:
        return (values > center).astype(np.float64)
    return np.clip((values - center) / width + 0.5, 0, 1)


def _modality(stored: np.ndarray, dataset: Dataset, frame: int) -> np.ndarray:
    if dataset.get("ModalityLUTSequence"):
        return apply_modality_lut(stored, dataset).astype(np.float64)
    attributes = _attributes(dataset, frame, "PixelValueTransformationSequence")
    slope, intercept = _number(attributes, "RescaleSlope"), _number(attributes, "RescaleIntercept")
    if slope == 0:
        raise ValueError("its RescaleSlope is 0")
    return stored.astype(np.float64) * (1 if slope is None else slope) + (intercept or 0)


def _voi(values: np.ndarray, dataset: Dataset, frame: int) -> np.ndarray:
    attributes = _attributes(dataset, frame, "FrameVOILUTSequence")
    if attributes.get("VOILUTSequence"):
        entries, first = attributes.VOILUTSequence[0].LUTDescriptor[:2]
        # pydicom counts table places in the table's own type, so larger values would wrap around.
        places = np.clip(np.rint(values), first, first + (entries or 2**16) - 1).astype(np.int64)
        return apply_voi(places, attributes).astype(np.float64)
    center, width = _number(attributes, "WindowCenter"), _number(attributes, "WindowWidth")
    function = str(attributes.get("VOILUTFunction") or "LINEAR").strip().upper()
    smallest_width = np.nextafter(0, 1) if function in ("LINEAR_EXACT", "SIGMOID") else 1
    if center is None or width is None or width < smallest_width:
        return values
    return window(values, center, width, function)


def _attributes(dataset: Dataset, frame: int, sequence: str) -> Dataset:
    """Returns where a frame's attributes stand: its own group, the shared group, or the file's top level."""
    own = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])[frame : frame + 1]
    for group in own + list(dataset.get("SharedFunctionalGroupsSequence") or []):
        if group.get(sequence):
            return group[sequence].value[0]
    return dataset


def _number(attributes: Dataset, name: str) -> float | None:
    """Returns the first value of a numeric attribute; None if it is missing, empty or not finite."""
    value = attributes.get(name)
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    if value is None or value == "":
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _padding(stored: np.ndarray, dataset: Dataset) -> np.ndarray | None:
    """Returns the pixels that are padding, bool [rows, columns]; None if the file names no padding value."""
    value = dataset.get("PixelPaddingValue")
    if value is None or stored.dtype.kind not in "iu":
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    # Some files write the value of signed pixels as unsigned: it wraps to the pixels' type.
    bounds = np.array([value, value if limit is None else limit]).astype(stored.dtype)
    return (stored >= bounds.min()) & (stored <= bounds.max())
