"""Adversarial training of the classifier: small smooth changes shall not turn its decisions."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

# The first steps go to the bound and the last ones find their way along it.
_STEP = 1.5


def attacked(
    model: keras.Model,
    images: tf.Tensor,
    labels: tf.Tensor,
    radius: float,
    scale: int,
    steps: int,
    seed: tf.Tensor,
) -> tf.Tensor:
    """Returns images with a small smooth change that raises a classifier's loss.

    The change is computed at ``1 / scale`` of the resolution and upsampled bilinearly, so that it holds no
    detail: a classifier can be deaf to noise of single pixels and still decide by faint stripes. It starts at
    random and follows the gradient's sign. Each image has a bound of its own between 0 and ``radius``, so
    that images which are nearly unchanged are trained on, too.

    Source: projected gradient descent, Madry et al. 2018; the lower resolution and the bounds are ours.

    Args:
        model: Classifier, images -> probability of class 1 [N, 1]. It runs with ``training=False``.
        images: float32 [N, H, W, C] in [0, 1]; H and W are multiples of ``scale``.
        labels: Labels 0 or 1, float32 [N, 1].
        radius: Largest bound of the change, in grey values of [0, 1].
        scale: Factor by which the change's resolution is lower.
        steps: Steps along the gradient, at least 1.
        seed: Seed of the start and of the bounds, int32 [2].

    Returns:
        float32 [N, H, W, C] in [0, 1].
    """
    height, width, channels = images.shape[1:]
    count = tf.shape(images)[0]
    shape = (count, height // scale, width // scale, channels)
    bound = tf.random.stateless_uniform((count, 1, 1, 1), seed, 0.0, radius)
    change = bound * tf.random.stateless_uniform(shape, seed + 1, -1.0, 1.0)

    def changed(change: tf.Tensor) -> tf.Tensor:
        smooth = tf.image.resize(change, (height, width), "bilinear")
        return tf.clip_by_value(images + smooth, 0.0, 1.0)

    for _ in range(steps):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(change)
            answers = model(changed(change), training=False)
            loss = tf.reduce_sum(keras.losses.binary_crossentropy(labels, answers))
        towards = tf.sign(tape.gradient(loss, change))
        change = tf.clip_by_value(change + _STEP / steps * bound * towards, -bound, bound)
    return tf.stop_gradient(changed(change))


def step_seed(seed: int, step: Any) -> tf.Tensor:
    """Returns the seed of a step's random numbers, int32 [2], the same one after a resumed training.

    Args:
        seed: Seed of the run.
        step: Number of steps that are done, a scalar variable or tensor.
    """
    # Every step has two seeds of its own: `attacked` uses the next one, too.
    number = 2 * tf.cast(keras.ops.convert_to_tensor(step), tf.int32)
    return tf.stack([tf.constant(seed, tf.int32), number])
