"""Batches of images for training: the order of an epoch depends on the seed and the epoch's number alone.

So a training that was stopped goes on with the same batches.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def epoch_order(count: int, needed: int, seed: int, epoch: int) -> np.ndarray:
    """Returns ``needed`` indices below ``count``, int64: random permutations one after another."""
    rng = np.random.default_rng([seed, epoch])
    rounds = -(-needed // count)
    return np.concatenate([rng.permutation(count) for _ in range(rounds)])[:needed]


def batches(arrays: Sequence[np.ndarray], order: np.ndarray, batch_size: int) -> tf.data.Dataset:
    """Returns batches of the arrays' items in that order; the last one may be smaller.

    Items are taken batch by batch: the arrays may be larger than the memory, such as ``numpy.memmap``.

    Args:
        arrays: Arrays, each float32 [N, …].
        order: int64 [M], indices below N.
        batch_size: Number of items in a batch.

    Returns:
        A data set of tensors float32 [B, …], one an array (of the tensor itself for one array).
    """
    shapes = [(None, *array.shape[1:]) for array in arrays]

    def take(indices: np.ndarray) -> list[np.ndarray]:
        return [np.ascontiguousarray(array[indices], dtype=np.float32) for array in arrays]

    def gather(indices: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, ...]:
        items = tf.numpy_function(take, [indices], [tf.float32] * len(arrays), stateful=False)
        shaped = tuple(tf.ensure_shape(item, shape) for item, shape in zip(items, shapes, strict=True))
        return shaped if len(shaped) > 1 else shaped[0]

    drawn = tf.data.Dataset.from_tensor_slices(order).batch(batch_size).map(gather).prefetch(2)
    return drawn.with_options(untuned())


def untuned() -> tf.data.Options:
    """Returns options of a data set, and of all that is made from it, that TensorFlow does not tune.

    The end of a tuned data set often waits for the thread that tunes, which sleeps twice as long each time,
    up to a minute: an epoch of 106 seconds took 151. Batches have no number that it could choose.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options
