"""Readers by file: a reader's own module is all that names it."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from pathlib import Path

import tfadvpath.studies
from tfadvpath.studies.readers import REGISTERED, Reader

# The magic of DICOM is at 128 to 131, that of NIfTI-1 at 344 to 347; packed by gzip it may lie later.
HEAD_BYTES = 1024


@functools.cache
def readers() -> tuple[Reader, ...]:
    """Returns a reader of every format."""
    for module in pkgutil.iter_modules(tfadvpath.studies.__path__):
        importlib.import_module(f"tfadvpath.studies.{module.name}")
    return tuple(kind() for kind in REGISTERED)


def endings() -> tuple[str, ...]:
    """Returns the file name endings of all formats, lower case, with the dot."""
    return tuple(ending for reader in readers() for ending in reader.endings)


def reader_by_ending(path: Path) -> Reader | None:
    """Returns the reader of the file name's ending, or None; the file need not exist."""
    name = path.name.lower()
    return next((reader for reader in readers() if name.endswith(reader.endings)), None)


def reader_for(path: Path) -> Reader | None:
    """Returns the reader of a file's first bytes, whatever its name; else of its ending; else None.

    Args:
        path: File that exists.

    Raises:
        OSError: The file cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    by_ending = reader_by_ending(path)
    # Of two readers that know the first bytes, the one of the ending.
    candidates = sorted(readers(), key=lambda reader: reader is not by_ending)
    return next((reader for reader in candidates if reader.recognizes(head)), by_ending)
