"""SyCE's own: its losses, its step and its path. What all generators share is in test_contract."""

import numpy as np
import pytest
import tensorflow as tf
from support import toys
from support.toys import cross_entropy, domains, rec, through


@pytest.fixture
def syce():
    return toys.generator("syce", toys.brightness_classifier())[0]


@pytest.mark.slow
@pytest.mark.parametrize("k", [0, 1])
def test_generator_loss_matches_numpy(syce, k):
    syce.loss_weights["near"] = 0.7
    x = domains()[k].numpy().astype(np.float64)

    def translate(j, images):
        return np.clip(through(syce.generators[j], images), 0, 1)

    x_a = translate(k, x)
    x_s, x_cy = translate(k, x_a), translate(1 - k, x_a)
    f = [through(syce.classifier, images) for images in (x_a, x_s, x_cy)]
    realism = np.mean(np.log1p(np.exp(-through(syce.discriminators[1 - k], x_a))))
    expected = 10 * rec(x, x_s) + 2 * rec(x, x_cy) + 0.2 * cross_entropy(1 - k, f[0])
    expected += 0.01 * cross_entropy(k, f[1]) + 0.005 * cross_entropy(k, f[2]) + 0.25 * realism
    expected += 0.7 * rec(x, x_a)
    loss, logs = syce.generator_loss(domains()[k], k, training=False)
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    np.testing.assert_allclose(logs["adversary_distance"], np.mean(np.abs(x - x_a)), rtol=1e-4)
    np.testing.assert_allclose(logs["flip_rate"], np.mean((f[0] >= 0.5) != k))
    np.testing.assert_allclose(logs["keep_rate"], np.mean((f[1] >= 0.5) == k))


@pytest.mark.slow
def test_discriminators_judge_the_images_that_arrive_in_their_domain(syce):
    zero, one = domains()
    fakes = [np.clip(syce.generators[1 - k]((one, zero)[k], training=False), 0, 1) for k in (0, 1)]
    expected = 0.0
    for critic, real, fake in zip(syce.discriminators, (zero, one), fakes, strict=True):
        real_score, fake_score = (critic(images, training=False).numpy() for images in (real, fake))
        expected += np.mean(np.log1p(np.exp(-real_score))) + np.mean(np.log1p(np.exp(fake_score)))
    syce.loss_weights["gradient_penalty"] = 0.0
    loss, _ = syce.discriminator_loss((zero, one), training=False)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


@pytest.mark.slow
def test_gradient_penalty_is_weighed_into_the_discriminators_loss(syce):
    losses_of = {}
    for weight in (0.0, 1.0, 3.0):
        syce.loss_weights["gradient_penalty"] = weight
        losses_of[weight] = float(syce.discriminator_loss(domains(), training=False)[0])
    penalty = losses_of[1.0] - losses_of[0.0]
    assert penalty > 0.01
    np.testing.assert_allclose(losses_of[3.0] - losses_of[0.0], 3 * penalty, rtol=1e-3)


@pytest.mark.slow
def test_a_step_moves_the_u_nets_twice_and_the_discriminators_once(syce):
    before = [critic.get_weights() for critic in syce.discriminators]
    syce.train_step(domains())
    assert int(syce.optimizer.iterations) == 2  # L_0, then L_1
    assert int(syce.discriminator_optimizer.iterations) == 1
    for weights, critic in zip(before, syce.discriminators, strict=True):
        assert any(np.any(a != b) for a, b in zip(weights, critic.get_weights(), strict=True))


def test_loss_of_one_class_moves_both_generators(syce):
    weights = [v for g in syce.generators for v in g.trainable_variables]
    with tf.GradientTape() as tape:
        loss, _ = syce.generator_loss(domains()[0], 0, training=True)
    gradients = tape.gradient(loss, weights)
    half = len(weights) // 2
    for part in (gradients[:half], gradients[half:]):
        assert all(g is not None for g in part)
        assert sum(float(tf.reduce_sum(tf.abs(g))) for g in part) > 0


@pytest.mark.slow
def test_each_image_goes_through_the_generator_of_its_predicted_class(syce):
    images = tf.concat(domains(3), axis=0)
    pair = syce.generate(images)
    for k, part in ((0, slice(0, 3)), (1, slice(3, 6))):
        g = syce.generators[k]
        adversary = np.clip(g(images[part], training=False), 0, 1)
        np.testing.assert_allclose(pair.adversary[part], adversary, atol=1e-6)
        np.testing.assert_allclose(pair.start[part], np.clip(g(adversary, training=False), 0, 1), atol=1e-6)
