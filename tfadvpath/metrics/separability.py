"""Separability of two sets of images: a test on patients that the training has not seen."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
from scipy import optimize, special

from tfadvpath.metrics.classification import auc


def patient_folds(patients: Iterable[Hashable], folds: int, seed: int = 0) -> np.ndarray:
    """Deals patients out to folds of cross-validation: no patient is in two of them.

    Args:
        patients: Patients of the N images: strings, numbers or anything that can be a key.
        folds: Number of folds, 2 or more. With fewer patients some folds stay empty.
        seed: Seed of the order in which the patients are dealt, not negative.

    Returns:
        int64 [N] in [0, folds). The numbers of patients of two folds differ by at most 1.

    Raises:
        ValueError: Fewer than two folds.

    Example:
        >>> patient_folds(["a", "a", "b", "c", "d"], 2).tolist()
        [0, 0, 0, 1, 1]
    """
    if folds < 2:
        raise ValueError(f"`folds` must be 2 or more. Received: {folds}")
    numbers: dict[Hashable, int] = {}
    patient_of = np.array([numbers.setdefault(patient, len(numbers)) for patient in patients], np.int64)
    fold_of_patient = np.random.default_rng(seed).permutation(len(numbers)) % folds
    return np.asarray(fold_of_patient[patient_of], np.int64)


def held_out_auc(labels: Any, scores: Any, folds: Any) -> float:
    """Returns the area under the ROC curve (AUC) of held-out scores, the mean over the folds.

    The scores of one fold come from one training. Those of different trainings have different scales: one
    AUC over all of them would mix these up.

    Args:
        labels: bool or number [N], 1 or True for the positives.
        scores: float [N], each from a training without the patients of its fold.
        folds: int [N], fold of each image.

    Returns:
        In [0, 1]; folds without both classes are left out, and NaN remains where that is all of them.

    Example:
        >>> held_out_auc([0, 1, 0, 1], [0.1, 0.2, 10.1, 10.2], [0, 0, 1, 1])
        1.0
    """
    positive, scores, folds = np.asarray(labels, bool), np.asarray(scores, np.float64), np.asarray(folds)
    found = np.array([auc(positive[folds == fold], scores[folds == fold]) for fold in np.unique(folds)])
    found = found[~np.isnan(found)]
    return float(found.mean()) if len(found) else float("nan")


def logistic_scores(features: Any, labels: Any, folds: Any, *, ridge: float = 1.0) -> np.ndarray:
    """Returns the scores of a logistic regression that was fitted on the other folds, for every image.

    The features are standardised by the training images. The regression minimises

        mean over both classes' means of log(1 + exp(-y (w z + b))) + ridge / (2 N) |w|^2,  y = -1 or 1

    so the classes count alike, whatever their numbers. The penalty keeps the weights finite where the
    training images can be told apart without an error.

    Args:
        features: float [N, D], finite, a row an image.
        labels: bool or number [N], 1 or True for the positives.
        folds: int [N], fold of each image, as ``patient_folds`` deals them.
        ridge: Strength of the penalty, positive.

    Returns:
        float64 [N], log odds; NaN where the other folds lack a class.

    Raises:
        ValueError: Shapes that do not fit, values that are not finite, or ``ridge`` not positive.
    """
    x, positive, folds = np.asarray(features, np.float64), np.asarray(labels, bool), np.asarray(folds)
    if x.ndim != 2 or positive.shape != x.shape[:1] or folds.shape != x.shape[:1]:
        raise ValueError(
            "`features` must be [N, D], `labels` and `folds` [N]. "
            f"Received: shapes {x.shape}, {positive.shape} and {folds.shape}"
        )
    if not np.isfinite(x).all() or not ridge > 0:
        raise ValueError(f"`features` must be finite and `ridge` positive. Received: ridge={ridge}")
    scores = np.full(len(x), np.nan)
    for fold in np.unique(folds):
        held_out = folds == fold
        seen, classes = x[~held_out], positive[~held_out]
        if classes.all() or not classes.any():
            continue
        mean, deviation = seen.mean(axis=0), seen.std(axis=0)
        scale = np.where(deviation > 0, deviation, 1.0)
        weights, offset = _fit((seen - mean) / scale, classes, ridge)
        scores[held_out] = (x[held_out] - mean) / scale @ weights + offset
    return scores


def _fit(z: np.ndarray, positive: np.ndarray, ridge: float) -> tuple[np.ndarray, float]:
    """Returns the weights, float64 [D], and the offset."""
    sign = np.where(positive, 1.0, -1.0)
    share = np.where(positive, 0.5 / positive.sum(), 0.5 / (~positive).sum())
    penalty = ridge / len(z)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (z @ parameters[:-1] + parameters[-1])
        slope = -share * sign * special.expit(-margin)
        gradient = np.append(slope @ z + penalty * parameters[:-1], slope.sum())
        value = share @ np.logaddexp(0.0, -margin) + 0.5 * penalty * parameters[:-1] @ parameters[:-1]
        return float(value), gradient

    found = optimize.minimize(loss, np.zeros(z.shape[1] + 1), jac=True, method="L-BFGS-B").x
    return np.asarray(found[:-1]), float(found[-1])
