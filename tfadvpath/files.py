"""Files and folders that are written whole or not at all, JSON, and digests."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfadvpath.errors import InputError

_PARTIAL = re.compile(r"\.\d+\..")


@contextmanager
def replacing_file(path: Path | str) -> Iterator[Path]:
    """Gives a hidden name beside a file to write to, and renames it if the block succeeds.

    The name ends as the file's, since libraries choose the format by it.
    """
    path = Path(path)
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path | str) -> Iterator[Path]:
    """Gives a hidden folder to fill beside a folder, and puts it in its place if the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield partial
        umask = os.umask(0)
        os.umask(umask)
        partial.chmod(0o777 & ~umask)  # mkdtemp makes it private
        put_in_place(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def put_in_place(partial: Path, folder: Path) -> None:
    """Renames a whole folder to its name; an earlier one is deleted only after that."""
    earlier = None
    if folder.exists():
        earlier = Path(tempfile.mkdtemp(prefix=f".{folder.name}-earlier-", dir=folder.parent))
        os.replace(folder, earlier)
    os.replace(partial, folder)
    if earlier:
        shutil.rmtree(earlier, ignore_errors=True)


def is_partial(path: Path) -> bool:
    """Returns whether a file is what ``replacing_file`` of a killed process left."""
    return _PARTIAL.match(path.name) is not None


def remove_partials(folder: Path) -> None:
    """Deletes what killed processes left of ``replacing_file`` in a folder and below.

    Args:
        folder: No other process writes there.
    """
    for path in [path for path in folder.rglob(".*") if is_partial(path) and path.is_file()]:
        path.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Makes a folder for results, and those above it.

    Raises:
        InputError: It cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"cannot be made ({error.strerror or error})"
        raise InputError(folder, problem, "Name another folder") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(folder, "cannot be written to", "Name another folder or change its permissions")


def write_text(path: Path | str, text: str) -> None:
    """Writes a text in UTF-8, whole or not at all."""
    with replacing_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path | str, values: Mapping[str, Any]) -> None:
    """Writes JSON that every reader takes, whole or not at all.

    Args:
        path: The file.
        values: Anything that JSON holds; numbers are finite.

    Raises:
        ValueError: A number is NaN or infinite, for which JSON has no word.
    """
    write_text(path, json.dumps(values, indent=2, allow_nan=False) + "\n")


def finite(value: float) -> float | None:
    """Returns the number as JSON can hold it: None where it is NaN or infinite."""
    return float(value) if math.isfinite(value) else None


def sha256(path: Path) -> str:
    """Returns a file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
