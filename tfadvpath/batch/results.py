"""The folder of one study's results, and the run's summary."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfadvpath.batch.explain import StudyExplanation
from tfadvpath.batch.pictures import study_pictures
from tfadvpath.batch.plan import Task
from tfadvpath.errors import InputError
from tfadvpath.explanation import PathExplanation
from tfadvpath.writers.atomic import replacing_file, replacing_folder
from tfadvpath.writers.nifti import write_nifti
from tfadvpath.writers.npz import at_slices, write_npz
from tfadvpath.writers.png import write_png

FORMATS = ("png", "npz", "nifti")
# Every folder of results holds it. A folder without it is somebody else's and is not replaced.
FIGURES = "study.json"


def write_study(
    result: StudyExplanation, task: Task, out: Path, formats: Collection[str], channel: int | None = None
) -> dict[str, Any]:
    """Writes a study's folder under a temporary name and renames it; earlier results there are replaced.

    Args:
        result: What was explained.
        task: Names the folder.
        out: The folder of all results.
        formats: Of ``FORMATS``. "nifti" applies to studies read from NIfTI alone.
        channel: That was read, of a 4-D NIfTI file.

    Returns:
        The figures of the study, which also stand in its study.json: with one entry for each slice, None at
        blank ones.

    Raises:
        InputError: The folder would lie on or in something that no run wrote; or it cannot be written.
    """
    folder = out / task.name
    _check_place(folder, out)
    study, explanation = result.study, result.explanation
    try:
        with replacing_folder(folder) as partial:
            if "png" in formats:
                for name, picture in study_pictures(result, channel).items():
                    write_png(partial / f"{name}.png", picture)
            if "npz" in formats:
                write_npz(partial / "explanation.npz", explanation, study.blank)
            if "nifti" in formats and study.grid.header is not None:
                for name, values in explanation.maps.items():
                    volume = study.to_grid(at_slices(values, study.blank, 0))
                    write_nifti(partial / f"{name}.nii.gz", volume, study.grid, f"tfadvpath {name}")
            files = sorted(path.name for path in partial.iterdir())
            figures = {
                "source": str(study.path),
                "folder": task.name.as_posix(),
                **_figures(result),
                "files": files,
            }
            write_json(partial / FIGURES, figures)
    except OSError as error:
        raise InputError(
            folder, f"cannot be written ({error.strerror or error})", "Name another --out or make room"
        ) from error
    return figures


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Writes JSON that every reader takes: None where a number is not finite."""
    with replacing_file(path) as partial:
        partial.write_text(json.dumps(values, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def finite(value: float) -> float | None:
    """Returns the number, None where it is NaN or infinite."""
    return float(value) if math.isfinite(value) else None


def _check_place(folder: Path, out: Path) -> None:
    above = [parent for parent in folder.parents if out in parent.parents]
    if any((parent / FIGURES).exists() for parent in above):
        raise InputError(folder, "lies in the results of another study", "Name another --out")
    if folder.is_symlink() or (
        folder.exists() and not (folder / FIGURES).is_file() and not _is_empty_folder(folder)
    ):
        raise InputError(folder, "exists and holds no results of an earlier run", "Name another --out")


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _figures(result: StudyExplanation) -> dict[str, Any]:
    blank, explanation = result.study.blank, result.explanation

    def numbers(values: np.ndarray) -> list[float | None]:
        # Six digits: float32 has no more.
        spread = at_slices(np.asarray(values, np.float64), blank, np.nan)
        return [None if (number := finite(value)) is None else round(number, 6) for value in spread]

    def flags(values: np.ndarray) -> list[bool | None]:
        return [None if value is None else value == 1 for value in numbers(values)]

    figures = {"slices": len(blank), "blank": int(blank.sum()), "score": numbers(explanation.score)}
    if not isinstance(explanation, PathExplanation):
        return figures
    return figures | {
        "crossings": int(explanation.crossed.sum()),
        "score_start": numbers(explanation.score_start),
        "score_adversary": numbers(explanation.score_adversary),
        "crossed": flags(explanation.crossed),
        "kept": flags(explanation.kept),
        "completeness_residual": numbers(explanation.completeness_residual),
    }
