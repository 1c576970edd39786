"""The U-Net of the adversarial generators, its encoder and decoder separately callable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from tfadvpath.models.normalization import normalization_layer

_PACKAGE = "tfadvpath"


@keras.saving.register_keras_serializable(package=_PACKAGE)
class UNet(keras.Model):
    """U-Net from an image to an image of the same shape, without an activation at the end.

    A block cb(n) is: normalization -> ReLU -> Conv 3x3 (n) -> dropout. Level 0 of the encoder has two
    blocks; each lower level has one block, a 2x2 max pooling and a residual unit of three blocks. Each
    level of the decoder has two blocks, then (above level 0) a nearest upsampling by 2 and the skip of the
    level above. A 1x1 convolution ends it.

    Source: Charachon et al. 2021 and the authors' earlier code for SyCE and CyCE.

    Args:
        input_shape: Shape of an image, (height, width, channels); height and width are multiples of
            2 ** (len(filters) - 1).
        filters: Filters per level, from full resolution downwards. [16, 32, 64] at 28 pixels, [16, 32, 64,
            128, 256] at 224.
        normalization: Normalization of every block: "affine" (per-channel scale and offset), "group", or
            "batch".
        dropout: Rate of each block's dropout, in [0, 1). Active with ``training=True`` only.

    Call arguments:
        images: Images, float32 [N, H, W, C] in [0, 1].

    Returns:
        float32 [N, H, W, C], not bounded: clip it where an image is wanted.

    Example:
        >>> unet = UNet((32, 32, 1), filters=[4, 8])
        >>> levels = unet.encode(keras.ops.zeros((1, 32, 32, 1)))
        >>> [tuple(level.shape) for level in levels]
        [(1, 32, 32, 4), (1, 16, 16, 8)]
        >>> unet.decode(levels).shape
        TensorShape([1, 32, 32, 1])
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        filters: Sequence[int] = (16, 32, 64, 128, 256),
        normalization: str = "affine",
        dropout: float = 0.2,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        factor = 2 ** (len(filters) - 1)
        known = None not in input_shape
        if not known or len(filters) < 2 or input_shape[0] % factor or input_shape[1] % factor:
            raise ValueError(
                "`filters` must have two levels or more, and height and width must be multiples of "
                f"{factor} for {len(filters)} levels. "
                f"Received: input_shape={tuple(input_shape)}, filters={list(filters)}"
            )
        self._config = {
            "input_shape": list(input_shape),
            "filters": list(filters),
            "normalization": normalization,
            "dropout": dropout,
        }
        self.encoder = _encoder(input_shape, filters, normalization, dropout)
        levels = [
            keras.Input(level.shape[1:], name=f"level_{i}") for i, level in enumerate(self.encoder.output)
        ]
        features = decoder_features(levels, filters, normalization, dropout)
        image = keras.layers.Conv2D(input_shape[2], 1, dtype="float32", name="image")(features)
        self.decoder = keras.Model(levels, image, name="decoder")
        self.build((None, *input_shape))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.built = True  # Encoder and decoder are functional models: they have their weights already.

    def call(self, images: Any, training: bool = False) -> Any:
        return self.decoder(self.encoder(images, training=training), training=training)

    def encode(self, images: Any) -> list[Any]:
        """Returns what the decoder receives: a float32 tensor a level, from full resolution to bottleneck."""
        return self.encoder(images, training=False)

    def decode(self, levels: list[Any]) -> Any:
        """Returns the image, float32 [N, H, W, C], not bounded, of levels shaped as ``encode`` gives them."""
        return self.decoder(levels, training=False)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._config}


def _encoder(
    input_shape: Sequence[int], filters: Sequence[int], normalization: str, dropout: float
) -> keras.Model:
    image = keras.Input(tuple(input_shape), name="image")
    return keras.Model(image, encoder_levels(image, filters, normalization, dropout), name="encoder")


def encoder_levels(image: Any, filters: Sequence[int], normalization: str, dropout: float) -> list[Any]:
    """Builds the encoder on a symbolic image [N, H, W, C]; returns its levels from full resolution down."""
    x = image
    for _ in range(2):
        x = _block(x, filters[0], normalization, dropout)
    levels = [x]
    for width in filters[1:]:
        x = _block(x, width, normalization, dropout)
        x = shortcut = keras.layers.MaxPooling2D(2)(x)
        for _ in range(3):
            x = _block(x, width, normalization, dropout)
        x = keras.layers.Add()([x, shortcut])
        levels.append(x)
    return levels


def decoder_features(levels: list[Any], filters: Sequence[int], normalization: str, dropout: float) -> Any:
    """Builds the decoder on symbolic levels; returns its last features [N, H, W, filters[0]]."""
    x = levels[-1]
    for width, skip in zip(reversed(filters[1:]), reversed(levels[:-1]), strict=True):
        for _ in range(2):
            x = _block(x, width, normalization, dropout)
        x = keras.layers.UpSampling2D(2, interpolation="nearest")(x)
        x = keras.layers.Concatenate()([x, skip])
    for _ in range(2):
        x = _block(x, filters[0], normalization, dropout)
    return x


def _block(x: Any, filters: int, normalization: str, dropout: float) -> Any:
    x = normalization_layer(normalization, x.shape[-1])(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.Conv2D(filters, 3, padding="same", kernel_initializer="glorot_uniform")(x)
    return keras.layers.Dropout(dropout)(x)
