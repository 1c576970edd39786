"""The mask generator's own: loss, mask and replaced images. What generators share is in test_contract."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.generators.mask_generator import MaskGenerator, total_variation
from tfadvpath.models.mask_decoder import activation_levels, mask_decoder
from tfadvpath.path.gaussian import gaussian_filter

SHAPE = (16, 16, 1)
layers = keras.layers


def spot_classifier():
    """Class 1 where the brightest of 4 x 4 pools is bright. Batch normalization has statistics."""
    image = keras.Input(SHAPE)
    x = layers.AveragePooling2D(2)(layers.BatchNormalization(epsilon=0.0)(image))
    x = layers.GlobalMaxPooling2D()(layers.AveragePooling2D(2)(x))
    model = keras.Model(image, layers.Dense(1, "sigmoid")(x))
    model.layers[-1].set_weights([np.array([[16.0]], np.float32), np.array([-8.0], np.float32)])
    return model


def images(count=8, seed=0):
    """Dark noise; every second image has a bright square of 6 x 6 pixels."""
    rng = np.random.default_rng(seed)
    values = 0.2 * rng.random((count, *SHAPE))
    for image in values[1::2]:
        row, column = rng.integers(0, 11, 2)
        image[row : row + 6, column : column + 6] = 0.9
    return tf.constant(values, tf.float32)


def mask_generator(learning_rate=1e-2, loss_weights=None, **options):
    keras.utils.set_random_seed(1)
    classifier = spot_classifier()
    model = MaskGenerator(classifier, mask_decoder(classifier, width=4), loss_weights, **options)
    model.compile(keras.optimizers.Adam(learning_rate), run_eagerly=True)
    return model


def wide(tensor):
    return np.asarray(tensor).astype(np.float64)


def test_loss_matches_numpy():
    model = mask_generator(
        loss_weights={"smooth": 0.3, "small": 2.0, "preserve": 0.7, "destroy": 4.0},
        destroy_exponent=0.4,
        blur_sigma=2.0,
    )
    x, mask, instead = wide(images()), wide(model.mask(images())), wide(model.without_evidence(images(), 0))

    def f(values):
        return wide(model.classifier(values.astype(np.float32)))[:, 0]

    preserved, destroyed = f(x * mask + instead * (1 - mask)), f(x * (1 - mask) + instead * mask)
    one = f(x) >= 0.5
    assert one.tolist() == [False, True] * 4
    down, right = np.diff(mask, axis=1), np.diff(mask, axis=2)
    terms = {
        "smooth": np.mean(np.sum(down**2, axis=(1, 2, 3)) + np.sum(right**2, axis=(1, 2, 3))),
        "small": np.mean(mask),
        "preserve": -np.mean(np.log(np.where(one, preserved, 1 - preserved))),
        "destroy": np.mean(np.where(one, destroyed, 1 - destroyed) ** 0.4),
    }
    loss, logs = model.generator_loss(images(), 0, training=False)
    for name, value in terms.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-4, err_msg=name)
    expected = 0.3 * terms["smooth"] + 2 * terms["small"] + 0.7 * terms["preserve"] + 4 * terms["destroy"]
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    np.testing.assert_allclose(logs["preserve_rate"], np.mean((preserved >= 0.5) == one))
    np.testing.assert_allclose(logs["destroy_rate"], np.mean((destroyed >= 0.5) != one))


def test_mask_is_the_first_channels_share_enlarged_bilinearly():
    model = mask_generator()
    channels = np.abs(wide(model.decoder(model.encoder(images())))) + 1e-3
    share = channels[..., 0] / channels.sum(axis=-1)
    mask = wide(model.mask(images()))[..., 0]
    assert mask.shape == (8, 16, 16)
    assert mask.min() >= 0
    assert mask.max() <= 1
    # Twice the size: output pixel 2 i + 1 lies a quarter of the way from i to i + 1.
    rows = 0.75 * share[:, :-1] + 0.25 * share[:, 1:]
    np.testing.assert_allclose(
        mask[:, 1:-1:2, 1:-1:2], 0.75 * rows[:, :, :-1] + 0.25 * rows[:, :, 1:], atol=1e-5
    )
    np.testing.assert_array_equal(model(images()), model.mask(images()))


def test_channels_of_zero_give_a_mask_of_one_half_with_finite_gradients():
    model = mask_generator()
    weights = model.decoder.trainable_variables
    for weight in model.decoder.get_layer("channels").weights:
        weight.assign(tf.zeros_like(weight))
    with tf.GradientTape() as tape:
        loss, _ = model.generator_loss(images(), 0, training=True)
    assert all(np.all(np.isfinite(g)) for g in tape.gradient(loss, weights))
    np.testing.assert_allclose(model.mask(images()), 0.5, atol=1e-6)


def test_certain_decisions_have_finite_losses_and_gradients():
    model = mask_generator()
    kernel, bias = model.classifier.layers[-1].weights
    kernel.assign(1e4 * kernel)
    bias.assign(1e4 * bias)
    with tf.GradientTape() as tape:
        loss, _ = model.generator_loss(images(), 0, training=True)
    assert np.isfinite(loss)
    assert all(np.all(np.isfinite(g)) for g in tape.gradient(loss, model.decoder.trainable_variables))


@pytest.mark.parametrize("size", [16, 32])
def test_total_variation_of_an_edge_does_not_change_with_the_images_size(size):
    ramp = np.clip((np.arange(size) / size - 0.25) * 2, 0, 1)  # from 0 to 1 over half the image
    mask = np.tile(ramp, (1, size, 1))[..., np.newaxis].astype(np.float32)
    # size / 2 steps of 2 / size in each of size rows
    np.testing.assert_allclose(total_variation(mask), 2.0, rtol=1e-5)


def test_half_of_the_images_are_replaced_by_a_blur_and_half_by_one_brightness_with_noise():
    model = mask_generator(blur_sigma=1.5, noise_sigma=0.01)
    x = images(200)
    instead = wide(model.without_evidence(x, 0))
    blurred = np.abs(instead - wide(gaussian_filter(x, 1.5, 11))).max(axis=(1, 2, 3)) < 1e-6
    assert 0.4 < blurred.mean() < 0.6
    uniform = instead[~blurred]
    inner = (uniform.mean(axis=(1, 2, 3)) > 0.1) & (uniform.mean(axis=(1, 2, 3)) < 0.9)
    np.testing.assert_allclose(uniform[inner].std(axis=(1, 2, 3)).mean(), 0.01, rtol=0.05)
    assert uniform.mean(axis=(1, 2, 3)).std() > 0.2  # of a uniform brightness: 0.29
    assert instead.min() >= 0
    assert instead.max() <= 1


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_share_of_noise_can_be_none_and_all(share):
    model = mask_generator(blur_sigma=1.5, noise_share=share)
    is_blurred = np.abs(model.without_evidence(images(), 0) - gaussian_filter(images(), 1.5, 11)) < 1e-6
    assert np.mean(np.all(is_blurred, axis=(1, 2, 3))) == 1 - share


def test_a_blur_that_is_not_given_is_5_pixels_of_224():
    model = mask_generator(noise_share=0.0)
    assert model.blur_sigma == pytest.approx(5 * 16 / 224)
    expected = gaussian_filter(images(), 5 * 16 / 224, 5)  # reaches 3 σ, 2 pixels
    np.testing.assert_allclose(model.without_evidence(images(), 0), expected, atol=1e-6)


def test_what_stands_in_changes_with_the_step_and_the_seed_alone():
    model, other = mask_generator(), mask_generator(seed=1)
    first = wide(model.without_evidence(images(), 0))
    np.testing.assert_array_equal(first, model.without_evidence(images(), 0))
    assert np.any(first != wide(other.without_evidence(images(), 0)))
    assert np.any(first != wide(model.without_evidence(images(), 1)))


def test_validation_asks_the_same_whenever_it_is_asked():
    model = mask_generator(noise_share=0.5)
    logs = []
    for step in (0, 7):
        model.optimizer.iterations.assign(step)
        model.reset_metrics()
        logs.append({name: float(value) for name, value in model.test_step(images()).items()})
    assert logs[0] == logs[1]


@pytest.mark.slow
def test_fit_lowers_the_loss_and_finds_the_spot():
    model = mask_generator(loss_weights={"smooth": 1e-3, "small": 2.0}, blur_sigma=5.0)
    model.compile(keras.optimizers.Adam(1e-2))
    held_out = images(32, seed=1)
    first = model.evaluate(tf.data.Dataset.from_tensors(held_out), return_dict=True, verbose=0)
    batches = tf.data.Dataset.from_tensor_slices(images(320, seed=2)).batch(16).repeat(4)
    model.fit(batches, verbose=0)
    last = model.evaluate(tf.data.Dataset.from_tensors(held_out), return_dict=True, verbose=0)
    assert last["loss"] < 0.8 * first["loss"]
    mask, spot = wide(model.mask(held_out))[1::2], wide(held_out)[1::2] > 0.5
    assert mask[spot].mean() > 2 * mask[~spot].mean()


def test_a_decoder_of_another_classifier_is_refused():
    other = keras.Sequential(
        [keras.Input(SHAPE), layers.Conv2D(3, 3, 2), layers.GlobalMaxPooling2D(), layers.Dense(1, "sigmoid")]
    )
    assert len(activation_levels(other).outputs) == 1
    with pytest.raises(ValueError, match="built for `classifier`"):
        MaskGenerator(spot_classifier(), mask_decoder(other, width=4))
