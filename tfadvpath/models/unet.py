"""The U-Net of the adversarial generators, its encoder and decoder separately callable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from tfadvpath.models.normalization import normalization_layer
from tfadvpath.models.padding import padded_convolution

_PACKAGE = "tfadvpath"


@keras.saving.register_keras_serializable(package=_PACKAGE)
class UNet(keras.Model):
    """U-Net from an image to an image of the same shape, without an activation at the end.

    A block cb(n) is: normalization -> ReLU -> Conv 3x3 (n) -> dropout. Level 0 of the encoder has two
    blocks; each lower level has one block, a 2x2 max pooling and a residual unit of three blocks. Each
    level of the decoder has two blocks, then (above level 0) a nearest upsampling by 2 and the skip of the
    level above. A 1x1 convolution ends it.

    With ``residual`` the network computes a change u that is added to the image, x + u(x). It begins as the
    identity: the last convolution is 0 at first. u is computed at ``1 / residual`` of the resolution and
    upsampled bilinearly, so that with 2 or more it can neither blur the image nor add noise of single pixels.

    Source: Charachon et al. 2021 and the authors' earlier code for SyCE and CyCE; ``residual`` and mirrored
    ``padding`` are ours.

    Args:
        input_shape: Shape of an image, (height, width, channels); height and width are multiples of
            2 ** (len(filters) - 1).
        filters: Filters per level, from full resolution downwards. [16, 32, 64] at 28 pixels, [16, 32, 64,
            128, 256] at 224.
        normalization: Normalization of every block: "affine" (per-channel scale and offset), "group", or
            "batch".
        dropout: Rate of each block's dropout, in [0, 1). Active with ``training=True`` only.
        residual: Factor by which the change u is smaller than the image: 1, 2, 4 … up to
            2 ** (len(filters) - 1). None computes the image itself.
        padding: Values that convolutions find beyond the edge: "zeros", or "mirrored", with which the network
            does not know where in the image it is; height and width are then at least
            2 ** len(filters).

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
        residual: int | None = None,
        padding: str = "zeros",
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
        last = level_of_change(residual, filters)
        self._config = {
            "input_shape": list(input_shape),
            "filters": list(filters),
            "normalization": normalization,
            "dropout": dropout,
            "residual": residual,
            "padding": padding,
        }
        block = Block(normalization, dropout, padding)
        image = keras.Input(tuple(input_shape), name="image")
        levels = encoder_levels(image, filters, block)[last:]
        given = levels if residual is None else [image, *levels]
        self.encoder = keras.Model(image, given, name="encoder")
        received = [keras.Input(level.shape[1:], name=f"level_{i}") for i, level in enumerate(given)]
        features = decoder_features(received[-len(levels) :], filters[last:], block)
        if residual is None:
            made = keras.layers.Conv2D(input_shape[2], 1, dtype="float32", name="image")(features)
        else:
            made = with_change(received[0], features, input_shape[2], residual, "image")
        self.decoder = keras.Model(received, made, name="decoder")
        self.build((None, *input_shape))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.built = True  # Encoder and decoder are functional models: they have their weights already.

    def call(self, images: Any, training: bool = False) -> Any:
        return self.decoder(self.encoder(images, training=training), training=training)

    def encode(self, images: Any) -> list[Any]:
        """Returns what the decoder receives: a float32 tensor a level, from full resolution to bottleneck.

        With ``residual`` the first one is the image, and the next has the resolution of the change.
        """
        return self.encoder(images, training=False)

    def decode(self, levels: list[Any]) -> Any:
        """Returns the image, float32 [N, H, W, C], not bounded, of levels shaped as ``encode`` gives them."""
        return self.decoder(levels, training=False)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._config}


def level_of_change(residual: int | None, filters: Sequence[int]) -> int:
    """Returns the level, 0 being full resolution, at which a decoder ends.

    Raises:
        ValueError: ``residual`` is no power of 2, or there are not so many levels.
    """
    if residual is None:
        return 0
    level = residual.bit_length() - 1
    if residual < 1 or residual != 2**level or level >= len(filters):
        raise ValueError(
            f"`residual` must be None or a power of 2 up to {2 ** (len(filters) - 1)} for {len(filters)} "
            f"levels. Received: residual={residual}"
        )
    return level


def with_change(image: Any, features: Any, channels: int, residual: int, name: str) -> Any:
    """Adds to an image the change that features make, upsampled by ``residual``; it is 0 at first.

    Args:
        image: Symbolic images, [N, H, W, C].
        features: Symbolic features, [N, H / residual, W / residual, F].
        channels: Number of channels C.
        residual: Factor of the upsampling.
        name: Name of the layer that adds.
    """
    zeros = {"kernel_initializer": "zeros", "dtype": "float32", "name": f"change_of_{name}"}
    change = keras.layers.Conv2D(channels, 1, **zeros)(features)
    if residual > 1:
        change = keras.layers.UpSampling2D(residual, interpolation="bilinear", dtype="float32")(change)
    return keras.layers.Add(dtype="float32", name=name)([image, change])


@dataclass(frozen=True)
class Block:
    """A block cb(n) of the U-Net: normalization -> ReLU -> Conv 3x3 (n) -> dropout.

    Attributes:
        normalization: Normalization, "affine", "group" or "batch".
        dropout: Rate of the dropout, in [0, 1).
        padding: Values beyond the edge, "zeros" or "mirrored".
    """

    normalization: str
    dropout: float
    padding: str

    def __call__(self, x: Any, filters: int) -> Any:
        """Applies the block with so many filters to symbolic features [N, H, W, C]."""
        x = normalization_layer(self.normalization, x.shape[-1])(x)
        x = keras.layers.ReLU()(x)
        x = padded_convolution(x, filters, self.padding, kernel_initializer="glorot_uniform")
        return keras.layers.Dropout(self.dropout)(x)


def encoder_levels(image: Any, filters: Sequence[int], block: Block) -> list[Any]:
    """Builds the encoder on a symbolic image [N, H, W, C]; returns its levels from full resolution down."""
    x = image
    for _ in range(2):
        x = block(x, filters[0])
    levels = [x]
    for width in filters[1:]:
        x = block(x, width)
        x = shortcut = keras.layers.MaxPooling2D(2)(x)
        for _ in range(3):
            x = block(x, width)
        x = keras.layers.Add()([x, shortcut])
        levels.append(x)
    return levels


def decoder_features(levels: list[Any], filters: Sequence[int], block: Block) -> Any:
    """Builds the decoder on symbolic levels; returns its last features, of the resolution of the first."""
    x = levels[-1]
    for width, skip in zip(reversed(filters[1:]), reversed(levels[:-1]), strict=True):
        for _ in range(2):
            x = block(x, width)
        x = keras.layers.UpSampling2D(2, interpolation="nearest")(x)
        x = keras.layers.Concatenate()([x, skip])
    for _ in range(2):
        x = block(x, filters[0])
    return x
