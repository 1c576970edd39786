"""Numbered versions of a model, as TensorFlow Serving looks for them: MODELS/NAME/VERSION."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from tfadvpath.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def check_name(name: str) -> None:
    """Raises InputError if TensorFlow Serving's addresses could not hold the model's name."""
    if not _NAME.fullmatch(name):
        raise InputError("`name`", f"{name!r} is no model name", "Use letters, digits, '.', '_' and '-'")


def write_version(model: Path, fill: Callable[[Path], None]) -> Path:
    """Lets a function fill a hidden folder and renames that to the next number.

    A server that watches the folder finds a version only when it is whole.

    Args:
        model: Folder MODELS/NAME; it is made if it is not there.
        fill: Function that writes the files into the folder that it is given.

    Returns:
        The version's folder: one above the highest number there, from 1.

    Raises:
        InputError: The folder cannot be written.
    """
    try:
        model.mkdir(parents=True, exist_ok=True)
        # A name of its own: other threads, and containers where process numbers are the same, may export too.
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=model, ignore_cleanup_errors=True) as holder:
            # Temporary folders are private. A folder made in it has the permissions that the umask leaves.
            partial = Path(holder) / "version"
            partial.mkdir()
            fill(partial)
            return _renamed(partial, model)
    except OSError as error:
        raise InputError(
            model, f"cannot be written ({error.strerror or error})", "Name another folder or make room"
        ) from error


def _renamed(partial: Path, model: Path) -> Path:
    while True:
        version = model / str(max(_versions(model), default=0) + 1)
        try:
            return partial.rename(version)
        except OSError:
            if not version.exists():  # else another export was faster
                raise


def _versions(model: Path) -> list[int]:
    return [int(path.name) for path in model.iterdir() if path.name.isdecimal()]
