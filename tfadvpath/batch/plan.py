"""Studies that are explained in a run, and the folder of each one's results."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfadvpath.errors import ERROR_LOG
from tfadvpath.studies.find import FoundStudy, ReadHeaders, find_studies, read_headers
from tfadvpath.studies.study import source_name

SUMMARY = "summary.json"
# A row a study: lines of JSON, and the same as a table.
LEDGER = "ledger.jsonl"
LEDGER_TABLE = "ledger.parquet"


@dataclass(frozen=True)
class Task:
    """One study to explain.

    Attributes:
        sources: The study's file, or the files of its series in the order of their slices.
        name: Name of its results' folder, relative to the folder of all results.
    """

    sources: tuple[Path, ...]
    name: Path

    @property
    def source(self) -> Path:
        """Name of the study in messages: its file, or the folder of its series."""
        return source_name(self.sources)


@dataclass(frozen=True)
class Plan:
    """The studies of a run.

    Attributes:
        tasks: The studies, each once.
        ignored: Files in folders that are no studies, with the reason.
        remarks: Sentences on series, each with one of its files: gaps, mixed sizes.
    """

    tasks: list[Task]
    ignored: list[tuple[Path, str]]
    remarks: list[tuple[Path, str]]

    def part(self, number: int, parts: int) -> Plan:
        """Returns the part of the plan that one of several runs does.

        A study's part follows from the name of its results' folder alone, not from its place in a list: a
        file more or less moves no other study.

        Args:
            number: Number of the part, from 0.
            parts: Number of all parts.
        """

        def is_ours(path: Path) -> bool:
            digest = hashlib.sha256(path.as_posix().encode("utf-8", "surrogateescape")).digest()
            return int.from_bytes(digest[:8]) % parts == number

        return Plan(
            [task for task in self.tasks if is_ours(task.name)],
            # Each is said by one part.
            [(path, reason) for path, reason in self.ignored if is_ours(path)],
            [(path, remark) for path, remark in self.remarks if is_ours(path)],
        )


def plan(inputs: Sequence[Path], out: Path, read_headers: ReadHeaders = read_headers) -> Plan:
    """Finds the studies and names their results.

    The name of a file's results is the file's path relative to the given folder, or the file's name, both
    with the ending: scan.png and scan.dcm are two studies. That of a series is its folder's path and
    "series_NUMBER". Where a name is taken, the given folder's name comes before it, then a number. No results
    lie in another study's. Files below ``out`` are results of earlier runs and are left out.

    Args:
        inputs: Files and folders.
        out: Folder of all results.
        read_headers: Function that yields the header of each of some DICOM files, in their order.
    """
    found = find_studies(inputs, read_headers)
    results = Path(os.path.realpath(out))
    tasks: list[Task] = []
    taken: set[tuple[str, ...]] = set()
    own = {(SUMMARY,), (ERROR_LOG,), (LEDGER,), (LEDGER_TABLE,)}  # files that no study may take the name of
    # With the folders that hold results' folders: they are no results themselves.
    inside: set[tuple[str, ...]] = set(own)
    for study in found.studies:
        source = study.sources[0]
        if source != study.given and _is_below(source, results):
            continue
        for name in _candidates(study):
            # Some file systems take A.png and a.png for one.
            key = tuple(part.casefold() for part in name.parts)
            parents = {key[:n] for n in range(1, len(key))}
            if key not in taken and key not in inside and not parents & (taken | own):
                break
        taken.add(key)
        inside |= parents
        tasks.append(Task(study.sources, name))
    ignored = [(path, reason) for path, reason in found.ignored if not _is_below(path, results)]
    remarks = [(path, remark) for path, remark in found.remarks if not _is_below(path, results)]
    return Plan(tasks, ignored, remarks)


def _candidates(study: FoundStudy) -> Iterator[Path]:
    source, given = study.sources[0], study.given
    relative = source.relative_to(given) if source != given else Path(source.name)
    if study.label is not None:
        relative = relative.with_name(study.label)
    yield relative
    folder = given if source != given else given.parent
    yield Path(Path(os.path.realpath(folder)).name or "root") / relative
    number = 2
    while True:
        yield Path(str(number)) / relative
        number += 1


def _is_below(path: Path, folder: Path) -> bool:
    # Of a link that leads back to itself, Path.resolve raises RuntimeError in Python 3.11 and 3.12.
    return folder in Path(os.path.realpath(path)).parents
