"""The paper's three claims, each as comparisons that the test images decide.

Source: Charachon et al. 2021, sections 4 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tfadvpath.evaluation.columns import BASELINES, GENERATORS, WEIGHTED
from tfadvpath.evaluation.resampling import Estimate, largest
from tfadvpath.evaluation.summary import SHORT, ColumnSummary, Summary

HOLDS, FAILS, UNDECIDED, UNTESTED = "holds", "does not hold", "undecided", "not tested"
BEST_BASELINE = "best baseline"


class Figure(NamedTuple):
    """What two maps are compared by.

    Attributes:
        name: "iou", "fnr", "relevance" or "aopc".
        percentile: Of the first two; None of the others.
    """

    name: str
    percentile: float | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """One map against another, or against the best of the baselines.

    Attributes:
        key: Of the column that is claimed to be better.
        against: Of the other one, or ``BEST_BASELINE``.
        figure: By what.
        advantage: How much better it is; positive for the claim, whichever way the figure points.
        low: Lower end of the advantage's interval of 95 %, paired over patients.
        high: Upper end.
    """

    key: str
    against: str
    figure: Figure
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
        text: What it says.
        comparisons: What it means for the columns that were measured.
        missing: Keys of the columns that it speaks of and that were not measured.
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
        """Returns how many comparisons have that verdict."""
        return sum(comparison.verdict == verdict for comparison in self.comparisons)


def judge(summary: Summary) -> tuple[Claim, Claim, Claim]:
    """Judges the claims by what was measured. Ties are kept, as in the paper; AOPC is after 16 %.

    The best of the baselines is the best in each resampling: whoever beats it beats all of them.
    """
    localisation = [
        Figure(name, percentile) for percentile in summary.options.percentiles for name in ("iou", "fnr")
    ]
    measured = summary.columns
    if not all("iou" in column.estimates for column in measured.values()):
        localisation = []
    relevance = [Figure("relevance"), Figure("aopc")]
    generators = [name for name in GENERATORS if f"{name}_difference" in measured]
    baselines = [key for key in BASELINES if key in measured]

    def compared(maps: Sequence[str], figures: Sequence[Figure], against: str | None) -> list[Comparison]:
        found = []
        for method in generators:
            for name in maps:
                for figure in figures:
                    others = [f"{method}_{against}"] if against else baselines
                    if others:
                        found.append(_compare(summary, f"{method}_{name}", others, figure, against is None))
        return found

    def claim(text: str, comparisons: list[Comparison], maps: Sequence[str], others: Sequence[str]) -> Claim:
        spoken_of = [*others, *(f"{method}_{name}" for method in GENERATORS for name in maps)]
        return Claim(text, comparisons, [key for key in spoken_of if key not in measured])

    return (
        claim(
            "The smoothed importance v2 localises better than the difference E, for CyCE and for SyCE",
            compared(("fi_v2_smooth",), localisation, "difference"),
            ("difference", "fi_v2_smooth"),
            (),
        ),
        claim(
            "The importances v1, v2 and v2 smooth beat the difference E in feature relevance R and AOPC",
            compared(WEIGHTED, relevance, "difference"),
            ("difference", *WEIGHTED),
            (),
        ),
        claim(
            "The importances beat Gradient, integrated gradients, GradCAM, both masks and SAGen",
            compared(WEIGHTED, [*localisation, *relevance], None),
            WEIGHTED,
            BASELINES,
        ),
    )


def _compare(
    summary: Summary, key: str, others: Sequence[str], figure: Figure, best_of_them: bool
) -> Comparison:
    other = largest(_merit(summary, summary.columns[name], figure) for name in others)
    advantage = _merit(summary, summary.columns[key], figure) - other
    low, high = advantage.interval()
    against = BEST_BASELINE if best_of_them else others[0]
    return Comparison(key, against, figure, float(advantage.value), float(low), float(high))


def _merit(summary: Summary, column: ColumnSummary, figure: Figure) -> Estimate:
    """Returns the figure so that more is better, a scalar."""
    estimate = column.estimates[figure.name]
    if figure.percentile is not None:
        place = summary.options.percentiles.index(figure.percentile)
        picked = estimate.at(place, 0)  # the paper's tie rule
        return -picked if figure.name == "fnr" else picked
    if figure.name == "aopc":
        return estimate.at(0, min(SHORT, summary.options.region_steps))
    return estimate.at(0)
