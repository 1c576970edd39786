"""COUT, the counterfactual transition: how soon a decision changes as an adversary's pixels are pasted in."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfadvpath.metrics.perturbation_curves import perturbation_curves


def cout(
    classifier: Any, images: Any, adversaries: Any, *, steps: int = 50, batch_size: int = 64
) -> np.ndarray:
    """Returns the counterfactual transition score (COUT) of every image and its adversary.

    The pixels of x_a are pasted into x in equal steps, those that differ most first, by |x - x_a| summed over
    the channels. After each step the classifier is asked for the probability of the class that it predicts
    for x, f_c, and of the other class, 1 - f_c:

        COUT = AUC(1 - f_c) - AUC(f_c) = 1 - 2 AUC(f_c)

    AUC is the area under the curve over the share of the pixels, by trapezoids. 1 is a decision that changes
    completely by few pixels. -1 is a decision that never changes. A probability that falls evenly from 1 to 0
    has 0.

    Source: Khorram and Fuxin 2022; used by Jeanneret et al. 2023.

    Args:
        classifier: Any callable float32 [N, H, W, C] -> probabilities [N] or [N, 1].
        images: float [B, H, W, C], B >= 1, the images x in the range that the classifier takes.
        adversaries: float [B, H, W, C], the adversaries x_a.
        steps: Number of equal steps, positive; B (steps + 1) images are classified.
        batch_size: Number of images on the device at once, positive.

    Returns:
        float64 [B] in [-1, 1].

    Raises:
        ValueError: The shapes differ, or an argument is outside the values above.

    Example:
        >>> x, x_a = np.zeros((1, 4, 4, 1)), np.zeros((1, 4, 4, 1))
        >>> x_a[0, 0, 0] = 1.0  # one pixel of 16 decides: it is pasted in the first step
        >>> cout(lambda x: x[:, 0, 0, 0], x, x_a, steps=4)
        array([0.75])
    """
    x, x_a = np.asarray(images, np.float32), np.asarray(adversaries, np.float32)
    if x.shape != x_a.shape or x.ndim != 4:
        raise ValueError(
            f"`images` and `adversaries` must be [B, H, W, C] of one shape. "
            f"Received: {x.shape} and {x_a.shape}"
        )
    curves = perturbation_curves(classifier, x, np.abs(x - x_a), x_a, steps=steps, batch_size=batch_size)
    area = np.mean((curves[:, :-1].astype(np.float64) + curves[:, 1:]) / 2, axis=1)
    return np.asarray(1.0 - 2.0 * area)
