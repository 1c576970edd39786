"""Limits that the control group of this process sets: containers and job schedulers set them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

_PROCESS = Path("/proc/self/cgroup")
_ROOT = Path("/sys/fs/cgroup")
# A limit of version 1 that is none is a number near 2**63.
_NO_LIMIT = 2**60


def memory_limit(process: Path = _PROCESS, root: Path = _ROOT) -> int | None:
    """Returns the bytes that the control group may take; None where there is no limit.

    Args:
        process: File that names the control groups of the process.
        root: Folder where they are mounted.
    """
    limits = [
        *_numbers(process, root, "", "memory.max", int),
        *_numbers(process, root, "memory", "memory.limit_in_bytes", int),
    ]
    least = min((limit for limit in limits if 0 < limit < _NO_LIMIT), default=None)
    return None if least is None else int(least)


def core_limit(process: Path = _PROCESS, root: Path = _ROOT) -> float | None:
    """Returns the number of cores whose time the control group may take; None where there is no limit.

    Args:
        process: File that names the control groups of the process.
        root: Folder where they are mounted.
    """
    limits = list(_numbers(process, root, "", "cpu.max", _share))
    quotas = _numbers(process, root, "cpu", "cpu.cfs_quota_us", int)
    periods = _numbers(process, root, "cpu", "cpu.cfs_period_us", int)
    limits += [quota / period for quota, period in zip(quotas, periods, strict=False) if period > 0]
    return min((limit for limit in limits if limit > 0), default=None)


def _share(text: str) -> float:
    """Returns the cores of "150000 100000", and raises ValueError of "max 100000"."""
    quota, period = text.split()
    return int(quota) / int(period)


def _numbers(
    process: Path, root: Path, controller: str, name: str, convert: Callable[[str], float]
) -> Iterator[float]:
    """Yields the numbers in the files of that name, from the process's control group up to the root.

    Args:
        process: File that names the control groups of the process.
        root: Folder where they are mounted.
        controller: Controller of version 1; "" for version 2, where all have one tree.
        name: Name of the file.
        convert: Function that makes a number of the text, or raises ValueError where it is no limit.
    """
    tree = root / controller if controller else root
    for group in _groups(process, controller):
        # In a container the group's own folder is the root that is mounted.
        inside = tree / group.lstrip("/")
        for folder in (inside, *inside.parents):
            if folder == tree or tree in folder.parents:
                try:
                    yield convert((folder / name).read_text(encoding="ascii").strip())
                except (OSError, ValueError):
                    continue


def _groups(process: Path, controller: str) -> list[str]:
    """Returns the paths of the process's control groups that a controller sets limits in."""
    try:
        lines = process.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        parts = line.split(":", 2)
        if len(parts) == 3 and (controller in parts[1].split(",") if controller else parts[1] == ""):
            found.append(parts[2])
    return found
