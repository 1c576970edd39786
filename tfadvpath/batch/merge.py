"""One ledger and one summary from those of a job array's parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfadvpath._version import __version__
from tfadvpath.batch.ledger import SETTINGS, Row, differences, read_rows, record_of, write_rows
from tfadvpath.batch.parts import Part, finished_parts
from tfadvpath.batch.plan import LEDGER, SUMMARY
from tfadvpath.errors import InputError
from tfadvpath.files import only_writer, write_json


@dataclass(frozen=True)
class MergeSummary:
    """Summary of a job array.

    Attributes:
        out: Folder of all results, which has ledger.jsonl, ledger.parquet and summary.json now.
        parts: Number of parts.
        explained: Number of studies that have results.
        failed: Number of studies that have none.
    """

    out: Path
    parts: int
    explained: int
    failed: int

    def as_json(self) -> dict[str, Any]:
        """Returns the summary as JSON holds it."""
        return {
            "out": str(self.out),
            "parts": self.parts,
            "explained": self.explained,
            "failed": self.failed,
        }


def merge_ledgers(out: Path | str) -> MergeSummary:
    """Merges the ledgers of a job array's parts into one, and their summaries.

    The parts are the folders part_0_of_4 to part_3_of_4 that ``explain_studies`` made where ``num_parts`` was
    4. They stay as they are. Names of folders in the merged files begin with that of the part.

    Args:
        out: Folder of all results, with the parts in it.

    Raises:
        InputError: A part is missing or was not finished, parts were made in several ways, or the merged
            files cannot be written.
    """
    out = Path(out)
    parts = finished_parts(out)
    with only_writer(out):
        rows = [row for part in parts for row in _rows(part)]
        _check_settings(out, rows)
        failed = sum(row["error"] is not None for row in rows)
        write_rows(out, rows)
        write_json(out / SUMMARY, _summary(out, parts, rows))
    return MergeSummary(out, len(parts), len(rows) - failed, failed)


def _rows(part: Part) -> list[Row]:
    rows = read_rows(part.folder / LEDGER)
    return [row | {"folder": f"{part.folder.name}/{name}"} for name, row in rows.items()]


def _check_settings(out: Path, rows: Sequence[Row]) -> None:
    if not rows:
        return
    apart = differences(rows, {name: rows[0][name] for name in SETTINGS})
    if apart:
        raise InputError(
            out, f"holds parts that were made in several ways: {', '.join(apart)}", "Run them again alike"
        )


def _summary(out: Path, parts: Sequence[Part], rows: Sequence[Row]) -> dict[str, Any]:
    first: Mapping[str, Any] = parts[0].summary
    failed = [row for row in rows if row["error"] is not None]
    return {
        "version": __version__,
        **{name: first[name] for name in ("bundle", "method", "steps", "maps")},
        "out": str(out),
        "explained": len(rows) - len(failed),
        "resumed": sum(part.summary["resumed"] for part in parts),
        "failed": len(failed),
        "waiting": 0,
        "pair": first["pair"],
        "studies": [record_of(row) for row in rows if row["error"] is None],
        "errors": [{"source": row["source"], "message": row["error"]} for row in failed],
        "ignored": [each for part in parts for each in part.summary["ignored"]],
        "remarks": [each for part in parts for each in part.summary["remarks"]],
    }
