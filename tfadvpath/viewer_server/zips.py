"""Zip files of a series, unpacked with limits on what they may hold."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from tfadvpath.errors import InputError
from tfadvpath.studies.limits import most_bytes
from tfadvpath.studies.registry import endings

# The longest series in use, of thin CT slices, have some thousand.
MOST_ENTRIES = 10_000
# Bytes of all entries together, unpacked.
MOST_BYTES = 2**31
_MAGIC = b"PK\x03\x04"
_CHUNK = 2**20
_AGAIN = "Zip it again"


def is_zip(path: Path) -> bool:
    """Returns whether a file begins as a zip file does, whatever its name."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) in (_MAGIC, b"PK\x05\x06")  # the second is of an empty one


def unpack(path: Path, folder: Path) -> dict[Path, str]:
    """Unpacks the files of a zip file into one folder, under names that say nothing.

    Hidden files, and the copies of attributes that macOS adds, stay behind.

    Args:
        path: Zip file.
        folder: Empty folder.

    Returns:
        The names in the zip file by the files that were written.

    Raises:
        InputError: It is no whole zip file; it has a password; an entry leads out of its folder, is a link or
            a zip file; or it holds more entries or bytes than a series does.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _unpacked(path, archive, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError):
        raise InputError(path, "is a damaged zip file", "Copy or zip it again") from None
    except NotImplementedError:
        raise InputError(path, "is packed by a method that is not read", _AGAIN) from None


def _unpacked(path: Path, archive: zipfile.ZipFile, folder: Path) -> dict[Path, str]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > MOST_ENTRIES:
        raise InputError(
            path, f"holds {len(entries):,} files, of at most {MOST_ENTRIES:,}", "Zip the files of one series"
        )
    most = min(MOST_BYTES, most_bytes(path.stat().st_size))
    # What the entries claim; what they hold is counted below.
    _check_bytes(path, sum(entry.file_size for entry in entries), most)
    names: dict[Path, str] = {}
    written = 0
    for number, entry in enumerate(entries, 1):
        _check_entry(path, entry)
        if any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(entry.filename).parts):
            continue
        target = folder / f"file_{number:05d}{ending_of(entry.filename)}"
        names[target] = entry.filename
        with archive.open(entry) as source, target.open("xb") as file:
            while chunk := source.read(_CHUNK):
                if not file.tell() and chunk.startswith(_MAGIC):
                    raise InputError(path, "holds another zip file", "Zip the files themselves")
                written += len(chunk)
                _check_bytes(path, written, most)
                file.write(chunk)
    if not names:
        raise InputError(path, "holds no file", "Zip the files of one series")
    return names


def _check_entry(path: Path, entry: zipfile.ZipInfo) -> None:
    name = PurePosixPath(entry.filename.replace("\\", "/"))
    if ".." in name.parts or name.is_absolute() or ":" in name.parts[0]:
        raise InputError(path, "holds a file whose name leads out of its folder", _AGAIN)
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise InputError(path, "holds a link", "Zip the files that links lead to")
    if entry.flag_bits & 1:
        raise InputError(path, "has a password", "Zip it without one")


def _check_bytes(path: Path, unpacked: int, most: int) -> None:
    if unpacked > most:
        raise InputError(
            path,
            f"unpacks to more than {most:,} bytes, which a series of its size does not",
            "Zip the files of one series",
        )


def ending_of(name: str) -> str:
    """Returns the ending of a file's name where a reader has it, such as ".nii.gz"; else ""."""
    return next((ending for ending in endings() if name.lower().endswith(ending)), "")
