"""Numbers of pairs as predictors of the classifier's errors."""

import numpy as np
import pytest

from tfadvpath.evaluation.errors_told import UNCERTAINTY, errors_told

N = 60
GENERATOR = np.random.default_rng(0)
SCORE = GENERATOR.random(N)
LABELS = np.where(GENERATOR.random(N) < SCORE, 1, 0)
WRONG = (SCORE >= 0.5) != (LABELS == 1)
PATIENTS = np.arange(N) // 2


def roc_auc(positive, score):
    """How often a positive scores above a negative, counted pair by pair."""
    above = score[positive][:, np.newaxis] - score[~positive]
    return np.mean((above > 0) + 0.5 * (above == 0))


def told(**arrays):
    return errors_told({"score": SCORE, **arrays}, LABELS, PATIENTS)


def test_the_classifiers_own_uncertainty_is_the_measure():
    found = told()[UNCERTAINTY]
    assert found["auc"] == pytest.approx(roc_auc(WRONG, -np.abs(SCORE - 0.5)))
    assert found["gain"] == 0
    assert found["gain_interval"] == [0, 0]
    assert found["wrong"] == WRONG.sum()


def test_a_number_that_knows_the_errors_tells_them():
    # A small distance to the adversary is taken for a sign of an error.
    found = told(adversary_l1=np.where(WRONG, 0.1, 0.2))["adversary_l1"]
    assert found["auc"] == 1
    assert found["auc_interval"] == [1, 1]
    assert found["gain"] == pytest.approx(1 - found["uncertainty_auc"])
    assert found["gain_interval"][0] > 0
    assert told(completeness_residual=np.where(WRONG, 0.1, 0.2))["completeness_residual"]["auc"] == 0


def test_images_without_the_number_are_left_out_of_both():
    values = np.where(np.arange(N) % 2, np.nan, GENERATOR.random(N))
    found = told(cout=values)["cout"]
    known = ~np.isnan(values)
    assert found["images"] == N // 2
    assert found["auc"] == pytest.approx(roc_auc(WRONG[known], values[known]))
    expected = roc_auc(WRONG[known], -np.abs(SCORE - 0.5)[known])
    assert found["uncertainty_auc"] == pytest.approx(expected)


def test_too_few_errors_say_nothing():
    few = np.full(N, np.nan)
    few[np.flatnonzero(WRONG)[:4]] = 0.5
    few[np.flatnonzero(~WRONG)[:10]] = 0.4
    assert "cout" not in told(cout=few)
