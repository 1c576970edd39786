"""How well probabilities separate two classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

_THRESHOLD = 0.5


def auc(labels: Any, probabilities: Any) -> float:
    """Returns the area under the ROC curve: how often a random positive scores above a random negative.

    Args:
        labels: [N], 1 or True for the positives.
        probabilities: float [N]. Equal values count one half.

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
    """Returns the share of the positives with a probability of at least 0.5; NaN where there is none."""
    return _share(np.asarray(probabilities)[np.asarray(labels, bool)] >= _THRESHOLD)


def specificity(labels: Any, probabilities: Any) -> float:
    """Returns the share of the negatives with a probability below 0.5; NaN where there is none."""
    return _share(np.asarray(probabilities)[~np.asarray(labels, bool)] < _THRESHOLD)


def _share(hits: np.ndarray) -> float:
    return float(hits.mean()) if hits.size else float("nan")
