"""Folder of one study's results."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfadvpath.batch.plan import Task
from tfadvpath.errors import InputError, unforeseen
from tfadvpath.explanation import PathExplanation, StudyExplanation
from tfadvpath.files import finite, replacing_folder, write_json
from tfadvpath.studies.find import STUDY_FILE
from tfadvpath.writers.formats import formats
from tfadvpath.writers.npz import at_slices

_OTHER_FOLDER = "Name another folder in `out`"


def write_study(
    result: StudyExplanation,
    task: Task,
    out: Path,
    format_names: Collection[str],
    made_with: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes a study's folder under a temporary name and renames it; earlier results there are replaced.

    Args:
        result: Study and explanation.
        task: Task of the study; it names the folder.
        out: Folder of all results.
        format_names: Names of formats; those that do not apply to the study are passed over.
        made_with: All that the results depend on besides the study's files, such as the method and the
            bundle, as JSON holds it; a later run that goes on compares it with its own.

    Returns:
        The content of the study's study.json: scores and checks with one entry for each slice, None at blank
        ones.

    Raises:
        InputError: None of the formats applies; the folder would lie on or in something that no run wrote; or
            it cannot be written.
    """
    folder = out / task.name
    known = formats()
    chosen = [known[name] for name in format_names if known[name].applies(result.study)]
    if not chosen:
        takes = {known[name].takes for name in format_names} - {""}
        raise InputError(
            task.source,
            f"cannot be written as {', '.join(format_names)}"
            + "".join(f", which takes {one}" for one in takes),
            f"Choose others of {', '.join(known)} in `formats`",
        )
    try:
        _check_place(folder, out)
        with replacing_folder(folder) as partial:
            for each in chosen:
                each.check_installed()
                each.write(partial, dataclasses.replace(result, made_with=dict(made_with or {})))
            record = {
                "source": str(task.source),
                "sources": [str(path) for path in result.study.sources],
                "folder": task.name.as_posix(),
                **_record(result),
                "remarks": list(result.study.remarks),
                "sha256": result.study.digest,
                "made_with": dict(made_with or {}),
                "files": sorted(path.name for path in partial.iterdir()),
            }
            write_json(partial / STUDY_FILE, record)
    except InputError:
        raise
    except OSError as error:
        problem = f"cannot be written ({error.strerror or error})"
        raise InputError(folder, problem, f"{_OTHER_FOLDER}, or make room") from error
    except Exception as error:
        raise unforeseen(folder, error) from error
    return record


def _check_place(folder: Path, out: Path) -> None:
    above = [parent for parent in folder.parents if out in parent.parents]
    if any((parent / STUDY_FILE).exists() for parent in above):
        raise InputError(folder, "lies in the results of another study", _OTHER_FOLDER)
    if folder.is_symlink() or (
        folder.exists() and not (folder / STUDY_FILE).is_file() and not _is_empty_folder(folder)
    ):
        raise InputError(folder, "exists and holds no results of an earlier run", _OTHER_FOLDER)


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _record(result: StudyExplanation) -> dict[str, Any]:
    blank, explanation = result.study.blank, result.explanation

    def numbers(values: np.ndarray) -> list[float | None]:
        # Six digits: float32 has no more.
        spread = at_slices(np.asarray(values, np.float64), blank, np.nan)
        return [None if (number := finite(value)) is None else round(number, 6) for value in spread]

    def flags(values: np.ndarray) -> list[bool | None]:
        return [None if value is None else value == 1 for value in numbers(values)]

    record = {"slices": len(blank), "blank": int(blank.sum()), "score": numbers(explanation.score)}
    if not isinstance(explanation, PathExplanation):
        return record
    record |= {
        "crossings": int(explanation.crossed.sum()),
        "score_start": numbers(explanation.score_start),
        "score_adversary": numbers(explanation.score_adversary),
        "crossed": flags(explanation.crossed),
        "kept": flags(explanation.kept),
        "completeness_residual": numbers(explanation.completeness_residual),
    }
    if explanation.steps is not None and explanation.map_error is not None:
        steps = [None if steps is None else int(steps) for steps in numbers(explanation.steps)]
        record |= {"steps_taken": steps, "map_error": numbers(explanation.map_error)}
    return record
