"""Means over images, and how far they could be from their values by the choice of patients: many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

# Quantiles at the ends of the interval of 95 %.
_ENDS = (0.025, 0.975)


@dataclass(frozen=True, eq=False)
class Estimate:
    """A number, or an array of them, and its value in each resampling of the patients.

    Estimates of the same ``Resampling`` are paired: the difference of two is again an estimate, with an
    interval of its own.

    Attributes:
        value: float64 [...], value over all images; NaN where it is not defined.
        resampled: float64 [repeats, ...], value in each resampling.
    """

    value: np.ndarray
    resampled: np.ndarray

    def __sub__(self, other: Estimate) -> Estimate:
        return Estimate(self.value - other.value, self.resampled - other.resampled)

    def __neg__(self) -> Estimate:
        return Estimate(-self.value, -self.resampled)

    def at(self, *place: int | slice) -> Estimate:
        """Returns a part of the estimate, by its place in ``value``."""
        return Estimate(np.asarray(self.value[place]), self.resampled[(slice(None), *place)])

    def through(self, function: Callable[[np.ndarray], Any]) -> Estimate:
        """Returns the estimate of a function of the value, such as the area under a mean curve."""
        return Estimate(
            np.asarray(function(self.value), np.float64),
            np.array([function(row) for row in self.resampled], np.float64),
        )

    def interval(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the ends of the interval of 95 %, low and high, float64 [...] each.

        They are those of ``metrics.bootstrap_interval``: resamplings where the value is not defined are left
        out; both are NaN where more than half of them are.
        """
        flat = self.resampled.reshape(len(self.resampled), -1)
        defined = ~np.isnan(flat)
        interval = np.full((2, flat.shape[1]), np.nan)
        whole = defined.all(axis=0)
        if whole.any():
            interval[:, whole] = np.quantile(flat[:, whole], _ENDS, axis=0)
        for i in np.flatnonzero(~whole & (2 * defined.sum(axis=0) >= len(flat))):
            interval[:, i] = np.quantile(flat[defined[:, i], i], _ENDS)
        low, high = interval.reshape(2, *self.value.shape)
        return low, high


class Resampling:
    """Draws of as many patients as there are, with replacement, again and again.

    They are those of ``metrics.bootstrap_interval`` with the same seed. A resampling is a row of weights, so
    means of all resamplings are one product of matrices.

    Args:
        patients: Patients of the N images: strings, numbers or anything that can be a key.
        repeats: Number of resamplings.
        seed: Seed of the draws, not negative.
    """

    def __init__(self, patients: Iterable[Any], repeats: int = 1000, seed: int = 0):
        numbers: dict[Any, int] = {}
        self.patient = np.array([numbers.setdefault(patient, len(numbers)) for patient in patients], np.int64)
        self.patients = len(numbers)
        generator = np.random.default_rng(seed)
        self.weights = np.zeros((repeats, self.patients))
        for row in self.weights:
            row += np.bincount(generator.integers(self.patients, size=self.patients), minlength=self.patients)

    def mean(self, values: Any, where: Any = None) -> Estimate:
        """Estimates the mean over images.

        Args:
            values: float [N, ...]. An image whose value is NaN is left out.
            where: bool [N], whether an image counts; None is all.
        """
        values = np.asarray(values, np.float64)
        flat = values.reshape(len(values), -1)
        counted = ~np.isnan(flat)
        if where is not None:
            counted &= np.asarray(where, bool)[:, np.newaxis]
        totals = self._by_patient(np.where(counted, flat, 0))
        counts = self._by_patient(counted.astype(np.float64))
        shape = values.shape[1:]
        value = _ratio(totals.sum(axis=0), counts.sum(axis=0)).reshape(shape)
        # One patient leaves nothing to choose.
        weights = self.weights if self.patients > 1 else np.zeros_like(self.weights)
        resampled = _ratio(weights @ totals, weights @ counts).reshape(len(weights), *shape)
        return Estimate(value, resampled)

    def _by_patient(self, values: np.ndarray) -> np.ndarray:
        sums = np.zeros((self.patients, values.shape[1]))
        np.add.at(sums, self.patient, values)
        return sums


def largest(estimates: Iterable[Estimate]) -> Estimate:
    """Returns the largest of several estimates, in every resampling anew."""
    chosen = list(estimates)
    return Estimate(
        np.max([estimate.value for estimate in chosen], axis=0),
        np.max([estimate.resampled for estimate in chosen], axis=0),
    )


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    ratio = np.full(total.shape, np.nan)
    np.divide(total, count, out=ratio, where=count > 0)
    return ratio
