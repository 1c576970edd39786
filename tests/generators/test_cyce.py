import keras
import numpy as np
import pytest
import tensorflow as tf
from support.toys import SHAPE, brightness_classifier, cross_entropy, domains, rec, through

from tfadvpath.generators.cyce import CyCE
from tfadvpath.models.discriminators import discriminator
from tfadvpath.models.unet import UNet


@pytest.fixture
def cyce():
    keras.utils.set_random_seed(1)
    unets = tuple(UNet(SHAPE, [4, 8], dropout=0.0) for _ in (0, 1))
    model = CyCE(brightness_classifier(), unets, tuple(discriminator(SHAPE, [4]) for _ in (0, 1)))
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    return model


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
    loss, figures = cyce.generator_loss(domains(), training=False)
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    np.testing.assert_allclose(figures["adversary_distance"], np.mean(distance), rtol=1e-4)
    np.testing.assert_allclose(figures["flip_rate"], np.mean(flips))
    weighted = sum(
        cyce.loss_weights[name] * figures[name]
        for name in figures
        if name in {*cyce.loss_weights} - {"gradient_penalty"}
    )
    np.testing.assert_allclose(2 * weighted, loss, rtol=1e-4)  # the terms are means over both domains


def test_a_step_moves_the_u_nets_once_and_never_the_classifier(cyce):
    def values(models):
        return [np.concatenate([w.ravel() for w in model.get_weights()]) for model in models]

    trained = [*cyce.generators, *cyce.discriminators]
    before, classifier = values(trained), values([cyce.classifier])
    cyce.train_step(domains())
    assert int(cyce.optimizer.iterations) == int(cyce.discriminator_optimizer.iterations) == 1
    assert all(np.any(a != b) for a, b in zip(before, values(trained), strict=True))
    np.testing.assert_array_equal(values([cyce.classifier])[0], classifier[0])


def test_fit_lowers_the_loss_and_flips_decisions(cyce):
    held_out = tf.data.Dataset.from_tensors(domains(8, seed=1))
    cyce.loss_weights["flip"] = 5.0  # so that few steps suffice
    cyce.compile(keras.optimizers.Adam(5e-3), keras.optimizers.Adam(1e-3))
    first = cyce.evaluate(held_out, return_dict=True, verbose=0)
    cyce.fit(tf.data.Dataset.from_tensors(domains(8)).repeat(60), verbose=0)
    last = cyce.evaluate(held_out, return_dict=True, verbose=0)
    assert last["loss"] < 0.5 * first["loss"]
    assert last["flip_rate"] >= 0.5
    assert set(CyCE.LOSS_WEIGHTS) < set(last)


def test_the_path_starts_at_the_image_and_ends_at_its_class_s_adversary(cyce):
    images = tf.concat(domains(3), axis=0)
    pair = cyce.generate(images)
    np.testing.assert_array_equal(pair.start, images)
    for k, part in ((0, slice(0, 3)), (1, slice(3, 6))):
        adversary = np.clip(cyce.generators[k](images[part], training=False), 0, 1)
        np.testing.assert_allclose(pair.adversary[part], adversary, atol=1e-6)
