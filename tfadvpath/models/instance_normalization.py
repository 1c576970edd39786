"""Instance normalization with a scale and an offset per channel."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="tfadvpath")
class InstanceNormalization(keras.layers.Layer):
    """Gives every channel of every image mean 0 and variance 1, then scales and shifts the channel.

    y = scale * (x - mean) / sqrt(variance + epsilon) + offset, with mean and variance over one image's
    pixels. It is group normalization with as many groups as channels, at less than half its cost on CPUs.

    Input and output: float [N, H, W, C].

    Args:
        epsilon: Number that is added to the variance.
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs: Any):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones")
        self.offset = self.add_weight(name="offset", shape=(input_shape[-1],), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        # float32 whatever the policy: a mean over an image's pixels is too coarse in half precision.
        x = keras.ops.cast(inputs, "float32")
        x = x - keras.ops.mean(x, axis=(1, 2), keepdims=True)
        variance = keras.ops.mean(keras.ops.square(x), axis=(1, 2), keepdims=True)
        scale = keras.ops.cast(self.scale, "float32") * keras.ops.rsqrt(variance + self.epsilon)
        return keras.ops.cast(x * scale + keras.ops.cast(self.offset, "float32"), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}
