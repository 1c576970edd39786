"""A smooth maximum over the cells of an image."""

from __future__ import annotations

import math
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="tfadvpath")
class SoftMaximum(keras.layers.Layer):
    """Pools the values z of all cells of each channel: log(mean(exp(r z))) / r.

    It lies between the mean, for r near 0, and the maximum, for a large r. With the maximum alone one cell
    would learn; with the mean every cell of an image would count, where a finding is.

    Input: float [N, h, w, C]. Output: float [N, C].

    Source: Pinheiro and Collobert 2015, "From image-level to pixel-level labeling with convolutional
    networks", eq. 6.

    Args:
        sharpness: r, above 0.
    """

    def __init__(self, sharpness: float = 4.0, **kwargs: Any):
        super().__init__(**kwargs)
        if not (math.isfinite(sharpness) and sharpness > 0):
            raise ValueError(f"`sharpness` must be a number above 0. Received: {sharpness}")
        self.sharpness = sharpness

    def call(self, inputs: Any) -> Any:
        # The largest value comes off first: its exponential would overflow.
        largest = keras.ops.stop_gradient(keras.ops.max(inputs, axis=(1, 2), keepdims=True))
        powers = keras.ops.exp(self.sharpness * (inputs - largest))
        pooled = keras.ops.log(keras.ops.mean(powers, axis=(1, 2))) / self.sharpness
        return pooled + keras.ops.squeeze(largest, axis=(1, 2))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape[0], input_shape[-1]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sharpness": self.sharpness}
