"""Random changes of training images, outside the exported model."""

from __future__ import annotations

import keras
import tensorflow as tf

# The batches of an epoch draw fewer numbers than that.
_DRAWS_PER_EPOCH = 1 << 20


class Augmentation:
    """Flips, rotates, zooms, moves and sharpens images by Keras's layers; what comes in at the edge is 0.

    Args:
        flip: Whether to mirror left and right, half of the time.
        rotation: Largest angle as a share of a full turn.
        zoom: Largest change of size as a share.
        translation: Largest move as a share of the image's height and width.
        sharpness: Largest change of the difference to the image's mean over 3 x 3 pixels: 1 is from that mean
            to twice the difference.
        seed: Seed of the random numbers.
    """

    def __init__(
        self, flip: bool, rotation: float, zoom: float, translation: float, sharpness: float, seed: int
    ):
        layers = keras.layers
        moved = {"fill_mode": "constant", "dtype": "float32"}
        self.layers = [
            layers.RandomRotation(rotation, seed=seed + 1, **moved),
            layers.RandomZoom(zoom, seed=seed + 2, **moved),
            layers.RandomTranslation(translation, translation, seed=seed + 3, **moved),
        ]
        if flip:
            self.layers.insert(0, layers.RandomFlip("horizontal", seed=seed, dtype="float32"))
        if sharpness:
            # Keras counts from 0, blurred, over 0.5, unchanged, to 1, twice as sharp.
            factor = 0.5 - sharpness / 2, 0.5 + sharpness / 2
            self.layers.append(
                layers.RandomSharpness(factor, value_range=(0, 1), seed=seed + 4, dtype="float32")
            )

    def start_epoch(self, epoch: int) -> None:
        """Sets the random numbers to those of an epoch, whatever was drawn before."""
        for layer in self.layers:
            state = layer.generator.state
            state.assign([int(state[0]), epoch * _DRAWS_PER_EPOCH])

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the changed images, float32 [B, H, W, C] in [0, 1]."""
        for layer in self.layers:
            images = layer(images, training=True)
        return images
