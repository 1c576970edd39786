"""The Fréchet distance of feature sets."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg

from tfadvpath.metrics import frechet_distance


def with_moments(mean, covariance, count, seed=0):
    """Points [N, D] of exactly that mean and covariance."""
    points = np.random.default_rng(seed).normal(size=(count, len(mean)))
    points -= points.mean(axis=0)
    whitening = np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(points.T))))
    return mean + points @ whitening.T @ np.linalg.cholesky(covariance).T


def random_covariance(size, seed):
    factor = np.random.default_rng(seed).normal(size=(size, size))
    return factor @ factor.T + 0.1 * np.eye(size)


def test_gaussians_of_one_dimension_follow_the_closed_form():
    a, b = with_moments([1.0], np.array([[4.0]]), 50), with_moments([3.0], np.array([[9.0]]), 70, seed=1)
    assert frechet_distance(a, b) == pytest.approx((1 - 3) ** 2 + (2 - 3) ** 2, abs=1e-10)


def test_axes_of_diagonal_covariances_add_up():
    deviations = np.array([0.5, 2.0, 0.1]), np.array([1.5, 2.0, 0.4])
    a, b = (with_moments(np.zeros(3), np.diag(s**2), 40, seed) for seed, s in enumerate(deviations))
    assert frechet_distance(a, b) == pytest.approx(np.sum((deviations[0] - deviations[1]) ** 2), abs=1e-10)


def test_it_is_the_formula_with_a_matrix_root():
    rng = np.random.default_rng(3)
    means = rng.normal(size=(2, 6))
    covariances = [random_covariance(6, seed) for seed in (4, 5)]
    a, b = (with_moments(means[k], covariances[k], 30 + k, seed=k) for k in (0, 1))
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = np.sum((means[0] - means[1]) ** 2) + np.trace(sum(covariances) - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_singular_covariances_are_no_trouble():
    # In the first two of 40 axes alone, and with fewer images than axes.
    rng = np.random.default_rng(6)
    plane_a, plane_b = (with_moments(np.zeros(2), random_covariance(2, seed), 12, seed) for seed in (7, 8))
    rotation = np.linalg.qr(rng.normal(size=(40, 40)))[0]
    a, b = (np.pad(plane, ((0, 0), (0, 38))) @ rotation for plane in (plane_a, plane_b))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(plane_a, plane_b), rel=1e-9)
    # In axes that the other set has not, the trace remains.
    c = np.pad(plane_b, ((0, 0), (2, 36))) @ rotation
    assert frechet_distance(a, c) == pytest.approx(np.trace(np.cov(a.T) + np.cov(c.T)), rel=1e-9)


def test_a_set_is_at_no_distance_from_itself_and_the_order_does_not_matter():
    a, b = (np.random.default_rng(seed).normal(size=(50, 128)) for seed in (0, 1))
    assert frechet_distance(a, a[::-1]) == pytest.approx(0, abs=1e-10)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)
    assert frechet_distance(a, b) > 1


def test_few_images_seem_farther_apart():
    rng = np.random.default_rng(2)
    few, many = (
        np.mean([frechet_distance(*rng.normal(size=(2, n, 8))) for _ in range(20)]) for n in (40, 400)
    )
    assert few > 5 * many > 0


def test_one_image_has_no_distance():
    assert math.isnan(frechet_distance(np.zeros((1, 3)), np.zeros((5, 3))))
    assert math.isnan(frechet_distance(np.zeros((5, 3)), np.zeros((0, 3))))


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.zeros((4, 3)), np.zeros((4, 2)), r"`a` and `b` must be \[N, D\] and \[M, D\]"),
        (np.zeros(4), np.zeros(4), r"`a` and `b` must be \[N, D\] and \[M, D\]"),
        (np.full((4, 3), np.nan), np.zeros((4, 3)), "`a` and `b` must be finite"),
    ],
)
def test_wrong_arguments_are_named(a, b, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(a, b)
