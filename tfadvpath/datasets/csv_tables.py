"""CSV tables of images, with labels and boxes."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tfadvpath.errors import QUOTED, InputError, quoted

BOX_COLUMNS = ("x", "y", "width", "height")
Box = tuple[float, float, float, float]


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the rows of a table with their line numbers; values without spaces around them.

    Args:
        path: CSV file whose first row names the columns.
        columns: Columns that it is to have. Others may follow.

    Raises:
        InputError: The file cannot be read, lacks a column, or a row has more or fewer values than columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            missing = [name for name in columns if name not in (table.fieldnames or ())]
            if missing:
                raise InputError(path, f"lacks the column {missing[0]}", f"It needs {', '.join(columns)}")
            for row in table:
                if None in row or None in row.values():
                    raise InputError(
                        f"{path}, line {table.line_num}",
                        f"does not have the {len(table.fieldnames or ())} values of the columns",
                        "Mend the row",
                    )
                yield table.line_num, {name: value.strip() for name, value in row.items()}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        problem = f"cannot be read as a table ({quoted(reason)})"
        raise InputError(path, problem, "Save it as CSV in UTF-8, with short values") from None


def box_of(row: dict[str, str]) -> Box | None:
    """Returns a row's box; None if its fields are empty.

    Args:
        row: Values of the row by column.

    Raises:
        ValueError: The fields hold no box; the message says why.
    """
    texts = [row.get(name, "") for name in BOX_COLUMNS]
    if not any(texts):
        return None
    try:
        x, y, width, height = map(float, texts)
    except ValueError:
        raise ValueError(f"has no box of four numbers: {shown(', '.join(texts))}") from None
    if not all(map(math.isfinite, (x, y, width, height))) or min(width, height) <= 0:
        raise ValueError(f"has a box without an area: {shown(', '.join(texts))}")
    return x, y, width, height


def shown(value: str) -> str:
    """Returns a value of a table as a message may show it: in one line of limited length.

    Args:
        value: Any text.
    """
    return value if value.isprintable() and len(value) <= QUOTED else quoted(value)


def are_fractions(boxes: Iterable[Box]) -> bool:
    """Returns whether a table's boxes are in fractions of the image: no number is above 1.

    A table in pixels has boxes wider than one pixel.
    """
    return all(max(box) <= 1 for box in boxes)
