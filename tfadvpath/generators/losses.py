"""The terms of the generators' losses (METHODS: Charachon et al. 2021 and the authors' earlier code).

Images are float32 [B, H, W, C]; every function returns a float32 scalar, the mean over the batch.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

_EPSILON = 1e-7
# Added to the mean square of a change that divides an error, so that an image with next to no change does not
# outweigh the others: 0.8 of 255 grey values, everywhere.
_LEAST_CHANGE = 1e-5


def reconstruction(u: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
    """Returns rec(u, v) = mean (u - v)^2 + mean |u - v|."""
    difference = u - v
    return tf.reduce_mean(tf.square(difference)) + tf.reduce_mean(tf.abs(difference))


def relative_error(made: tf.Tensor, wanted: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns the mean over images of ||made - wanted||^2 / ||other - wanted||^2.

    It is 0 for the wanted image and 1 for the other one, however few pixels tell them apart.

    Args:
        made: Images that a network made, float32 [B, H, W, C].
        wanted: Images that it should have made, float32 [B, H, W, C].
        other: Images of which the network's task is to make the wanted ones, float32 [B, H, W, C].
    """
    missed = tf.reduce_mean(tf.square(made - wanted), axis=(1, 2, 3))
    change = tf.reduce_mean(tf.square(other - wanted), axis=(1, 2, 3))
    return tf.reduce_mean(missed / (change + _LEAST_CHANGE))


def binary_cross_entropy(
    target: float | tf.Tensor, probability: tf.Tensor, factor: float | tf.Tensor = 1.0
) -> tf.Tensor:
    """Returns the mean cross-entropy of probabilities in [0, 1] against targets 0 or 1: one, or one each.

    ``factor`` multiplies it, one for all images or one each.
    """
    probability = tf.clip_by_value(tf.cast(probability, tf.float32), _EPSILON, 1.0 - _EPSILON)
    log_likelihood = target * tf.math.log(probability) + (1.0 - target) * tf.math.log1p(-probability)
    return -tf.reduce_mean(factor * log_likelihood)


def share_decided(target: float | tf.Tensor, probability: tf.Tensor) -> tf.Tensor:
    """Returns the share of probabilities in [0, 1] on the side of their target 0 or 1: one, or one each."""
    return tf.reduce_mean(1.0 - tf.abs(tf.cast(probability >= 0.5, tf.float32) - target))


def realism(fake_scores: tf.Tensor) -> tf.Tensor:
    """Returns the generator's non-saturating loss, mean softplus(-D(fake))."""
    return tf.reduce_mean(tf.math.softplus(-fake_scores))


def discrimination(real_scores: tf.Tensor, fake_scores: tf.Tensor) -> tf.Tensor:
    """Returns the discriminator's loss, mean softplus(-D(real)) + mean softplus(D(fake))."""
    return tf.reduce_mean(tf.math.softplus(-real_scores)) + tf.reduce_mean(tf.math.softplus(fake_scores))


def gradient_penalty(
    discriminator: Callable[[tf.Tensor], tf.Tensor], real: tf.Tensor, fake: tf.Tensor, position: tf.Tensor
) -> tf.Tensor:
    """Returns mean (||dD/dx(x_hat)|| - 1)^2 at x_hat = real + position * (fake - real).

    Args:
        discriminator: Discriminator D, [B, H, W, C] -> [B, 1].
        real: Images of the domain, [B, H, W, C].
        fake: Generated images, [B, H, W, C].
        position: Places on the segments where the penalties are taken, [B, 1, 1, 1] in [0, 1].
    """
    x_hat = real + position * (fake - real)
    with tf.GradientTape() as tape:
        tape.watch(x_hat)
        scores = discriminator(x_hat)
    gradient = tape.gradient(scores, x_hat)
    # The square root has no derivative at 0, where a fresh or saturated discriminator can be.
    norm = tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=(1, 2, 3)) + 1e-12)
    return tf.reduce_mean(tf.square(norm - 1.0))
