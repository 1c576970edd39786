"""DICOM objects of an explained study, for the archive that holds its source.

This module registers the formats. What writes them is imported when a study is written, since highdicom is an
extra.
"""

from __future__ import annotations

from pathlib import Path

from tfadvpath.explanation import StudyExplanation
from tfadvpath.studies.study import Study
from tfadvpath.writers.formats import register

_TAKES = "DICOM files that name their study, series and instance"


def _is_archived(study: Study) -> bool:
    from tfadvpath.writers.dicom.header import names_its_study

    return names_its_study(study.sources[0])


@register(
    "dicom",
    applies=_is_archived,
    takes=_TAKES,
    on_request=True,
    names_patient=True,
    needs="highdicom",
    extra="dicom",
)
def write_dicom(folder: Path, result: StudyExplanation) -> None:
    """Writes the maps as objects in the source's study, and a structured report that refers to them."""
    from tfadvpath.writers.dicom.objects import write_objects

    write_objects(folder, result)


@register(
    "dicom-synthetic",
    applies=_is_archived,
    takes=_TAKES,
    on_request=True,
    names_patient=True,
    needs="highdicom",
    extra="dicom",
)
def write_synthetic_dicom(folder: Path, result: StudyExplanation) -> None:
    """Writes the path's generated images, labelled SYNTHETIC, in the source's study."""
    from tfadvpath.writers.dicom.synthetic import write_synthetic

    write_synthetic(folder, result)
