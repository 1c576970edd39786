"""Fréchet distance: how far two sets of images are apart in a network's features."""

from __future__ import annotations

from typing import Any

import numpy as np


def frechet_distance(a: Any, b: Any) -> float:
    """Returns the Fréchet distance of two sets of features, each as a Gaussian of its mean and covariance.

        |mean_a - mean_b|^2 + trace(C_a + C_b - 2 (C_a C_b)^(1/2))

    This is the square of the 2-Wasserstein distance, as the Fréchet inception distance is. With few images it
    is too large, by about the sum over the features of variance / images, and more where features outnumber
    images: compare it with the distance between two sets of real images as large, never with 0, nor between
    sets of different size.

    The trace of the root is the sum of the singular values of R_a R_b^T, where C = R^T R by a QR
    decomposition of the centred features: no matrix root, so covariances may be singular.

    Source: Dowson and Landau 1982; Heusel et al. 2017.

    Args:
        a: float [N, D], features of the first set, a row an image. N may be smaller than D.
        b: float [M, D], features of the second set.

    Returns:
        Not negative, computed in float64; NaN where N or M is below 2.

    Raises:
        ValueError: Other shapes, or values that are not finite.

    Example:
        >>> a = np.random.default_rng(0).normal(size=(100, 8))
        >>> round(frechet_distance(a, a + 0.5), 6)  # the same covariance, each mean moved by 0.5
        2.0
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"`a` and `b` must be [N, D] and [M, D]. Received: shapes {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("`a` and `b` must be finite. Received: NaN or infinite values")
    if min(len(a), len(b)) < 2:
        return float("nan")
    root_a, root_b = _covariance_root(a), _covariance_root(b)
    common = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    apart = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
    return max(0.0, float(apart + np.sum(root_a**2) + np.sum(root_b**2) - 2 * common))


def _covariance_root(x: np.ndarray) -> np.ndarray:
    """Returns R, float64 [min(N, D), D], with R^T R the covariance of the features [N, D]."""
    return np.linalg.qr((x - x.mean(axis=0)) / np.sqrt(len(x) - 1)).R
