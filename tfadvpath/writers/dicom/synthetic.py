"""Images that the generators made, as Secondary Captures that nobody can take for the patient's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.explanation import PathExplanation, StudyExplanation
from tfadvpath.writers.dicom.finish import write
from tfadvpath.writers.dicom.header import read_source
from tfadvpath.writers.dicom.legend import with_headline
from tfadvpath.writers.dicom.made_by import WARNING, MadeBy, described
from tfadvpath.writers.dicom.secondary_capture import LEAST, MOST, MOST_OF_SEVERAL, secondary_capture
from tfadvpath.writers.npz import at_slices
from tfadvpath.writers.pictures import grey, picture_size


def write_synthetic(folder: Path, result: StudyExplanation) -> None:
    """Writes the start and the end of each slice's path, with "SYNTHETIC" in the pixels.

    Args:
        folder: Folder that exists.
        result: Study and explanation.

    Raises:
        InputError: The method generates no image, or a file of the study cannot be read again.
    """
    explanation, study = result.explanation, result.study
    if not isinstance(explanation, PathExplanation):
        raise InputError("`formats`", "'dicom-synthetic' is of methods with a path", "Leave it out")
    made_by = MadeBy(read_source(study), result.made_with)
    size = picture_size(
        study.grid.slices_shape[1:], LEAST, MOST if len(study.images) == 1 else MOST_OF_SEVERAL
    )
    for index, (name, images) in enumerate(
        (("start", explanation.start), ("adversary", explanation.adversary))
    ):
        text = f"SYNTHETIC {name}, {WARNING}"
        slices = at_slices(images, study.blank, 0)
        pictures = [with_headline(grey(image, size), text)[..., 0] for image in slices]
        capture = secondary_capture(
            made_by,
            np.stack(pictures),
            "synthetic",
            index,
            name,
            described(f"SYNTHETIC {name}"),
            f"SYNTHETIC: made by a generator, the {name} of a path across a classifier's decision",
        )
        write(folder / f"synthetic_{name}.dcm", capture)
