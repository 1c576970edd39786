"""The report on an installation: rows of what was found, and faults with what mends them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Value = str | int | float | bool | None | Sequence[str]
_WIDTH = 100
_INDENT = 2


@dataclass(frozen=True)
class Fault:
    """Something that is missing or wrong.

    Attributes:
        what: The thing and what is wrong with it, as "keras is not installed".
        why: The reason why it matters, in a few words.
        remedy: Command or action that mends it, as "pip install 'keras>=3.15.1'".
        is_needed: Whether the base needs it: without it some command of the base does not work. Else it
            makes something slower, or concerns an extra.
    """

    what: str
    why: str
    remedy: str
    is_needed: bool

    def __str__(self) -> str:
        return f"{self.what}: {self.why}. {self.remedy}"


@dataclass(frozen=True)
class Row:
    """One thing that was looked at.

    Attributes:
        part: Part of the report, such as "packages".
        name: Name of the thing, such as "keras".
        value: Value that was found, as JSON holds it: a version, a number, True; None where it is not there.
        text: Words for a person, where the value alone does not say it.
        fault: Fault of it; None where nothing is wrong.
    """

    part: str
    name: str
    value: Value
    text: str = ""
    fault: Fault | None = None

    @property
    def shown(self) -> str:
        """Value or text as a line of the report has it."""
        if self.text:
            return self.text
        if isinstance(self.value, bool):
            return "yes" if self.value else "no"
        if self.value is None:
            return "–"
        return str(self.value)


@dataclass(frozen=True)
class Installation:
    """The report on an installation; ``print`` shows it.

    Attributes:
        rows: Rows in the order in which they are shown; those of one part follow each other.
    """

    rows: tuple[Row, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Every fault once, those of what the base needs first."""
        found = dict.fromkeys(row.fault for row in self.rows if row.fault is not None)
        return tuple(sorted(found, key=lambda fault: not fault.is_needed))

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing or wrong that the base needs."""
        return not any(fault.is_needed for fault in self.faults)

    def as_json(self) -> dict[str, Any]:
        """Returns the values by part and name, the texts of those that have one, and the faults."""
        values: dict[str, dict[str, Any]] = {}
        texts: dict[str, dict[str, str]] = {}
        for row in self.rows:
            value = list(row.value) if isinstance(row.value, tuple) else row.value
            values.setdefault(row.part, {})[row.name] = value
            if row.text:
                texts.setdefault(row.part, {})[row.name] = row.text
        faults = [asdict(fault) for fault in self.faults]
        return {"is_whole": self.is_whole, "faults": faults, "found": values, "in_words": texts}

    def __str__(self) -> str:
        width = _INDENT + 2 + max((len(row.name) for row in self.rows), default=0)
        lines: list[str] = []
        part = None
        for row in self.rows:
            if row.part != part:
                part = row.part
                lines += [*([""] if lines else []), part]
            mark = " " if row.fault is None else "!"
            lines += _wrapped(f"{mark} {row.name}".ljust(width) + row.shown, width)
        return "\n".join([*lines, "", *self._conclusion()])

    def _conclusion(self) -> Iterator[str]:
        needed = [fault for fault in self.faults if fault.is_needed]
        others = [fault for fault in self.faults if not fault.is_needed]
        if needed:
            yield "Missing or wrong, and the base needs it:"
            yield from (f"  {fault}" for fault in needed)
        if others:
            yield "Worth mending, though the base works:"
            yield from (f"  {fault}" for fault in others)
        if not needed:
            yield "Nothing is missing that the base needs."


def _wrapped(line: str, indent: int) -> list[str]:
    return textwrap.wrap(
        line,
        _WIDTH,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
