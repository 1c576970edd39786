"""Objects of one study: which there are, and the files that they are written to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from tfadvpath.explanation import StudyExplanation
from tfadvpath.studies.readers import quiet
from tfadvpath.writers.dicom.finish import write
from tfadvpath.writers.dicom.header import read_source
from tfadvpath.writers.dicom.made_by import MadeBy
from tfadvpath.writers.dicom.parametric_map import parametric_map
from tfadvpath.writers.dicom.report import report
from tfadvpath.writers.dicom.secondary_capture import overlays
from tfadvpath.writers.dicom.segmentation import fractional_segmentation, top_segmentation
from tfadvpath.writers.npz import at_slices


def write_objects(folder: Path, result: StudyExplanation) -> None:
    """Writes the objects of a study.

    Where every slice has a place in a frame of reference: a Parametric Map for each map, and a binary
    Segmentation. Else: a colour Secondary Capture for each map, and of a single image a fractional
    Segmentation. A structured report refers to them, unless every slice is blank.

    Args:
        folder: Folder that exists.
        result: Study and explanation.

    Raises:
        InputError: A file of the study cannot be read again, or does not name what it is.
    """
    study, explanation = result.study, result.explanation
    made_by = MadeBy(read_source(study), result.made_with)
    maps = {
        name: study.to_grid(at_slices(values, study.blank, 0)).reshape(study.grid.slices_shape)
        for name, values in explanation.maps.items()
    }
    with quiet():  # highdicom's remarks on the source's attributes
        pictures, segmentation = _pictures(folder, made_by, maps, result)
        if len(explanation):
            explained = np.flatnonzero(~study.blank).tolist()
            write(folder / "report.dcm", report(made_by, explanation, explained, pictures, segmentation))


def _pictures(
    folder: Path, made_by: MadeBy, maps: dict[str, np.ndarray], result: StudyExplanation
) -> tuple[dict[str, Dataset], Dataset | None]:
    """Writes the images, and returns those of the maps by name, and the segmentation."""
    pictures: dict[str, Dataset] = {}
    segmentation: Dataset | None = None
    if made_by.source.in_space:
        for index, (name, values) in enumerate(maps.items()):
            pictures[name] = parametric_map(made_by, name, values, index)
            write(folder / f"parametric_map_{name}.dcm", pictures[name])
            del pictures[name].FloatPixelData  # the report needs its names alone
        segmentation = top_segmentation(made_by, maps)
    else:
        pictures = overlays(made_by, result)
        for name, picture in pictures.items():
            write(folder / f"secondary_capture_{name}.dcm", picture)
        if made_by.source.is_segmentable:
            segmentation = fractional_segmentation(made_by, maps)
    if segmentation is not None:
        write(folder / "segmentation.dcm", segmentation)
    return pictures, segmentation
