"""The system, its memory, and the room for temporary files."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from pathlib import Path

from tfadvpath._version import __version__
from tfadvpath.doctor.installation import Fault, Row

_MEMINFO = Path("/proc/meminfo")
_GIB = 2**30
# `explain` of the demonstration takes 1.2 GiB, and the process that reads files another .3.
_LEAST_MEMORY = 2 * _GIB
# Uploads, exports and summaries of a run are written there first.
_LEAST_ROOM = 2**30
_PYTHON = ((3, 11), (3, 14))


def system_rows() -> list[Row]:
    """Returns rows of tfadvpath, Python and the system."""
    part = "system"
    library, version = platform.libc_ver()
    return [
        Row(part, "tfadvpath", __version__, f"{__version__}, in {Path(__file__).parents[1]}"),
        _python_row(part, sys.version_info[:2]),
        _platform_row(part, platform.system()),
        Row(part, "C library", f"{library} {version}".strip() or None),
    ]


def memory_rows(limit: int | None, meminfo: Path = _MEMINFO) -> list[Row]:
    """Returns rows of the memory, in GiB.

    Args:
        limit: Bytes that the control group may take; None is no limit.
        meminfo: File that says how much there is and how much is free.
    """
    part = "memory"
    total, available = _meminfo(meminfo, "MemTotal"), _meminfo(meminfo, "MemAvailable")
    rows = [Row(part, "total", _gib(total), _text(total))]
    least = [each for each in (available, limit) if each is not None]
    fault = None
    if least and min(least) < _LEAST_MEMORY:
        fault = Fault(
            f"{min(least) / _GIB:.1f} GiB of memory can be used",
            f"explaining takes {_LEAST_MEMORY / _GIB:.0f} GiB or more",
            "Close other programs, or raise the limit of the container or job",
            False,
        )
    rows.append(Row(part, "available", _gib(available), _text(available), fault))
    if limit is not None:
        rows.append(Row(part, "limit by control group", _gib(limit), _text(limit)))
    return rows


def room_rows(folder: Path | None = None) -> list[Row]:
    """Returns a row of the room in the folder of temporary files, in GiB.

    Args:
        folder: Folder to look at; None is the one that Python takes.
    """
    part = "disk"
    try:
        folder = folder or Path(tempfile.gettempdir())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        fault = Fault(
            "no folder for temporary files can be written",
            error.strerror or "there is none",
            "export TMPDIR=DIR, a folder that you may write to",
            True,
        )
        return [Row(part, "temporary files", None, "no folder", fault)]
    small = None
    if free < _LEAST_ROOM:
        small = Fault(
            f"{folder} has {free / 2**20:.0f} MiB left",
            "temporary files of exports, uploads and tests are written there",
            f"Make room in {folder}, or: export TMPDIR=DIR, a folder with more room",
            False,
        )
    return [Row(part, "temporary files", _gib(free), f"{_text(free)} free in {folder}", small)]


def _python_row(part: str, version: tuple[int, int]) -> Row:
    fault = None
    if not _PYTHON[0] <= version < _PYTHON[1]:
        fault = Fault(
            f"Python is {version[0]}.{version[1]}",
            "tfadvpath needs 3.11, 3.12 or 3.13",
            "Make an environment of one of these: python3.13 -m venv .venv",
            True,
        )
    full = platform.python_version()
    return Row(part, "Python", full, f"{full}, {sys.executable}", fault)


def _platform_row(part: str, system: str) -> Row:
    fault = None
    if system != "Linux":
        fault = Fault(
            f"the system is {system or 'unknown'}",
            "tfadvpath limits the memory of its processes as Linux allows it",
            "Run it on Linux, in a container or a virtual machine",
            True,
        )
    return Row(part, "platform", platform.platform(), fault=fault)


def _meminfo(path: Path, key: str) -> int | None:
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
        words = next(line.split() for line in lines if line.startswith(f"{key}:"))
        return int(words[1]) * 1024
    except (OSError, StopIteration, IndexError, ValueError):
        return None


def _gib(size: int | None) -> float | None:
    return None if size is None else round(size / _GIB, 2)


def _text(size: int | None) -> str:
    return "unknown" if size is None else f"{size / _GIB:.1f} GiB"
