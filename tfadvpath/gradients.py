"""The gradient of a probability with respect to the images, also of layers in half precision."""

from __future__ import annotations

import math

import tensorflow as tf

from tfadvpath.probability import Probability


def scores_and_gradients(probability: Probability, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns f(x) and ∂f/∂x of every image, float32 [N] and [N, H, W, C].

    Args:
        probability: float [N, H, W, C] -> [N], as ``probability_function`` makes it.
        images: float [N, H, W, C], in the type that the classifier is fed.

    Raises:
        ValueError: The classifier has no gradient.

    Example:
        >>> mean = lambda x: tf.reduce_mean(x, axis=(1, 2, 3))
        >>> scores, gradients = scores_and_gradients(mean, tf.ones((1, 2, 2, 1)))
        >>> gradients.numpy().ravel()
        array([0.25, 0.25, 0.25, 0.25], dtype=float32)
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        scores = probability(images)
    scale = _gradient_scale(scores)
    gradients = tape.gradient(scores, images, output_gradients=tf.cast(scale, scores.dtype))
    if gradients is None:
        raise ValueError("The classifier's output has no gradient with respect to its input images")
    gradients = tf.cast(gradients, tf.float32) / scale[:, tf.newaxis, tf.newaxis, tf.newaxis]
    return tf.cast(scores, tf.float32), gradients


def _gradient_scale(scores: tf.Tensor) -> tf.Tensor:
    """Returns powers of two about 1 / (p (1 - p)), at most 2^15: float32 [N].

    The slope of a sigmoid near 0 or 1 is so small that layers in half precision would round it to 0. A power
    of two changes nothing in float32.
    """
    scores = tf.cast(tf.stop_gradient(scores), tf.float32)
    slope = tf.clip_by_value(scores * (1.0 - scores), 2.0**-15, 0.25)
    return tf.pow(2.0, -tf.round(tf.math.log(slope) / math.log(2.0)))
