"""The choices of normalization in the U-Net."""

from __future__ import annotations

import math
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="tfadvpath")
class ChannelAffine(keras.layers.Layer):
    """Scales and shifts every channel by weights of its own, without statistics: y = scale * x + offset.

    It is what batch normalization does in inference mode, which is how the released generators of SyCE were
    trained.

    Input and output: float [N, H, W, C].
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones")
        self.offset = self.add_weight(name="offset", shape=(input_shape[-1],), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        return inputs * self.scale + self.offset


def normalization_layer(name: str, channels: int) -> keras.layers.Layer:
    """Returns the layer of that name: "affine", "group" (groups of 8 channels or fewer) or "batch".

    Raises:
        ValueError: Any other name.
    """
    if name == "affine":
        return ChannelAffine()
    if name == "group":
        return keras.layers.GroupNormalization(groups=channels // math.gcd(channels, 8))
    if name == "batch":
        return keras.layers.BatchNormalization()
    raise ValueError(
        f'`normalization` must be "affine", "group" or "batch". Received: normalization={name!r}'
    )
