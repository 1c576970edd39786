import keras
import numpy as np
import pytest
import tensorflow as tf
from support.bundles import PHANTOM_BRAIN

import tfadvpath as tap
from tfadvpath.datasets.phantoms.brain_slices import phantom_brain_slices
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


@pytest.mark.parametrize("generator", [unet, lambda: (unet(), Linear())])
def test_the_ends_are_start_and_adversary_whatever_the_generator(generator):
    path = ManifoldPath(generator(), classifier=lambda x: tf.reduce_mean(x, axis=(1, 2, 3)))
    points, _ = path.at(path.endpoints(START, ADVERSARY), tf.constant([0.0, 1.0]))
    np.testing.assert_allclose(points, np.stack([START, ADVERSARY], axis=1), atol=1e-5)
    result = feature_importance(
        lambda x: tf.reduce_mean(x**2, axis=(1, 2, 3)), START, ADVERSARY, path=path, kernel_size=8
    )
    np.testing.assert_allclose(result.endpoint_distance, 0.0, atol=1e-5)
    np.testing.assert_allclose(result.score_start, np.mean(START**2, axis=(1, 2, 3)), atol=1e-5)


def test_between_its_ends_the_path_is_the_decoders_curve():
    g = unet()
    adversary = tf.clip_by_value(g(START, training=False), 0.0, 1.0)
    start = tf.clip_by_value(g(adversary, training=False), 0.0, 1.0)
    path = ManifoldPath(g)
    points, _ = path.at(path.endpoints(start, adversary), POSITIONS)
    z_start, z_adversary = g.encode(adversary), g.encode(start)

    def curve(position):
        return g.decode([a + position * (b - a) for a, b in zip(z_start, z_adversary, strict=True)])

    expected = curve(0.3) + 0.7 * (start - curve(0.0)) + 0.3 * (adversary - curve(1.0))
    np.testing.assert_allclose(points[:, 1], np.clip(expected, 0, 1), atol=1e-5)
    straight = 0.7 * start + 0.3 * adversary
    assert np.abs(points[:, 1] - straight).max() > 1e-4


def test_each_image_takes_the_network_of_its_class():
    zero, one = unet(), Linear()
    bright = np.array([False, True, True])
    start = np.where(bright[:, None, None, None], 0.5 + 0.5 * START, 0.4 * START).astype(np.float32)
    both = ManifoldPath((zero, one), classifier=lambda x: tf.reduce_mean(x, axis=(1, 2, 3))[:, tf.newaxis])
    points, velocities = both.at(both.endpoints(start, ADVERSARY), POSITIONS)
    for rows, network in ((~bright, zero), (bright, one)):
        alone = ManifoldPath(network)
        expected = alone.at(alone.endpoints(start[rows], ADVERSARY[rows]), POSITIONS)
        np.testing.assert_allclose(points.numpy()[rows], expected[0], atol=1e-5)
        np.testing.assert_allclose(velocities.numpy()[rows], expected[1], atol=1e-5)


def test_the_path_stays_among_images_and_does_not_move_where_it_is_clipped():
    class Bright(Linear):
        def decode(self, levels):
            return super().decode(levels) + 3.0 * tf.reduce_mean(levels[0]) * tf.reduce_mean(levels[1])

    path = ManifoldPath(Bright(), translates=False)
    low, high = tf.zeros((1, *SHAPE)), tf.ones((1, *SHAPE))
    endpoints = path.endpoints(low, high)
    points, velocities = path.at(endpoints, tf.constant([0.0, 0.5, 1.0]))
    assert points.numpy().min() >= 0
    assert points.numpy().max() <= 1
    clipped = (points.numpy() == 0) | (points.numpy() == 1)
    assert clipped[:, 1].any()
    assert np.all(velocities.numpy()[:, 1][clipped[:, 1]] == 0)


def test_a_pair_of_networks_needs_a_classifier():
    with pytest.raises(ValueError, match="a pair with a `classifier`"):
        ManifoldPath((unet(), unet()))


@pytest.mark.slow
def test_a_trained_cyce_starts_its_path_on_the_starts_side():
    bundle = tap.load_bundle(PHANTOM_BRAIN)
    images = phantom_brain_slices(range(900_000, 900_002), 64, 2, 10, 0.05, True).images[:8]
    for name in ("cyce", "syce"):
        generator = bundle.generators[name]
        pair = generator.generate(tf.constant(images))
        path = ManifoldPath(tuple(generator.generators), bundle.classifier)
        result = feature_importance(bundle.classifier, pair.start, pair.adversary, path=path, steps=8)
        same = (result.score_start.numpy() >= 0.5) == (pair.probability.numpy() >= 0.5)
        assert same.mean() >= 7 / 8  # the stable image of a decision near 0.5 may lie beyond it
        straight = feature_importance(bundle.classifier, pair.start, pair.adversary, steps=8)
        np.testing.assert_allclose(result.score_start, straight.score_start, atol=1e-4)


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
