"""The copy of a classifier that has learned nothing."""

from __future__ import annotations

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.models import UNet, partly_randomized, randomized, resnet50_classifier


def trained(layers):
    """A network whose every weight is 7."""
    network = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    network.set_weights([np.full_like(weight, 7) for weight in network.get_weights()])
    return network


def test_every_weight_is_drawn_by_its_own_initializer():
    layers = keras.layers
    network = trained(
        [
            layers.Conv2D(30, 5, kernel_initializer=keras.initializers.RandomUniform(2, 3)),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(9, bias_initializer="ones"),
        ]
    )
    convolution, normalization, _, dense = randomized(network, seed=3).layers
    kernel, bias = (w.numpy() for w in convolution.weights)
    assert 2 <= kernel.min() < 2.05
    assert 2.95 < kernel.max() <= 3
    assert not bias.any()
    for weight, value in zip(normalization.weights, (1, 0, 0, 1), strict=True):  # γ, β, mean, variance
        np.testing.assert_array_equal(weight, value)
    # Glorot's uniform: between ± √(6 / (480 + 9)).
    assert np.abs(dense.kernel).max() == pytest.approx(np.sqrt(6 / 489), rel=0.01)
    np.testing.assert_array_equal(dense.bias, 1)
    assert all((weight == 7).all() for weight in network.get_weights())


def test_the_seed_decides_and_no_one_elses_random_numbers_change():
    dense = {"kernel_initializer": keras.initializers.HeNormal(seed=5)}
    network = trained([keras.layers.Flatten(), keras.layers.Dense(9, **dense), keras.layers.Dense(9)])
    random.seed(1)
    expected = random.random()
    random.seed(1)
    first, again, other = (randomized(network, seed).get_weights() for seed in (1, 1, 2))
    assert random.random() == expected
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.ndim == 1 or np.abs(a - c).max() > 0.1  # a seed of the layer's own is set aside


def test_layers_of_one_shape_get_weights_of_their_own():
    layers = [keras.layers.Flatten(), keras.layers.Dense(64), keras.layers.Dense(64)]
    _, first, second = randomized(trained(layers)).layers
    assert np.abs(first.kernel - second.kernel).max() > 0.1


def test_networks_within_networks_are_drawn_too():
    inner = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])
    image = keras.Input((8, 8, 1))
    network = keras.Model(image, keras.layers.Dense(1)(inner(image)))
    network.set_weights([np.full_like(weight, 7) for weight in network.get_weights()])
    weights = randomized(network).get_weights()
    assert len(weights) == 4
    assert max(np.abs(weight).max() for weight in weights) < 2


def test_a_share_of_the_layers_is_drawn_from_the_output():
    inner = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), *(keras.layers.Dense(4) for _ in range(3))]
    )
    image = keras.Input((8, 8, 1))
    network = keras.Model(image, keras.layers.Dense(1)(inner(image)))
    network.set_weights([np.full_like(weight, 7) for weight in network.get_weights()])
    whole = randomized(network, seed=3).get_weights()
    for share, drawn in ((1e-9, 1), (0.25, 1), (0.5, 2), (0.75, 3), (1.0, 4)):
        weights = partly_randomized(network, share, seed=3).get_weights()
        for i, (own, new) in enumerate(zip(weights, whole, strict=True)):
            np.testing.assert_array_equal(own, new if i // 2 >= 4 - drawn else np.full_like(own, 7))
    with pytest.raises(ValueError, match="share"):
        partly_randomized(network, 0.0)


@pytest.mark.slow
def test_an_untrained_resnet_still_answers_to_its_image():
    classifier = resnet50_classifier((32, 32, 1), weights=None, width=4)
    copy = randomized(classifier, seed=1)
    assert copy.dtype_policy == classifier.dtype_policy
    images = tf.random.stateless_uniform((4, 32, 32, 1), [0, 0])
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = copy(images, training=False)
    gradient = tape.gradient(scores, images)
    assert 0.2 < tf.reduce_min(scores) < tf.reduce_max(scores) < 0.8
    assert tf.reduce_mean(tf.cast(gradient != 0, tf.float32)) > 0.9


def test_other_kinds_of_model_are_refused():
    with pytest.raises(ValueError, match="unctional"):
        randomized(UNet((16, 16, 1), [4, 8]))


def test_the_weights_are_not_those_that_training_began_with_after_the_same_seed():
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(9)])
    assert not np.allclose(randomized(network, seed=0).get_weights()[0], network.get_weights()[0])
