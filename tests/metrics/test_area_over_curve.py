"""The area over the perturbation curve."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.metrics import aopc, aopc_from_curves, aopc_per_step, perturbation_curves, random_curves


def linear(weights, offset=0.0):
    weights = tf.constant(weights, tf.float32)
    return lambda x: offset + tf.reduce_sum(x * weights, axis=(1, 2, 3))


def test_is_the_double_sum_of_the_definition():
    curves = np.random.default_rng(0).random((4, 9))
    expected = []
    for last in range(9):
        falls = [sum(curve[0] - curve[k] for curve in curves) / 4 for k in range(last + 1)]
        expected.append(sum(falls) / (last + 1))
    np.testing.assert_allclose(aopc_per_step(curves), expected, rtol=1e-12)
    assert aopc_from_curves(curves) == pytest.approx(expected[-1], rel=1e-12)


def test_a_linear_classifier_has_its_closed_form():
    # 16 squares of 2 x 2 pixels: f falls by their sums, the largest first.
    sums = np.random.default_rng(1).permutation(16) + 1.0
    weights = np.kron(sums.reshape(4, 4), np.ones((2, 2)))[np.newaxis, ..., np.newaxis] / 4 / sums.sum() / 2
    f = linear(weights, 0.5)
    image, black = np.ones((1, 8, 8, 1)), np.zeros((1, 8, 8, 1))
    result = aopc(f, image, weights, black, region=2, step_share=1 / 16, share=0.5)
    # After k of 8 steps f has fallen by (16 + 15 + ... ) / 136 / 2 = k (33 - k) / 2 / 272.
    k = np.arange(9)
    falls = k * (33 - k) / 2 / 272
    np.testing.assert_allclose(result.curves, [1 - falls], rtol=0, atol=1e-6)
    assert result.value == pytest.approx(falls.mean(), abs=1e-6)
    np.testing.assert_array_equal(result.per_step, aopc_per_step(result.curves))


def test_random_orders_of_a_linear_classifier_fall_in_a_straight_line():
    weights = np.random.default_rng(2).random((1, 8, 8, 1))
    f = linear(weights / weights.sum())
    image, black = np.ones((1, 8, 8, 1)), np.zeros((1, 8, 8, 1))
    by_chance = random_curves(f, image, black, steps=16, draws=200, region=2, batch_size=4000)
    assert aopc_from_curves(by_chance) == pytest.approx(0.5, abs=0.01)
    ordered = perturbation_curves(f, image, weights, black, steps=16, region=2)
    assert aopc_from_curves(ordered) > aopc_from_curves(by_chance) + 0.05


def test_the_default_is_16_steps_of_a_hundredth():
    image = np.ones((1, 80, 80, 1))
    result = aopc(lambda x: tf.reduce_mean(x, axis=(1, 2, 3)), image, image, 0 * image)
    np.testing.assert_allclose(result.curves[0], 1 - np.arange(17) / 100, rtol=0, atol=1e-6)
    assert result.value == pytest.approx(0.08, abs=1e-6)


def test_without_images_it_is_undefined():
    assert math.isnan(aopc_from_curves(np.zeros((0, 5))))


@pytest.mark.parametrize("shares", [(0.1, 0.25), (0, 0.16), (0.2, 0.1), (-0.1, 0.2)])
def test_the_share_must_be_a_whole_number_of_steps(shares):
    image = np.ones((1, 4, 4, 1))
    with pytest.raises(ValueError, match="`share` must be a positive whole number of `step_share`"):
        aopc(lambda x: x[:, 0, 0, 0], image, image, image, step_share=shares[0], share=shares[1])


@pytest.mark.parametrize("curves", [np.zeros(3), np.zeros((2, 0))])
def test_other_shapes_are_refused(curves):
    with pytest.raises(ValueError, match=r"`curves` must be \[B, steps \+ 1\]"):
        aopc_from_curves(curves)
