"""Masks in DICOM files, by their stored values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.decode import is_lossy_jpeg
from tfadvpath.studies.dicom.file import DicomFile, open_dicom, open_header
from tfadvpath.studies.dicom.frames import stored_frames
from tfadvpath.studies.dicom.kinds import SEGMENTATION, kind_of, named
from tfadvpath.studies.dicom.pixels import grid_shape, read_format
from tfadvpath.studies.dicom.plane import plane_of
from tfadvpath.studies.dicom.segmentation import read_segmentation
from tfadvpath.studies.dicom.start import looks_like_dicom
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.limits import check_expansion
from tfadvpath.studies.pictures.two_levels import two_levels
from tfadvpath.studies.readers import Reading, check_finite

_HEAD = 1024
_SAVE_ON_ITS_GRID = "Save the mask on the grid of its image"


def read_dicom_mask(path: Path, image: Path) -> Reading:
    """Reads a mask: another DICOM image by its stored values, or a segmentation (DICOM SEG) of the image.

    Padding, rescaling, windows and the inversion of MONOCHROME1 are for viewers, and not applied.

    Args:
        path: File of the mask.
        image: File of the image that it belongs to, of any format.

    Returns:
        bool slices, True where a stored sample is not 0; and their grid.

    Raises:
        InputError: The file is no mask, or it lies on another grid than its image.
    """
    file = open_dicom(path)
    of_image = _header_of(image)
    kind = kind_of(file.attributes, file.pixels is not None)
    if kind is SEGMENTATION and file.pixels is not None:
        if "SegmentSequence" in file.attributes:
            return read_segmentation(file, of_image)
    elif kind is not None:
        problem = f"is {kind.name}{named(file.attributes, kind)}, not a mask"
        raise InputError(path, problem, "Save the mask as an image")
    if file.pixels is None:
        raise InputError(path, "holds no pixel data", "Save the mask as an image")
    photometric = file.attributes.text("PhotometricInterpretation")
    if photometric.startswith("YBR") and not is_lossy_jpeg(file):
        raise InputError(
            path, "is a mask in colours of which 0 is not black (YBR)", "Convert it to MONOCHROME2"
        )
    layout = read_format(file, file.pixels)
    shape = (layout.frames, layout.rows, layout.columns)
    check_expansion(path, shape[0] * shape[1] * shape[2] if shape[0] > 1 else 0, file.stored)
    if of_image is not None:
        _check_grid(file, of_image, shape)
    frames = stored_frames(file, file.pixels, layout)
    return Reading(_masks(file, frames), Grid(shape[1:] if layout.frames == 1 else shape))


def _header_of(image: Path) -> DicomFile | None:
    with image.open("rb") as stream:
        head = stream.read(_HEAD)
    return open_header(image) if looks_like_dicom(head) else None


def _check_grid(file: DicomFile, image: DicomFile, shape: tuple[int, int, int]) -> None:
    expected = grid_shape(image)
    if shape != expected:
        size, image_size = (" x ".join(map(str, lengths)) for lengths in (shape, expected))
        raise InputError(
            file.path, f"has {size} pixels, where its image has {image_size}", "Save it in that size"
        )
    for frame in range(shape[0]):
        one = plane_of(file.path, file.attributes, frame)
        difference = one.difference(plane_of(image.path, image.attributes, frame))
        if difference is not None:
            raise InputError(
                file.path,
                f"lies on another grid than its image: its {difference} is another",
                _SAVE_ON_ITS_GRID,
            )


def _masks(file: DicomFile, frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    for stored in frames:
        check_finite(file.path, stored)
        highest = stored if stored.ndim == 2 else stored.max(axis=2)
        if is_lossy_jpeg(file) and stored.dtype == np.uint8:
            yield two_levels(file.path, highest)
        elif stored.ndim == 2:
            yield stored != 0
        else:
            yield (stored != 0).any(axis=2)
