"""Smooth changes against a classifier: their bound, their direction, and their random numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.training.attack import attacked, step_seed

SIDE, SCALE, RADIUS = 16, 4, 0.1
SEED = tf.constant([3, 8])


def network(sign=1.0):
    """Answers by brightness: its gradient has one sign at every pixel."""
    inputs = keras.Input((SIDE, SIDE, 1))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    dense = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Model(inputs, dense(mean))
    dense.set_weights([np.full((1, 1), 5.0 * sign), np.zeros(1)])
    return model


@pytest.fixture
def images():
    return tf.constant(np.random.default_rng(0).uniform(0.3, 0.7, (6, SIDE, SIDE, 1)).astype(np.float32))


LABELS = tf.constant([[0.0], [1.0]] * 3)


def test_one_step_is_what_numpy_finds(images):
    found = attacked(network(), images, LABELS, RADIUS, SCALE, 1, SEED).numpy()
    bound = tf.random.stateless_uniform((6, 1, 1, 1), SEED, 0, RADIUS).numpy().astype(np.float64)
    start = tf.random.stateless_uniform((6, SIDE // SCALE, SIDE // SCALE, 1), SEED + 1, -1, 1).numpy()
    # The loss of class 1 rises as the image gets darker.
    towards = np.where(LABELS.numpy() == 1, -1, 1).reshape(-1, 1, 1, 1)
    change = np.clip(bound * start + 1.5 * bound * towards, -bound, bound)
    smooth = tf.image.resize(change, (SIDE, SIDE)).numpy()
    np.testing.assert_allclose(found, images.numpy() + smooth, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 3])
def test_the_loss_rises_and_the_change_is_small(images, steps):
    for sign in (1.0, -1.0):
        model = network(sign)
        found = attacked(model, images, LABELS, RADIUS, SCALE, steps, SEED)
        losses = [keras.losses.binary_crossentropy(LABELS, model(x)).numpy() for x in (images, found)]
        assert (losses[1] > losses[0]).all()
        assert np.abs(found - images).max() <= RADIUS + 1e-6
        assert found.dtype == tf.float32


def test_images_stay_in_their_range():
    black, labels = tf.zeros((2, SIDE, SIDE, 1)), tf.constant([[1.0], [0.0]])
    found = attacked(network(), black, labels, RADIUS, SCALE, 2, SEED).numpy()
    assert found.min() == 0
    assert found[0].max() <= found[1].max() <= RADIUS


def test_every_step_and_every_seed_draws_anew():
    drawn = {
        tuple(step_seed(seed, step).numpy() + more) for seed in (0, 1) for step in range(5) for more in (0, 1)
    }
    assert len(drawn) == 20
    variable = keras.Variable(7, dtype="int64", trainable=False)
    assert step_seed(2, variable).numpy().tolist() == [2, 14]
