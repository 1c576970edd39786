import keras
import numpy as np
import pytest
import tensorflow as tf
from support.toys import SHAPE, brightness_classifier, cross_entropy, domains, rec, through

from tfadvpath.generators.sagen import SAGen
from tfadvpath.models.two_headed_unet import two_headed_unet


def both_classes(count=4, seed=0):
    return tf.concat(domains(count, seed), axis=0)


@pytest.fixture
def sagen():
    keras.utils.set_random_seed(1)
    model = SAGen(brightness_classifier(), two_headed_unet(SHAPE, [4, 8], dropout=0.0))
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def test_loss_matches_numpy(sagen):
    x = both_classes().numpy().astype(np.float64)
    x_s, x_a = np.split(np.clip(through(sagen.network, x), 0, 1), 2, axis=-1)
    y = (through(sagen.classifier, x) >= 0.5).astype(np.float64)
    f_s, f_a = through(sagen.classifier, x_s), through(sagen.classifier, x_a)
    expected = 10 * rec(x, x_s) + 5 * rec(x_s, x_a)
    expected += 0.1 * cross_entropy(y, f_s) + 0.2 * cross_entropy(1 - y, f_a)
    loss, figures = sagen.generator_loss(both_classes(), training=False)
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    np.testing.assert_allclose(figures["flip_rate"], np.mean((f_a >= 0.5) != y))
    np.testing.assert_allclose(figures["keep_rate"], np.mean((f_s >= 0.5) == y))
    np.testing.assert_allclose(figures["adversary_distance"], np.mean(np.abs(x - x_a)), rtol=1e-4)
    np.testing.assert_allclose(figures["stable_distance"], np.mean(np.abs(x - x_s)), rtol=1e-4)


def test_a_step_moves_the_network_and_never_the_classifier(sagen):
    before = [weight.copy() for weight in sagen.network.get_weights()]
    classifier = sagen.classifier.get_weights()
    sagen.train_step(both_classes())
    # The scale in front of the first convolution has a gradient of its own, so every weight moves.
    assert all(np.any(a != b) for a, b in zip(before, sagen.network.get_weights(), strict=True))
    for a, b in zip(classifier, sagen.classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_fit_lowers_the_loss_and_flips_decisions(sagen):
    held_out = tf.data.Dataset.from_tensors(both_classes(8, seed=1))
    sagen.loss_weights["flip"] = 5.0  # so that few steps suffice
    sagen.compile(keras.optimizers.Adam(5e-3))
    first = sagen.evaluate(held_out, return_dict=True, verbose=0)
    sagen.fit(tf.data.Dataset.from_tensors(both_classes(8)).repeat(80), verbose=0)
    last = sagen.evaluate(held_out, return_dict=True, verbose=0)
    assert last["loss"] < 0.5 * first["loss"]
    assert last["flip_rate"] >= 0.5
    assert set(SAGen.LOSS_WEIGHTS) < set(last)


def test_both_images_are_clipped_heads_of_the_network(sagen):
    images = both_classes()
    pair = sagen.generate(images)
    heads = np.clip(sagen.network(images, training=False), 0, 1)
    np.testing.assert_allclose(pair.start, heads[..., :1], atol=1e-6)
    np.testing.assert_allclose(pair.adversary, heads[..., 1:], atol=1e-6)
    np.testing.assert_allclose(pair.probability, sagen.classifier(images)[:, 0], atol=1e-6)


def test_the_network_comes_back_from_its_file(sagen, tmp_path):
    sagen.network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(both_classes()), sagen.network(both_classes()))
