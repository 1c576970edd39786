"""The studies in files and folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from tfadvpath.datasets.registry import reader_by_ending, reader_for


def find_studies(inputs: Iterable[Path | str] | Path | str) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Expand files and folders to the files that are to be read.

    A file named in `inputs` is taken as it is, also if it is missing: `read_study` says what is wrong with
    it. Folders are walked in sorted order, without hidden entries and following links to folders.

    Args:
        inputs: Files and folders.

    Returns:
        The studies' paths, each once; and the files in folders that no reader reads, with the reason.
    """
    studies: dict[Path, None] = {}
    ignored: dict[Path, str] = {}
    for given in [inputs] if isinstance(inputs, (str, Path)) else inputs:
        path = Path(given)
        if not path.is_dir():
            studies[path] = None
            continue
        for file in _walk(path, set()):
            reason = _reason_to_ignore(file)
            if reason is None:
                studies[file] = None
            else:
                ignored[file] = reason
    return list(studies), list(ignored.items())


def _walk(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """Every visible entry below a folder that is no folder; an unreadable folder stands for itself."""
    real = folder.resolve()
    if real in seen:  # links may lead in a circle
        return
    seen.add(real)
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        yield folder
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry, seen)
        else:
            yield entry


def _reason_to_ignore(file: Path) -> str | None:
    """Why a file found in a folder is no study; None if it is one, or should be one and is broken."""
    if not file.is_file():
        return None if file.is_symlink() or file.is_dir() else "is not a regular file"
    if file.name.upper() == "DICOMDIR":
        return "is an index of the files beside it"
    if file.suffix.lower() == ".img" and file.with_suffix(".hdr").exists():
        return f"is read with {file.with_suffix('.hdr').name}"
    if reader_by_ending(file) is not None:
        return None
    try:
        return None if reader_for(file) is not None else "has an ending that no reader knows"
    except OSError:
        return None
