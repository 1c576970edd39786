import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.generators import losses
from tfadvpath.generators.base import clip_inward

RNG = np.random.default_rng(0)


def test_reconstruction_is_squared_plus_absolute_error():
    u, v = RNG.random((2, 3, 4, 5, 1))
    expected = np.mean((u - v) ** 2) + np.mean(np.abs(u - v))
    np.testing.assert_allclose(losses.reconstruction(u, v), expected, rtol=1e-12)


def test_relative_error_is_the_squared_error_in_units_of_the_change():
    made, wanted, other = RNG.random((3, 4, 5, 6, 1))
    squares = [((images - wanted) ** 2).sum((1, 2, 3)) for images in (made, other)]
    expected = np.mean(squares[0] / squares[1])
    np.testing.assert_allclose(losses.relative_error(made, wanted, other), expected, rtol=1e-3)


def test_relative_error_of_the_other_image_is_1_however_few_pixels_differ():
    wanted = RNG.random((2, 64, 64, 1))
    other = wanted.copy()
    other[:, 3:6, 4:7] += 0.5
    np.testing.assert_allclose(losses.relative_error(other, wanted, other), 1.0, rtol=0.03)
    np.testing.assert_allclose(losses.relative_error(wanted, wanted, other), 0.0)


def test_an_image_with_nothing_to_change_does_not_outweigh_the_others():
    images = tf.constant(RNG.random((2, 8, 8, 1)), tf.float32)
    assert losses.relative_error(images + 0.003, images, images) < 1.0


def test_cross_entropy_of_one_target_for_all():
    p = RNG.random(7)  # the answer is float32
    np.testing.assert_allclose(losses.binary_cross_entropy(1.0, p), -np.mean(np.log(p)), rtol=1e-6)
    np.testing.assert_allclose(losses.binary_cross_entropy(0.0, p), -np.mean(np.log(1 - p)), rtol=1e-6)


def test_cross_entropy_stays_finite_at_certainty():
    p = tf.constant([0.0, 1.0])
    for target in (0.0, 1.0):
        assert np.isfinite(losses.binary_cross_entropy(target, p).numpy())


def test_adversarial_terms_are_softplus_of_the_scores():
    real, fake = RNG.normal(size=(2, 6, 1)) * 3
    np.testing.assert_allclose(losses.realism(fake), np.mean(np.log1p(np.exp(-fake))), rtol=1e-10)
    expected = np.mean(np.log1p(np.exp(-real))) + np.mean(np.log1p(np.exp(fake)))
    np.testing.assert_allclose(losses.discrimination(real, fake), expected, rtol=1e-10)


def test_gradient_penalty_of_a_quadratic_critic():
    # D(x) = |x|^2 / 2 has the gradient x, so the penalty is (|x_hat| - 1)^2.
    real, fake = RNG.random((2, 4, 3, 3, 1))
    position = RNG.random((4, 1, 1, 1))
    x_hat = real + position * (fake - real)
    expected = np.mean((np.linalg.norm(x_hat.reshape(4, -1), axis=1) - 1) ** 2)

    def critic(x):
        return 0.5 * tf.reduce_sum(x**2, axis=(1, 2, 3))[:, tf.newaxis]

    penalty = losses.gradient_penalty(critic, *map(tf.constant, (real, fake, position)))
    np.testing.assert_allclose(penalty, expected, rtol=1e-8)


def test_gradient_penalty_of_a_flat_critic_has_a_finite_gradient():
    weight = tf.Variable(0.0)
    real = tf.zeros((2, 3, 3, 1))
    with tf.GradientTape() as tape:
        penalty = losses.gradient_penalty(
            lambda x: weight * tf.reduce_sum(x, axis=(1, 2, 3))[:, tf.newaxis],
            real,
            real,
            tf.zeros((2, 1, 1, 1)),
        )
    assert np.isfinite(tape.gradient(penalty, weight).numpy())


@pytest.mark.parametrize(
    ("target", "expected"), [(0.5, [-1.0, -1.0, 1.0, 1.0]), (-9.0, [0.0, 1.0, 1.0, 1.0])]
)
def test_clip_passes_the_gradient_that_leads_back_and_no_other(target, expected):
    x = tf.constant([-2.0, 0.25, 0.75, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = clip_inward(x)
        distance = tf.reduce_sum(tf.abs(y - target))
    np.testing.assert_array_equal(y, [0.0, 0.25, 0.75, 1.0])
    # A target below the range pulls every pixel down, but not one that is black already.
    np.testing.assert_array_equal(tape.gradient(distance, x), expected)
