"""Files and folders that are written whole or not at all, JSON, and digests."""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfadvpath.errors import InputError

# Two processes may have the same number, in two containers or on two machines, hence random letters. The
# name does not hold that of the file, which may be as long as a file system allows.
_PARTIAL = re.compile(r"\.tfadvpath-[0-9a-f]{16}(\.|$)")
# Name of the file whose lock a folder's only writer holds. Without the lock it says nothing.
LOCK = ".tfadvpath-lock"
_LONGEST_ENDING = 32  # letters


@contextmanager
def replacing_file(path: Path | str) -> Iterator[Path]:
    """Gives a hidden name beside a file to write to, and renames it if the block succeeds.

    The name ends as the file's, since libraries choose the format by it. What is written is on the disk
    before the name is there, so that a machine that goes down leaves no half file under it.
    """
    path = Path(path)
    partial = path.with_name(_partial_name("".join(path.suffixes[-2:])))
    try:
        yield partial
        inside = is_partial(path.parent)  # put_in_place waits for all of a folder
        if not inside:
            _to_disk(partial)
        os.replace(partial, path)
        if not inside:
            _to_disk(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path | str) -> Iterator[Path]:
    """Gives a hidden folder to fill beside a folder, and puts it in its place if the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(_partial_name())
    partial.mkdir()
    try:
        yield partial
        put_in_place(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def put_in_place(partial: Path, folder: Path) -> None:
    """Renames a whole folder to its name; an earlier one is deleted only after that."""
    for path in (*partial.rglob("*"), partial):
        _to_disk(path)
    earlier = None
    if folder.exists():
        earlier = folder.with_name(_partial_name())
        folder.rename(earlier)
    partial.rename(folder)
    _to_disk(folder.parent)
    if earlier:
        shutil.rmtree(earlier, ignore_errors=True)


def _partial_name(ending: str = "") -> str:
    return f".tfadvpath-{secrets.token_hex(8)}{ending[-_LONGEST_ENDING:]}"


def _to_disk(path: Path) -> None:
    """Waits until a file's or a folder's content is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some file systems of networks and of containers have no such call for folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def is_partial(path: Path) -> bool:
    """Returns whether a file or folder is what a killed process left of one that it was writing."""
    return _PARTIAL.match(path.name) is not None


def remove_partials(folder: Path) -> None:
    """Deletes what killed processes left half-written in a folder and below.

    Args:
        folder: No other process writes there.
    """
    for path in [path for path in folder.rglob(".*") if is_partial(path)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keeps other processes that ask for the same from a folder while the block runs.

    The system's lock ends with its process, however that ends: what a killed process left is no obstacle.

    Args:
        folder: Folder that exists and can be written to.

    Raises:
        InputError: Another process writes there; its number, machine and beginning are named.
    """
    path = folder / LOCK
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(handle, folder)
            # The process that held the lock may have deleted the file before it let go.
            if _is_still(path, handle):
                with contextlib.suppress(OSError):  # a full disk
                    os.ftruncate(handle, 0)
                    os.pwrite(handle, _this_process().encode(), 0)
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return
        finally:
            os.close(handle)


def _this_process() -> str:
    now = datetime.datetime.now(datetime.UTC)
    return f"process {os.getpid()} on {socket.gethostname()}, since {now:%Y-%m-%d %H:%M:%S} UTC"


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 200, 0).decode("utf-8", "replace") or "of an unknown process"
        raise InputError(
            folder, f"is written to by another run ({holder})", "Wait for it, or name another folder"
        ) from None
    except OSError:
        pass  # a file system without locks


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
    # Piece by piece: the whole text of a run over thousands of studies takes tens of megabytes.
    pieces = json.JSONEncoder(indent=2, allow_nan=False).iterencode(_as_text(values))
    with replacing_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        for piece in pieces:
            file.write(piece)
        file.write("\n")


def json_text(values: Mapping[str, Any], indent: int | None = 2) -> str:
    r"""Returns JSON that every reader takes, with a line's end.

    File names are bytes: what is no UTF-8 in them is written as ``\xff``, since JSON holds text alone.

    Args:
        values: Anything that JSON holds; numbers are finite.
        indent: Number of spaces before what lies deeper; None puts all on one line.

    Raises:
        ValueError: A number is NaN or infinite, for which JSON has no word.
    """
    return json.dumps(_as_text(values), indent=indent, allow_nan=False) + "\n"


def _as_text(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {_as_text(name): _as_text(value) for name, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_as_text(value) for value in values]
    return name_as_text(values) if isinstance(values, str) else values


def name_as_text(name: str) -> str:
    r"""Returns a file's name as text that can be written in UTF-8.

    Args:
        name: Name as Python has it, with the bytes that are no UTF-8 as single surrogates.

    Example:
        >>> name_as_text("chest\udcff.png")
        'chest\\xff.png'
    """
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # other surrogates, which no file's name gives
        return name.encode("utf-8", "backslashreplace").decode("utf-8")


def finite(value: float) -> float | None:
    """Returns the number as JSON can hold it: None where it is NaN or infinite."""
    return float(value) if math.isfinite(value) else None


def sha256(path: Path) -> str:
    """Returns a file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
