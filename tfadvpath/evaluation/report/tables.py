"""Tables of an evaluation: the paper's two, ties broken, the field's later metrics, and the claims."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from tfadvpath.evaluation.cascade import SHARES, share_title
from tfadvpath.evaluation.claims import (
    FAILS,
    FURTHER,
    HOLDS,
    MAIN,
    REFERENCE,
    TITLES,
    UNDECIDED,
    Claim,
    ClaimedNumber,
    Comparison,
    claimed_numbers,
)
from tfadvpath.evaluation.estimates import Estimate
from tfadvpath.evaluation.options import SECOND
from tfadvpath.evaluation.references import AVERAGE_MASK, BEST_POSSIBLE, RANDOM_ORDER, SEGMENTATION
from tfadvpath.evaluation.report.paper import PaperTask
from tfadvpath.evaluation.summary import (
    CLASSES,
    FINDINGS,
    SHORT,
    MeasuredMap,
    Summary,
)
from tfadvpath.writers.tables import Cell, Heading, Number, Table

_REFERENCES = {
    BEST_POSSIBLE: "best possible",
    SEGMENTATION: "segmentation network",
    AVERAGE_MASK: "average mask of other patients",
    RANDOM_ORDER: "random order",
}
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
    table = _table(
        "table_1b" if exact else "table_1",
        f"Table 1{'b' if exact else ''}: localisation{', ties broken' if exact else ''}",
        summary,
        columns,
        notes,
    )
    rows = []
    for name, estimates in summary.references.items():
        cells: list[Cell] = [_REFERENCES[name]]
        for column in columns:
            metric = next((m for m in ("iou", "fnr") if column.heading.title.startswith(_METRICS[m])), None)
            if metric is None:
                cells.append(Number(float("nan")))
                continue
            percentile = float(column.heading.title.split()[1])
            place = summary.options.percentiles.index(percentile)
            cells.append(number(estimates[metric], place, int(exact)))
        rows.append(cells)
    return dataclasses.replace(table, rows=[*table.rows, *rows], references=len(rows))


def relevance_table(
    summary: Summary, paper: PaperTask | None, about_paper: str = "", ending: str = ""
) -> Table:
    """Returns Table 2: feature relevance R and AOPC, by predicted class.

    Args:
        summary: Measurements.
        paper: Task of the paper whose numbers stand beside.
        about_paper: Sentence on how the paper's numbers compare with these.
        ending: Ending of the figures' names: "", or ``SECOND`` for those under the second perturbation.
    """
    columns: list[_Column] = []
    for place, name in enumerate(CLASSES):
        heading = Heading(f"R {_CLASS_TITLES[name]}", best="highest")
        by_chance = number(summary.random[f"relevance{ending}"], place)
        columns.append(_Column(heading, _estimate(f"relevance{ending}", place), by_chance))
        if paper and place == 0:
            cell = _papers(paper, ClaimedNumber("relevance"))
            columns.append(_Column(Heading("paper R all"), cell, Number(paper.random_relevance[0])))
    last = summary.options.region_steps
    short = min(SHORT, last)
    # AOPC is relative to random orders, which are therefore 0.
    for place, name in enumerate(CLASSES):
        title = f"AOPC {_share(short, last)} {_CLASS_TITLES[name]}"
        columns.append(_Column(Heading(title, best="highest"), _estimate(f"aopc{ending}", place, short)))
    columns.append(_Column(Heading("AOPC 100 % all", best="highest"), _estimate(f"aopc{ending}", 0, last)))
    counts = summary.counts
    decided_1 = counts["relevance_class_1"]
    chance_of_all = summary.random[f"aopc{ending}"].at(0)
    notes = [
        f"{counts['relevance']} test images of {counts['relevance_patients']} patients, "
        f"{counts['relevance_labelled_1']} of them labelled 1. Columns by class are by the classifier's "
        f"decision: {counts['relevance'] - decided_1} images of class 0, {decided_1} of class 1. AOPC is "
        f"relative to random orders, which themselves reach {chance_of_all.value[short]:.3f} after "
        f"{_share(short, last)} and {chance_of_all.value[last]:.3f} after 100 %. Pixels are replaced by "
        f"{summary.options.perturbations[ending].replace('_', ' ')}; AOPC's squares have a side of "
        f"{summary.counts['square_side']} pixels."
    ]
    if counts["squares"] < last:
        notes.append(
            f"An image has {counts['squares']} squares, so not each of AOPC's {last} steps replaces one."
        )
    notes += [about_paper] if paper else []
    which = "2b" if ending else "2"
    title = ", another perturbation" if ending else ""
    table = _table(f"table_{which}", f"Table {which}: relevance{title}", summary, columns, notes)
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
            "rank correlation; a dash where no map has one. Survives: the correlation is at least 0.5 and, "
            "by its paired interval, above that of the other image; of v1, v2 and v2 smooth it is that of "
            "the gradient's weight, see Table 3b. "
            f"Over {summary.counts['subset']} of the images of Table 2."
        ]
    columns.append(_Column(Heading("seconds an image", 4), lambda measured: Number(measured.seconds)))
    return _table("table_3", "Table 3: further metrics", summary, columns, notes)


def cascade_table(summary: Summary) -> Table | None:
    """Returns Table 3b: maps while the classifier forgets, layer by layer; None where it was not tried."""
    if not summary.counts["subset"]:
        return None
    kinds = {"rank": ("cascade", (0,)), "same pixels": ("cascade", (1,)), "weight": ("cascade_weight", ())}
    columns = [
        _Column(Heading(f"{kind}: {share_title(share)}"), _step(name, step, *place))
        for kind, (name, place) in kinds.items()
        for step, share in enumerate(SHARES)
    ]
    columns.append(_Column(Heading("weight: other image"), _estimate("other_weight")))
    notes = [
        "The last layer of the classifier, then a growing share of its layers from the output, has random "
        "weights; the pairs of the generators stay. Rank: rank correlation with the map of the trained "
        "classifier. Same pixels: IoU of what both maps select "
        f"({_percent(100 - summary.options.percentiles[0])} of the image). Weight: rank correlation of the "
        "map over the squared difference |x_s - x_a|² where that is above 1e-8, which is what the gradient "
        "adds to it: a weight that stays the same does not depend on what the classifier has learned. Other "
        "image: that of another patient's image, which weights of the trained classifier have in common. "
        f"Over {summary.counts['subset']} of the images of Table 2."
    ]
    table = _table("table_3b", "Table 3b: cascading randomization", summary, columns, notes)
    rows = [
        row
        for row, measured in zip(table.rows, summary.maps.values(), strict=True)
        if "cascade" in measured.estimates
    ]
    return dataclasses.replace(table, rows=rows)


def verdict_table(
    summary: Summary, kind: str, paper: PaperTask | None, about_paper: str = ""
) -> Table | None:
    """Returns the verdicts of one kind of claims, a row each; None where there are no such claims.

    Args:
        summary: Measurements and judged claims.
        kind: ``MAIN``: v2 smooth against E, E smooth and each baseline; ``FURTHER``: v1 and v2; or
            ``REFERENCE``: v2 smooth against what knows nothing of the image.
        paper: Task of the paper whose differences stand beside.
        about_paper: Sentence on how they compare with these.
    """
    claims = [claim for claim in summary.claims if claim.kind == kind]
    if not claims:
        return None
    numbers = claimed_numbers(summary)
    headings, papers = [_MAP, Heading("against")], []
    for each in numbers:
        headings.append(Heading(number_title(each)))
        papers.append(paper is not None and each in paper.numbers)
        headings += [Heading(f"paper {number_title(each)}")] if papers[-1] else []
    headings.append(Heading("verdict"))
    rows = []
    for claim in claims:
        row: list[Cell] = [TITLES[claim.key], TITLES[claim.against]]
        by_number = {one.number: one for one in claim.comparisons}
        for each, has_paper in zip(numbers, papers, strict=True):
            one = by_number.get(each)
            row.append(Number(float("nan")) if one is None else Number(one.advantage, one.low, one.high))
            if has_paper and paper is not None:
                wanted = Comparison(claim.key, claim.against, each, 0.0, 0.0, 0.0)
                advantage = paper.advantage(wanted)
                row.append(Number(float("nan") if advantage is None else advantage))
        rows.append([*row, _verdict_text(claim)])
    notes = [
        "Cells: by how much the map is better than the other one, in the claim's favour; brackets: intervals "
        "of 95 % of the paired difference, by bootstrap over patients. IoU and FNR are those of Table 1b, "
        "ties broken; AOPC is that of all images after 16 %. A claim holds where all of its intervals lie "
        "above 0, and does not hold where one lies below."
    ]
    if kind == REFERENCE:
        notes.append("R and AOPC need the classifier's answers, which an average mask was not tried with.")
    if kind == MAIN:
        notes.append(
            "E smooth is the difference without the gradient, smoothed by the same kernel: what v2 smooth "
            "has above it is the gradient's part."
        )
    if SECOND in summary.options.perturbations:
        first, second = summary.options.perturbations.values()
        notes.append(f"R and AOPC: pixels replaced by {first}; R 2 and AOPC 2: by {second}.")
    notes += [about_paper] if paper else []
    place, question = {
        MAIN: ("4", "is v2 smooth better?"),
        REFERENCE: ("4b", "is v2 smooth better than what knows nothing of the image?"),
        FURTHER: ("5", "are v1 and v2 better?"),
    }[kind]
    return Table(f"table_{place}", f"Table {place}: {question}", headings, rows, notes)


def _verdict_text(claim: Claim) -> str:
    counted = {verdict: claim.count(verdict) for verdict in (HOLDS, FAILS, UNDECIDED)}
    if not claim.comparisons:
        return claim.verdict
    return (
        f"{claim.verdict} ({counted[HOLDS]} better, {counted[FAILS]} worse, {counted[UNDECIDED]} undecided)"
    )


def findings_table(summary: Summary) -> Table | None:
    """Returns Table 1c: IoU of found and missed findings, of small and large ones; None without any."""
    if not summary.counts["localised"]:
        return None
    columns = []
    for place, percentile in enumerate(summary.options.percentiles):
        for name in FINDINGS:
            heading = Heading(f"IoU {percentile:g} {name}", best="highest")
            columns.append(_Column(heading, _estimate(f"iou_{name}", place, 0)))
    notes = [
        "Found: the classifier decides for class 1; missed: it does not, and its map explains the decision "
        "for class 0. Small and large: the half of the findings with less and with more area. Ties kept."
    ]
    return _table("table_1c", "Table 1c: localisation of findings apart", summary, columns, notes)


def number_title(number: ClaimedNumber) -> str:
    """Returns "IoU 98", "R" and so on."""
    title = _METRICS[number.metric.removesuffix(SECOND)]
    if number.metric.endswith(SECOND):
        return f"{title} 2"
    return title if number.percentile is None else f"{title} {number.percentile:g}"


def _table(name: str, caption: str, summary: Summary, columns: list[_Column], notes: list[str]) -> Table:
    rows = [
        [measured.compared.title, *(column.cell(measured) for column in columns)]
        for measured in summary.maps.values()
    ]
    headings = [_MAP, *(column.heading for column in columns)]
    return Table(name, caption, headings, rows, [*notes, f"{_INTERVALS} {_BOLD}"])


def _estimate(name: str, *place: int) -> _Cell:
    def cell(measured: MeasuredMap) -> Cell:
        if name not in measured.estimates:  # a control is not measured by everything
            return Number(float("nan"))
        return number(measured.estimates[name], *place)

    return cell


def _step(name: str, step: int, *place: int) -> _Cell:
    """Returns the cell of a step of the cascade; a method of fewer steps was measured at the last ones."""

    def cell(measured: MeasuredMap) -> Cell:
        if name not in measured.estimates:
            return Number(float("nan"))
        own = step - len(SHARES) + len(measured.estimates[name].value)
        return number(measured.estimates[name], own, *place) if own >= 0 else Number(float("nan"))

    return cell


def _papers(paper: PaperTask, claimed: ClaimedNumber) -> _Cell:
    def cell(measured: MeasuredMap) -> Cell:
        value = paper.value(claimed, measured.compared.key)
        return Number(float("nan") if value is None else value)

    return cell


def _share(steps: int, of: int) -> str:
    return _percent(100 * steps / of)


def _percent(value: float) -> str:
    return f"{value:g} %"
