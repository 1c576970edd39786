"""Replacements of removed pixels, where no generator makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfadvpath.path.gaussian import gaussian_blur
from tfadvpath.path.lengths import blurring_sigma

PERTURBATIONS = ("blur", "inpainting", "noise", "zero")
_LAST_WEIGHT = 1e-12  # keeps 0 / 0 at 0 where no pixel remains


def perturbation(
    name: str, images: Any, *, seed: int = 0, blur_sigma: float | None = None
) -> tf.Tensor | Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Returns a replacement by its name: what ``perturbation_curves`` takes as ``perturbed``.

    - "blur": the images filtered by a Gaussian.
    - "inpainting": the function ``inpaint``, which does not depend on ``images``.
    - "noise": independent uniform values, see ``noise``.
    - "zero": black.

    Only a generator's images look like images: the classifier may answer to the edges that the others make.

    Args:
        name: Name of the replacement, one of ``PERTURBATIONS``.
        images: float [B, H, W, C] in [0, 1].
        seed: Seed of the noise.
        blur_sigma: Standard deviation of the blur in pixels; None is 5 pixels of 224, in proportion to the
            image's side: 1.4 at 64 pixels.

    Raises:
        ValueError: An unknown name.
    """
    if name not in PERTURBATIONS:
        raise ValueError(f"`name` must be one of {PERTURBATIONS}. Received: {name!r}")
    if name == "inpainting":
        return inpaint
    images = tf.convert_to_tensor(images, tf.float32)
    if name == "blur":
        return gaussian_blur(images, blurring_sigma(images.shape[1:3]) if blur_sigma is None else blur_sigma)
    if name == "noise":
        return noise(images, seed)
    return tf.zeros_like(images)


def noise(images: tf.Tensor, seed: int = 0) -> tf.Tensor:
    """Returns uniform values in [0, 1), float32 of the images' shape, the same for the same seed and shape.

    Args:
        images: float [B, H, W, C].
        seed: Seed of the noise.
    """
    return tf.random.stateless_uniform(tf.shape(images), [seed, 0])


def inpaint(images: tf.Tensor, removed: tf.Tensor) -> tf.Tensor:
    """Fills the removed pixels smoothly from the remaining ones, without a trace of what they were.

    Pull and push: the remaining pixels are averaged into ever coarser images, until each place knows a value;
    from the coarsest on, places without remaining pixels take the bilinear interpolation of the next coarser
    image. A fill lies between the least and the largest remaining value of its channel. Where no pixel of an
    image remains it is black.

    Source: Gortler et al. 1996, "The Lumigraph", section 3.4.

    Args:
        images: float [N, H, W, C]; H and W are static.
        removed: bool [N, H, W, 1].

    Returns:
        The shape of ``images``; the remaining pixels are unchanged.
    """
    weight = tf.cast(~removed, images.dtype)
    value = tf.where(removed, tf.zeros_like(images), images)
    levels = [(value, weight)]
    while max(value.shape[1:3]) > 1:
        # Padding takes no part in these means.
        total = tf.nn.avg_pool2d(value * weight, 2, 2, "SAME")
        weight = tf.nn.avg_pool2d(weight, 2, 2, "SAME")
        value = total / tf.maximum(weight, _LAST_WEIGHT)
        weight = tf.cast(weight > 0, images.dtype)
        levels.append((value, weight))
    filled, _ = levels.pop()
    for value, weight in reversed(levels):
        coarse = tf.image.resize(filled, value.shape[1:3], "bilinear")
        filled = tf.where(weight > 0, value, coarse)
    return filled
