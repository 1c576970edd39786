"""Parts of a job array: runs that share the studies of one archive, each with a folder of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfadvpath.batch.plan import LEDGER, SUMMARY
from tfadvpath.errors import InputError

_PART = re.compile(r"part_(\d+)_of_(\d+)")


@dataclass(frozen=True)
class Part:
    """A part that has run to its end.

    Attributes:
        folder: Folder of its results.
        summary: Content of its summary.json.
    """

    folder: Path
    summary: Mapping[str, Any]


def folder_of_part(out: Path, number: int, parts: int) -> Path:
    """Returns the folder of a part's results; that of all results where there is one part alone.

    Args:
        out: Folder of all results.
        number: Number of the part, from 0.
        parts: Number of all parts.

    Raises:
        InputError: There is no such part.
    """
    if parts < 1:
        raise InputError("`num_parts`", f"{parts} is no number of parts", "Give 1 or more")
    if not 0 <= number < parts:
        raise InputError("`part_id`", f"{number} is none of the {parts} parts", f"Give 0 to {parts - 1}")
    return out if parts == 1 else out / f"part_{number}_of_{parts}"


def holds_parts(out: Path) -> bool:
    """Returns whether a folder holds a part of a job array."""
    return any(True for _ in _parts(out))


def _parts(out: Path) -> list[tuple[int, int, Path]]:
    """Returns number, number of all, and folder of each part that has begun."""
    found = []
    for path in out.glob("part_*_of_*"):
        name = _PART.fullmatch(path.name)
        if name is not None and (path / LEDGER).is_file():
            found.append((int(name[1]), int(name[2]), path))
    return sorted(found)


def finished_parts(out: Path) -> Sequence[Part]:
    """Returns all parts of a job array, in their order.

    Args:
        out: Folder of all results.

    Raises:
        InputError: There are none; some are missing or have not come to their end; or they are of job arrays
            of several sizes.
    """
    found = _parts(out)
    if not found:
        raise InputError(
            out, "holds no part of a job array", "Name the folder that holds part_0_of_4 and so on"
        )
    sizes = sorted({size for _, size, _ in found})
    if len(sizes) > 1:
        raise InputError(
            out,
            f"holds parts of {sizes[0]} and parts of {sizes[1]}",
            "Take the folders of one job array away",
        )
    whole = {number: Part(path, summary) for number, _, path in found if (summary := _summary(path))}
    missing = [str(number) for number in range(sizes[0]) if number not in whole]
    if missing:
        parts = "part" if len(missing) == 1 else "parts"
        shown = ", ".join(missing[:10]) + (", …" if len(missing) > 10 else "")
        raise InputError(
            out, f"lacks {parts} {shown} of {sizes[0]}, or they were not finished", "Run them again"
        )
    return [whole[number] for number in range(sizes[0])]


def _summary(folder: Path) -> Mapping[str, Any] | None:
    """Returns the summary of a part; None where it was interrupted or runs."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        return summary if summary["waiting"] == 0 else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
