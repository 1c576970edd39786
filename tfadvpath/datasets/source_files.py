"""Files of a source: nothing outside its folder is read."""

from __future__ import annotations

import os
from pathlib import Path

from tfadvpath.errors import InputError, quoted
from tfadvpath.studies.nifti.voxels import other_files

MAX_NAME = 4096  # bytes of a path; no file system has longer ones


def inside(source: Path, path: Path) -> Path:
    """Returns a file of a source, which may not exist.

    Args:
        source: Folder of the source.
        path: Path below it, such as a table names it: with ``..``, absolute, or a link.

    Raises:
        InputError: The path, or the other file of a pair that it belongs to, leads out of the folder; or it
            is no path.
    """
    if "\0" in str(path) or len(os.fsencode(path)) > MAX_NAME:
        raise InputError(quoted(path), "is no name that a file can have", "Mend the table or list")
    folder = Path(os.path.realpath(source))
    for file in (path, *other_files(path)):
        # A link to itself stays as it is, and reading says what is wrong with it.
        if not Path(os.path.realpath(file)).is_relative_to(folder):
            problem = f"leads out of the folder {source}, and nothing outside it is read"
            raise InputError(path, problem, "Copy the file into it, or mend the table that names it")
    return path


def readable_name(path: Path) -> str:
    """Returns the name of a file for a person and for UTF-8 files, whatever its bytes.

    Args:
        path: The file.
    """
    return os.fsencode(path.name).decode("utf-8", "replace")
