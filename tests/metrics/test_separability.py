"""Telling two sets apart, on patients that the training has not seen."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize

from tfadvpath.metrics import auc, held_out_auc, logistic_scores, patient_folds


@pytest.mark.parametrize("patients", [2, 7, 30])
def test_no_patient_is_in_two_folds_and_folds_are_alike(patients):
    names = np.random.default_rng(0).permutation(np.repeat([f"p{i}" for i in range(patients)], 3))
    folds = patient_folds(names, 5)
    sizes = [len(set(names[folds == fold])) for fold in range(5)]
    assert sum(sizes) == patients
    assert max(sizes) - min(sizes) <= 1


def test_the_seed_chooses_the_folds():
    names = np.arange(40)
    assert np.array_equal(patient_folds(names, 4, 1), patient_folds(names, 4, 1))
    assert not np.array_equal(patient_folds(names, 4, 1), patient_folds(names, 4, 2))
    with pytest.raises(ValueError, match="2 or more"):
        patient_folds(names, 1)


def test_the_auc_is_the_mean_over_the_folds():
    rng = np.random.default_rng(0)
    labels, folds = rng.random(60) < 0.5, np.repeat([0, 1, 2], 20)
    scores = labels + rng.normal(size=60) + 100 * folds  # each training has a scale of its own
    labels[folds == 2] = True  # a fold without both classes says nothing
    expected = np.mean([auc(labels[folds == fold], scores[folds == fold]) for fold in (0, 1)])
    assert held_out_auc(labels, scores, folds) == pytest.approx(expected)
    assert math.isnan(held_out_auc(np.ones(4), np.arange(4), np.arange(4)))


def test_scores_are_those_of_the_minimum_without_the_patients_fold():
    rng = np.random.default_rng(1)
    x, labels = rng.normal(size=(50, 3)) * [1, 10, 0.1] + 5, rng.random(50) < 0.3
    folds = np.arange(50) % 2
    scores = logistic_scores(x, labels, folds, ridge=2.0)
    for fold in (0, 1):
        seen = folds != fold
        mean, deviation = x[seen].mean(axis=0), x[seen].std(axis=0)

        def loss(parameters, seen=seen, mean=mean, deviation=deviation):
            odds = (x[seen] - mean) / deviation @ parameters[:3] + parameters[3]
            signed = np.where(labels[seen], 1, -1)
            each = np.log(1 + np.exp(-signed * odds))
            classes = [each[labels[seen] == one].mean() for one in (False, True)]
            return np.mean(classes) + 2.0 / (2 * seen.sum()) * np.sum(parameters[:3] ** 2)

        best = optimize.minimize(loss, np.zeros(4), method="Nelder-Mead", options={"maxiter": 5000}).x
        expected = (x[~seen] - mean) / deviation @ best[:3] + best[3]
        np.testing.assert_allclose(scores[~seen], expected, atol=1e-2)  # as near as Nelder-Mead comes


def test_sets_that_differ_are_told_apart_and_equal_ones_are_not():
    rng = np.random.default_rng(2)
    labels, folds = np.arange(200) % 2 == 1, patient_folds(np.arange(200) // 4, 5)
    same = rng.normal(size=(200, 20))
    shifted = same + 3.0 * labels[:, np.newaxis] * (np.arange(20) == 7)
    assert held_out_auc(labels, logistic_scores(shifted, labels, folds), folds) > 0.95
    assert 0.35 < held_out_auc(labels, logistic_scores(same, labels, folds), folds) < 0.65


def test_what_only_marks_a_patient_is_no_help():
    """Every image of a patient carries the patient's mark: within a patient it would tell the sets apart."""
    rng = np.random.default_rng(3)
    patients = np.repeat(np.arange(40), 5)
    labels = np.repeat(rng.random(40) < 0.5, 5)
    marks = np.eye(40)[patients] + 0.01 * rng.normal(size=(200, 40))
    by_patient, by_image = patient_folds(patients, 5), np.arange(200) % 5
    assert held_out_auc(labels, logistic_scores(marks, labels, by_image), by_image) > 0.99
    assert held_out_auc(labels, logistic_scores(marks, labels, by_patient), by_patient) < 0.75


def test_more_features_than_images_and_constant_ones_are_no_trouble():
    rng = np.random.default_rng(4)
    labels, folds = np.arange(20) % 2 == 1, np.arange(20) // 5
    x = np.concatenate([rng.normal(size=(20, 300)), np.full((20, 1), 2.0)], axis=1)
    assert np.isfinite(logistic_scores(x, labels, folds)).all()


def test_a_fold_whose_rest_lacks_a_class_has_no_scores():
    scores = logistic_scores(np.arange(4.0)[:, np.newaxis], [0, 0, 1, 1], [0, 0, 1, 1])
    assert np.isnan(scores).all()


@pytest.mark.parametrize(
    ("x", "ridge", "message"),
    [
        (np.zeros((4, 2)), 0.0, "`ridge` positive"),
        (np.full((4, 2), np.inf), 1.0, "must be finite"),
        (np.zeros(4), 1.0, r"must be \[N, D\]"),
        (np.zeros((3, 2)), 1.0, r"must be \[N, D\]"),
    ],
)
def test_wrong_arguments_are_named(x, ridge, message):
    with pytest.raises(ValueError, match=message):
        logistic_scores(x, [0, 0, 1, 1], [0, 1, 0, 1], ridge=ridge)
