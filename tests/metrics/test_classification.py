"""AUC, sensitivity, specificity."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tfadvpath.metrics import auc, sensitivity, specificity


def test_auc_counts_the_pairs_in_order():
    rng = np.random.default_rng(0)
    labels = rng.random(60) < 0.3
    scores = np.round(rng.random(60) + 0.3 * labels, 1)  # rounded: with ties
    positive, negative = scores[labels], scores[~labels]
    pairs = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    assert auc(labels, scores) == pytest.approx(pairs.mean(), abs=1e-12)


def test_sensitivity_and_specificity_split_at_one_half():
    labels, scores = [1, 1, 1, 0, 0], [0.5, 0.9, 0.4, 0.5, 0.1]
    assert sensitivity(labels, scores) == pytest.approx(2 / 3)
    assert specificity(labels, scores) == pytest.approx(1 / 2)


def test_a_missing_class_has_no_figure():
    assert math.isnan(auc([1, 1], [0.2, 0.8]))
    assert math.isnan(specificity([1, 1], [0.2, 0.8]))
