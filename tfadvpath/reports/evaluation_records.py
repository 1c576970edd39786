"""The figures of an evaluation as JSON and as one long CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tfadvpath.evaluation.claims import Claim
from tfadvpath.evaluation.measure import TIE_RULES
from tfadvpath.evaluation.options import EvaluationOptions
from tfadvpath.evaluation.resampling import Estimate
from tfadvpath.evaluation.summary import CLASSES, SHORT, Summary

# Random orders among the columns.
RANDOM = "random"


class Record(NamedTuple):
    """One figure of one column.

    Attributes:
        column: Its key, or ``RANDOM``.
        against: The column that it is a difference to, or "".
        figure: "iou", "fnr", "selected_share", "pointing_game", "average_precision", "relevance", "aopc",
            "sensitivity_maximum" and so on.
        part: What it is of: a percentile and rule for ties, a class, a share of the image, or "".
        value: None where it is not known, as the following.
        low: Lower end of the interval of 95 %.
        high: Upper end.
    """

    column: str
    against: str
    figure: str
    part: str
    value: float | None
    low: float | None
    high: float | None


def records(summary: Summary) -> list[Record]:
    """Returns every figure, then ``Summary.differences``."""
    found = []
    for key, column in summary.columns.items():
        found += _records(key, "", column.estimates, summary.options)
    for (key, against), estimates in summary.differences().items():
        found += _records(key, against, estimates, summary.options)
    return found + _records(RANDOM, "", summary.random, summary.options)


def long_csv(rows: Sequence[Record]) -> str:
    """Returns records as CSV with six digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Record._fields)
    for row in rows:
        writer.writerow(["" if x is None else x if isinstance(x, str) else f"{x:.6g}" for x in row])
    return text.getvalue()


def as_json(summary: Summary, claims: Sequence[Claim]) -> dict[str, Any]:
    """Returns counts, options, figures, differences, curves and claims, as JSON can hold them."""
    rows = records(summary)
    columns: dict[str, Any] = {}
    for key, column in summary.columns.items():
        curves = {"aopc": _curve(column.estimates["aopc"].at(0))}
        if "curve" in column.estimates:
            curves["iou"] = _curve(column.estimates["curve"])
        columns[key] = {
            "title": column.column.title,
            "survives_randomisation": column.survives,
            "seconds_per_image": column.seconds,
            "figures": [_without(row, "column", "against") for row in rows if row[:2] == (key, "")],
            "differences": [_without(row, "column") for row in rows if row.column == key and row.against],
            "curves": curves,
        }
    return {
        "counts": dict(summary.counts),
        "options": summary.options.as_json(),
        "columns": columns,
        "random": [_without(row, "column", "against") for row in rows if row.column == RANDOM],
        "claims": [_claim(claim) for claim in claims],
    }


def _records(
    column: str, against: str, estimates: Mapping[str, Estimate], options: EvaluationOptions
) -> list[Record]:
    found = []
    for name, estimate in estimates.items():
        for figure, part, one in _scalars(name, estimate, options):
            low, high = one.interval()
            ends = (_finite(float(end)) for end in (one.value, low, high))
            found.append(Record(column, against, figure, part, *ends))
    return found


def _scalars(
    name: str, estimate: Estimate, options: EvaluationOptions
) -> Iterator[tuple[str, str, Estimate]]:
    """Yields the figures of an estimate of ``ColumnSummary.estimates`` one by one: name, part, scalar."""
    percentiles = [f"{percentile:g}" for percentile in options.percentiles]
    if name in ("iou", "fnr"):
        for i, percentile in enumerate(percentiles):
            for j, rule in enumerate(TIE_RULES):
                yield name, f"{percentile} {rule}", estimate.at(i, j)
    elif name == "share":
        for i, percentile in enumerate(percentiles):
            yield "selected_share", percentile, estimate.at(i)
    elif name == "relevance":
        for i, group in enumerate(CLASSES):
            yield name, group, estimate.at(i)
    elif name == "aopc":
        last = options.region_steps
        for i, group in enumerate(CLASSES):
            for steps in dict.fromkeys((min(SHORT, last), last)):
                yield name, f"{group} {100 * steps / last:g} %", estimate.at(i, steps)
    elif name == "sensitivity":
        for i, kind in enumerate(("maximum", "mean")):
            yield f"{name}_{kind}", "", estimate.at(i)
    elif name != "curve":  # that is drawn, and stands in the JSON
        names = {"pointing": "pointing_game", "randomised": "rank_correlation_randomised"}
        names |= {"other_image": "rank_correlation_other_image", "same_pixels": "same_pixels_randomised"}
        names |= {"crossed": "flip_rate", "kept": "keep_rate", "flipped": "flip_rate"}
        yield names.get(name, name), "", estimate


def _curve(estimate: Estimate) -> dict[str, list[float | None]]:
    low, high = estimate.interval()
    curves = {"value": estimate.value, "low": low, "high": high}
    return {name: [_finite(float(value)) for value in values] for name, values in curves.items()}


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "text": claim.text,
        "verdict": claim.verdict,
        "missing": list(claim.missing),
        "comparisons": [
            {
                "column": one.key,
                "against": one.against,
                "figure": one.figure.name,
                "percentile": one.figure.percentile,
                "better_by": _finite(one.advantage),
                "low": _finite(one.low),
                "high": _finite(one.high),
                "verdict": one.verdict,
            }
            for one in claim.comparisons
        ],
    }


def _without(row: Record, *names: str) -> dict[str, Any]:
    return {name: value for name, value in row._asdict().items() if name not in names}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
