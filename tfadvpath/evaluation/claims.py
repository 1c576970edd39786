"""The paper's three claims, each as comparisons that the test images decide.

Source: Charachon et al. 2021, sections 4 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tfadvpath.evaluation.compared_maps import BASELINES, GENERATORS, WEIGHTED
from tfadvpath.evaluation.estimates import Estimate, largest
from tfadvpath.evaluation.summary import SHORT, MeasuredMap, Summary

HOLDS, FAILS, UNDECIDED, UNTESTED = "holds", "does not hold", "undecided", "not tested"
BEST_BASELINE = "best baseline"


class ClaimedNumber(NamedTuple):
    """A metric that two maps are compared by.

    Attributes:
        metric: "iou", "fnr", "relevance" or "aopc".
        percentile: Percentile of IoU and FNR; None for the others.
    """

    metric: str
    percentile: float | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """One map against another, or against the best of the baselines.

    Attributes:
        key: Key of the map that is claimed to be better.
        against: Key of the other one, or ``BEST_BASELINE``.
        number: Metric that they are compared by.
        advantage: Difference in the claim's favour: positive where the first map is better, whether high or
            low values of the metric are.
        low: Lower end of the advantage's interval of 95 %, paired over patients.
        high: Upper end.
    """

    key: str
    against: str
    number: ClaimedNumber
    advantage: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """``HOLDS`` or ``FAILS`` where the interval lies on one side of 0, else ``UNDECIDED``."""
        if self.low > 0:
            return HOLDS
        return FAILS if self.high < 0 else UNDECIDED


@dataclass(frozen=True, eq=False)
class Claim:
    """One of the paper's claims.

    Attributes:
        text: Text of the claim.
        comparisons: Comparisons of the maps that were measured.
        missing: Keys of the maps that it speaks of and that were not measured.
    """

    text: str
    comparisons: Sequence[Comparison]
    missing: Sequence[str] = ()

    @property
    def verdict(self) -> str:
        """``HOLDS`` where every comparison does and none is missing, ``FAILS`` where one does not."""
        verdicts = {comparison.verdict for comparison in self.comparisons}
        if not verdicts:
            return UNTESTED
        if FAILS in verdicts:
            return FAILS
        return UNDECIDED if UNDECIDED in verdicts or self.missing else HOLDS

    def count(self, verdict: str) -> int:
        """Returns the number of comparisons with that verdict."""
        return sum(comparison.verdict == verdict for comparison in self.comparisons)


def judge(summary: Summary) -> tuple[Claim, Claim, Claim]:
    """Judges the claims by what was measured. Ties are kept, as in the paper; AOPC is after 16 %.

    The best of the baselines is the best in each resampling: a map that beats it beats all of them.

    Args:
        summary: Measurements of all maps; its own claims play no part.
    """
    localisation = [
        ClaimedNumber(metric, percentile)
        for percentile in summary.options.percentiles
        for metric in ("iou", "fnr")
    ]
    if not all("iou" in measured.estimates for measured in summary.maps.values()):
        localisation = []
    relevance = [ClaimedNumber("relevance"), ClaimedNumber("aopc")]
    return (
        _claim(
            summary,
            "The smoothed importance v2 localises better than the difference E, for CyCE and for SyCE",
            _against_other_map(summary, ("fi_v2_smooth",), "difference", localisation),
            _keys(("difference", "fi_v2_smooth")),
        ),
        _claim(
            summary,
            "The importances v1, v2 and v2 smooth beat the difference E in feature relevance R and AOPC",
            _against_other_map(summary, WEIGHTED, "difference", relevance),
            _keys(("difference", *WEIGHTED)),
        ),
        _claim(
            summary,
            "The importances beat Gradient, integrated gradients, GradCAM, both masks and SAGen",
            _against_baselines(summary, WEIGHTED, [*localisation, *relevance]),
            [*BASELINES, *_keys(WEIGHTED)],
        ),
    )


def _keys(map_names: Sequence[str]) -> list[str]:
    return [f"{method}_{name}" for method in GENERATORS for name in map_names]


def _claim(summary: Summary, text: str, comparisons: Sequence[Comparison], spoken_of: Sequence[str]) -> Claim:
    return Claim(text, comparisons, [key for key in spoken_of if key not in summary.maps])


def _measured_generators(summary: Summary) -> list[str]:
    return [name for name in GENERATORS if f"{name}_difference" in summary.maps]


def _against_other_map(
    summary: Summary, map_names: Sequence[str], other: str, numbers: Sequence[ClaimedNumber]
) -> list[Comparison]:
    """Compares maps of each generator with another map of the same generator."""
    return [
        _compare(summary, f"{method}_{name}", [f"{method}_{other}"], f"{method}_{other}", number)
        for method in _measured_generators(summary)
        for name in map_names
        for number in numbers
    ]


def _against_baselines(
    summary: Summary, map_names: Sequence[str], numbers: Sequence[ClaimedNumber]
) -> list[Comparison]:
    """Compares maps of each generator with the best of the baselines that were measured."""
    baselines = [key for key in BASELINES if key in summary.maps]
    if not baselines:
        return []
    return [
        _compare(summary, f"{method}_{name}", baselines, BEST_BASELINE, number)
        for method in _measured_generators(summary)
        for name in map_names
        for number in numbers
    ]


def _compare(
    summary: Summary, key: str, others: Sequence[str], against: str, number: ClaimedNumber
) -> Comparison:
    other = largest(_merit(summary, summary.maps[name], number) for name in others)
    advantage = _merit(summary, summary.maps[key], number) - other
    low, high = advantage.interval()
    return Comparison(key, against, number, float(advantage.value), float(low), float(high))


def _merit(summary: Summary, measured: MeasuredMap, number: ClaimedNumber) -> Estimate:
    """Returns a map's number so that more is better, a scalar."""
    estimate = measured.estimates[number.metric]
    if number.percentile is not None:
        place = summary.options.percentiles.index(number.percentile)
        picked = estimate.at(place, 0)  # the paper's tie rule
        return -picked if number.metric == "fnr" else picked
    if number.metric == "aopc":
        return estimate.at(0, min(SHORT, summary.options.region_steps))
    return estimate.at(0)
