"""A whole run: every study explained and written, the failures listed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfadvpath.batch.explain import StudyExplanation, explain_studies
from tfadvpath.batch.plan import Task
from tfadvpath.batch.results import write_study
from tfadvpath.errors import InputError
from tfadvpath.explainers.base import Explainer


@dataclass(frozen=True, eq=False)
class Success:
    """A study whose results are written.

    Attributes:
        task: Which study, and the folder of its results.
        result: What was explained of it, with all maps.
        figures: Of its study.json.
    """

    task: Task
    result: StudyExplanation
    figures: dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """A study without results, and why."""

    task: Task
    error: InputError


def run_tasks(
    explainer: Explainer,
    tasks: Sequence[Task],
    size: tuple[int, int],
    out: Path,
    map_names: Sequence[str],
    formats: Collection[str],
    channel: int | None = None,
    on_progress: Callable[[float], None] = lambda studies: None,
) -> Iterator[Success | Failure]:
    """Explains every task's study and writes its results; a broken study does not stop the others.

    Args:
        explainer: Of images of that size.
        tasks: Of ``plan``.
        size: Height and width that the classifier takes.
        out: The folder of all results.
        map_names: Which of the explainer's maps are written.
        formats: Which files are written.
        channel: Of 4-D NIfTI files.
        on_progress: As of ``explain_studies``.

    Yields:
        What became of each task, in their order.
    """
    results = explain_studies(explainer, [task.source for task in tasks], size, channel, on_progress)
    for task, result in zip(tasks, results, strict=True):
        if isinstance(result, InputError):
            yield Failure(task, result)
            continue
        chosen = StudyExplanation(result.study, result.explanation.only(map_names))
        try:
            figures = write_study(chosen, task, out, formats, channel)
        except InputError as error:
            yield Failure(task, error)
        else:
            yield Success(task, result, figures)
