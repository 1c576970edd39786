"""What every generator of explanations gives: a start image and an adversary."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class AdversarialPair(NamedTuple):
    """The two ends of an explanation's path.

    Attributes:
        start: float32 [B, H, W, C] in [0, 1]: the stable image x_s (the input itself where a method has
            none).
        adversary: float32 [B, H, W, C] in [0, 1]: x_a, close to the input and on the other side of the
            decision.
        probability: float32 [B]: the classifier's output for the input image.
    """

    start: tf.Tensor
    adversary: tf.Tensor
    probability: tf.Tensor


@tf.custom_gradient
def clip_inward(images: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Clips to [0, 1]; outside, only the gradient that leads back is passed on.

    A plain clip has no gradient outside [0, 1]: a generator whose outputs fall below 0 would stay black for
    ever. A clip that passes every gradient lets descent push a clipped pixel ever further out, where it
    changes nothing: training then diverges.
    """

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        # Descent moves a pixel against its gradient.
        outward = ((images <= 0.0) & (upstream > 0.0)) | ((images >= 1.0) & (upstream < 0.0))
        return tf.where(outward, tf.zeros_like(upstream), upstream)

    return tf.clip_by_value(images, 0.0, 1.0), gradient
