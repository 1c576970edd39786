"""Metrics of probabilities: how well they separate two classes, and how far they are to be believed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import stats

_THRESHOLD = 0.5


def auc(labels: Any, probabilities: Any) -> float:
    """Returns the area under the ROC curve: how often a random positive scores above a random negative.

    Args:
        labels: bool or number [N], 1 or True for the positives.
        probabilities: float [N], probabilities of class 1 or any score. Equal values count one half.

    Returns:
        In [0, 1]; NaN where a class is missing.

    Example:
        >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """
    positive = np.asarray(labels, bool)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    ranks = stats.rankdata(probabilities)
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def sensitivity(labels: Any, probabilities: Any) -> float:
    """Returns the share of the positives with a probability of at least 0.5; NaN where there is none.

    Args:
        labels: bool or number [N], 1 or True for the positives.
        probabilities: float [N] in [0, 1], probabilities of class 1.
    """
    return _mean(np.asarray(probabilities)[np.asarray(labels, bool)] >= _THRESHOLD)


def specificity(labels: Any, probabilities: Any) -> float:
    """Returns the share of the negatives with a probability below 0.5; NaN where there is none.

    Args:
        labels: bool or number [N], 1 or True for the positives.
        probabilities: float [N] in [0, 1], probabilities of class 1.
    """
    return _mean(np.asarray(probabilities)[~np.asarray(labels, bool)] < _THRESHOLD)


def operating_threshold(labels: Any, probabilities: Any, point: str | float) -> float:
    """Returns the threshold of an operating point, half-way between two probabilities that occur.

    Args:
        labels: bool or number [N], 1 or True for the positives.
        probabilities: float [N] in [0, 1], probabilities of class 1.
        point: Operating point: "youden" has the largest sensitivity + specificity, a number in (0, 1) is the
            sensitivity to reach, with the largest threshold that reaches it.

    Returns:
        In (0, 1). Of equally good ones the nearest to 0.5.

    Raises:
        ValueError: A class is missing, or the point is another one.

    Source: Youden 1950.

    Example:
        >>> operating_threshold([0, 0, 1, 1], [0.125, 0.25, 0.5, 0.75], "youden")
        0.375
    """
    positive = np.asarray(labels, bool)
    scores = np.asarray(probabilities, np.float64)
    if not 0 < positive.sum() < len(positive):
        raise ValueError("`labels` must have both classes. Received: one")
    edges = np.concatenate([[0.0], np.unique(scores), [1.0]])
    thresholds = (edges[:-1] + edges[1:]) / 2.0
    thresholds = np.clip(thresholds, 1e-6, 1.0 - 1e-6)  # where probabilities are 0 or 1 themselves
    sensitivities = np.mean(scores[positive] >= thresholds[:, np.newaxis], axis=1)
    specificities = np.mean(scores[~positive] < thresholds[:, np.newaxis], axis=1)
    if point == "youden":
        worth = sensitivities + specificities
    elif isinstance(point, float) and 0 < point < 1:
        worth = np.where(sensitivities >= point, thresholds, -1.0)
    else:
        raise ValueError(f'`point` must be "youden" or a sensitivity in (0, 1). Received: {point!r}')
    best = np.flatnonzero(worth >= worth.max() - 1e-12)
    return float(thresholds[best[np.argmin(np.abs(thresholds[best] - 0.5))]])


def brier(labels: Any, probabilities: Any) -> float:
    """Returns the mean squared difference of probability and label, in [0, 1]; NaN without images.

    0 is a certain and right classifier; 0.25 is what the answer 0.5 for every image reaches.

    Source: Brier 1950.

    Args:
        labels: bool or number [N], 1 or True for the positives.
        probabilities: float [N] in [0, 1], probabilities of class 1.

    Raises:
        ValueError: Lengths differ, or probabilities are outside [0, 1].
    """
    labels, probabilities = _checked(labels, probabilities)
    return _mean((probabilities - labels) ** 2)


class Reliability(NamedTuple):
    """Images by their probability, in bins of equal width: what a reliability diagram shows.

    Attributes:
        mean_score: float64 [bins], mean probability of a bin's images; NaN where a bin is empty.
        positive_share: float64 [bins], share of the positives among them; NaN where a bin is empty.
        images: int64 [bins], number of the images.
    """

    mean_score: np.ndarray
    positive_share: np.ndarray
    images: np.ndarray


def reliability(labels: Any, scores: Any, bins: int = 10) -> Reliability:
    """Groups images by their probability and counts the positives of each group.

    Args:
        labels: bool or number [N], 1 or True for the positives.
        scores: float [N] in [0, 1], probabilities of class 1.
        bins: Number of bins of equal width over [0, 1], positive. A lower edge belongs to its bin, 1 to the
            last.

    Raises:
        ValueError: Lengths differ, scores outside [0, 1], or no bins.

    Example:
        >>> reliability([0, 1, 1], [0.1, 0.3, 0.9], bins=2).positive_share
        array([0.5, 1. ])
    """
    if bins < 1:
        raise ValueError(f"`bins` must be positive. Received: {bins}")
    labels, scores = _checked(labels, scores)
    place = np.minimum((scores * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    occupied = np.where(count > 0, count, np.nan)
    return Reliability(
        np.bincount(place, scores, bins) / occupied, np.bincount(place, labels, bins) / occupied, count
    )


def expected_calibration_error(labels: Any, scores: Any, bins: int = 10) -> float:
    """Returns the mean over images of |mean score - share of positives| in the image's bin; NaN without any.

    The error depends on the number of bins, and with few images in each it is too large.

    Source: Naeini, Cooper and Hauskrecht 2015.

    Args:
        labels: bool or number [N], 1 or True for the positives.
        scores: float [N] in [0, 1], probabilities of class 1.
        bins: Number of bins of equal width over [0, 1], positive.

    Raises:
        ValueError: Lengths differ, scores outside [0, 1], or no bins.
    """
    mean_score, positive_share, images = reliability(labels, scores, bins)
    if not images.sum():
        return float("nan")
    return float(np.nansum(images * np.abs(mean_score - positive_share)) / images.sum())


def _checked(labels: Any, scores: Any) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = np.asarray(labels, bool), np.asarray(scores, np.float64)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise ValueError(
            f"Labels and probabilities must both be [N]. Received: shapes {labels.shape} and {scores.shape}"
        )
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError("Probabilities must be between 0 and 1. Received: others, or NaN")
    return labels, scores


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
