"""CyCE's own: its loss, its step and where its path starts. What all generators share is in test_contract."""

import numpy as np
import pytest
import tensorflow as tf
from support import toys
from support.toys import cross_entropy, domains, rec, through


@pytest.fixture
def cyce():
    return toys.generator("cyce", toys.brightness_classifier())[0]


@pytest.mark.slow
def test_loss_matches_numpy(cyce):
    cyce.loss_weights["near"] = 0.7
    expected, distance, flips = 0.0, [], []
    for k, images in enumerate(domains()):
        x = images.numpy().astype(np.float64)
        x_a = np.clip(through(cyce.generators[k], x), 0, 1)
        x_cy = np.clip(through(cyce.generators[1 - k], x_a), 0, 1)
        f_a, f_cy = (through(cyce.classifier, images) for images in (x_a, x_cy))
        realism = np.mean(np.log1p(np.exp(-through(cyce.discriminators[1 - k], x_a))))
        expected += 10 * rec(x, x_cy) + 0.2 * cross_entropy(1 - k, f_a)
        expected += 0.005 * cross_entropy(k, f_cy) + 0.25 * realism + 0.7 * rec(x, x_a)
        distance.append(np.mean(np.abs(x - x_a)))
        flips.append(np.mean((f_a >= 0.5) != k))
    loss, logs = cyce.generator_loss(domains(), training=False)
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    np.testing.assert_allclose(logs["adversary_distance"], np.mean(distance), rtol=1e-4)
    np.testing.assert_allclose(logs["flip_rate"], np.mean(flips))
    terms = {*cyce.loss_weights} - {"gradient_penalty"}
    weighted = sum(cyce.loss_weights[name] * logs[name] for name in terms)
    np.testing.assert_allclose(2 * weighted, loss, rtol=1e-4)  # the terms are means over both domains


@pytest.mark.slow
def test_a_step_moves_the_u_nets_once_and_the_discriminators_once(cyce):
    before = [critic.get_weights() for critic in cyce.discriminators]
    cyce.train_step(domains())
    assert int(cyce.optimizer.iterations) == int(cyce.discriminator_optimizer.iterations) == 1
    for weights, critic in zip(before, cyce.discriminators, strict=True):
        assert any(np.any(a != b) for a, b in zip(weights, critic.get_weights(), strict=True))


def test_the_path_starts_at_the_image_and_ends_at_its_class_s_adversary(cyce):
    images = tf.concat(domains(3), axis=0)
    pair = cyce.generate(images)
    np.testing.assert_array_equal(pair.start, images)
    for k, part in ((0, slice(0, 3)), (1, slice(3, 6))):
        adversary = np.clip(cyce.generators[k](images[part], training=False), 0, 1)
        np.testing.assert_allclose(pair.adversary[part], adversary, atol=1e-6)
