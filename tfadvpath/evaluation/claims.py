"""The paper's claims, each as comparisons of one map with another that the test images decide.

The paper says that its smoothed importances localise better than the difference E, are more relevant than it,
and outperform the state of the art. So v2 smooth of either generator is compared with its E and with each
baseline, a verdict each; and with E smooth, which the paper does not have: what v2 smooth has above that is
the gradient's part, the rest is the filter's. v1 and v2 are compared with E.

Source: Charachon et al. 2021, sections 4 and 5.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tfadvpath.evaluation.compared_maps import BASELINES, COMPARED_MAPS, CONTROLS
from tfadvpath.evaluation.estimates import Estimate
from tfadvpath.evaluation.summary import SHORT, MeasuredMap, Summary

HOLDS, FAILS, UNDECIDED, UNTESTED = "holds", "does not hold", "undecided", "not tested"
MAIN, FURTHER = "main", "further"
# The paper's best first.
MAIN_ORDER = ("syce", "cyce")
TITLES = {compared.key: compared.title for compared in (*COMPARED_MAPS, *CONTROLS)}


class ClaimedNumber(NamedTuple):
    """A metric that two maps are compared by.

    Attributes:
        metric: "iou", "fnr", "relevance" or "aopc", the latter two with the ending "_2" under the second
            perturbation.
        percentile: Percentile of IoU and FNR; None for the others.
    """

    metric: str
    percentile: float | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """One map against another.

    Attributes:
        key: Key of the map that is claimed to be better.
        against: Key of the other one.
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
    """A claim that one map is better than another.

    Attributes:
        key: Key of the map that is claimed to be better.
        against: Key of the other one.
        kind: Kind of the claim: ``MAIN`` for v2 smooth, ``FURTHER`` for v1 and v2.
        comparisons: Comparisons of the two by every number; none where one of the two was not measured.
    """

    key: str
    against: str
    kind: str
    comparisons: Sequence[Comparison]

    @property
    def text(self) -> str:
        """Sentence that is claimed."""
        return f"{TITLES[self.key]} is better than {TITLES[self.against]}"

    @property
    def verdict(self) -> str:
        """``HOLDS`` where every comparison does, ``FAILS`` where one does not."""
        verdicts = {comparison.verdict for comparison in self.comparisons}
        if not verdicts:
            return UNTESTED
        if FAILS in verdicts:
            return FAILS
        return UNDECIDED if UNDECIDED in verdicts else HOLDS

    def count(self, verdict: str) -> int:
        """Returns the number of comparisons with that verdict."""
        return sum(comparison.verdict == verdict for comparison in self.comparisons)


def judge(summary: Summary, left_out: Collection[str] = ()) -> tuple[Claim, ...]:
    """Judges the claims by what was measured: IoU and FNR with ties broken, AOPC after 16 %.

    Args:
        summary: Measurements of all maps; its own claims play no part.
        left_out: Keys of baselines that are none: such as SAGen where it was taught the pairs of SyCE.

    Returns:
        For each generator that was measured, v2 smooth against E, E smooth and each baseline; then v1 and v2
        against E.
    """
    claims = []
    baselines = [key for key in BASELINES if key not in left_out]
    for generator in MAIN_ORDER:
        if f"{generator}_difference" not in summary.maps:
            continue
        others = [f"{generator}_difference", f"{generator}_difference_smooth", *baselines]
        claims += [_claim(summary, f"{generator}_fi_v2_smooth", other, MAIN) for other in others]
    for generator in MAIN_ORDER:
        if f"{generator}_difference" in summary.maps:
            for name in ("fi_v1", "fi_v2"):
                claims.append(_claim(summary, f"{generator}_{name}", f"{generator}_difference", FURTHER))
    return tuple(claims)


def claimed_numbers(summary: Summary) -> list[ClaimedNumber]:
    """Returns what maps are compared by: IoU and FNR at each percentile, R and AOPC under each perturbation.

    Args:
        summary: Measurements of all maps.
    """
    numbers = []
    if summary.counts["localised"]:
        numbers += [
            ClaimedNumber(metric, percentile)
            for percentile in summary.options.percentiles
            for metric in ("iou", "fnr")
        ]
    for ending in summary.options.perturbations:
        numbers += [ClaimedNumber(f"relevance{ending}"), ClaimedNumber(f"aopc{ending}")]
    return numbers


def _claim(summary: Summary, key: str, against: str, kind: str) -> Claim:
    measured = key in summary.maps and against in summary.maps
    comparisons = [_compare(summary, key, against, n) for n in claimed_numbers(summary)] if measured else []
    return Claim(key, against, kind, comparisons)


def _compare(summary: Summary, key: str, against: str, number: ClaimedNumber) -> Comparison:
    one, other = (_merit(summary, summary.maps[name], number) for name in (key, against))
    advantage = one - other
    low, high = advantage.interval()
    return Comparison(key, against, number, float(advantage.value), float(low), float(high))


def _merit(summary: Summary, measured: MeasuredMap, number: ClaimedNumber) -> Estimate:
    """Returns a map's number so that more is better, a scalar."""
    estimate = measured.estimates[number.metric]
    if number.percentile is not None:
        place = summary.options.percentiles.index(number.percentile)
        # Ties broken: by the paper's rule a map of one value, which says nothing, selects the whole image.
        picked = estimate.at(place, 1)
        return -picked if number.metric == "fnr" else picked
    if number.metric.startswith("aopc"):
        return estimate.at(0, min(SHORT, summary.options.region_steps))
    return estimate.at(0)
