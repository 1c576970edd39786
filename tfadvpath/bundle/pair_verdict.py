"""The verdict on a generator's pairs: a map is worth what its pair of images is worth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_CLASS_OF = {"zero_to_one": 0, "one_to_zero": 1}


@dataclass(frozen=True)
class Threshold:
    """What a figure must reach for the maps to be read as they are meant.

    Attributes:
        figure: Name of the figure in figures.json.
        low: Smallest value that is good enough; None is any.
        high: Largest value that is good enough; None is any.
        sentence: Consequence for a reader of the maps, where the figure misses this. It may hold ``{value}``,
            ``{percent}`` (100 times the value), ``{missing}`` (100 less that) and ``{limit}``.
        instead_of: Figure in whose absence this one counts: the better one is not always measured.
        of_a_class: The sentence where only images of one prediction miss the limit; it may hold
            ``{predicted}``, too.
    """

    figure: str
    low: float | None
    high: float | None
    sentence: str
    instead_of: str | None = None
    of_a_class: str | None = None

    def missed(self, value: float) -> bool:
        """Returns whether a value is outside the limits."""
        return (self.low is not None and value < self.low) or (self.high is not None and value > self.high)


# The limits are this project's choice; no source gives any. docs/explanation/metrics.md says what each
# figure means.
THRESHOLDS = (
    Threshold(
        "flip_rate",
        0.85,
        None,
        "{missing} % of the adversaries do not cross the decision: read no map where `crossed` is false.",
        of_a_class="{missing} % of the adversaries of images predicted {predicted} do not cross the "
        "decision: among these, read no map where `crossed` is false.",
    ),
    Threshold(
        "keep_rate",
        0.9,
        None,
        "{missing} % of the stable images lose the decision: read no map where `kept` is false.",
    ),
    Threshold(
        "undoing",
        0.5,
        None,
        "The stable images do not show what the adversaries lack (cosine of both changes {value}, at least "
        "{limit} is wanted): the maps show what the generator paints, not what the decision rests on.",
        of_a_class="The stable images of images predicted {predicted} do not show what their adversaries "
        "lack (cosine of both changes {value}, at least {limit} is wanted): among these, the maps show what "
        "the generator paints, not what the decision rests on.",
    ),
    Threshold(
        "stable_similarity",
        0.97,
        None,
        "The stable images are no faithful copies of the images (structural similarity {value}, at least "
        "{limit} is wanted): the maps compare other images than those that were decided on.",
    ),
    Threshold(
        "adversary_similarity_outside",
        0.95,
        None,
        "The adversaries change the images outside the findings too (structural similarity {value} there, at "
        "least {limit} is wanted): the maps show changes that have nothing to do with a finding.",
    ),
    # Over all of an image the finding counts too, and it has to change.
    Threshold(
        "adversary_similarity",
        0.9,
        None,
        "The adversaries change much of the images (structural similarity {value}, at least {limit} is "
        "wanted): the maps show more than the decision needs.",
        instead_of="adversary_similarity_outside",
    ),
    Threshold(
        "stable_sharpness",
        0.9,
        None,
        "The stable images are blurred copies (they keep {percent} % of the images' fine detail): the maps "
        "miss fine detail, or show the edges of the image.",
    ),
    Threshold(
        "stable_sharpness",
        None,
        1.1,
        "The stable images hold fine detail that the images have not ({percent} % of theirs): the maps show "
        "what the generator adds.",
    ),
    Threshold(
        "adversary_sharpness",
        0.9,
        None,
        "The adversaries are blurred copies (they keep {percent} % of the images' fine detail): the maps "
        "show every edge of the image.",
    ),
    Threshold(
        "adversary_sharpness",
        None,
        1.1,
        "The adversaries hold fine detail that the images have not ({percent} % of theirs): the maps show "
        "noise or a pattern that the generator adds.",
    ),
    Threshold(
        "transfer_rate",
        0.5,
        None,
        "The adversaries do not transfer to a second classifier ({percent} % of them cross its decision): "
        "the maps show what this network reacts to, not what a finding looks like.",
    ),
    Threshold(
        "chequer_ratio",
        None,
        3.0,
        "The change from image to adversary carries a pattern of two or four pixels ({value} times the power "
        "beside it): chequers in the maps are the generator's, not the image's.",
    ),
    Threshold(
        "completeness_residual",
        None,
        0.1,
        "The gradients along the path miss the change of the decision (by {percent} % of it): the weights in "
        "the maps fi_v1 and fi_v2 are inexact, and more steps are needed.",
    ),
)


@dataclass(frozen=True)
class PairVerdict:
    """The verdict on a generator's pairs.

    Attributes:
        good: Whether no figure that was measured misses its limits.
        sentences: Consequences for a reader of the maps, one for each limit that is missed.
        judged: Names of the figures that were there to be judged; empty where nothing is known of the pairs.
    """

    good: bool
    sentences: tuple[str, ...]
    judged: tuple[str, ...] = ()


def pair_verdict(figures: Mapping[str, Any]) -> PairVerdict:
    """Returns whether a generator's pairs are good enough for its maps, and what follows where they are not.

    Args:
        figures: Figures of the generator's pairs by name, as ``bundle.figures["test"]["syce"]`` holds them or
            ``tfadvpath.evaluation.pair_quality`` measures them. Those that are missing or None are passed
            over: earlier versions measured fewer.

    Example:
        >>> verdict = pair_verdict({"flip_rate": 0.95, "adversary_sharpness": 0.4})
        >>> verdict.good, verdict.judged
        (False, ('flip_rate', 'adversary_sharpness'))
        >>> verdict.sentences[0][:60]
        'The adversaries are blurred copies (they keep 40 % of the im'
    """
    judged: dict[str, None] = {}  # in the table's order, each once
    sentences = []
    for threshold in THRESHOLDS:
        value = _number(figures.get(threshold.figure))
        better = threshold.instead_of is not None and _number(figures.get(threshold.instead_of)) is not None
        if value is None or better:
            continue
        judged[threshold.figure] = None
        if threshold.missed(value):
            sentences.append(_said(threshold, value))
        elif threshold.of_a_class is not None:
            sentences += _of_the_classes(threshold, figures.get(f"{threshold.figure}_by_class") or {})
    return PairVerdict(not sentences, tuple(sentences), tuple(judged))


def _of_the_classes(threshold: Threshold, rates: Mapping[str, Any]) -> Iterator[str]:
    """Yields the sentences for classes that miss what all images together reach."""
    for direction, predicted in _CLASS_OF.items():
        rate = _number(rates.get(direction))
        if rate is not None and threshold.missed(rate):
            yield _said(threshold, rate, threshold.of_a_class, predicted)


def _said(
    threshold: Threshold, value: float, sentence: str | None = None, predicted: int | None = None
) -> str:
    limit = threshold.low if threshold.low is not None else threshold.high
    return (sentence or threshold.sentence).format(
        value=_beside(value, limit),
        percent=round(100 * value),
        missing=_missing(value),
        limit=limit,
        predicted=predicted,
    )


def _beside(value: float, limit: float | None) -> str:
    """Returns a value with two digits, or with as many as tell it from the limit that it misses."""
    for digits in range(2, 7):
        said = f"{value:.{digits}f}"
        if float(said) != limit:
            break
    return said


def _missing(value: float) -> int:
    return round(100 * (1 - value))


def _number(value: Any) -> float | None:
    """Returns a figure as a number; None where there is none, also where a file holds something else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
