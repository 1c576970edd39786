"""The viewer's page of a study: one HTML file that opens anywhere and fetches nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfadvpath.explanation import StudyExplanation
from tfadvpath.files import write_text
from tfadvpath.studies.study import read_study
from tfadvpath.viewer.page import page
from tfadvpath.viewer.scene import Scene
from tfadvpath.writers.formats import register
from tfadvpath.writers.npz import at_slices
from tfadvpath.writers.pictures import picture_size

FILE = "explanation.html"
# Longer side in pixels up to which the input is shown finer than the classifier sees it, of an image and of
# each of several slices: a page of an X-ray is to stay below 2 MB, one of 155 slices below 25 MB.
_DETAIL_OF_ONE, _DETAIL_OF_SEVERAL = 1024, 256
# Such images fill the page of an X-ray by themselves.
_FINE_ENOUGH = 512
_LONGEST_DIGEST = 12  # letters of a bundle's digest, which tell one bundle from another


@register("html", on_request=True)
def write_viewer(folder: Path, result: StudyExplanation) -> None:
    """Writes explanation.html: the images and all maps, with controls to look at them by.

    Raises:
        InputError: The file cannot be read again.
    """
    write_text(folder / FILE, page(study_scene(result)))


def study_scene(result: StudyExplanation) -> Scene:
    """Returns what the page of a study shows: all slices, in the file's own proportions.

    The page opens at the slice where the first map is largest, among those that can be read. It names neither
    the files nor anything of their headers.

    Args:
        result: Study and explanation.

    Raises:
        InputError: The file cannot be read again.
    """
    study = result.study
    return dataclasses.replace(
        result.explanation.scene(),
        blank=study.blank,
        detail=_detail(result),
        proportions=study.grid.slices_shape[1:],
        opens_at=_opens_at(result),
        noun="slice",
        remarks=result.remarks,
        about=_about(result.made_with),
    )


def _detail(result: StudyExplanation) -> np.ndarray | None:
    """Returns the input as fine as the file, up to a limit; None where the classifier sees it as fine."""
    study = result.study
    several = len(study.images) > 1
    seen = study.images.shape[1:3]
    size = picture_size(study.grid.slices_shape[1:], 0, _DETAIL_OF_SEVERAL if several else _DETAIL_OF_ONE)
    if not len(result.explanation) or max(seen) >= _FINE_ENOUGH or max(size) <= max(seen):
        return None
    return read_study(study.sources, size, study.channel).images


def _opens_at(result: StudyExplanation) -> int:
    explanation = result.explanation
    if not len(explanation):
        return 0
    sums = np.nansum(np.abs(next(iter(explanation.maps.values()))), axis=(1, 2, 3))
    scene = explanation.scene()
    if scene.crossed is not None and scene.kept is not None:
        readable = scene.crossed & scene.kept
        sums = np.where(readable, sums, -1) if readable.any() else sums
    return int(at_slices(sums, result.study.blank, -2).argmax())


def _about(made_with: Mapping[str, Any]) -> dict[str, str]:
    titles = {"method": "Method", "steps": "Steps", "path": "Path", "tfadvpath": "Version of tfadvpath"}
    about = {title: str(made_with[name]) for name, title in titles.items() if made_with.get(name) is not None}
    if made_with.get("bundle"):
        about["Bundle"] = str(made_with["bundle"])[:_LONGEST_DIGEST]
    return about
