import numpy as np
import pytest
import tensorflow as tf

import tfadvpath as tap
from tfadvpath.path.importance import feature_importance
from tfadvpath.path.path_integral import path_integral

SHAPE = (8, 8, 1)
RNG = np.random.default_rng(0)
START, ADVERSARY = RNG.random((2, 3, *SHAPE)).astype(np.float32)
WEIGHTS = RNG.normal(size=SHAPE)
MOVED = ADVERSARY.astype(np.float64) - START


def linear(x):
    return tf.reduce_sum(x * tf.constant(WEIGHTS, x.dtype), axis=(1, 2, 3))


def curved(x):
    """Its gradient changes its sign on the way."""
    return tf.reduce_sum(tf.constant(WEIGHTS, x.dtype) * tf.sin(9.0 * x), axis=(1, 2, 3)) / 50.0 + 0.5


def product(x, y):
    return x * y


def test_of_a_linear_classifier_every_integrand_is_its_closed_form():
    for integrand in (lambda x, y: x**3 * tf.abs(y), lambda x, y: tf.exp(x) * y - x * y**2):
        found = path_integral(linear, START, ADVERSARY, integrand, steps=7)
        expected = integrand(tf.constant(WEIGHTS), tf.constant(MOVED))
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_an_integrand_of_a_quadratic_is_the_sum_at_the_midpoints():
    def quadratic(x):
        return tf.reduce_sum(tf.constant(WEIGHTS, x.dtype) * x**2, axis=(1, 2, 3))

    found = path_integral(quadratic, START, ADVERSARY, lambda x, y: x**2 * y, steps=5)
    points = [START + (m + 0.5) / 5 * MOVED for m in range(5)]
    expected = np.mean([(2 * WEIGHTS * point) ** 2 for point in points], axis=0) * MOVED
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_the_papers_maps_are_instances():
    maps = feature_importance(curved, START, ADVERSARY, steps=20)
    signed = path_integral(curved, START, ADVERSARY, lambda x, y: x * y**2, steps=20)
    absolute = path_integral(curved, START, ADVERSARY, lambda x, y: tf.abs(x) * y**2, steps=20)
    np.testing.assert_array_equal(tf.abs(signed), maps.fi_v1)
    np.testing.assert_array_equal(absolute, maps.fi_v2)
    assert np.abs(maps.fi_v2 - maps.fi_v1).max() > 0.01 * np.abs(maps.fi_v2).max()


def test_the_product_adds_up_to_the_change_of_the_probability():
    found = path_integral(curved, START, ADVERSARY, product, steps=400)
    change = curved(ADVERSARY) - curved(START)
    np.testing.assert_allclose(tf.reduce_sum(found, axis=(1, 2, 3)), change, atol=1e-4)
    assert np.abs(change).min() > 0.01


def test_on_a_black_start_the_product_is_integrated_gradients():
    found = path_integral(curved, tf.zeros_like(ADVERSARY), ADVERSARY, product, steps=10)
    explanation = tap.explainers.get("integrated_gradients", curved, steps=10).explain(ADVERSARY)
    np.testing.assert_array_equal(np.abs(found), explanation.maps["integrated_gradients"])


def test_the_velocity_alone_integrates_to_the_way_from_start_to_adversary():
    for steps, path_chunk in ((1, None), (6, 4)):  # the second fills its last chunk up
        found = path_integral(linear, START, ADVERSARY, lambda x, y: y, steps=steps, path_chunk=path_chunk)
        np.testing.assert_allclose(found, MOVED, atol=1e-6)


@pytest.mark.slow
def test_it_runs_along_any_path_and_with_xla():
    class Square:
        """γ(λ) = start + λ² (adversary - start)."""

        def endpoints(self, start, adversary):
            return start, adversary

        def at(self, endpoints, positions):
            start, adversary = endpoints
            moved, at = (adversary - start)[:, tf.newaxis], positions[:, None, None, None]
            return start[:, tf.newaxis] + at**2 * moved, 2.0 * at * moved

    path = Square()
    for jit_compile in (False, True):
        options = {"path": path, "jit_compile": jit_compile, "steps": 200}
        # ∫ w (2 λ d)² dλ = 4/3 w d²
        squared = path_integral(linear, START, ADVERSARY, lambda x, y: x * y**2, **options)
        np.testing.assert_allclose(squared, 4 / 3 * WEIGHTS * MOVED**2, atol=1e-4)


def test_one_trace_serves_calls_with_the_same_integrand():
    traces = []

    def counted(x, y):
        traces.append(x.shape)
        return x * y

    for _ in range(3):
        path_integral(linear, START, ADVERSARY, counted)
    once = len(traces)
    path_integral(linear, START[:2], ADVERSARY[:2], counted)
    assert len(traces) == once


@pytest.mark.parametrize(
    ("integrand", "received"),
    [
        (lambda x, y: tf.reduce_sum(x * y), r"float32 of shape \(\)"),
        (lambda x, y: tf.reduce_sum(x * y, axis=-1), "float32 of shape"),
        (lambda x, y: tf.reduce_sum(x * y, axis=(2, 3), keepdims=True), r"float32 of shape .*1, 1, 1\)"),
        (lambda x, y: x > 0, "bool of shape"),
        (lambda x, y: tf.cast(x * y, tf.float64), "float64 of shape"),
    ],
)
def test_an_integrand_of_another_shape_or_type_is_refused(integrand, received):
    message = rf"`integrand` must return float32 \[B, K, 8, 8, 1\].* Received: {received}"
    with pytest.raises(ValueError, match=message) as error:
        path_integral(linear, START, ADVERSARY, integrand)
    assert len(str(error.value).splitlines()) == 1


def test_what_cannot_be_called_is_no_integrand():
    with pytest.raises(TypeError, match=r"`integrand` must be a function of gradient and velocity.*str"):
        path_integral(linear, START, ADVERSARY, "x * y")


def test_the_pairs_are_checked():
    with pytest.raises(ValueError, match="`start` and `adversary` must both be"):
        path_integral(linear, START, ADVERSARY[:2], product)
