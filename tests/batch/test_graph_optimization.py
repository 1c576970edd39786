"""A function whose graph is optimized once answers as it did."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.batch.graph_optimization import OptimizedOnce

IMAGES = np.random.default_rng(0).random((4, 16, 16, 1)).astype(np.float32)


@pytest.fixture
def weights():
    return tf.Variable(np.random.default_rng(1).normal(size=(3, 3, 1, 8)).astype(np.float32))


@pytest.fixture
def function(weights):
    def sums(images, count):
        def step(i, total):
            with tf.GradientTape() as tape:
                tape.watch(images)
                score = tf.nn.relu(tf.nn.conv2d(images * tf.cast(i, tf.float32), weights, 1, "SAME") + 0.1)
            return i + 1, total + tape.gradient(score, images)

        _, total = tf.while_loop(lambda i, _: i < count, step, (tf.constant(0), tf.zeros_like(images)))
        return {"maps": {"gradient": total}, "score": tf.reduce_mean(total, axis=(1, 2, 3))}

    return tf.function(sums, autograph=False)


def flat(answers):
    return [answer.numpy() for answer in tf.nest.flatten(answers)]


def test_the_answers_have_the_same_structure_and_bits(function):
    plain, once = (
        function(IMAGES, tf.constant(3)),
        OptimizedOnce(function)(tf.constant(IMAGES), tf.constant(3)),
    )
    tf.nest.assert_same_structure(plain, once)
    for here, there in zip(flat(plain), flat(once), strict=True):
        np.testing.assert_array_equal(here, there)


def test_the_function_is_traced_once_for_one_shape(function):
    once = OptimizedOnce(function)
    once.get_concrete_function(tf.TensorSpec(IMAGES.shape), tf.TensorSpec((), tf.int32))
    for count in (1, 2):
        once(tf.constant(IMAGES), tf.constant(count))
    assert function.experimental_get_tracing_count() == 1


def test_the_answers_follow_the_weights(function, weights):
    once = OptimizedOnce(function)
    before = flat(once(tf.constant(IMAGES), tf.constant(2)))
    weights.assign(-weights)
    after = flat(once(tf.constant(IMAGES), tf.constant(2)))
    assert not np.array_equal(before[0], after[0])
    np.testing.assert_array_equal(flat(function(IMAGES, tf.constant(2)))[0], after[0])
