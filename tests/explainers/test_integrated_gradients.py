import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfadvpath.explainers import IntegratedGradients

SIZE = 8
PIXELS = SIZE * SIZE
NAME = "integrated_gradients"


def some_images(count=3):
    return np.random.default_rng(0).random((count, SIZE, SIZE, 1)).astype(np.float32)


def flat(images):
    return np.asarray(images, np.float64).reshape(len(images), -1)


def sigmoid(t):
    return 1 / (1 + np.exp(-t))


def test_on_a_sigmoid_of_a_sum_it_is_the_pixels_share_of_the_change():
    weights = np.random.default_rng(1).normal(size=PIXELS)

    def f(x):
        return tf.sigmoid(tf.linalg.matvec(tf.reshape(x, [-1, PIXELS]), tf.constant(weights, x.dtype)))

    logit = flat(some_images()) @ weights
    slope = (sigmoid(logit) - 0.5) / logit
    explanation = IntegratedGradients(f, steps=200).explain(some_images())
    expected = np.abs(flat(some_images()) * weights) * slope[:, np.newaxis]
    # 200 midpoints of a smooth function: the error is of the order of the squared step.
    np.testing.assert_allclose(flat(explanation.maps[NAME]), expected, rtol=1e-3)
    np.testing.assert_allclose(explanation.score, sigmoid(logit), rtol=1e-5)


def test_gradients_of_both_signs_cancel_before_the_sign_is_dropped():
    def f(x):
        return tf.reduce_mean((x - 0.25) ** 2, axis=(1, 2, 3))

    # x ∫ 2 (λ x - 1/4) dλ = x (x - 1/2); midpoints are exact for a gradient that is linear along the path.
    values = flat(IntegratedGradients(f, steps=1).explain(some_images()).maps[NAME])
    x = flat(some_images())
    np.testing.assert_allclose(values, np.abs(x * (x - 0.5)) / PIXELS, atol=1e-6 / PIXELS)


def test_gradients_are_taken_at_the_midpoints():
    def f(x):
        return tf.reduce_sum(x**3, axis=(1, 2, 3)) / PIXELS

    x = flat(some_images())
    places = (np.arange(5) + 0.5) / 5
    expected = x * np.mean([3 * (place * x) ** 2 for place in places], axis=0) / PIXELS
    values = IntegratedGradients(f, steps=5).explain(some_images()).maps[NAME]
    np.testing.assert_allclose(flat(values), expected, atol=1e-7)


@pytest.mark.slow
@settings(max_examples=5, deadline=None)  # each compiles
@given(seed=st.integers(0, 1000), gain=st.floats(0.1, 4.0))
def test_where_no_gradient_is_negative_the_map_adds_up_to_the_change_of_the_probability(seed, gain):
    rng = np.random.default_rng(seed)
    first = tf.constant(np.abs(rng.normal(size=(PIXELS, 5))) / PIXELS, tf.float32)
    second = tf.constant(gain * np.abs(rng.normal(size=5)), tf.float32)

    def f(x):
        return tf.sigmoid(tf.linalg.matvec(tf.nn.softplus(tf.reshape(x, [-1, PIXELS]) @ first), second) - 1.0)

    images = rng.random((2, SIZE, SIZE, 1)).astype(np.float32)
    total = IntegratedGradients(f).explain(images).maps[NAME].sum(axis=(1, 2, 3))
    # Both probabilities are rounded to float32: their difference is off by up to 1e-7.
    np.testing.assert_allclose(total, f(images) - f(0 * images), rtol=1e-3, atol=2e-7)


def test_a_black_image_has_a_black_map():
    def f(x):
        return tf.sigmoid(tf.reduce_sum(x, axis=(1, 2, 3)))

    assert not IntegratedGradients(f).explain(np.zeros((1, SIZE, SIZE, 1))).maps[NAME].any()


@pytest.mark.slow
@pytest.mark.parametrize("path_chunk", [1, 7, 1000])
def test_chunks_change_nothing_and_no_pass_is_larger(path_chunk):
    sizes = []

    def f(x):
        sizes.append(x.shape[0])
        return tf.reduce_mean(x**3, axis=(1, 2, 3))

    chunked = IntegratedGradients(f, steps=12, path_chunk=path_chunk).explain(some_images())
    assert max(sizes) <= max(path_chunk, 2)  # the two ends of a path go together
    whole = IntegratedGradients(f, steps=12).explain(some_images())
    np.testing.assert_allclose(chunked.maps[NAME], whole.maps[NAME], atol=1e-7)


def test_colours_get_a_map_each():
    weights = tf.constant([1.0, 2.0, 3.0]) / 96  # of ones the sum is 1
    explainer = IntegratedGradients(lambda x: tf.reduce_sum(x * weights, axis=(1, 2, 3)))
    values = explainer.explain(np.ones((1, 4, 4, 3))).maps[NAME]
    np.testing.assert_allclose(96 * values[0, 2, 1], [1.0, 2.0, 3.0], rtol=1e-5)


def test_steps_must_be_positive():
    with pytest.raises(ValueError, match=r"`steps` and `path_chunk` must be positive\. Received: steps=0"):
        IntegratedGradients(lambda x: x, steps=0)
