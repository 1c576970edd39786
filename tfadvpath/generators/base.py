"""What every generator of explanations gives: a start image and an adversary."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class AdversarialPair(NamedTuple):
    """The two ends of an explanation's path.

    Attributes:
        start: float32 [B, H, W, C] in [0, 1]: the stable image x_s (the input itself where a method has none).
        adversary: float32 [B, H, W, C] in [0, 1]: x_a, close to the input and on the other side of the decision.
        probability: float32 [B]: the classifier's output for the input image.
    """

    start: tf.Tensor
    adversary: tf.Tensor
    probability: tf.Tensor


def clip_straight_through(images: tf.Tensor) -> tf.Tensor:
    """Clips to [0, 1] forwards and passes the gradient on unchanged.

    A plain clip has no gradient outside [0, 1]: a generator whose outputs fall below 0 would stay black for ever.
    """
    return images + tf.stop_gradient(tf.clip_by_value(images, 0.0, 1.0) - images)
