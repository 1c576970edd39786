"""The ledger of a folder of results: one row a study, appended when its results are in their place."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfadvpath.batch.plan import LEDGER, LEDGER_TABLE, Task
from tfadvpath.errors import InputError
from tfadvpath.files import json_text, replacing_file, sha256

Row = dict[str, Any]

# All that results depend on besides their sources, see `made_with` in study.json.
SETTINGS = (
    "tfadvpath",
    "bundle",
    "method",
    "steps",
    "tolerance",
    "precision",
    "path",
    "lengths",
    "maps",
    "formats",
    "channel",
    "seed",
)
# What study.json holds under the same name; the second line is of methods with a path alone.
_OF_RECORD = ("source", "sources", "folder", "slices", "blank", "score", "remarks", "files")
_OF_PATH = (
    "crossings",
    "score_start",
    "score_adversary",
    "crossed",
    "kept",
    "completeness_residual",
)
# Where each image had as many steps as it needed.
_OF_STEPS = ("steps_taken", "map_error")
COLUMNS = (
    "folder",
    "source",
    "sources",
    "sources_sha256",
    "results_sha256",
    "seconds",
    "error",
    *SETTINGS,
    "slices",
    "blank",
    "score",
    *_OF_PATH,
    *_OF_STEPS,
    "remarks",
    "files",
)
# Differences that are named where a ledger does not fit.
_NAMED = 3
_LONGEST_VALUE = 40  # letters
_ROWS_TOGETHER = 1000  # of the table, which are in memory twice while they are written


def row_of_results(record: Mapping[str, Any], folder: Path, seconds: float | None) -> Row:
    """Returns the row of a study whose results are in their place.

    Args:
        record: Content of its study.json.
        folder: Folder of its results.
        seconds: Seconds that explaining and writing it took; None where an earlier run did it.
    """
    row = {name: record.get(name) for name in (*_OF_RECORD, *_OF_PATH, *_OF_STEPS)}
    made_with = record["made_with"]
    return _row(
        row
        | {name: made_with.get(name) for name in SETTINGS}
        | {
            "sources_sha256": record["sha256"],
            "results_sha256": results_digest(folder),
            "seconds": None if seconds is None else round(seconds, 3),
        }
    )


def row_of_failure(task: Task, error: InputError, made_with: Mapping[str, Any]) -> Row:
    """Returns the row of a study that has no results.

    Args:
        task: The study.
        error: Reason.
        made_with: Settings of the run.
    """
    return _row(
        {
            "folder": task.name.as_posix(),
            "source": str(task.source),
            "sources": [str(path) for path in task.sources],
            "error": str(error),
            **made_with,
        }
    )


def record_of(row: Row) -> dict[str, Any]:
    """Returns the content of the study.json of a study that has results."""
    record = {name: row[name] for name in _OF_RECORD}
    if row["crossings"] is not None:
        record |= {name: row[name] for name in _OF_PATH}
    record |= {name: row[name] for name in _OF_STEPS if row.get(name) is not None}
    return record | {"sha256": row["sources_sha256"], "made_with": {name: row[name] for name in SETTINGS}}


def results_digest(folder: Path) -> str:
    """Returns the SHA-256 of what ``sha256sum *`` prints in a folder of results, in the order of bytes."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    lines = (f"{sha256(folder / name)}  {name}\n" for name in names)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def read_rows(path: Path) -> dict[str, Row]:
    """Returns the rows of a ledger by folder: the last of each study.

    A line that is no row, such as one that was cut with its process, is passed over.

    Args:
        path: File of lines of JSON; it need not exist.
    """
    rows: dict[str, Row] = {}
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            try:
                row = json.loads(line)
                _line(row)  # refuses an infinite number, which no ledger holds
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict) and row.keys() == set(COLUMNS) and isinstance(row["folder"], str):
                rows[row["folder"]] = row
    return rows


def differences(rows: Iterable[Row], made_with: Mapping[str, Any]) -> list[str]:
    """Returns in which settings results differ from those that a run makes; none where all are the same.

    Args:
        rows: Rows of studies that have results.
        made_with: Settings of the run.
    """
    wanted = json.loads(json.dumps(dict(made_with)))
    said: dict[str, str] = {}
    for row in rows:
        for name in SETTINGS:
            if name not in said and row.get(name) != wanted[name]:
                said[name] = _difference(name, row.get(name), wanted[name])
    return [said[name] for name in SETTINGS if name in said]


def _difference(name: str, there: Any, here: Any) -> str:
    if name == "bundle":
        return "another bundle"
    return f"{name} {_shown(there)} for {_shown(here)}"


def _shown(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


class Ledger:
    """The ledger of a run, which alone writes to the folder.

    Rows are appended one by one and are on the disk when ``append`` returns. A study that failed before is
    tried again, hence its row is taken out first.

    Args:
        folder: Folder of all results.
        made_with: Settings of the run.
        resume: Whether the run goes on with what is there; else the ledger starts empty.

    Attributes:
        rows: Row of each study by the name of its folder.

    Raises:
        InputError: The results there were made in another way.
    """

    def __init__(self, folder: Path, made_with: Mapping[str, Any], resume: bool):
        self._folder = folder
        self._path = folder / LEDGER
        self.rows: dict[str, Row] = {}
        if resume:
            there = read_rows(self._path).items()
            self.rows = {name: row for name, row in there if row["error"] is None}
        apart = differences(self.rows.values(), made_with)
        if apart:
            more = ", …" if len(apart) > _NAMED else ""
            raise InputError(
                folder,
                f"holds results that were made otherwise: {', '.join(apart[:_NAMED])}{more}",
                "Name another folder, give the same options, or replace them by `resume=False`",
            )

    def start(self) -> None:
        """Begins to write, with the rows of studies that have results."""
        _write_lines(self._path, self.rows.values())

    def append(self, row: Row) -> None:
        """Adds the row of a study.

        Raises:
            InputError: It cannot be written.
        """
        line = _line(row).encode()
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                before = os.fstat(handle).st_size
                if os.write(handle, line) != len(line):
                    os.ftruncate(handle, before)  # no half line before the next one
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise _unwritable(self._path, error) from error
        self.rows[row["folder"]] = row

    def finish(self, names: Sequence[str]) -> None:
        """Writes the ledger with each study once, and as a table.

        Args:
            names: Folders of the run's studies, whose rows come first, in this order.
        """
        ours = [self.rows[name] for name in names if name in self.rows]
        known = set(names)
        write_rows(
            self._folder, [*ours, *(row for name, row in sorted(self.rows.items()) if name not in known)]
        )


def write_rows(folder: Path, rows: Sequence[Row]) -> None:
    """Writes a ledger, whole, as lines and as a table.

    Args:
        folder: Folder of all results.
        rows: Rows, each of another study.

    Raises:
        InputError: They cannot be written.
    """
    _write_lines(folder / LEDGER, rows)
    path = folder / LEDGER_TABLE
    try:
        _write_table(path, rows)
    except OSError as error:
        raise _unwritable(path, error) from error


def _write_lines(path: Path, rows: Iterable[Row]) -> None:
    try:
        with replacing_file(path) as partial, partial.open("w", encoding="utf-8") as file:
            file.writelines(map(_line, rows))
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(
        path, f"cannot be written ({error.strerror or error})", "Make room and give the same command again"
    )


def _row(values: Mapping[str, Any]) -> Row:
    row = json.loads(json_text({name: values.get(name) for name in COLUMNS}))
    # All rows of a run share the names of the columns and the texts that are the same in each.
    return {
        name: sys.intern(row[name]) if name in SETTINGS and isinstance(row[name], str) else row[name]
        for name in COLUMNS
    }


def _line(row: Row) -> str:
    return json_text(row, indent=None)


def _write_table(path: Path, rows: Sequence[Row]) -> None:
    """Writes rows as a Parquet file."""
    import pyarrow  # it takes a moment, and not every command writes a table
    from pyarrow import parquet

    text, number, whole, flag = pyarrow.string(), pyarrow.float64(), pyarrow.int64(), pyarrow.bool_()
    kinds = dict.fromkeys(COLUMNS, text)
    kinds |= dict.fromkeys(("sources", "maps", "formats", "remarks", "files"), pyarrow.list_(text))
    kinds |= dict.fromkeys(("score", *_OF_PATH, "map_error"), pyarrow.list_(number))
    kinds["steps_taken"] = pyarrow.list_(whole)
    kinds |= dict.fromkeys(("crossed", "kept"), pyarrow.list_(flag))
    kinds |= dict.fromkeys(("steps", "channel", "seed", "slices", "blank", "crossings"), whole)
    kinds |= {"seconds": number, "tolerance": number, "lengths": pyarrow.map_(text, number)}
    schema = pyarrow.schema(list(kinds.items()))
    with replacing_file(path) as partial, parquet.ParquetWriter(partial, schema) as file:
        for begin in range(0, len(rows), _ROWS_TOGETHER):
            flat = [_flat(row) for row in rows[begin : begin + _ROWS_TOGETHER]]
            try:
                table = pyarrow.Table.from_pylist(flat, schema=schema)
            except (pyarrow.ArrowException, OverflowError) as error:  # somebody changed a study.json
                problem = "cannot be written: a study's record holds values of another kind"
                raise InputError(path, problem, "Explain all anew by `resume=False`") from error
            file.write_table(table)


def _flat(row: Row) -> Row:
    """Returns a row as the table holds it."""
    # `steps` is a column of numbers: where each image has its own, `tolerance` says so.
    return row | {
        "lengths": list((row["lengths"] or {}).items()),
        "steps": None if isinstance(row["steps"], str) else row["steps"],
    }
