"""Feature relevance R."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.metrics import feature_relevance, perturbation_curves, random_curves, relevance_from_curves


def mean(x):
    return tf.reduce_mean(x, axis=(1, 2, 3))


@pytest.mark.parametrize(("last", "area"), [(0.0, 0.5), (0.5, 0.75), (0.9, 0.95)])
def test_any_order_on_a_classifier_linear_in_the_share_reaches_2c_1_minus_c(last, area):
    images = np.ones((2, 8, 8, 1))
    result = feature_relevance(
        mean, images, np.random.default_rng(0).random((2, 8, 8)), last * images, steps=16
    )
    assert result.all == pytest.approx(2 * area * (1 - area), abs=1e-6)
    assert result.preservation == pytest.approx(area, abs=1e-6)
    assert result.destruction == pytest.approx(1 - area, abs=1e-6)


def test_random_curves_reach_2c_1_minus_c_on_any_classifier():
    def f(x):
        return tf.sigmoid(8 * (tf.reduce_mean(x**3, axis=(1, 2, 3)) - 0.3))

    images = 0.5 + np.random.default_rng(1).random((3, 8, 8, 1)) / 2
    by_chance = random_curves(f, images, np.zeros_like(images), steps=16, draws=3)
    c = np.trapezoid(by_chance.mean(axis=0), dx=1 / 16)
    assert relevance_from_curves(by_chance, by_chance) == pytest.approx(2 * c * (1 - c), abs=1e-6)


def test_a_map_of_the_pixels_that_matter_comes_close_to_1_and_its_opposite_to_0():
    def f(x):  # sees the first of 16 rows alone
        return tf.reduce_mean(x[:, 0], axis=(1, 2))

    image, black, importance = np.ones((1, 16, 4, 1)), np.zeros((1, 16, 4, 1)), np.zeros((1, 16, 4))
    importance[:, 0] = 1
    # From 1 to 0 within the first, or the last, of 16 steps: AUC = 1/32 or 31/32.
    assert feature_relevance(f, image, importance, black, steps=16).all == pytest.approx(31 / 32)
    assert feature_relevance(f, image, -importance, black, steps=16).all == pytest.approx(1 / 32)


def test_curves_are_averaged_before_the_figure_and_classes_apart():
    def f(x):
        return tf.reduce_mean(x[:, :, :3], axis=(1, 2, 3))

    rng = np.random.default_rng(2)
    images = np.concatenate([0.5 + rng.random((3, 6, 6, 1)) / 2, rng.random((2, 6, 6, 1)) / 2])
    maps = rng.random((5, 6, 6))
    result = feature_relevance(f, images, maps, images / 2, steps=12, batch_size=7)
    np.testing.assert_array_equal(result.predicted, [1, 1, 1, 0, 0])
    for order in ("most", "least"):
        expected = perturbation_curves(f, images, maps, images / 2, steps=12, order=order)
        np.testing.assert_allclose(getattr(result, order), expected, rtol=0, atol=1e-6)

    def by_hand(rows):
        areas = []
        for curves in (result.most, result.least):
            curve = np.mean([curves[i].astype(np.float64) for i in rows], axis=0)
            areas.append(sum((curve[k] + curve[k + 1]) / 2 / 12 for k in range(12)))
        d, p = 1 - areas[0], areas[1]
        return 2 * d * p / (d + p)

    assert result.all == pytest.approx(by_hand(range(5)), abs=1e-12)
    assert result.class_1 == pytest.approx(by_hand([0, 1, 2]), abs=1e-12)
    assert result.class_0 == pytest.approx(by_hand([3, 4]), abs=1e-12)
    assert result.all != pytest.approx(np.mean([by_hand([i]) for i in range(5)]), abs=1e-3)


def test_a_class_without_images_has_no_figure():
    image = np.ones((1, 4, 4, 1))
    result = feature_relevance(mean, image, image, 0 * image, steps=4)
    assert math.isnan(result.class_0)
    assert result.class_1 == result.all


def test_a_classifier_that_never_moves_has_relevance_0():
    ones = np.ones((2, 5))
    assert relevance_from_curves(ones, ones) == 0
    assert relevance_from_curves(ones, np.zeros((2, 5))) == 0  # D = P = 0


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"Curves must be \[B, steps \+ 1\] with steps >= 1"):
        relevance_from_curves(np.zeros(5), np.zeros((1, 5)))
