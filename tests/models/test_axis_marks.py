"""Marks of axes against the values that operations really put there."""

import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.models.axis_marks import (
    BATCH,
    COLUMN,
    ROW,
    Part,
    broadcast,
    contracted,
    order_of_picture,
    picture,
    reshaped,
    unmarked,
)
from tfadvpath.models.pictures import pictures

SHAPE = (2, 6, 8, 4)
IMAGES = picture(SHAPE, channels_axis=3)


def numbered():
    """Values that say where they come from: a step of the batch, a row, a column adds 1000, 100, 1."""
    batch, rows, columns, _ = np.indices(SHAPE)
    return (1000 * batch + 100 * rows + columns).astype(np.float32)


# Operation -> whether its output is still a picture.
MOVES = {
    "transposed": (lambda x: tf.transpose(x, (0, 3, 2, 1)), True),
    "batch last": (lambda x: tf.transpose(x, (1, 2, 3, 0)), True),
    "tokens and back": (lambda x: tf.reshape(tf.reshape(x, (2, 48, 4)), SHAPE), True),
    "tokens, heads": (lambda x: tf.reshape(x, (2, 48, 2, 2)), False),
    "one axis, and back": (lambda x: tf.reshape(tf.reshape(x, [-1]), SHAPE), True),
    "windows": (
        lambda x: tf.reshape(
            tf.transpose(tf.reshape(x, (2, 2, 3, 4, 2, 4)), (0, 1, 3, 2, 4, 5)), (16, 3, 2, 4)
        ),
        False,
    ),
    "windows and back": (
        lambda x: tf.reshape(
            tf.transpose(
                tf.transpose(tf.reshape(x, (2, 2, 3, 4, 2, 4)), (0, 1, 3, 2, 4, 5)), (0, 1, 3, 2, 4, 5)
            ),
            SHAPE,
        ),
        True,
    ),
    "wrong way back": (
        lambda x: tf.reshape(tf.transpose(tf.reshape(x, (2, 48, 4)), (1, 0, 2)), SHAPE),
        False,
    ),
    "channels cut": (lambda x: x[..., 1:3], True),
    "every other column": (lambda x: x[:, :, ::2], True),
    "one channel": (lambda x: x[..., 0], False),
    "one channel of its own": (lambda x: x[..., 0, tf.newaxis], True),
    "new axis in front": (lambda x: tf.transpose(x[tf.newaxis, ..., 0], (1, 2, 3, 0)), True),
    "mirrored": (lambda x: x[:, ::-1], False),
    "split": (lambda x: tf.split(x, 2, axis=-1)[1], True),
    "split unevenly": (lambda x: tf.split(x, [1, 3], axis=-1)[1], True),
    "concatenated": (lambda x: tf.concat([x, x[..., :1]], axis=3), True),
    "a token more": (lambda x: tf.concat([tf.zeros((2, 1, 8, 4)), x], axis=1)[:, 1:], False),
    "stacked": (lambda x: tf.stack([x[..., 0], x[..., 1]], axis=1), True),
    "unstacked": (lambda x: tf.stack(tf.unstack(x, axis=3), axis=3), True),
    "tiled": (lambda x: tf.tile(x, (1, 2, 1, 1)), False),
    "gathered": (lambda x: tf.gather(x, [2, 0], axis=3), True),
    "rows shuffled": (lambda x: tf.gather(x, [5, 1, 3, 0, 2, 4], axis=1), False),
    "rolled": (lambda x: tf.roll(x, 2, axis=2), False),
    "reversed": (lambda x: tf.reverse(x, [1]), False),
    "added": (lambda x: x + tf.zeros((4,)), True),
    "added to its transpose": (lambda x: (y := x[:, :6, :6]) + tf.transpose(y, (0, 2, 1, 3)), False),
    "mean of rows": (lambda x: tf.reduce_mean(x, axis=1), False),
    "mean of channels": (lambda x: tf.reduce_mean(x, axis=-1, keepdims=True), True),
    "squeezed": (lambda x: tf.expand_dims(tf.squeeze(x[..., :1], axis=3), 1), True),
}


@pytest.mark.parametrize("name", MOVES)
def test_rows_and_columns_are_where_the_marks_say(name):
    move, is_picture = MOVES[name]
    known = {}

    def trace(images):
        moved = move(images)
        known["picture"] = pictures(images, []).get(moved.name)
        return moved

    values = tf.function(trace, autograph=False)(numbered()).numpy()
    found = known["picture"]
    assert (found is not None) == is_picture
    if found is not None:
        values = np.transpose(values, found.order)
        assert (np.diff(values, axis=0) == 1000).all()
        assert (np.diff(values, axis=1) == 100).all()
        assert (np.diff(values, axis=2) == (2 if "other" in name else 1)).all()


@pytest.mark.parametrize("move", ["mirrored", "rows shuffled", "rolled", "reversed"])
def test_a_convolution_of_moved_pixels_is_no_picture(move):
    found = []

    def trace(images):
        result = tf.nn.conv2d(MOVES[move][0](images), tf.ones((3, 3, 4, 2)), 1, "SAME")
        found.append(pictures(images, []).get(result.name))

    tf.function(trace, autograph=False).get_concrete_function(tf.TensorSpec(SHAPE))
    assert found == [None]


def test_windows_of_a_picture_are_parts_of_its_axes():
    cut = reshaped(IMAGES, (2, 2, 3, 8, 4))
    assert cut[1] == (Part(ROW, 3, 2),)
    assert cut[2] == (Part(ROW, 1, 3),)
    assert reshaped(cut, SHAPE) == IMAGES
    assert reshaped(IMAGES, (2, 48, 4))[1] == (Part(ROW, 1, 6), Part(COLUMN, 1, 8))
    assert reshaped(IMAGES, (2, 5, 8, 4)) == unmarked((2, 5, 8, 4))


def test_an_axis_of_length_one_can_be_any():
    assert order_of_picture(picture((1, 6, 8, 1), channels_axis=3)) == (0, 1, 2, 3)
    assert order_of_picture(picture((1, 1, 6, 8), channels_axis=1)) == (0, 2, 3, 1)
    assert order_of_picture(unmarked(SHAPE)) is None


def test_what_operands_say_of_an_axis_is_joined():
    assert broadcast([unmarked((6, 8, 4)), IMAGES], SHAPE) == IMAGES
    square = (2, 8, 8, 4)
    one = picture(square, channels_axis=3)
    turned = tuple(one[number] for number in (0, 2, 1, 3))
    assert broadcast([one, turned], square)[1:3] == unmarked((8, 8))


def test_a_product_over_channels_keeps_the_marks_and_one_over_pixels_loses_them():
    tokens = reshaped(IMAGES, (2, 48, 4))
    scores = contracted([tokens, tokens], ["nqc", "nkc"], "nqk", (2, 48, 48))
    assert scores == (tokens[0], tokens[1], tokens[1])
    assert contracted([scores, tokens], ["nqk", "nkc"], "nqc", (2, 48, 4)) == unmarked((2, 48, 4))
    weights = unmarked((4, 9))
    assert contracted([IMAGES, weights], ["nhwc", "cd"], "nhwd", (2, 6, 8, 9))[:3] == IMAGES[:3]
    assert IMAGES[0] == (Part(BATCH, 1, 2),)
