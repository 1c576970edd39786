"""Studies in files and folders."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tfadvpath.studies.dicom.reader import DicomReader
from tfadvpath.studies.nifti.voxels import header_beside
from tfadvpath.studies.registry import reader_by_ending, reader_for
from tfadvpath.studies.series import SliceHeader, group_series, read_slice_header

# Every folder of results holds it.
STUDY_FILE = "study.json"
# What is in it, whoever else calls a file so.
_STUDY_KEYS = {"source", "folder", "slices", "files"}
_LARGEST_STUDY_FILE = 2**26

ReadHeaders = Callable[[Iterable[Path]], Iterable[SliceHeader | None]]


@dataclass(frozen=True)
class FoundStudy:
    """One study: a file, or the files of a DICOM series.

    Attributes:
        sources: The file, or the files of the series in the order of their slices.
        given: Input in which the study was found: the file itself, or a folder.
        label: Name of a series for a folder of results, such as "series_004"; None for a file.
    """

    sources: tuple[Path, ...]
    given: Path
    label: str | None = None


@dataclass(frozen=True)
class FoundStudies:
    """Studies, and what is to be said of the files that were looked at.

    Attributes:
        studies: The studies, each once.
        ignored: Files in folders that are no studies, with the reason.
        remarks: Sentences on a series, each with one of its files: gaps, mixed sizes.
    """

    studies: list[FoundStudy]
    ignored: list[tuple[Path, str]]
    remarks: list[tuple[Path, str]]


def read_headers(paths: Iterable[Path]) -> Iterator[SliceHeader | None]:
    """Yields the header of each DICOM file, or None where it is no slice of a series."""
    return map(read_slice_header, paths)


def find_studies(
    inputs: Iterable[Path | str] | Path | str, read_headers: ReadHeaders = read_headers
) -> FoundStudies:
    """Expands files and folders to the studies that are to be read.

    A file named in ``inputs`` is taken as it is, also if it is missing: ``read_study`` says what is wrong
    with it. Folders are walked in sorted order, without hidden entries and following links to folders;
    results of earlier runs are passed over. One-slice files of a DICOM series in one folder are one study.

    Args:
        inputs: Files and folders, or one of them.
        read_headers: Function that yields the header of each of some DICOM files, in their order.
    """
    files: dict[Path, Path] = {}  # with the input that each was found in
    ignored: dict[Path, str] = {}
    for given in [inputs] if isinstance(inputs, (str, Path)) else inputs:
        path = Path(given)
        if not path.is_dir():
            files.setdefault(path, path)
            continue
        for file in _walk(path, set()):
            reason = _reason_to_ignore(file)
            if reason is None:
                files.setdefault(file, path)
            else:
                ignored[file] = reason
    grouped = group_series(read_headers([file for file in files if _is_dicom(file)]))
    ignored |= dict(grouped.ignored)
    series_of = {path: series for series in grouped.series for path in series.paths}
    studies: dict[tuple[Path, ...], FoundStudy] = {}
    for file, given in files.items():
        if file in series_of:
            series = series_of[file]
            # The folder that it was found in, even if some of its files are named as well.
            folders = (files[path] for path in series.paths if files[path] != path)
            given = next(folders, series.paths[0])
            studies.setdefault(series.paths, FoundStudy(series.paths, given, series.label))
        elif file not in ignored:
            studies[(file,)] = FoundStudy((file,), given)
    return FoundStudies(list(studies.values()), list(ignored.items()), grouped.remarks)


def _is_dicom(file: Path) -> bool:
    try:
        return file.is_file() and isinstance(reader_for(file), DicomReader)  # a pipe would not end
    except OSError:
        return False


def _walk(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """Yields every visible entry below a folder that is no folder; an unreadable folder stands for itself."""
    real = Path(os.path.realpath(folder))
    if real in seen:  # links may lead in a circle
        return
    seen.add(real)
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        yield folder
        return
    if holds_results(folder):
        yield folder
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry, seen)
        else:
            yield entry


def holds_results(folder: Path) -> bool:
    """Returns whether a folder is one of a study's results."""
    path = folder / STUDY_FILE
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_STUDY_FILE:
            return False
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.keys() >= _STUDY_KEYS


def _reason_to_ignore(file: Path) -> str | None:
    """Returns why a file found in a folder is no study; None if it is one, or should be one and is broken."""
    if holds_results(file):
        return "holds the results of an earlier run"
    if not file.is_file():
        return None if file.is_symlink() or file.is_dir() else "is not a regular file"
    if file.name.upper() == "DICOMDIR":
        return "is an index of the files beside it"
    header = header_beside(file)
    if header is not None:
        return f"is read with {header.name}"
    if reader_by_ending(file) is not None:
        return None
    try:
        return None if reader_for(file) is not None else "is of no format that is read"
    except OSError:
        return None
