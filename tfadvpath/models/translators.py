"""The two networks of the fixed-point GAN: a translator between classes and its critic."""

from __future__ import annotations

from typing import Any

import keras

from tfadvpath.models.instance_normalization import InstanceNormalization


def translator(input_shape: tuple[int, int, int], width: int = 64, residual_blocks: int = 6) -> keras.Model:
    """Builds G: an image and a class -> what to add to the image.

    The class is copied to every pixel as one more channel. Then Conv 7x7 (width); two Conv 4x4 with stride 2
    (2 width, 4 width); residual blocks of two Conv 3x3; two transposed Conv 4x4 with stride 2; Conv 7x7
    without an activation. Every convolution but the last is followed by an instance normalization and, but
    for the second one of a residual block, by a ReLU.

    Source: Siddiquee et al. 2019, "Learning fixed points in generative adversarial networks".

    Args:
        input_shape: Shape of an image, (height, width, channels); height and width are multiples of 4.
        width: Filters of the first convolution; 64 is the paper's.
        residual_blocks: Number of residual blocks.

    Returns:
        A Keras model: [image float32 [N, H, W, C] in [-1, 1], target float32 [N, 1], 0 or 1] -> float32
        [N, H, W, C], not bounded.

    Raises:
        ValueError: Height or width is no multiple of 4.

    Example:
        >>> translator((32, 32, 1), width=4, residual_blocks=1).output_shape
        (None, 32, 32, 1)
    """
    height, image_width, channels = input_shape
    if height % 4 or image_width % 4:
        raise ValueError(
            "`input_shape` must have a height and a width that are multiples of 4. "
            f"Received: input_shape={tuple(input_shape)}"
        )
    layers = keras.layers
    image = keras.Input(tuple(input_shape), name="image")
    target = keras.Input((1,), name="target")
    plane = layers.Reshape((height, image_width, 1))(layers.RepeatVector(height * image_width)(target))
    x = layers.Concatenate()([image, plane])  # [N, H, W, C + 1]
    x = _normalized(layers.Conv2D(width, 7, padding="same", use_bias=False)(x))
    for filters in (2 * width, 4 * width):
        x = _normalized(layers.Conv2D(filters, 4, strides=2, padding="same", use_bias=False)(x))
    for _ in range(residual_blocks):
        shortcut = x
        x = _normalized(layers.Conv2D(4 * width, 3, padding="same", use_bias=False)(x))
        x = InstanceNormalization()(layers.Conv2D(4 * width, 3, padding="same", use_bias=False)(x))
        x = layers.Add()([x, shortcut])
    for filters in (2 * width, width):
        x = _normalized(layers.Conv2DTranspose(filters, 4, strides=2, padding="same", use_bias=False)(x))
    change = layers.Conv2D(channels, 7, padding="same", use_bias=False, dtype="float32", name="change")(x)
    return keras.Model([image, target], change, name="translator")


def _normalized(x: Any) -> Any:
    return keras.layers.ReLU()(InstanceNormalization()(x))


def class_discriminator(input_shape: tuple[int, int, int], width: int = 64, levels: int = 6) -> keras.Model:
    """Builds D: image -> scores of its patches, high for real ones, and the logit of its class.

    Per level a Conv 4x4 with stride 2 (width, 2 width, 4 width, …) and a leaky ReLU 0.01. Then two heads
    without bias: Conv 3x3 to the patches' scores, and a convolution over all that is left to the logit.

    Source: Siddiquee et al. 2019, "Learning fixed points in generative adversarial networks".

    Args:
        input_shape: Shape of an image, (height, width, channels).
        width: Filters of the first convolution; 64 is the paper's.
        levels: Number of times that the resolution is halved; 6 is the paper's. Height and width are at least
            2 ** levels.

    Returns:
        A Keras model: float32 [N, H, W, C] in [-1, 1] -> [float32 [N, h, w, 1], float32 [N, 1]]: the scores
        and the logit of class 1.

    Raises:
        ValueError: More levels than the image has resolution for.

    Example:
        >>> class_discriminator((32, 32, 1), width=4, levels=3).output_shape
        [(None, 4, 4, 1), (None, 1)]
    """
    if levels < 1 or min(input_shape[:2]) < 2**levels:
        raise ValueError(
            "`levels` must be at least 1, and height and width at least 2 ** levels. "
            f"Received: levels={levels}, input_shape={tuple(input_shape)}"
        )
    layers = keras.layers
    image = x = keras.Input(tuple(input_shape), name="image")
    for level in range(levels):
        x = layers.Conv2D(width * 2**level, 4, strides=2, padding="same")(x)
        x = layers.LeakyReLU(negative_slope=0.01)(x)
    scores = layers.Conv2D(1, 3, padding="same", use_bias=False, dtype="float32", name="scores")(x)
    logit = layers.Conv2D(1, x.shape[1:3], use_bias=False, dtype="float32", name="class")(x)  # [N, 1, 1, 1]
    logit = layers.Flatten(dtype="float32", name="logit")(logit)
    return keras.Model(image, [scores, logit], name="class_discriminator")
