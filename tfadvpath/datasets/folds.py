"""Folds for small data sets: patients dealt out evenly, so that each is held out once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.errors import InputError

# Stream of random numbers within a recipe's seed, apart from the others.
_DEALING = 4_000


def deal(patients: np.ndarray, labels: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Deals patients into folds: those with an image of class 1, and then the others, each evenly.

    The numbers of patients of two folds differ by one at most, and so do those of either kind. All images of
    a patient are in one fold. The order of the images does not count.

    Args:
        patients: str [N], the patient of each image.
        labels: float32 [N], 1.0 for class 1.
        folds: Number of folds, from 2 on.
        seed: Seed of the patients' order, not negative.

    Returns:
        int64 [N], the fold of each image, from 0.

    Raises:
        InputError: A fold would be without an image of a class.

    Example:
        >>> deal(np.array(["a", "a", "b", "c", "d"]), np.array([1, 0, 1, 0, 0]), folds=2, seed=0)
        array([0, 0, 1, 0, 1])
    """
    names, patient_of = np.unique(patients, return_inverse=True)
    positive = np.bincount(patient_of, np.asarray(labels) == 1) > 0
    generator = np.random.default_rng([seed, _DEALING])
    order = np.concatenate([generator.permutation(np.flatnonzero(kind)) for kind in (positive, ~positive)])
    fold_of_patient = np.empty(len(names), np.int64)
    fold_of_patient[order] = np.arange(len(names)) % folds
    fold_of = fold_of_patient[patient_of]
    for label in (0, 1):
        counts = np.bincount(fold_of[np.asarray(labels) == label], minlength=folds)
        if not counts.all():
            raise InputError(
                "data.folds",
                f"of {folds} folds of {len(names)} patients, fold {np.argmin(counts)} would hold no image of "
                f"class {label}",
                "Name fewer folds, or another seed",
            )
    return fold_of


def held_out(parts: Sequence[LabelledImages], folds: int, fold: int, seed: int) -> list[np.ndarray]:
    """Returns which images of several parts are of the patients of one fold, bool [N] for each part.

    Args:
        parts: Parts without a patient in common.
        folds: Number of folds, from 2 on.
        fold: Index of the fold, from 0.
        seed: Seed of the patients' order, not negative.

    Raises:
        InputError: A fold would be without an image of a class.
    """
    patients, labels = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("patients", "labels")
    )
    ends = np.cumsum([len(part.labels) for part in parts])
    return np.split(deal(patients, labels, folds, seed) == fold, ends[:-1])


def joined(parts: Sequence[LabelledImages], taken: Sequence[np.ndarray]) -> LabelledImages:
    """Returns some images of several parts as one part, in memory.

    Args:
        parts: Parts, which may be memory maps.
        taken: For each part bool [N], whether an image is taken.
    """
    fields = [field.name for field in dataclasses.fields(LabelledImages)]
    return LabelledImages(
        *(
            np.concatenate([getattr(part, name)[rows] for part, rows in zip(parts, taken, strict=True)])
            for name in fields
        )
    )
