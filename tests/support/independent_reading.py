"""Images as the standards have them, read without tfadvpath: by pydicom, nibabel and OpenCV, in float64.

DICOM: PS3.5 8.1.1 (unused bits), PS3.3 C.7.6.16.2.9 and C.11.1 (values), C.11.2 (window and LUT), C.7.5.1.1.2
and C.7.6.24 (padding), C.7.6.3.1.2 (MONOCHROME1). NIfTI: nifti1.h, "orientation information".
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pydicom
from pydicom.uid import JPEGBaseline8Bit


def unit(values: np.ndarray) -> np.ndarray:
    """Values from 0 to 1; 0 where all are equal."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros(values.shape)


def dicom_slices(path: Path) -> Iterator[np.ndarray]:
    """The frames of a grey DICOM file, each from 0 to 1."""
    content = path.read_bytes()
    dataset = pydicom.dcmread(io.BytesIO(content), force=True)
    if "PixelData" not in dataset:  # pydicom wants the item that ends encapsulated pixels (PS3.5 A.4)
        dataset = pydicom.dcmread(io.BytesIO(content + b"\xfe\xff\xdd\xe0\0\0\0\0"), force=True)
    frames = _stored(dataset)
    for number, stored in enumerate(frames):
        values = _windowed(_rescaled(stored, dataset, number), dataset, number)
        if dataset.PhotometricInterpretation == "MONOCHROME1":
            values = -values
        padding = _padding(stored, dataset)
        if padding.any() and not padding.all():
            values[padding] = values[~padding].min()
        yield unit(values)


def _stored(dataset: pydicom.FileDataset) -> np.ndarray:
    syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if syntax is None:
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
    count = int(dataset.get("NumberOfFrames") or 1)
    if syntax == JPEGBaseline8Bit:
        streams = pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=count)
        return np.stack([cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_GRAYSCALE) for one in streams])
    stored = dataset.pixel_array.reshape(count, dataset.Rows, dataset.Columns)
    if stored.dtype.kind == "f" or dataset.BitsStored == dataset.BitsAllocated:
        return stored
    wide = stored.astype(np.int64) & (2**dataset.BitsStored - 1)
    if dataset.PixelRepresentation:
        wide[wide >= 2 ** (dataset.BitsStored - 1)] -= 2**dataset.BitsStored
    return wide


def _group(dataset: pydicom.Dataset, frame: int, name: str) -> pydicom.Dataset:
    """Where a frame's attributes stand: PS3.3 C.7.6.16."""
    groups = list(dataset.get("PerFrameFunctionalGroupsSequence", [])[frame : frame + 1])
    groups += dataset.get("SharedFunctionalGroupsSequence", [])
    return next((group[name][0] for group in groups if name in group), dataset)


def _first(value: object) -> float | None:
    if isinstance(value, pydicom.multival.MultiValue):
        value = value[0] if value else None
    return None if value in (None, "") else float(value)  # type: ignore[arg-type]


def _rescaled(stored: np.ndarray, dataset: pydicom.Dataset, frame: int) -> np.ndarray:
    if "ModalityLUTSequence" in dataset:
        return _looked_up(stored.astype(np.float64), dataset.ModalityLUTSequence[0])
    group = _group(dataset, frame, "PixelValueTransformationSequence")
    slope, intercept = _first(group.get("RescaleSlope")), _first(group.get("RescaleIntercept"))
    return stored.astype(np.float64) * (1 if slope is None else slope) + (intercept or 0)


def _looked_up(values: np.ndarray, item: pydicom.Dataset) -> np.ndarray:
    entries, first, bits = item.LUTDescriptor
    entries = entries or 2**16
    data = item["LUTData"].value
    table = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.array(data)
    table = table.astype(np.int64) % 2**16
    assert len(table) == entries, (len(table), entries, bits)
    return table[np.clip(np.rint(values) - first, 0, entries - 1).astype(int)].astype(np.float64)


def _windowed(values: np.ndarray, dataset: pydicom.Dataset, frame: int) -> np.ndarray:
    group = _group(dataset, frame, "FrameVOILUTSequence")
    if "VOILUTSequence" in group:
        return _looked_up(values, group.VOILUTSequence[0])
    center, width = _first(group.get("WindowCenter")), _first(group.get("WindowWidth"))
    if center is None or width is None:
        return values
    function = group.get("VOILUTFunction") or "LINEAR"
    if function == "SIGMOID":
        shown = 1 / (1 + np.exp(-4 * (values - center) / width))
    elif function == "LINEAR_EXACT":
        shown = np.clip((values - center) / width + 0.5, 0, 1)
    elif width <= 1:
        shown = (values > center - 0.5).astype(np.float64)
    else:
        shown = np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)
    # A window that leaves one value, or of a picture two, leaves nothing to look at.
    left, there = len(np.unique(shown)), len(np.unique(values))
    return values if left == 1 < there or (left == 2 < there and width <= 1) else shown


def _padding(stored: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    for name, limit in (
        ("PixelPaddingValue", "PixelPaddingRangeLimit"),
        ("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit"),
    ):
        value = dataset.get(name)
        if value is not None and (stored.dtype.kind == "f") == name.startswith("Float"):
            ends = sorted((value, dataset.get(limit, value)))
            return (stored >= ends[0]) & (stored <= ends[1])
    return np.zeros(stored.shape, bool)


def nifti_slices(path: Path, channel: int = 0) -> Iterator[np.ndarray]:
    """The slices of a volume from foot to head, anterior up, the patient's right on the left."""
    image = nib.as_closest_canonical(nib.load(path))
    volume = image.get_fdata()
    volume = volume[..., channel] if volume.ndim == 4 else volume
    thin = [axis for axis in range(3) if volume.shape[axis] == 1]
    axis = thin[0] if len(thin) == 1 else 2
    for place in range(volume.shape[axis]):
        yield unit(np.take(volume, place, axis)[::-1, ::-1].T)


def picture_slices(path: Path) -> Iterator[np.ndarray]:
    """The one image of a PNG or JPEG file whose channels are equal, transparency dropped."""
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    pixels = pixels if pixels.ndim == 2 else pixels[..., : (pixels.shape[2] - 1) | 1].mean(axis=2)
    yield unit(pixels.astype(np.float64))
