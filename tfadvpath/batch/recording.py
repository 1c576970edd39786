"""Outcomes of studies, put into the ledger of their run."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfadvpath.batch.ledger import Ledger, Row, record_of, row_of_failure, row_of_results
from tfadvpath.batch.outcomes import Failure, Resumed
from tfadvpath.batch.plan import Task
from tfadvpath.batch.reading import Earlier
from tfadvpath.batch.results import write_study
from tfadvpath.errors import ERROR_LOG, InputError, UnforeseenError
from tfadvpath.explanation import StudyExplanation
from tfadvpath.files import json_text


def write_results(
    result: StudyExplanation,
    task: Task,
    out: Path,
    map_names: Sequence[str],
    format_names: Collection[str],
    made_with: Mapping[str, Any],
    seconds: float,
    remarks: Sequence[str] = (),
) -> tuple[dict[str, Any], Row]:
    """Writes the folder of a study's results.

    Args:
        result: Study and explanation, with all maps.
        task: Task of the study.
        out: Folder of all results.
        map_names: Names of the maps to write.
        format_names: Names of the formats to write.
        made_with: All that the results depend on besides the study's files.
        seconds: Seconds that explaining the study took; those of writing are added.
        remarks: Sentences on all maps of the bundle, for the formats that show them.

    Returns:
        The content of the study's study.json, and its row of the ledger.

    Raises:
        InputError: The results cannot be written.
    """
    started = time.monotonic()
    chosen = StudyExplanation(result.study, result.explanation.only(map_names), remarks=tuple(remarks))
    record = write_study(chosen, task, out, format_names, made_with)
    seconds += time.monotonic() - started
    return record, row_of_results(record, out / task.name, seconds)


@dataclass(frozen=True)
class WriteResults:
    """Writes the folder of a study's results, in this process or in one that it is sent to.

    Attributes:
        out: Folder of all results.
        maps: Names of the maps to write.
        formats: Names of the formats to write.
        made_with: All that the results depend on besides the study's files.
        remarks: Sentences on all maps of the bundle.
    """

    out: Path
    maps: Sequence[str]
    formats: Sequence[str]
    made_with: Mapping[str, Any]
    remarks: Sequence[str] = ()

    def __call__(self, result: StudyExplanation, task: Task, seconds: float) -> tuple[dict[str, Any], Row]:
        """Does what ``write_results`` does."""
        return write_results(
            result, task, self.out, self.maps, self.formats, self.made_with, seconds, self.remarks
        )


def note_earlier(task: Task, earlier: Earlier, out: Path, ledger: Ledger | None) -> Resumed:
    """Puts a study of an earlier run into the ledger, where its process ended before its row was written.

    Args:
        task: Task of the study.
        earlier: The study as the earlier run left it.
        out: Folder of all results.
        ledger: Ledger of the run; None keeps none.
    """
    if ledger is not None:
        record = json.loads(json_text(earlier.record))
        row = ledger.rows.get(record["folder"])
        if row is None or record_of(row) != record:
            ledger.append(row_of_results(record, out / task.name, None))
    return Resumed(task, earlier.record)


def note_failure(
    task: Task, error: InputError, out: Path, made_with: Mapping[str, Any], ledger: Ledger | None
) -> Failure:
    """Puts a study without results into the ledger; the trace of an unforeseen error into a log.

    Args:
        task: Task of the study.
        error: Reason.
        out: Folder of all results.
        made_with: Settings of the run.
        ledger: Ledger of the run; None keeps none.
    """
    failure = Failure(task, error.logged(out / ERROR_LOG) if isinstance(error, UnforeseenError) else error)
    if ledger is not None:
        ledger.append(row_of_failure(task, failure.error, made_with))
    return failure
