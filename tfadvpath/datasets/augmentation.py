"""Random changes of training images, outside the exported model."""

from __future__ import annotations

import keras
import tensorflow as tf

# Batches of an epoch draw fewer numbers than that.
_DRAWS_PER_EPOCH = 1 << 20


class Augmentation:
    """Flips, rotates, zooms and moves images by Keras's preprocessing layers; what comes in at the edge is 0.

    Args:
        flip: Whether to mirror left and right, half of the time.
        rotation: Largest angle as a share of a full turn.
        zoom: Largest change of size as a share.
        translation: Largest move as a share of the image's height and width.
        seed: Of the random numbers.
    """

    def __init__(self, flip: bool, rotation: float, zoom: float, translation: float, seed: int):
        layers = keras.layers
        self.layers = [
            layers.RandomRotation(rotation, fill_mode="constant", seed=seed + 1),
            layers.RandomZoom(zoom, fill_mode="constant", seed=seed + 2),
            layers.RandomTranslation(translation, translation, fill_mode="constant", seed=seed + 3),
        ]
        if flip:
            self.layers.insert(0, layers.RandomFlip("horizontal", seed=seed))

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
