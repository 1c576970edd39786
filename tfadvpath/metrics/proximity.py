"""Proximity and sparsity: by how much, and over how much of its area, an image is changed."""

from __future__ import annotations

from typing import Any

import numpy as np


def l1_distance(images: Any, others: Any) -> np.ndarray:
    """Returns the mean absolute difference of every image from another one, float64 [N].

    It is the L1 norm of the difference by the number of values, so that image sizes can be compared.

    Args:
        images: float [N, H, W, C].
        others: float [N, H, W, C].

    Returns:
        float64 [N], in [0, 1] for images in [0, 1].

    Raises:
        ValueError: The shapes differ.
    """
    return np.asarray(np.abs(_difference(images, others)).mean(axis=(1, 2, 3)))


def l2_distance(images: Any, others: Any) -> np.ndarray:
    """Returns the root of the mean squared difference of every image from another one, float64 [N].

    It is the L2 norm of the difference by the root of the number of values. It is never below
    ``l1_distance``, and far above it where few pixels change much.

    Args:
        images: float [N, H, W, C].
        others: float [N, H, W, C].

    Returns:
        float64 [N], in [0, 1] for images in [0, 1].

    Raises:
        ValueError: The shapes differ.
    """
    return np.asarray(np.sqrt(np.square(_difference(images, others)).mean(axis=(1, 2, 3))))


def sparsity(images: Any, others: Any, threshold: float = 0.02) -> np.ndarray:
    """Returns the share of the pixels that change by more than a threshold, in at least one channel.

    A sparse change has a low value.

    Args:
        images: float [N, H, W, C].
        others: float [N, H, W, C].
        threshold: Difference that a pixel must exceed to count as changed, in the images' unit, not negative.
            0.02 of a range [0, 1] is about five of 256 grey values.

    Returns:
        float64 [N] in [0, 1].

    Raises:
        ValueError: The shapes differ, or the threshold is negative.

    Example:
        >>> black, dot = np.zeros((1, 4, 4, 1)), np.zeros((1, 4, 4, 1))
        >>> dot[0, 1, 2] = 0.5
        >>> sparsity(black, dot)
        array([0.0625])
    """
    if threshold < 0:
        raise ValueError(f"`threshold` must not be negative. Received: {threshold}")
    changed = (np.abs(_difference(images, others)) > threshold).any(axis=3)
    return np.asarray(changed.mean(axis=(1, 2)))


def _difference(images: Any, others: Any) -> np.ndarray:
    x, y = np.asarray(images, np.float64), np.asarray(others, np.float64)
    if x.shape != y.shape or x.ndim != 4:
        raise ValueError(
            f"`images` and `others` must be [N, H, W, C] of one shape. Received: {x.shape} and {y.shape}"
        )
    return np.asarray(x - y)
