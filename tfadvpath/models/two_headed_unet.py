"""The network of SAGen: one U-Net body with two heads."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from tfadvpath.models.padding import padded_convolution
from tfadvpath.models.unet import Block, decoder_features, encoder_levels, level_of_change, with_change


def two_headed_unet(
    input_shape: tuple[int, int, int],
    filters: Sequence[int] = (16, 32, 64, 128, 256),
    normalization: str = "affine",
    dropout: float = 0.2,
    residual: int | None = None,
    padding: str = "zeros",
) -> keras.Model:
    """Builds an image -> two images of its shape, without an activation at the end.

    The body is that of ``UNet``. Each head is Conv 3x3 (32) -> ReLU -> Conv 3x3 (16) -> ReLU -> Conv 1x1.

    Source: the authors' earlier code for the similar and adversarial generator.

    Args:
        input_shape: Shape of an image, (height, width, channels); height and width are multiples of
            2 ** (len(filters) - 1).
        filters: Filters per level, from full resolution downwards.
        normalization: Normalization of every block, "affine", "group" or "batch"; see ``UNet``.
        dropout: Rate of each block's dropout, in [0, 1). Active with ``training=True`` only.
        residual: Factor by which the changes that the heads add to the image are smaller than it; None: the
            heads make the images themselves. See ``UNet``.
        padding: Values that convolutions find beyond the edge, "zeros" or "mirrored"; see ``UNet``.

    Returns:
        A Keras model: float32 [N, H, W, C] in [0, 1] -> float32 [N, H, W, 2 C], the stable image's channels
        first, not bounded: clip them where images are wanted.
    """
    image = keras.Input(tuple(input_shape), name="image")
    last = level_of_change(residual, filters)
    block = Block(normalization, dropout, padding)
    levels = encoder_levels(image, filters, block)[last:]
    features = decoder_features(levels, filters[last:], block)
    heads = []
    for name in ("stable", "adversary"):
        x = padded_convolution(features, 32, padding, activation="relu")
        x = padded_convolution(x, 16, padding, activation="relu")
        if residual is None:
            heads.append(keras.layers.Conv2D(input_shape[2], 1, dtype="float32", name=name)(x))
        else:
            heads.append(with_change(image, x, input_shape[2], residual, name))
    both = keras.layers.Concatenate(dtype="float32", name="images")(heads)
    return keras.Model(image, both, name="two_headed_unet")
