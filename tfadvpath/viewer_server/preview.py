"""The viewer's page of one slice, which is shown while the others are explained."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tfadvpath.explanation import StudyExplanation
from tfadvpath.files import write_text
from tfadvpath.viewer.page import page


def write_preview(result: StudyExplanation, place: int, count: int, folder: Path) -> Path:
    """Writes the page of a slice, which says that it is one of several.

    Args:
        result: Explanation of the slice alone.
        place: Place of the slice in the study.
        count: Number of the study's slices.
        folder: Folder to make.

    Returns:
        The file of the page.
    """
    remark = f"This is slice {place} of 0 to {count - 1}. The others are being explained."
    scene = dataclasses.replace(
        result.explanation.scene(),
        proportions=result.study.grid.slices_shape[1:],
        noun="slice",
        remarks=[remark, *result.remarks],
    )
    folder.mkdir(parents=True)
    write_text(folder / "preview.html", page(scene))
    return folder / "preview.html"
