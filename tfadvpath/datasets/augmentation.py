"""Random changes of training images, outside the exported model."""

from __future__ import annotations

import keras
import tensorflow as tf

# The batches of an epoch draw fewer numbers than that.
_DRAWS_PER_EPOCH = 1 << 20


class Augmentation:
    """Flips, rotates, zooms, moves, sharpens images and changes their grey values; hides borders and corners.

    Keras's layers do all but the last. What comes in at the edge is 0. Hidden are bands along the four sides
    and boxes in the four corners, where side markers, wires and a film's frame lie, which a classifier would
    learn for a short cut.

    Args:
        flip: Whether to mirror left and right, half of the time.
        rotation: Largest angle as a share of a full turn.
        zoom: Largest change of size as a share.
        translation: Largest move as a share of the image's height and width.
        sharpness: Largest change of the difference to the image's mean over 3 x 3 pixels: 1 is from that mean
            to twice the difference.
        seed: Seed of the random numbers.
        contrast: Largest change, as a share, of the differences to the image's mean.
        brightness: Largest number that is added to all grey values.
        hidden_border: Largest width of a band, and half the largest side of a corner's box, as a share of the
            image's height and width. Each of the eight is hidden half of the time, behind one grey value.
    """

    def __init__(
        self,
        flip: bool,
        rotation: float,
        zoom: float,
        translation: float,
        sharpness: float,
        seed: int,
        contrast: float = 0.0,
        brightness: float = 0.0,
        hidden_border: float = 0.0,
    ):
        layers = keras.layers
        moved = {"fill_mode": "constant", "dtype": "float32"}
        self.moves = [
            layers.RandomRotation(rotation, seed=seed + 1, **moved),
            layers.RandomZoom(zoom, seed=seed + 2, **moved),
            layers.RandomTranslation(translation, translation, seed=seed + 3, **moved),
        ]
        if flip:
            self.moves.insert(0, layers.RandomFlip("horizontal", seed=seed, dtype="float32"))
        self.greys: list[keras.Layer] = []
        if sharpness:
            # Keras counts from 0, blurred, over 0.5, unchanged, to 1, twice as sharp.
            factor = 0.5 - sharpness / 2, 0.5 + sharpness / 2
            self.greys.append(
                layers.RandomSharpness(factor, value_range=(0, 1), seed=seed + 4, dtype="float32")
            )

        grey = {"value_range": (0, 1), "dtype": "float32"}
        if contrast:
            self.greys.append(layers.RandomContrast(contrast, seed=seed + 5, **grey))
        if brightness:
            self.greys.append(layers.RandomBrightness(brightness, seed=seed + 6, **grey))
        if hidden_border:
            self.greys.append(HiddenBorder(hidden_border, seed=seed + 7))

    def start_epoch(self, epoch: int) -> None:
        """Sets the random numbers to those of an epoch, whatever was drawn before."""
        for layer in (*self.moves, *self.greys):
            state = layer.generator.state
            state.assign([int(state[0]), epoch * _DRAWS_PER_EPOCH])

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the changed images, float32 [B, H, W, C] in [0, 1]."""
        for layer in (*self.moves, *self.greys):
            images = layer(images, training=True)
        return images

    def with_masks(self, images: tf.Tensor, masks: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the changed images, and masks that were moved with them.

        Args:
            images: float32 [B, H, W, C] in [0, 1].
            masks: float32 [B, H, W, 1], 1 in the finding and 0 elsewhere. Those that are returned have values
                between, where a pixel of the image comes from both.
        """
        both = tf.concat([images, masks], axis=-1)
        for layer in self.moves:
            both = layer(both, training=True)
        images, masks = both[..., :-1], both[..., -1:]
        for layer in self.greys:
            images = layer(images, training=True)
        return images, masks


class HiddenBorder(keras.layers.Layer):
    """Hides bands along the sides and boxes in the corners behind a grey value, drawn for each image."""

    def __init__(self, largest: float, seed: int):
        super().__init__(dtype="float32")
        self.largest = largest
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        count, height, width = (tf.shape(images)[axis] for axis in range(3))
        # Of the four sides a width; of the four corners a height and a width; which of the eight; the grey.
        drawn = keras.random.uniform((count, 21), seed=self.generator)
        hidden = tf.cast(drawn[:, :8] < 0.5, tf.float32)
        sides = drawn[:, 8:12] * self.largest * hidden[:, :4]
        corners = tf.reshape(drawn[:, 12:20], (-1, 2, 4)) * (2.0 * self.largest) * hidden[:, tf.newaxis, 4:]
        rows = (tf.cast(tf.range(height), tf.float32) + 0.5)[:, tf.newaxis] / tf.cast(height, tf.float32)
        columns = (tf.cast(tf.range(width), tf.float32) + 0.5)[tf.newaxis] / tf.cast(width, tf.float32)
        from_sides = rows, 1.0 - rows, columns, 1.0 - columns  # top, bottom, left, right

        def within(distance: tf.Tensor, reach: tf.Tensor) -> tf.Tensor:
            return distance < reach[:, tf.newaxis, tf.newaxis]

        masks = [within(from_sides[side], sides[:, side]) for side in range(4)]
        covered = masks[0] | masks[1] | masks[2] | masks[3]
        for corner in range(4):
            across, along = from_sides[corner // 2], from_sides[2 + corner % 2]
            covered |= within(across, corners[:, 0, corner]) & within(along, corners[:, 1, corner])
        grey = drawn[:, 20][:, tf.newaxis, tf.newaxis, tf.newaxis]
        return tf.where(covered[..., tf.newaxis], grey, images)
