"""Tables as Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Number(NamedTuple):
    """A number, with its interval where it has one.

    Attributes:
        value: The number; NaN where it is not known.
        low: Lower end of the interval, or None.
        high: Upper end of the interval, or None.
    """

    value: float
    low: float | None = None
    high: float | None = None


Cell = Number | str


@dataclass(frozen=True)
class Heading:
    """The head of a table's column.

    Attributes:
        title: Text of the heading.
        digits: Digits after the point.
        best: Kind of the best value, "highest" or "lowest"; "" where none is best.
    """

    title: str
    digits: int = 3
    best: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells under headings; the first column names the rows.

    Attributes:
        name: Name of the table's files.
        caption: Caption of the table.
        headings: Headings of the columns.
        rows: Rows of cells, each of one cell a heading.
        notes: Sentences below the table.
        references: Number of the last rows that take no part in which value is best.
    """

    name: str
    caption: str
    headings: Sequence[Heading]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()
    references: int = 0

    def text(self, row: int, column: int) -> str:
        """Returns a cell as plain text: a dash for what is not known."""
        cell, digits = self.rows[row][column], self.headings[column].digits
        if isinstance(cell, str):
            return cell
        if math.isnan(cell.value):
            return "–"
        text = _decimal(cell.value, digits)
        if cell.low is None or cell.high is None or math.isnan(cell.low):
            return text
        return f"{text} [{_decimal(cell.low, digits)}, {_decimal(cell.high, digits)}]"

    def is_best(self, row: int, column: int) -> bool:
        """Returns whether a cell holds its column's best value, as far as its digits show."""
        heading = self.headings[column]
        values = {}
        for i, cells in enumerate(self.rows[: len(self.rows) - self.references]):
            cell = cells[column]
            if isinstance(cell, Number) and not math.isnan(cell.value):
                values[i] = round(cell.value, heading.digits)
        if not heading.best or row not in values:
            return False
        return values[row] == (max if heading.best == "highest" else min)(values.values())


def markdown(table: Table) -> str:
    """Returns a table as Markdown, the best values bold."""

    def cell(row: int, column: int) -> str:
        text = table.text(row, column).replace("|", r"\|")
        return f"**{text}**" if table.is_best(row, column) else text

    count = len(table.headings)
    lines = [
        f"**{table.caption}**",
        "",
        _pipes(heading.title for heading in table.headings),
        _pipes(["---", *["---:"] * (count - 1)]),
        *(_pipes(cell(row, column) for column in range(count)) for row in range(len(table.rows))),
    ]
    for note in table.notes:
        lines += ["", note]
    return "\n".join(lines) + "\n"


def latex(table: Table) -> str:
    """Returns a table as LaTeX for the package booktabs, the best values bold."""

    def cell(row: int, column: int) -> str:
        text = _escaped(table.text(row, column))
        return rf"\textbf{{{text}}}" if table.is_best(row, column) else text

    count = len(table.headings)
    caption = " ".join([_escaped(table.caption) + ".", *map(_escaped, table.notes)])
    lines = [
        r"\begin{table}",
        rf"\caption{{{caption}}}",
        rf"\begin{{tabular}}{{l{'r' * (count - 1)}}}",
        r"\toprule",
        " & ".join(_escaped(heading.title) for heading in table.headings) + r" \\",
        r"\midrule",
        *(
            " & ".join(cell(row, column) for column in range(count)) + r" \\"
            for row in range(len(table.rows))
        ),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def comma_separated(table: Table) -> str:
    """Returns a table as CSV: six digits; an interval in columns of its own, where a column has any."""
    ends = [
        any(isinstance(row[i], Number) and row[i][1] is not None for row in table.rows)
        for i in range(len(table.headings))
    ]
    head: list[str] = []
    for heading, has_interval in zip(table.headings, ends, strict=True):
        head += [heading.title, *([f"{heading.title} low", f"{heading.title} high"] if has_interval else [])]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for row in table.rows:
        line: list[str] = []
        for cell, has_interval in zip(row, ends, strict=True):
            values = cell if isinstance(cell, Number) else (cell, None, None)
            line += [_exact(value) for value in values[: 3 if has_interval else 1]]
        writer.writerow(line)
    return text.getvalue()


def _pipes(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _decimal(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    # -0.000 says no more than 0.000.
    return text.removeprefix("-") if float(text) == 0 else text


def _exact(value: float | str | None) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return value if isinstance(value, str) else f"{value:.6g}"


_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "≥": r"$\geq$",
    "×": r"$\times$",
}


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in text)
