"""Segmentations of DICOM images (DICOM SEG; PS3.3, A.51): the frames that belong to an image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.attributes import Attributes
from tfadvpath.studies.dicom.file import DicomFile
from tfadvpath.studies.dicom.frames import stored_frames
from tfadvpath.studies.dicom.pixels import PixelFormat, grid_shape, read_format
from tfadvpath.studies.dicom.plane import Plane, plane_of
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.limits import check_expansion
from tfadvpath.studies.readers import Reading

_SAVE_ON_ITS_GRID = "Save it on the grid of its image"
_PASS_ITS_OWN = "Pass the segmentation of this image, or save it as a mask of the image's size"


@dataclass(frozen=True, eq=False)
class _Image:
    """The image that a segmentation is asked for.

    Attributes:
        uid: SOPInstanceUID; "" where it has none.
        space: FrameOfReferenceUID, in which the planes lie; "" where it has none.
        shape: Number of frames, rows and columns.
        planes: Plane of each frame.
    """

    uid: str
    space: str
    shape: tuple[int, int, int]
    planes: list[Plane]


@dataclass(frozen=True)
class _Source:
    """An image that a segmentation refers to.

    Attributes:
        uid: Its SOPInstanceUID.
        frames: Indices of its frames, from 0; () stands for all.
    """

    uid: str
    frames: tuple[int, ...]


def read_segmentation(file: DicomFile, image: DicomFile | None) -> Reading:
    """Reads what is segmented of an image, all segments together, on the image's grid.

    Frames belong to an image that they name as their source; where the file names the image nowhere, to the
    image of the same place in the patient. What is empty is often left out: then nothing is segmented.

    Args:
        file: The segmentation.
        image: The image; None where it is no DICOM file, which fits a segmentation of one plane.

    Raises:
        InputError: It is the segmentation of another image, or lies on another grid.
    """
    assert file.pixels is not None
    layout = read_format(file, file.pixels)
    if layout.samples != 1:
        raise InputError(
            file.path, f"is a segmentation of {layout.samples} samples per pixel", "Export it again"
        )
    if image is None:
        targets, shape = _targets_of_one_plane(file, layout)
    else:
        known = _Image(
            image.attributes.text("SOPInstanceUID"),
            image.attributes.text("FrameOfReferenceUID"),
            grid_shape(image),
            _planes(image),
        )
        targets, shape = _targets(file, layout, known), known.shape
    check_expansion(file.path, shape[0] * shape[1] * shape[2] if shape[0] > 1 else 0, file.stored)
    masks = np.zeros(shape, bool)
    for values, frames in zip(stored_frames(file, file.pixels, layout), targets, strict=True):
        for frame in frames:
            masks[frame] |= values != 0
    return Reading(list(masks), Grid(shape[1:] if shape[0] == 1 else shape))


def _planes(file: DicomFile) -> list[Plane]:
    return [plane_of(file.path, file.attributes, frame) for frame in range(grid_shape(file)[0])]


def _targets_of_one_plane(
    file: DicomFile, layout: PixelFormat
) -> tuple[list[list[int]], tuple[int, int, int]]:
    planes = _planes(file)
    sources = [set(_sources(file, frame)) for frame in range(layout.frames)]
    untold = layout.frames > 1 and planes[0].position is None and not sources[0]
    if untold or any(each != sources[0] for each in sources) or any(map(planes[0].difference, planes)):
        raise InputError(
            file.path,
            "is a segmentation of several planes, of which its image, no DICOM file, cannot be told",
            "Pass the DICOM image, or save the mask of its plane as an image",
        )
    return [[0]] * layout.frames, (1, layout.rows, layout.columns)


def _targets(file: DicomFile, layout: PixelFormat, image: _Image) -> list[list[int]]:
    """Returns the frames of the image that each frame of the segmentation belongs to."""
    planes = _planes(file)
    sources = [_sources(file, frame) for frame in range(layout.frames)]
    of_file = _all_sources(file.attributes)
    named = {source.uid for each in sources for source in each} | of_file
    known = image.uid in named - {""}
    spaces = {image.space, file.attributes.text("FrameOfReferenceUID")} - {""}
    is_of_one_space = len(spaces) < 2
    targets = []
    for plane, each in zip(planes, sources, strict=True):
        if known and each:
            of_image = [source for source in each if source.uid == image.uid]
            frames = [frame for source in of_image for frame in _frames_of(file, source, image, plane)]
        elif known and plane.position is None and of_file == {image.uid}:
            frames = _frames_of(file, _Source(image.uid, ()), image, plane)
        else:
            frames = _frames_at(image, plane) if is_of_one_space else []
        targets.append(sorted(set(frames)))
    if not known and not any(targets):
        raise InputError(file.path, "is a segmentation of other images than its image", _PASS_ITS_OWN)
    if not any(sources) and not any(targets) and all(plane.position is None for plane in planes):
        raise _untold(file)
    _check_grid(file, layout, image, planes, targets)
    return targets


def _frames_of(file: DicomFile, source: _Source, image: _Image, plane: Plane) -> list[int]:
    """Returns the frames of the image that a source names, or else those that lie in the plane."""
    count = image.shape[0]
    if source.frames:
        return [frame for frame in source.frames if frame < count]
    if count == 1 and not _is_tiled(file):
        return [0]
    if plane.position is None:
        raise _untold(file)
    return _frames_at(image, plane)


def _untold(file: DicomFile) -> InputError:
    problem = "does not say to which frames of its image its frames belong"
    return InputError(file.path, problem, _PASS_ITS_OWN)


def _frames_at(image: _Image, plane: Plane) -> list[int]:
    return [frame for frame, other in enumerate(image.planes) if plane.lies_in(other)]


def _is_tiled(file: DicomFile) -> bool:
    return file.attributes.text("DimensionOrganizationType") == "TILED_FULL"


def _check_grid(
    file: DicomFile, layout: PixelFormat, image: _Image, planes: list[Plane], targets: list[list[int]]
) -> None:
    if (layout.rows, layout.columns) != image.shape[1:]:
        rows, columns = image.shape[1:]
        problem = f"has {layout.rows} x {layout.columns} pixels, where its image has {rows} x {columns}"
        raise InputError(file.path, problem, _SAVE_ON_ITS_GRID)
    for plane, frames in zip(planes, targets, strict=True):
        # Of a frame of another image, or of one in another direction, nothing but the direction is compared.
        differences = [plane.difference(image.planes[frame]) for frame in frames]
        difference = next(filter(None, differences or [plane.turn(image.planes[0])]), None)
        if difference is not None:
            problem = f"lies on another grid than its image: its {difference} is another"
            raise InputError(file.path, problem, _SAVE_ON_ITS_GRID)


def _sources(file: DicomFile, frame: int) -> list[_Source]:
    """Returns the images that a frame names as what it was derived from."""
    derivations = file.attributes.items_of_frame(frame, "DerivationImageSequence")
    items = [item for one in derivations for item in one.items("SourceImageSequence")]
    items = items or file.attributes.items_of_frame(frame, "ReferencedImageSequence")
    return [_source(item) for item in items]


def _source(item: Attributes) -> _Source:
    numbers = item.numbers("ReferencedFrameNumber")
    return _Source(
        item.text("ReferencedSOPInstanceUID"), tuple(int(number) - 1 for number in numbers if number >= 1)
    )


def _all_sources(attributes: Attributes) -> set[str]:
    """Returns the SOPInstanceUIDs of all images that the file names."""
    items: Iterable[Attributes] = [
        *attributes.items("SourceImageSequence"),
        *(
            item
            for series in attributes.items("ReferencedSeriesSequence")
            for item in series.items("ReferencedInstanceSequence")
        ),
    ]
    return {item.text("ReferencedSOPInstanceUID") for item in items} - {""}
