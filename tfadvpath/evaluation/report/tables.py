"""Tables of an evaluation: the paper's two, ties broken, the field's later metrics, and the claims."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from tfadvpath.evaluation.claims import BEST_BASELINE, Claim, ClaimedNumber
from tfadvpath.evaluation.compared_maps import BASELINES, COMPARED_MAPS
from tfadvpath.evaluation.estimates import Estimate
from tfadvpath.evaluation.report.paper import PaperTask
from tfadvpath.evaluation.summary import CLASSES, SHORT, MeasuredMap, Summary
from tfadvpath.writers.tables import Cell, Heading, Number, Table

_TITLES = {compared.key: compared.title for compared in COMPARED_MAPS}
_CLASS_TITLES = {"all": "all", "class_0": "class 0", "class_1": "class 1"}
_METRICS = {"iou": "IoU", "fnr": "FNR", "relevance": "R", "aopc": "AOPC"}
_MAP = Heading("map", best="")

_INTERVALS = "Brackets: intervals of 95 % by bootstrap over patients."
_BOLD = "Bold: the best of a column."
_SURVIVES = {True: "yes", False: "no", None: "–"}

_Cell = Callable[[MeasuredMap], Cell]


class _Column(NamedTuple):
    """A column of a table: its heading, the cell of every map, and what random orders reach in it."""

    heading: Heading
    cell: _Cell
    by_chance: Number = Number(0.0)


_FNR_NOTE = (
    "FNR is the paper's name for the share of the selected pixels outside the annotation, which the field "
    "calls the false discovery rate."
)


def number(estimate: Estimate, *place: int) -> Number:
    """Returns one number of an estimate with its interval."""
    one = estimate.at(*place)
    low, high = one.interval()
    return Number(float(one.value), float(low), float(high))


def localisation_table(
    summary: Summary, paper: PaperTask | None, exact: bool, about_paper: str = ""
) -> Table | None:
    """Returns Table 1: IoU and FNR of the most important pixels; None where nothing is annotated.

    Args:
        summary: Measurements.
        paper: Task of the paper whose numbers stand beside; with ``exact`` they do not.
        exact: Whether ties are broken, so that every map selects the same number of pixels.
        about_paper: Sentence on how the paper's numbers compare with these.
    """
    if not summary.counts["localised"]:
        return None
    columns: list[_Column] = []
    for place, percentile in enumerate(summary.options.percentiles):
        for name, best in (("iou", "highest"), ("fnr", "lowest")):
            title = f"{_METRICS[name]} {percentile:g}"
            columns.append(_Column(Heading(title, best=best), _estimate(name, place, int(exact))))
            claimed = ClaimedNumber(name, percentile)
            if paper and not exact and claimed in paper.numbers:
                columns.append(_Column(Heading(f"paper {title}"), _papers(paper, claimed)))
    if not exact:
        for place, percentile in enumerate(summary.options.percentiles):
            columns.append(_Column(Heading(f"selected at {percentile:g}"), _estimate("share", place)))
    counts = summary.counts
    rule = "the same number of pixels of every map" if exact else "all pixels at or above the percentile"
    notes = [
        f"{counts['localised']} test images of class 1 of {counts['localised_patients']} patients. "
        f"Selected: {rule}. {_FNR_NOTE}"
    ]
    if not exact:
        notes += [about_paper] if paper else []
        notes.append("Where more is selected than the percentile says, the map has ties there: see Table 1b.")
    return _table(
        "table_1b" if exact else "table_1",
        f"Table 1{'b' if exact else ''}: localisation{', ties broken' if exact else ''}",
        summary,
        columns,
        notes,
    )


def relevance_table(summary: Summary, paper: PaperTask | None, about_paper: str = "") -> Table:
    """Returns Table 2: feature relevance R and AOPC, by predicted class; arguments as of Table 1."""
    columns: list[_Column] = []
    for place, name in enumerate(CLASSES):
        heading = Heading(f"R {_CLASS_TITLES[name]}", best="highest")
        by_chance = number(summary.random["relevance"], place)
        columns.append(_Column(heading, _estimate("relevance", place), by_chance))
        if paper and place == 0:
            cell = _papers(paper, ClaimedNumber("relevance"))
            columns.append(_Column(Heading("paper R all"), cell, Number(paper.random_relevance[0])))
    last = summary.options.region_steps
    short = min(SHORT, last)
    # AOPC is relative to random orders, which are therefore 0.
    for place, name in enumerate(CLASSES):
        title = f"AOPC {_share(short, last)} {_CLASS_TITLES[name]}"
        columns.append(_Column(Heading(title, best="highest"), _estimate("aopc", place, short)))
    columns.append(_Column(Heading("AOPC 100 % all", best="highest"), _estimate("aopc", 0, last)))
    counts = summary.counts
    decided_1 = counts["relevance_class_1"]
    chance_of_all = summary.random["aopc"].at(0)
    notes = [
        f"{counts['relevance']} test images of {counts['relevance_patients']} patients, half of them "
        "labelled 1. Columns by class are by the classifier's decision: "
        f"{counts['relevance'] - decided_1} images of class 0, {decided_1} of class 1. AOPC is relative to "
        f"random orders, which themselves reach {chance_of_all.value[short]:.3f} after {_share(short, last)} "
        f"and {chance_of_all.value[last]:.3f} after 100 %."
    ]
    if counts["squares"] < last:
        notes.append(
            f"An image has {counts['squares']} squares, so not each of AOPC's {last} steps replaces one."
        )
    notes += [about_paper] if paper else []
    table = _table("table_2", "Table 2: relevance", summary, columns, notes)
    chance: list[Cell] = ["random order", *(column.by_chance for column in columns)]
    return dataclasses.replace(table, rows=[*table.rows, chance], references=1)


def further_table(summary: Summary) -> Table:
    """Returns Table 3: metrics that the paper does not have."""
    columns: list[_Column] = []
    notes = []
    if summary.counts["localised"]:
        columns += [
            _Column(Heading("pointing game", best="highest"), _estimate("pointing")),
            _Column(Heading("average precision", best="highest"), _estimate("average_precision")),
        ]
    if summary.counts["subset"]:
        columns += [
            _Column(Heading("sensitivity, maximum", best="lowest"), _estimate("sensitivity", 0)),
            _Column(Heading("sensitivity, mean", best="lowest"), _estimate("sensitivity", 1)),
            _Column(Heading("randomised: rank correlation"), _estimate("randomised")),
            _Column(Heading("other image: rank correlation"), _estimate("other_image")),
            _Column(Heading("randomised: same pixels"), _estimate("same_pixels")),
            _Column(Heading("survives"), lambda measured: _SURVIVES[measured.survives]),
        ]
        notes += [
            f"Sensitivity: relative distance of the maps of {summary.options.samples} copies of an image, "
            f"disturbed by up to {summary.options.radius:g} in every pixel, from its map. Randomised: "
            "against the map of the same classifier with random weights; other image: that of another "
            "patient's image; same pixels: IoU of what both maps of the former select "
            f"({_percent(100 - summary.options.percentiles[0])} of the image). Constant maps have no "
            "rank correlation; a dash where no map has one. "
            f"Over {summary.counts['subset']} of the images of Table 2."
        ]
    columns.append(_Column(Heading("seconds an image", 4), lambda measured: Number(measured.seconds)))
    return _table("table_3", "Table 3: further metrics", summary, columns, notes)


def claim_table(place: int, claim: Claim, paper: PaperTask | None, about_paper: str = "") -> Table:
    """Returns the comparisons of a claim.

    Args:
        place: Number of the claim, from 1.
        claim: Claim that was judged.
        paper: Task of the paper whose differences stand beside.
        about_paper: Sentence on how they compare with these.
    """
    headings = [_MAP, Heading("against"), Heading("by"), Heading("better by")]
    headings += [Heading("paper: better by")] if paper else []
    headings += [Heading("verdict")]
    rows = []
    # The best of fewer baselines is not what the paper's maps were compared with.
    some_baselines = not set(BASELINES).isdisjoint(claim.missing)
    for one in claim.comparisons:
        of_baselines = one.against == BEST_BASELINE
        against = BEST_BASELINE if of_baselines else _TITLES[one.against]
        row: list[Cell] = [_TITLES[one.key], against, number_title(one.number)]
        row.append(Number(one.advantage, one.low, one.high))
        if paper:
            papers = None if of_baselines and some_baselines else paper.advantage(one)
            row.append(Number(float("nan") if papers is None else papers))
        rows.append([*row, one.verdict])
    notes = [
        f"{_INTERVALS} They are of paired differences. IoU and FNR are those of Table 1, ties kept; AOPC is "
        "that of all images after 16 %."
    ]
    if paper:
        notes += [
            about_paper,
            "Where the paper's difference is negative, its own numbers miss the comparison.",
        ]
    return Table(f"claim_{place}", f"Claim {place}: {claim.text}: {claim.verdict}", headings, rows, notes)


def number_title(number: ClaimedNumber) -> str:
    """Returns "IoU 98", "R" and so on."""
    title = _METRICS[number.metric]
    return title if number.percentile is None else f"{title} {number.percentile:g}"


def _table(name: str, caption: str, summary: Summary, columns: list[_Column], notes: list[str]) -> Table:
    rows = [
        [measured.compared.title, *(column.cell(measured) for column in columns)]
        for measured in summary.maps.values()
    ]
    headings = [_MAP, *(column.heading for column in columns)]
    return Table(name, caption, headings, rows, [*notes, f"{_INTERVALS} {_BOLD}"])


def _estimate(name: str, *place: int) -> _Cell:
    return lambda measured: number(measured.estimates[name], *place)


def _papers(paper: PaperTask, claimed: ClaimedNumber) -> _Cell:
    def cell(measured: MeasuredMap) -> Cell:
        value = paper.value(claimed, measured.compared.key)
        return Number(float("nan") if value is None else value)

    return cell


def _share(steps: int, of: int) -> str:
    return _percent(100 * steps / of)


def _percent(value: float) -> str:
    return f"{value:g} %"
