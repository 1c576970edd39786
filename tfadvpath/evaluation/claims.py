"""The paper's claims, each as comparisons of one map with another that the test images decide.

The paper says that its smoothed importances localise better than the difference E, are more relevant than it,
and outperform the state of the art. So v2 smooth of either generator is compared with its E and with each
baseline, a verdict each; and with E smooth, which the paper does not have: what v2 smooth has above that is
the gradient's part, the rest is the filter's. v1 and v2 are compared with E and each baseline, too. Beside
that v2 smooth is compared with what knows nothing of the image: a random order, and the mean annotation of
other patients.

Source: Charachon et al. 2021, sections 4 and 5.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tfadvpath.evaluation.compared_maps import BASELINES, COMPARED_MAPS, CONTROLS
from tfadvpath.evaluation.estimates import Estimate
from tfadvpath.evaluation.references import AVERAGE_MASK, RANDOM_ORDER
from tfadvpath.evaluation.summary import SHORT, Summary

HOLDS, FAILS, UNDECIDED, UNTESTED = "holds", "does not hold", "undecided", "not tested"
MAIN, FURTHER, REFERENCE = "main", "further", "reference"
# The paper's best first.
MAIN_ORDER = ("syce", "cyce")
_IGNORANT = {RANDOM_ORDER: "a random order", AVERAGE_MASK: "the average mask"}
TITLES = {compared.key: compared.title for compared in (*COMPARED_MAPS, *CONTROLS)} | _IGNORANT


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
        kind: Kind of the claim: ``MAIN`` for v2 smooth, ``FURTHER`` for v1 and v2, ``REFERENCE`` for v2
            smooth against what knows nothing of the image.
        comparisons: Comparisons of the two by every number that both have; none where one of the two was not
            measured.
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
        against E and each baseline; then v2 smooth against a random order and the average mask.
    """
    claims = []
    baselines = [key for key in BASELINES if key not in left_out]
    generators = [name for name in MAIN_ORDER if f"{name}_difference" in summary.maps]
    for generator in generators:
        others = [f"{generator}_difference", f"{generator}_difference_smooth", *baselines]
        claims += [_claim(summary, f"{generator}_fi_v2_smooth", other, MAIN) for other in others]
    for generator in generators:
        for name in ("fi_v1", "fi_v2"):
            others = [f"{generator}_difference", *baselines]
            claims += [_claim(summary, f"{generator}_{name}", other, FURTHER) for other in others]
    for generator in generators:
        claims += [_claim(summary, f"{generator}_fi_v2_smooth", other, REFERENCE) for other in _IGNORANT]
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
    one, other = (_estimates(summary, name) for name in (key, against))
    comparisons = [
        _compare(key, against, number, _merit(summary, one, number) - _merit(summary, other, number))
        for number in claimed_numbers(summary)
        if number.metric in one and number.metric in other
    ]
    return Claim(key, against, kind, comparisons)


def _estimates(summary: Summary, key: str) -> Mapping[str, Estimate]:
    if key in summary.maps:
        return summary.maps[key].estimates
    found = dict(summary.references.get(key, {}))
    if key == RANDOM_ORDER:
        by_chance = {name: value for name, value in summary.random.items() if "flipped" not in name}
        # A map's AOPC is relative to that of random orders.
        found |= {name: by - by if name.startswith("aopc") else by for name, by in by_chance.items()}
    return found


def _compare(key: str, against: str, number: ClaimedNumber, advantage: Estimate) -> Comparison:
    low, high = advantage.interval()
    return Comparison(key, against, number, float(advantage.value), float(low), float(high))


def _merit(summary: Summary, estimates: Mapping[str, Estimate], number: ClaimedNumber) -> Estimate:
    """Returns a map's number so that more is better, a scalar."""
    estimate = estimates[number.metric]
    if number.percentile is not None:
        place = summary.options.percentiles.index(number.percentile)
        # Ties broken: by the paper's rule a map of one value, which says nothing, selects the whole image.
        picked = estimate.at(place, 1)
        return -picked if number.metric == "fnr" else picked
    if number.metric.startswith("aopc"):
        return estimate.at(0, min(SHORT, summary.options.region_steps))
    return estimate.at(0)
