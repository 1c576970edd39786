"""Comparison of maps with those of a classifier that has learned nothing.

Source: Adebayo et al. 2018, "Sanity checks for saliency maps".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tfadvpath.metrics.maps import summed_maps


def rank_correlation(maps: Any, others: Any, where: Any = None) -> np.ndarray:
    """Returns Spearman's rank correlation of two sets of maps, image by image.

    Equal values share the mean of their ranks. Maps that are 0 over the same background correlate by that
    alone: compare the result with that of maps of different images.

    Args:
        maps: float [B, H, W] or [B, H, W, C]; channels are summed.
        others: float of the shape of ``maps``: for the check, the maps of a classifier with random weights
            (``tfadvpath.models.randomized``).
        where: bool [B, H, W], pixels that are compared; None compares all.

    Returns:
        float64 [B] in [-1, 1]; NaN where one of the maps is constant, or fewer than two pixels are compared.

    Raises:
        ValueError: Shapes differ or are others, or values are not finite.

    Example:
        >>> ramp = np.arange(9.0).reshape(1, 3, 3)
        >>> rank_correlation(ramp, -np.exp(ramp))
        array([-1.])
    """
    if np.shape(maps) != np.shape(others):
        raise ValueError(
            "`others` must have the shape of `maps`. "
            f"Received: shapes {np.shape(others)} and {np.shape(maps)}"
        )
    if where is not None:
        pairs = zip(summed_maps(maps), summed_maps(others), np.asarray(where, bool), strict=True)
        return np.concatenate([_of_pixels(own[at], other[at]) for own, other, at in pairs])
    a, b = _centred_ranks(maps), _centred_ranks(others)
    return _correlation(a, b)


def _of_pixels(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the rank correlation of two lists of pixels, float64 [1]."""
    if len(own) < 2:
        return np.array([np.nan])
    return rank_correlation(own[np.newaxis, np.newaxis], other[np.newaxis, np.newaxis])


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    common: NDArray[np.float64] = (a * b).sum(axis=1)
    norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.clip(common / np.where(norm > 0, norm, np.nan), -1, 1)


def survives(correlations: Any, limit: float = 0.5) -> bool:
    """Returns whether maps outlive the randomisation of their classifier: mean correlation >= ``limit``.

    Such a map shows the image, or the generator, rather than the classifier's reasons. Constant maps, whose
    correlation is NaN, are left out; where all are, nothing survived.

    Args:
        correlations: float [B], results of ``rank_correlation``.
        limit: Mean correlation from which maps survive. Nobody has published one; half is ours. Report the
            correlation beside the answer.
    """
    correlations = np.asarray(correlations, np.float64)
    defined = correlations[~np.isnan(correlations)]
    return bool(defined.size and defined.mean() >= limit)


def _centred_ranks(maps: Any) -> np.ndarray:
    """Returns float64 [B, H W] of mean 0."""
    values = summed_maps(maps)
    ranks: NDArray[np.float64] = stats.rankdata(values.reshape(len(values), -1), axis=1)
    mean: NDArray[np.float64] = ranks.mean(axis=1, keepdims=True)
    return ranks - mean
