"""Proximity and sparsity: by how much an image is changed, where, and whether the change is taken back."""

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


def undoing(images: Any, stable: Any, adversaries: Any) -> np.ndarray:
    """Returns how far the stable image undoes what the adversary changed, float64 [N].

    It is the cosine between x - x_a and x_s - x_a. 1: x_s shows what x_a lacks, and nothing else. Near 0: x_s
    differs from x_a elsewhere, so that a decision which it keeps rests on something that the image has not.

    Args:
        images: x, float [N, H, W, C].
        stable: x_s, float [N, H, W, C].
        adversaries: x_a, float [N, H, W, C].

    Returns:
        float64 [N] in [-1, 1]; 0 where x_s is x_a, NaN where x_a is x: there is nothing to undo.

    Raises:
        ValueError: The shapes differ.

    Example:
        >>> x, painted = np.zeros((1, 4, 4, 1)), np.zeros((1, 4, 4, 1))
        >>> x[0, 1, 2], painted[0, 3, 3] = 0.5, 0.5
        >>> adversary = np.zeros((1, 4, 4, 1))
        >>> undoing(x, x, adversary), undoing(x, painted, adversary)
        (array([1.]), array([0.]))
    """
    changed, undone = _difference(images, adversaries), _difference(stable, adversaries)
    axes = (1, 2, 3)
    lengths = np.sqrt(np.square(changed).sum(axis=axes) * np.square(undone).sum(axis=axes))
    cosine = np.zeros(len(changed))
    np.divide((changed * undone).sum(axis=axes), lengths, out=cosine, where=lengths > 0)
    return np.where(changed.any(axis=axes), cosine, np.nan)


def _difference(images: Any, others: Any) -> np.ndarray:
    x, y = np.asarray(images, np.float64), np.asarray(others, np.float64)
    if x.shape != y.shape or x.ndim != 4:
        raise ValueError(
            f"`images` and `others` must be [N, H, W, C] of one shape. Received: {x.shape} and {y.shape}"
        )
    return np.asarray(x - y)
