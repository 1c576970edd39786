"""Studies as an archive holds them, their explanations as DICOM objects, and what dciodvfy says of these."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import ComputedRadiographyImageStorage, generate_uid

from support.broken_files import dicom, dicom_bytes, picture
from support.series import AXIAL, decimals, noise, write_series
from tfadvpath.explanation import StudyExplanation
from tfadvpath.studies.study import read_study
from tfadvpath.writers.formats import formats

MAPS = ("fi_v2_smooth", "difference")
MADE_WITH = {
    "tfadvpath": "1.2.3",
    "bundle": "ab" * 32,
    "method": "syce",
    "steps": 50,
    "path": "straight",
    "lengths": {"sigma": 0.5},
    "seed": 0,
}
STUDY = {
    "StudyInstanceUID": generate_uid(entropy_srcs=["study"]),
    "PatientName": "Doe^Jane",
    "PatientID": "4711",
    "PatientBirthDate": "19700101",
    "PatientSex": "F",
    "StudyDate": "20250102",
    "StudyTime": "101112",
    "StudyID": "7",
    "AccessionNumber": "A1",
    "BodyPartExamined": "CHEST",
}
IN_SPACE = {"FrameOfReferenceUID": generate_uid(entropy_srcs=["frame"]), "SliceThickness": "3"}


def a_series(folder: Path, slices: np.ndarray | None = None, **attributes: object) -> list[Path]:
    """An MR series with a frame of reference; the third of its five slices is blank."""
    if slices is None:
        slices = noise(5, 24, 18)
        slices[2] = 7
    return write_series(folder, slices, **{**STUDY, **IN_SPACE, **attributes})


def an_xray(folder: Path, values: np.ndarray | None = None, **attributes: object) -> list[Path]:
    """A chest X-ray without a frame of reference."""
    folder.mkdir(parents=True, exist_ok=True)
    given = {
        **STUDY,
        "SOPClassUID": ComputedRadiographyImageStorage,
        "SeriesInstanceUID": generate_uid(entropy_srcs=["x-ray"]),
        **attributes,
    }
    values = picture().astype(np.uint8) if values is None else values
    dataset = dicom(values, **{name: value for name, value in given.items() if value is not None})
    (folder / "xray.dcm").write_bytes(dicom_bytes(dataset))
    return [folder / "xray.dcm"]


def a_volume_as_series(
    folder: Path, volume: np.ndarray, spacing: Sequence[float], **attributes: object
) -> list[Path]:
    """An MR series of a volume [X, Y, Z] with its spacing in millimetres."""
    slices = np.moveaxis(volume, 2, 0).swapaxes(1, 2)  # [slices, rows, columns]
    top = max(1.0, float(slices.max()))
    return a_series(
        folder,
        np.rint(1000 * slices / top).astype(np.int16),
        directions=AXIAL,
        spacing=(spacing[1], spacing[0]),
        step=float(spacing[2]),
        SliceThickness=decimals([spacing[2]])[0],
        BodyPartExamined="BRAIN",
        **attributes,
    )


def explained(
    paths: Sequence[Path], size: tuple[int, int] = (16, 16), **made_with: object
) -> StudyExplanation:
    """A study of DICOM files with maps that are multiples of its images."""
    from support.explanations import explanation_of  # imports TensorFlow, which sources do not need

    study = read_study(paths, size)
    explanation = explanation_of(study.images[~study.blank]).only(MAPS)
    return StudyExplanation(study, explanation, {**MADE_WITH, **made_with})


def written(folder: Path, result: StudyExplanation, *names: str) -> dict[str, pydicom.FileDataset]:
    """The objects of the formats, by file name without its ending."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or ("dicom", "dicom-synthetic"):
        assert formats()[name].applies(result.study)
        formats()[name].write(folder, result)
    return {path.stem: pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))}


# What dciodvfy warns of, and why the objects have it.
KNOWN_WARNINGS = {
    r"needed to build DICOMDIR": "the source names no study or no patient",
    r"Retired Person Name form": "the patient keeps the name that the source has, without a caret",
    r"Unrecognized defined term <99TFADVPATH>": "no standard has codes for crossed, kept and residual",
    r"only permitted to be empty when actually unknown.*<Laterality>": "the source does not name the side",
}


def dciodvfy(path: Path) -> list[str]:
    """The lines of dciodvfy on a file that are errors, or warnings without a known reason."""
    program = Path(sys.executable).parent / "dciodvfy"
    finished = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
    lines = (finished.stdout + finished.stderr).splitlines()
    assert any(re.fullmatch(r"\w+", line) for line in lines), f"dciodvfy does not know the class of {path}"
    known = [re.compile(reason) for reason in KNOWN_WARNINGS]
    return [
        line
        for line in lines
        if line.startswith("Error")
        or (line.startswith("Warning") and not any(reason.search(line) for reason in known))
    ]
