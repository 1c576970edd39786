"""The discriminator of the adversarial generators."""

from __future__ import annotations

from collections.abc import Sequence

import keras


def discriminator(
    input_shape: tuple[int, int, int], filters: Sequence[int] = (16, 32, 64, 128, 256)
) -> keras.Model:
    """Builds D: image -> one unbounded score, high for real images.

    For every width n: leaky ReLU 0.3 -> Conv 3x3 (n) -> leaky ReLU 0.3 -> Conv 3x3 (n), stride 2. Then
    flatten and dense 1. There is no normalization: the gradient penalty is per image.

    Source: the authors' earlier code for SyCE and CyCE.

    Args:
        input_shape: Shape of an image, (height, width, channels).
        filters: Filters per level; each level halves the resolution.

    Returns:
        A Keras model: float32 [N, H, W, C] in [0, 1] -> float32 [N, 1].
    """
    image = keras.Input(input_shape, name="image")
    x = image
    for width in filters:
        x = keras.layers.LeakyReLU(negative_slope=0.3)(x)
        x = keras.layers.Conv2D(width, 3, padding="same")(x)
        x = keras.layers.LeakyReLU(negative_slope=0.3)(x)
        x = keras.layers.Conv2D(width, 3, strides=2, padding="same")(x)
    x = keras.layers.Flatten()(x)
    score = keras.layers.Dense(1, dtype="float32", name="score")(x)
    return keras.Model(image, score, name="discriminator")
