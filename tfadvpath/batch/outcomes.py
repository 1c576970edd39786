"""Outcomes of the studies of a run."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfadvpath._version import __version__
from tfadvpath.batch.ledger import Row, record_of
from tfadvpath.batch.plan import Plan, Task
from tfadvpath.errors import InputError
from tfadvpath.explanation import StudyExplanation
from tfadvpath.files import name_as_text


@dataclass(frozen=True, eq=False)
class Success:
    """A study whose results are written.

    Attributes:
        task: The study, and the folder of its results.
        result: Study and explanation, with all maps; None where another process explained it.
        record: Content of its study.json.
    """

    task: Task
    result: StudyExplanation | None
    record: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Resumed:
    """A study whose results an earlier run wrote.

    Attributes:
        task: The study, and the folder of its results.
        record: Content of its study.json.
    """

    task: Task
    record: dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """A study without results.

    Attributes:
        task: The study.
        error: Reason, with what to do about it.
    """

    task: Task
    error: InputError


Outcome = Success | Resumed | Failure
Outcomes = Generator[Outcome, None, None]


@dataclass(frozen=True, eq=False)
class ExplainSummary:
    """Summary of a run: what became of every study.

    Attributes:
        bundle: Folder of the bundle; its name where it was given in memory.
        out: Folder of all results.
        method: Name of the explainer.
        steps: Number of points of the path, or "auto"; None where the method has no path.
        maps: Names of the maps that were written.
        studies: Content of the study.json of every explained study.
        resumed: Number of these that an earlier run explained.
        failures: Studies without results.
        ignored: Files in folders that are no studies, with the reason.
        remarks: Sentences on studies, each with one of its files.
        waiting: Number of studies that were not come to, since the run was interrupted or failed as a whole.
        pair: Sentences on what the quality of the generator's pairs means for a reader of the maps, see
            ``bundle.pair_verdict``; none where all is good, nothing was measured, or there is no pair. That
            the classifier learned shuffled labels stands first.
    """

    bundle: str
    out: Path
    method: str
    steps: int | str | None
    maps: Sequence[str]
    studies: Sequence[dict[str, Any]]
    resumed: int
    failures: Sequence[Failure]
    ignored: Sequence[tuple[Path, str]]
    remarks: Sequence[tuple[Path, str]]
    waiting: int = 0
    pair: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Returns the content of summary.json."""
        return {
            "version": __version__,
            "bundle": self.bundle,
            "method": self.method,
            "steps": self.steps,
            "maps": list(self.maps),
            "out": str(self.out),
            "explained": len(self.studies),
            "resumed": self.resumed,
            "failed": len(self.failures),
            "waiting": self.waiting,
            "pair": list(self.pair),
            "studies": list(self.studies),
            "errors": [
                {"source": str(failure.task.source), "message": str(failure.error)}
                for failure in self.failures
            ],
            "ignored": [{"source": str(path), "reason": reason} for path, reason in self.ignored],
            "remarks": [{"source": str(path), "remark": remark} for path, remark in self.remarks],
        }


class Run:
    """A run as it goes on.

    Args:
        planned: Studies that are to be explained.
        rows: Rows of the ledger by the name of a study's folder, as they are at any time.
        bundle: Folder or name of the bundle.
        out: Folder of all results.
        method: Name of the explainer.
        steps: Number of points of the path, or "auto"; None where the method has no path.
        maps: Names of the maps that are written.
        pair: Sentences on the quality of the generator's pairs.
    """

    def __init__(
        self,
        planned: Plan,
        rows: Mapping[str, Row],
        bundle: str,
        out: Path,
        method: str,
        steps: int | str | None,
        maps: Sequence[str],
        pair: Sequence[str] = (),
    ):
        self._planned, self._rows = planned, rows
        self._pair = pair
        self._bundle, self._out = bundle, out
        self._method, self._steps, self._maps = method, steps, maps
        self._failures: list[Failure] = []
        self._resumed = 0

    @property
    def names(self) -> list[str]:
        """Folders of all studies, in their order."""
        return [name_as_text(task.name.as_posix()) for task in self._planned.tasks]

    def note(self, outcome: Success | Resumed | Failure) -> None:
        """Counts what became of a study, whose row is in the ledger."""
        if isinstance(outcome, Failure):
            self._failures.append(outcome)
        self._resumed += isinstance(outcome, Resumed)

    def how_far(self) -> str:
        """Returns how many studies are explained until now, those of earlier runs counted."""
        rows = [self._rows[name] for name in self.names if name in self._rows]
        done = sum(row["error"] is None for row in rows)
        return (
            f"{done} of {len(self._planned.tasks)} studies are explained in {self._out}, "
            f"{len(rows) - done} failed"
        )

    def summary(self) -> ExplainSummary:
        """Returns what became of the studies until now, by the ledger."""
        rows = [self._rows[name] for name in self.names if name in self._rows]
        studies = [record_of(row) for row in rows if row["error"] is None]
        said = [(Path(study["source"]), text) for study in studies for text in study["remarks"]]
        return ExplainSummary(
            bundle=self._bundle,
            out=self._out,
            method=self._method,
            steps=self._steps,
            maps=self._maps,
            studies=studies,
            resumed=self._resumed,
            failures=self._failures,
            ignored=self._planned.ignored,
            remarks=[*self._planned.remarks, *said],
            waiting=len(self._planned.tasks) - len(rows),
            pair=self._pair,
        )
