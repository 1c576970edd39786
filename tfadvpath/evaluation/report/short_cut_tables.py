"""The table of short cuts: how much of a map lies on border, corners and marks, what hiding them costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfadvpath.evaluation.report.tables import number
from tfadvpath.evaluation.short_cuts import PLACES
from tfadvpath.evaluation.summary import Summary
from tfadvpath.writers.tables import Cell, Heading, Number, Table


def short_cuts_table(summary: Summary) -> Table | None:
    """Returns Table 8: how much of each map lies in places of short cuts; None where it was not measured."""
    if not summary.short_cuts:
        return None
    rows: list[list[Cell]] = [
        [measured.compared.title]
        + [number(measured.estimates["short_cuts"], place) for place in range(len(PLACES))]
        for measured in summary.maps.values()
    ]
    area: list[Cell] = [Number(summary.short_cuts[place]["area"]) for place in PLACES]
    notes = [
        "Border: a frame of 8 % of the side; corners: squares of 20 %; marks: what is brighter than its "
        "surroundings and thin, such as letters, wires and clips, and sharp edges of bones. Annotated "
        "pixels and what is next to them belong to none of these. A map that has more there than the area's "
        "share shows that the classifier looks there, or that the generators change it there. "
        "Brackets: intervals of 95 % by bootstrap over patients.",
        *(_sentence(place, summary.short_cuts[place]) for place in PLACES),
    ]
    headings = [Heading("map"), *(Heading(place) for place in PLACES)]
    return Table(
        "table_8",
        "Table 8: how much of a map lies where short cuts are",
        headings,
        [*rows, ["share of the area", *area]],
        notes,
        references=1,
    )


def _sentence(place: str, figures: Mapping[str, Any]) -> str:
    auc, loss, (low, high) = figures["auc"], figures["loss"], figures["loss_interval"]
    if auc is None or loss is None:
        return f"The {place} hidden: the classifier's AUC is not defined."
    interval = "" if low is None else f" [{low:.3f}, {high:.3f}]"
    verb = "is" if place == "border" else "are"
    return (
        f"Where the {place} {verb} filled from the rest, the classifier's AUC is {auc:.3f}, which is "
        f"{loss:.3f}{interval} less, and {100 * figures['changed']:.1f} % of its decisions change."
    )
