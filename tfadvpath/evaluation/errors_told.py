"""Pairs and their maps as signs that the classifier is wrong about an image.

A reader could use a map to doubt a decision only if maps of wrong decisions differ from those of right ones.
So each number of a pair and of its map is taken as a score for "the classifier is wrong here". The
classifier's own uncertainty is such a score, too, and costs nothing: a number is worth something where it is
above that.

Source: Jin et al. 2023, "Guidelines and evaluation of clinical explainable AI in medical image analysis".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfadvpath import metrics
from tfadvpath.files import finite

UNCERTAINTY = "uncertainty"
# Numbers of ``PairQuality.arrays`` that could tell an error, and whether high (1) or low (-1) values should.
# A pair that crosses with a small change, soon and surely, comes from an image near the decision.
SIGNALS = {
    "completeness_residual": 1,
    "adversary_l1": -1,
    "target_probability": 1,
    "cout": 1,
    "transferred": -1,
    "concentration": -1,
}
# An error or two say nothing about what tells errors.
_FEWEST = 5


def errors_told(
    arrays: Mapping[str, np.ndarray], labels: np.ndarray, patients: np.ndarray
) -> dict[str, dict[str, Any]]:
    """Measures how well numbers of pairs predict that the classifier is wrong.

    Args:
        arrays: Measurements image by image, [N]: ``score``, the probability of class 1, and those of
            ``SIGNALS`` that there are; NaN where an image has none.
        labels: int [N], 0 or 1.
        patients: Patients of the images, [N].

    Returns:
        Figures by the signal's name, ``UNCERTAINTY`` = 1 - 2 |f(x) - 0.5| first. "images" and "wrong" are the
        counts of images and of errors among them; "auc" with "auc_interval" is the area under the ROC curve,
        0.5 for a signal that tells nothing; "uncertainty_auc" is that of the uncertainty on the same images,
        and "gain" with "gain_interval" the difference. Intervals are of 95 % by bootstrap over patients. A
        signal is left out where fewer than 5 errors, or 5 right decisions, are among the images that have it.
    """
    score = np.asarray(arrays["score"], np.float64)
    wrong = (score >= 0.5) != (np.asarray(labels) == 1)
    uncertainty = 1.0 - 2.0 * np.abs(score - 0.5)
    signals = {UNCERTAINTY: uncertainty}
    signals |= {name: sign * arrays[name] for name, sign in SIGNALS.items() if name in arrays}
    found = {}
    for name, values in signals.items():
        known = ~np.isnan(np.asarray(values, np.float64))
        errors = int(wrong[known].sum())
        if min(errors, int(known.sum()) - errors) < _FEWEST:
            continue
        given = wrong[known], np.asarray(values, np.float64)[known], uncertainty[known]
        groups = np.asarray(patients)[known].tolist()
        auc = metrics.bootstrap_interval(lambda y, s, u: metrics.auc(y, s), given, groups)
        gain = metrics.bootstrap_interval(_gain, given, groups)
        found[name] = {
            "images": int(known.sum()),
            "wrong": errors,
            "auc": metrics.auc(given[0], given[1]),
            "auc_interval": [finite(bound) for bound in auc],
            "uncertainty_auc": metrics.auc(given[0], given[2]),
            "gain": _gain(*given),
            "gain_interval": [finite(bound) for bound in gain],
        }
    return found


def _gain(wrong: np.ndarray, signal: np.ndarray, uncertainty: np.ndarray) -> float:
    return metrics.auc(wrong, signal) - metrics.auc(wrong, uncertainty)
