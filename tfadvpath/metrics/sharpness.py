"""The detail that a generated image keeps of an image: structural similarity and high frequencies."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

_BATCH = 64
# Window of the structural similarity in pixels; smaller images cannot be compared.
SSIM_WINDOW = 11


def structural_similarity(images: Any, others: Any, where: Any = None) -> np.ndarray:
    """Returns the mean structural similarity (SSIM) of every image with another one.

    Args:
        images: float [N, H, W, C] in [0, 1]; H and W are 11 or more.
        others: float [N, H, W, C] in [0, 1].
        where: bool [N, H, W]: pixels to take the mean over. None is all of them that a window fits around.

    Returns:
        float32 [N], at most 1; NaN where ``where`` leaves no pixel.

    Raises:
        ValueError: The shapes differ, or the images are smaller than the window.

    Source: Wang et al. 2004: Gaussian window of 11 pixels and standard deviation 1.5.
    """
    images, others = np.asarray(images, np.float32), np.asarray(others, np.float32)
    if images.shape != others.shape or images.ndim != 4 or min(images.shape[1:3]) < SSIM_WINDOW:
        raise ValueError(
            f"`images` and `others` must be [N, H, W, C] of one shape, H and W at least {SSIM_WINDOW}. "
            f"Received: {images.shape} and {others.shape}"
        )
    margin = SSIM_WINDOW // 2
    found = [np.zeros(0, np.float32)]
    for first in range(0, len(images), _BATCH):
        chosen = slice(first, first + _BATCH)
        local = tf.image.ssim(
            tf.constant(images[chosen]), tf.constant(others[chosen]), 1.0, return_index_map=True
        ).numpy()
        if where is None:
            found.append(local.mean(axis=(1, 2)))
            continue
        inside = np.asarray(where[chosen], bool)[:, margin:-margin, margin:-margin]
        count = inside.sum(axis=(1, 2))
        total = np.where(inside, local, 0.0).sum(axis=(1, 2))
        found.append(np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32))
    return np.concatenate(found)


def high_frequency_energy(images: Any) -> np.ndarray:
    """Returns the variance of every image's Laplacian: blur lowers it, noise of single pixels raises it.

    Args:
        images: float [N, H, W, C]; H and W are 3 or more.

    Returns:
        float64 [N], 0 for an image whose grey values change linearly.
    """
    x = np.asarray(images, np.float64)
    around = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
    return np.asarray(np.var(around - 4.0 * x[:, 1:-1, 1:-1], axis=(1, 2, 3)))
