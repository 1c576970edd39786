"""Numbers of an evaluation, all of them, as JSON and as one long CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tfadvpath.bundle.pair_verdict import pair_verdict
from tfadvpath.evaluation.cascade import SHARES, share_title
from tfadvpath.evaluation.claims import Claim
from tfadvpath.evaluation.estimates import Estimate
from tfadvpath.evaluation.measure import TIE_RULES
from tfadvpath.evaluation.options import SECOND, EvaluationOptions
from tfadvpath.evaluation.short_cuts import PLACES
from tfadvpath.evaluation.summary import CLASSES, FINDINGS, SHORT, Summary
from tfadvpath.files import finite

# Random orders among the maps.
RANDOM = "random"


class Record(NamedTuple):
    """One number of one map.

    Attributes:
        map: Key of the map, ``RANDOM``, or one of ``Summary.references``.
        against: Key of the map that the number is a difference to, or "".
        metric: "iou", "fnr", "selected_share", "pointing_game", "average_precision", "relevance", "aopc",
            "sensitivity_maximum" and so on.
        part: Part that the number is of: a percentile and rule for ties, a class, a share of the image, or
            "".
        value: Value of the number; None where it is not known.
        low: Lower end of the interval of 95 %, or None.
        high: Upper end, or None.
    """

    map: str
    against: str
    metric: str
    part: str
    value: float | None
    low: float | None
    high: float | None


def records(summary: Summary) -> list[Record]:
    """Returns every number, then ``Summary.differences``."""
    found = []
    for key, measured in summary.maps.items():
        found += _records(key, "", measured.estimates, summary.options)
    for (key, against), estimates in summary.differences().items():
        found += _records(key, against, estimates, summary.options)
    for name, reference in summary.references.items():
        found += _records(name, "", reference, summary.options)
    return found + _records(RANDOM, "", summary.random, summary.options)


def long_csv(rows: Sequence[Record]) -> str:
    """Returns records as CSV with six digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Record._fields)
    for row in rows:
        writer.writerow(["" if x is None else x if isinstance(x, str) else f"{x:.6g}" for x in row])
    return text.getvalue()


def as_json(summary: Summary) -> dict[str, Any]:
    """Returns counts, options, numbers, differences, curves and claims, as JSON can hold them."""
    rows = records(summary)
    maps: dict[str, Any] = {}
    for key, measured in summary.maps.items():
        curves = {"aopc": _curve(measured.estimates["aopc"].at(0))}
        if "curve" in measured.estimates:
            curves["iou"] = _curve(measured.estimates["curve"])
        maps[key] = {
            "title": measured.compared.title,
            "survives_randomisation": measured.survives,
            "seconds_per_image": measured.seconds,
            "numbers": [_without(row, "map", "against") for row in rows if row[:2] == (key, "")],
            "differences": [_without(row, "map") for row in rows if row.map == key and row.against],
            "curves": curves,
        }
    return {
        "counts": dict(summary.counts),
        "options": summary.options.as_json(),
        "maps": maps,
        "references": {
            name: [_without(row, "map", "against") for row in rows if row.map == name]
            for name in summary.references
        },
        "random": [_without(row, "map", "against") for row in rows if row.map == RANDOM],
        "short_cuts": {name: dict(figures) for name, figures in summary.short_cuts.items()},
        "pairs": {name: _pair(figures) for name, figures in summary.pairs.items()},
        "claims": [_claim(claim) for claim in summary.claims],
    }


def _records(
    key: str, against: str, estimates: Mapping[str, Estimate], options: EvaluationOptions
) -> list[Record]:
    found = []
    for name, estimate in estimates.items():
        for metric, part, one in _scalars(name, estimate, options):
            low, high = one.interval()
            ends = (finite(float(end)) for end in (one.value, low, high))
            found.append(Record(key, against, metric, part, *ends))
    return found


def _scalars(
    name: str, estimate: Estimate, options: EvaluationOptions
) -> Iterator[tuple[str, str, Estimate]]:
    """Yields the numbers of an estimate of ``MeasuredMap.estimates`` one by one: name, part, scalar."""
    percentiles = [f"{percentile:g}" for percentile in options.percentiles]
    if name in ("iou", "fnr") or name.removeprefix("iou_") in FINDINGS:
        for i, percentile in enumerate(percentiles):
            for j, rule in enumerate(TIE_RULES):
                yield name, f"{percentile} {rule}", estimate.at(i, j)
    elif name == "share":
        for i, percentile in enumerate(percentiles):
            yield "selected_share", percentile, estimate.at(i)
    elif name.removesuffix(SECOND) == "relevance":
        for i, group in enumerate(CLASSES):
            yield name, group, estimate.at(i)
    elif name.removesuffix(SECOND) == "aopc":
        last = options.region_steps
        for i, group in enumerate(CLASSES):
            for steps in dict.fromkeys((min(SHORT, last), last)):
                yield name, f"{group} {100 * steps / last:g} %", estimate.at(i, steps)
    elif name == "sensitivity":
        for i, kind in enumerate(("maximum", "mean")):
            yield f"{name}_{kind}", "", estimate.at(i)
    elif name == "short_cuts":
        for i, where in enumerate(PLACES):
            yield "share_within", where, estimate.at(i)
    elif name in ("cascade", "cascade_weight"):
        # A method that is measured at fewer steps is measured at the last ones.
        titles = [share_title(share) for share in SHARES[len(SHARES) - len(estimate.value) :]]
        kinds: dict[str, tuple[int, ...]] = {"cascade_weight": ()}
        if name == "cascade":
            kinds = {"cascade_rank_correlation": (0,), "cascade_same_pixels": (1,)}
        for i, title in enumerate(titles):
            for metric, place in kinds.items():
                yield metric, title, estimate.at(i, *place)
    elif name != "curve":  # that is drawn, and stands in the JSON
        names = {"pointing": "pointing_game", "randomised": "rank_correlation_randomised"}
        names |= {"other_image": "rank_correlation_other_image", "same_pixels": "same_pixels_randomised"}
        names |= {"crossed": "flip_rate", "kept": "keep_rate", "flipped": "flip_rate"}
        names |= {"flipped_2": "flip_rate_2", "other_weight": "cascade_weight_other_image"}
        yield names.get(name, name), "", estimate


def _curve(estimate: Estimate) -> dict[str, list[float | None]]:
    low, high = estimate.interval()
    curves = {"value": estimate.value, "low": low, "high": high}
    return {name: [finite(float(value)) for value in values] for name, values in curves.items()}


def _pair(figures: Mapping[str, Any]) -> dict[str, Any]:
    verdict = pair_verdict(figures)
    return {"good": verdict.good, "sentences": list(verdict.sentences), "figures": dict(figures)}


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "text": claim.text,
        "kind": claim.kind,
        "verdict": claim.verdict,
        "comparisons": [
            {
                "map": one.key,
                "against": one.against,
                "metric": one.number.metric,
                "percentile": one.number.percentile,
                "better_by": finite(one.advantage),
                "low": finite(one.low),
                "high": finite(one.high),
                "verdict": one.verdict,
            }
            for one in claim.comparisons
        ],
    }


def _without(row: Record, *names: str) -> dict[str, Any]:
    return {name: value for name, value in row._asdict().items() if name not in names}
