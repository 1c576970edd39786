"""AUC, sensitivity, specificity, calibration."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tfadvpath import metrics
from tfadvpath.metrics import auc, brier, expected_calibration_error, reliability, sensitivity, specificity


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


def test_brier_is_the_mean_squared_error():
    assert brier([1, 0, 1, 0], [1.0, 0.0, 0.5, 0.2]) == pytest.approx((0.25 + 0.04) / 4)
    assert brier([1, 0, 0], [0.5, 0.5, 0.5]) == 0.25


def test_reliability_is_known_for_a_case_by_hand():
    labels, scores = [0, 0, 1, 1, 0, 1], [0.0, 0.24, 0.2, 0.5, 0.6, 1.0]
    mean_score, positive_share, count = reliability(labels, scores, bins=4)
    np.testing.assert_array_equal(count, [3, 0, 2, 1])  # an edge belongs to the bin above it, 1 to the last
    np.testing.assert_allclose(mean_score, [0.44 / 3, np.nan, 0.55, 1])
    np.testing.assert_allclose(positive_share, [1 / 3, np.nan, 0.5, 1])
    expected = (3 * (1 - 0.44) / 3 + 2 * 0.05 + 0) / 6
    assert expected_calibration_error(labels, scores, bins=4) == pytest.approx(expected)


def test_calibration_error_is_nothing_for_true_probabilities_and_the_shift_for_shifted_ones():
    rng = np.random.default_rng(1)
    truth = rng.uniform(0, 0.8, 40_000)
    labels = rng.random(40_000) < truth
    # Of 5000 images in a bin the share has a standard deviation of 0.007 at most.
    assert expected_calibration_error(labels, truth) < 0.01
    assert expected_calibration_error(labels, truth + 0.2) == pytest.approx(0.2, abs=0.01)


def test_one_bin_compares_the_means():
    labels, scores = [1, 0, 0, 0], [0.9, 0.8, 0.1, 0.6]
    assert expected_calibration_error(labels, scores, bins=1) == pytest.approx(0.6 - 0.25)


def test_without_images_there_is_no_calibration():
    assert math.isnan(brier([], []))
    assert math.isnan(expected_calibration_error([], []))
    assert reliability([], []).images.tolist() == [0] * 10


@pytest.mark.parametrize(
    ("labels", "scores", "bins", "message"),
    [
        ([0, 1], [0.5], 10, r"Labels and probabilities must both be \[N\]"),
        ([0, 1], [0.5, 1.5], 10, "Probabilities must be between 0 and 1"),
        ([0, 1], [0.5, math.nan], 10, "Probabilities must be between 0 and 1"),
        ([0, 1], [0.5, 0.5], 0, "`bins` must be positive"),
    ],
)
def test_wrong_arguments_are_named(labels, scores, bins, message):
    with pytest.raises(ValueError, match=message):
        reliability(labels, scores, bins)


@pytest.mark.parametrize(
    ("point", "sensitivity", "specificity"),
    [("youden", 0.8, 1.0), (0.8, 0.8, 1.0), (0.9, 1.0, 0.6), (0.5, 0.6, 1.0)],
)
def test_an_operating_point_has_what_it_promises(point, sensitivity, specificity):
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    probabilities = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.25, 0.6, 0.7, 0.8, 0.9])
    threshold = metrics.operating_threshold(labels, probabilities, point)
    above = probabilities >= threshold
    assert (above[labels == 1].mean(), (~above)[labels == 0].mean()) == (sensitivity, specificity)


def test_of_equally_good_thresholds_the_nearest_to_a_half_is_taken():
    assert metrics.operating_threshold([0, 1], [0.1, 0.7], "youden") == pytest.approx(0.4)
    # Each of the three in the gap separates as well.
    labels, probabilities = [0, 0, 1, 1, 0, 1], [0.1, 0.2, 0.3, 0.35, 0.38, 0.9]
    assert metrics.operating_threshold(labels, probabilities, "youden") in (0.25, 0.64)


@pytest.mark.parametrize("point", ["half", 0.0, 1.0, 2])
def test_another_operating_point_is_refused(point):
    with pytest.raises(ValueError, match="youden"):
        metrics.operating_threshold([0, 1], [0.1, 0.7], point)
    with pytest.raises(ValueError, match="both classes"):
        metrics.operating_threshold([1, 1], [0.1, 0.7], "youden")
