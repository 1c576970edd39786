"""COUT: closed forms, and the definition computed pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.metrics import cout

FLOAT32 = 1e-6  # sums of at most 100 values in [0, 1]


def mean(x):
    return tf.reduce_mean(x, axis=(1, 2, 3))


def test_a_probability_that_rises_evenly_has_0():
    x = np.zeros((2, 4, 5, 1), np.float32)
    # f goes from 0 to 1: the original class is 0, and both areas are 1/2.
    np.testing.assert_allclose(cout(mean, x, x + 1, steps=20), 0, atol=FLOAT32)


@pytest.mark.parametrize("original", [0.0, 1.0])
def test_one_pixel_that_decides_is_pasted_first(original):
    x = np.full((1, 4, 4, 1), original, np.float32)
    x_a = x + np.linspace(-0.1, 0.1, 16, dtype=np.float32).reshape(x.shape)
    x_a[0, 2, 1] = 1 - original
    # f_c is 1 before the first of 16 steps and 0 after it: the area is 1/32.
    np.testing.assert_allclose(cout(lambda x: x[:, 2, 1, 0], x, x_a, steps=16), 1 - 2 / 32, atol=FLOAT32)


def test_an_adversary_that_changes_no_decision_has_almost_minus_1():
    x = np.full((1, 4, 4, 1), 1.0, np.float32)
    np.testing.assert_allclose(cout(mean, x, x, steps=4), -1, atol=FLOAT32)


def test_a_change_where_the_classifier_does_not_look_delays_the_decision():
    x = np.zeros((1, 4, 4, 1), np.float32)
    x_a = x.copy()
    x_a[0, 0, 0] = 0.9  # decides
    alone = cout(lambda x: x[:, 0, 0, 0], x, x_a, steps=16)
    x_a[0, 2:] = 1.0  # eight pixels that differ more, and say nothing to it
    later = cout(lambda x: x[:, 0, 0, 0], x, x_a, steps=16)
    # The decisive pixel comes ninth instead of first: 0.9 of the probability falls eight steps later.
    np.testing.assert_allclose(alone - later, 2 * 0.9 * 8 / 16, atol=FLOAT32)


def test_it_is_its_definition_pixel_by_pixel():
    rng = np.random.default_rng(0)
    x, x_a = rng.random((2, 3, 5, 4, 2)).astype(np.float32)
    weights = rng.normal(size=(5, 4, 2))
    tensor = tf.constant(weights, tf.float32)

    def classifier(images):
        return tf.sigmoid(tf.reduce_sum(images * tensor, axis=(1, 2, 3)))

    expected = []
    for one, other in zip(x.astype(np.float64), x_a.astype(np.float64), strict=True):
        order = np.argsort(-np.abs(one - other).sum(axis=2).ravel())
        points, pasted = [], one.copy()
        for step in range(11):  # ten steps of two pixels
            chosen = order[: 2 * step]
            pasted.reshape(20, 2)[chosen] = other.reshape(20, 2)[chosen]
            points.append(1 / (1 + np.exp(-(pasted * weights).sum())))
        original = np.array(points) if points[0] >= 0.5 else 1 - np.array(points)
        areas = [np.trapezoid(curve, dx=0.1) for curve in (1 - original, original)]
        expected.append(areas[0] - areas[1])
    np.testing.assert_allclose(cout(classifier, x, x_a, steps=10), expected, atol=1e-5)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="`images` and `adversaries` must be"):
        cout(mean, np.zeros((2, 4, 4, 1)), np.zeros((2, 4, 5, 1)))
