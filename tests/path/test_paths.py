import keras
import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.models.unet import UNet
from tfadvpath.path.importance import MAPS, feature_importance
from tfadvpath.path.paths import LinearPath, ManifoldPath

SHAPE = (16, 16, 1)
RNG = np.random.default_rng(0)
START, ADVERSARY = RNG.random((2, 3, *SHAPE)).astype(np.float32)
POSITIONS = tf.constant([0.0, 0.3, 1.0])


def unet():
    keras.utils.set_random_seed(0)
    return UNet(SHAPE, [4, 8], dropout=0.5)


class Linear:
    """An autoencoder that is a fixed linear map and its inverse: its manifold is the whole space."""

    def encode(self, images):
        return [2.0 * images[:, :, :8], 3.0 * images[:, :, 8:]]

    def decode(self, levels):
        return tf.concat([levels[0] / 2.0, levels[1] / 3.0], axis=2)


def test_straight_path_goes_from_start_to_adversary_at_constant_velocity():
    path = LinearPath()
    points, velocity = path.at(path.endpoints(START, ADVERSARY), POSITIONS)
    np.testing.assert_allclose(points[:, 0], START)
    np.testing.assert_allclose(points[:, 1], 0.7 * START + 0.3 * ADVERSARY, atol=1e-6)
    np.testing.assert_allclose(points[:, 2], ADVERSARY, atol=1e-6)
    np.testing.assert_array_equal(velocity[:, 0], ADVERSARY - START)


@pytest.mark.slow
def test_manifold_of_a_linear_autoencoder_holds_the_straight_path():
    def f(x):
        return tf.reduce_mean(x**3, axis=(1, 2, 3))

    manifold = ManifoldPath(Linear(), translates=False)
    curved = feature_importance(f, START, ADVERSARY, path=manifold, kernel_size=8)
    straight = feature_importance(f, START, ADVERSARY, kernel_size=8)
    for name in MAPS:
        np.testing.assert_allclose(getattr(curved, name), getattr(straight, name), atol=1e-6)
    np.testing.assert_allclose(curved.endpoint_distance, 0.0, atol=1e-6)


def test_velocity_on_the_manifold_is_the_derivative_of_the_path():
    path = ManifoldPath(unet())
    endpoints = path.endpoints(START, ADVERSARY)
    step = 1e-2
    (before, _), (_, velocity), (after, _) = (
        path.at(endpoints, tf.constant([0.4 + offset])) for offset in (-step, 0.0, step)
    )
    difference = (after - before) / (2 * step)
    # The ReLUs' kinks lie between the three points for a few pixels.
    assert np.median(np.abs(velocity - difference)) < 1e-3 * np.abs(velocity).max()
    assert np.abs(velocity - difference).max() < 0.1 * np.abs(velocity).max()


def test_manifold_path_of_a_translating_generator_ends_in_its_own_outputs():
    g = unet()
    adversary = tf.clip_by_value(g(START, training=False), 0.0, 1.0)
    start = g(adversary, training=False)  # the stable image, here not clipped
    path = ManifoldPath(g)
    points, _ = path.at(path.endpoints(start, adversary), tf.constant([0.0]))
    np.testing.assert_allclose(points[:, 0], start, atol=1e-5)


@pytest.mark.slow
def test_manifold_reports_how_far_its_ends_are():
    path = ManifoldPath(unet())
    result = feature_importance(
        lambda x: tf.reduce_mean(x, axis=(1, 2, 3)), START, ADVERSARY, path=path, kernel_size=8
    )
    ends, _ = path.at(path.endpoints(START, ADVERSARY), tf.constant([0.0, 1.0]))
    expected = np.abs(ends - np.stack([START, ADVERSARY], axis=1)).mean(axis=(2, 3, 4))
    np.testing.assert_allclose(result.endpoint_distance, expected, rtol=1e-4)
    np.testing.assert_allclose(result.score_start, np.mean(ends[:, 0], axis=(1, 2, 3)), atol=1e-5)


@pytest.mark.slow
def test_integral_along_the_manifold_is_complete():
    def f(x):
        return tf.sigmoid(tf.reduce_sum(x, axis=(1, 2, 3)) / 50.0)

    result = feature_importance(f, START, ADVERSARY, path=ManifoldPath(unet()), steps=400, kernel_size=8)
    change = np.abs(result.score_adversary - result.score_start)
    assert np.all(result.completeness_residual.numpy() * change < 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_manifold_path_is_cut_into_chunks_without_a_change(jit_compile):
    def f(x):
        return tf.reduce_mean(x**2, axis=(1, 2, 3))

    path = ManifoldPath(unet())
    options = {"path": path, "steps": 6, "kernel_size": 8, "jit_compile": jit_compile}
    whole = feature_importance(f, START, ADVERSARY, path_chunk=100, **options)
    chunked = feature_importance(f, START, ADVERSARY, path_chunk=4, **options)
    for name in MAPS:
        np.testing.assert_allclose(getattr(whole, name), getattr(chunked, name), rtol=1e-4, atol=1e-7)
