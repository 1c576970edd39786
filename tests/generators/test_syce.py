import keras
import numpy as np
import pytest
import tensorflow as tf
from support.toys import SHAPE, brightness_classifier, cross_entropy, domains, rec, through

from tfadvpath.generators.syce import SyCE
from tfadvpath.models.discriminators import discriminator
from tfadvpath.models.unet import UNet


@pytest.fixture
def syce():
    keras.utils.set_random_seed(1)
    unets = tuple(UNet(SHAPE, [4, 8], dropout=0.0) for _ in (0, 1))
    model = SyCE(brightness_classifier(), unets, tuple(discriminator(SHAPE, [4]) for _ in (0, 1)))
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    return model


@pytest.mark.parametrize("k", [0, 1])
def test_generator_loss_matches_numpy(syce, k):
    x = domains()[k].numpy().astype(np.float64)

    def translate(j, images):
        return np.clip(through(syce.generators[j], images), 0, 1)

    x_a = translate(k, x)
    x_s, x_cy = translate(k, x_a), translate(1 - k, x_a)
    f = [through(syce.classifier, images) for images in (x_a, x_s, x_cy)]
    realism = np.mean(np.log1p(np.exp(-through(syce.discriminators[1 - k], x_a))))
    expected = 10 * rec(x, x_s) + 2 * rec(x, x_cy) + 0.2 * cross_entropy(1 - k, f[0])
    expected += 0.01 * cross_entropy(k, f[1]) + 0.005 * cross_entropy(k, f[2]) + 0.25 * realism
    loss, figures = syce.generator_loss(domains()[k], k, training=False)
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    np.testing.assert_allclose(figures["adversary_distance"], np.mean(np.abs(x - x_a)), rtol=1e-4)
    np.testing.assert_allclose(figures["flip_rate"], np.mean((f[0] >= 0.5) != k))
    np.testing.assert_allclose(figures["keep_rate"], np.mean((f[1] >= 0.5) == k))


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


def test_gradient_penalty_is_weighed_into_the_discriminators_loss(syce):
    losses_of = {}
    for weight in (0.0, 1.0, 3.0):
        syce.loss_weights["gradient_penalty"] = weight
        losses_of[weight] = float(syce.discriminator_loss(domains(), training=False)[0])
    penalty = losses_of[1.0] - losses_of[0.0]
    assert penalty > 0.01
    np.testing.assert_allclose(losses_of[3.0] - losses_of[0.0], 3 * penalty, rtol=1e-3)


def test_step_changes_generators_and_discriminators_but_never_the_classifier(syce):
    def values(models):
        return [np.concatenate([w.ravel() for w in m.get_weights()]) for m in models]

    trained = [*syce.generators, *syce.discriminators]
    before, classifier = values(trained), values([syce.classifier])
    syce.train_step(domains())
    assert int(syce.optimizer.iterations) == 2  # L_0, then L_1
    assert int(syce.discriminator_optimizer.iterations) == 1
    assert all(np.any(a != b) for a, b in zip(before, values(trained), strict=True))
    np.testing.assert_array_equal(values([syce.classifier])[0], classifier[0])


def test_loss_of_one_class_moves_both_generators(syce):
    weights = [v for g in syce.generators for v in g.trainable_variables]
    with tf.GradientTape() as tape:
        loss, _ = syce.generator_loss(domains()[0], 0, training=True)
    gradients = tape.gradient(loss, weights)
    half = len(weights) // 2
    for part in (gradients[:half], gradients[half:]):
        assert all(g is not None for g in part)
        assert sum(float(tf.reduce_sum(tf.abs(g))) for g in part) > 0


def test_fit_lowers_the_loss_and_flips_decisions(syce):
    data = tf.data.Dataset.from_tensors(domains(8)).repeat(60)
    syce.loss_weights["flip"] = 5.0  # so that few steps suffice
    syce.compile(keras.optimizers.Adam(5e-3), keras.optimizers.Adam(1e-3))
    first = syce.evaluate(tf.data.Dataset.from_tensors(domains(8, seed=1)), return_dict=True, verbose=0)
    syce.fit(data, epochs=1, verbose=0)
    last = syce.evaluate(tf.data.Dataset.from_tensors(domains(8, seed=1)), return_dict=True, verbose=0)
    assert last["loss"] < 0.5 * first["loss"]
    assert last["flip_rate"] >= 0.5
    assert set(SyCE.LOSS_WEIGHTS) - {"gradient_penalty"} < set(last)


def test_each_image_goes_through_the_generator_of_its_predicted_class(syce):
    images = tf.concat(domains(3), axis=0)
    pair = syce.generate(images)
    for k, part in ((0, slice(0, 3)), (1, slice(3, 6))):
        g = syce.generators[k]
        adversary = np.clip(g(images[part], training=False), 0, 1)
        np.testing.assert_allclose(pair.adversary[part], adversary, atol=1e-6)
        np.testing.assert_allclose(pair.start[part], np.clip(g(adversary, training=False), 0, 1), atol=1e-6)
    np.testing.assert_allclose(pair.probability, syce.classifier(images, training=False)[:, 0], atol=1e-6)


def test_a_classifier_of_two_outputs_is_refused():
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
    with pytest.raises(ValueError, match="one output"):
        SyCE(model, tuple(UNet(SHAPE, [4, 8]) for _ in (0, 1)))


def test_unknown_loss_weight_is_refused():
    unets = tuple(UNet(SHAPE, [4, 8]) for _ in (0, 1))
    with pytest.raises(ValueError, match="stabel"):
        SyCE(brightness_classifier(), unets, loss_weights={"stabel": 1.0})
