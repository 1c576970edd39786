"""Which studies are explained, and the folder of each one's results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfadvpath.datasets.find import find_studies

# A file in the results' folder that no study may take the name of.
SUMMARY = "summary.json"


@dataclass(frozen=True)
class Task:
    """One study to explain.

    Attributes:
        source: The study's file.
        name: Of its results' folder, relative to the folder of all results.
    """

    source: Path
    name: Path


def plan(inputs: Sequence[Path], out: Path) -> tuple[list[Task], list[tuple[Path, str]]]:
    """Finds the studies and names their results.

    The name is the file's path relative to the given folder, or the file's name, both with the ending:
    scan.png and scan.dcm are two studies. Where that is taken, the folder's name comes before it, then a
    number. No results lie in another study's. Files below ``out`` are results of earlier runs and are left
    out.

    Args:
        inputs: Files and folders.
        out: The folder of all results.

    Returns:
        The studies, each file once; and the files in folders that no reader reads, with the reason.
    """
    tasks: dict[Path, Task] = {}
    ignored: dict[Path, str] = {}
    taken: set[tuple[str, ...]] = set()
    inside: set[tuple[str, ...]] = {(SUMMARY,)}  # folders that hold results' folders: no results themselves
    results = out.resolve()
    for given in inputs:
        studies, skipped = find_studies([given])
        ignored |= {path: reason for path, reason in skipped if not _is_below(path, results)}
        for source in studies:
            if source in tasks or (source != given and _is_below(source, results)):
                continue
            for name in _candidates(source, given):
                # Some file systems take A.png and a.png for one.
                key = tuple(part.casefold() for part in name.parts)
                parents = {key[:n] for n in range(1, len(key))}
                if key not in taken and key not in inside and not parents & (taken | {(SUMMARY,)}):
                    break
            taken.add(key)
            inside |= parents
            tasks[source] = Task(source, name)
    return list(tasks.values()), list(ignored.items())


def _candidates(source: Path, given: Path) -> Iterator[Path]:
    relative = source.relative_to(given) if source != given else Path(source.name)
    yield relative
    folder = given if source != given else given.parent
    yield Path(folder.resolve().name or "root") / relative
    number = 2
    while True:
        yield Path(str(number)) / relative
        number += 1


def _is_below(path: Path, folder: Path) -> bool:
    return folder in path.resolve().parents
