"""Pairs of images, start and adversary: their check, and functions compiled for any number of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfadvpath.path.integral import pad_images


def checked_pairs(start: Any, adversary: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns start images and adversaries as float32 [B, H, W, C].

    Args:
        start: float [B, H, W, C], B >= 1.
        adversary: float [B, H, W, C].

    Raises:
        ValueError: Shapes differ, are not [B, H, W, C] or not known; values are integers.
    """
    start, adversary = tf.convert_to_tensor(start), tf.convert_to_tensor(adversary)
    if start.shape.rank != 4 or start.shape != adversary.shape:
        raise ValueError(
            "`start` and `adversary` must both be [B, H, W, C]. Received: shapes "
            f"{tuple(start.shape)} and {tuple(adversary.shape)}"
        )
    if start.shape[0] == 0 or not start.shape.is_fully_defined():
        raise ValueError(f"Images must be [B >= 1, H, W, C], all known. Received: shape {start.shape}")
    if not (start.dtype.is_floating and adversary.dtype.is_floating):
        raise ValueError(
            "Images must be floating-point, in the range that the classifier takes. "
            f"Received: {start.dtype.name} and {adversary.dtype.name}"
        )
    return tf.cast(start, tf.float32), tf.cast(adversary, tf.float32)


class PairFunction:
    """One compiled function of pairs; batches of one image size share a trace up to the largest seen.

    Args:
        run: Graph code of start and adversary, float32 [B, H, W, C], and of the number of those that are no
            padding, int32; it returns tensors whose first axis is the pair.
        jit_compile: Whether XLA compiles it.
    """

    def __init__(self, run: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Any], jit_compile: bool):
        self.run = tf.function(run, jit_compile=jit_compile)
        self.capacities: dict[tuple[int, ...], int] = {}

    def __call__(self, start: tf.Tensor, adversary: tf.Tensor) -> Any:
        """Returns the tensors of all pairs.

        Args:
            start: float32 [B, H, W, C], B >= 1.
            adversary: float32 [B, H, W, C].
        """
        count, *image_shape = start.shape
        # Powers of two: batches that grow one by one are traced a few times, not every time.
        capacity = max(1 << (count - 1).bit_length(), self.capacities.get(tuple(image_shape), 0))
        self.capacities[tuple(image_shape)] = capacity
        start, adversary = (pad_images(images, capacity) for images in (start, adversary))
        result = self.run(start, adversary, tf.constant(count))
        return tf.nest.map_structure(lambda field: field[:count], result)
