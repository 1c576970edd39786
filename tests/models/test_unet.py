import keras
import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.models.two_headed_unet import two_headed_unet
from tfadvpath.models.unet import UNet


def images(size=16, channels=1):
    return np.random.default_rng(0).random((2, size, size, channels)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("normalization", ["affine", "group", "batch"])
@pytest.mark.parametrize("channels", [1, 3])
def test_image_in_and_image_of_the_same_shape_out(normalization, channels):
    unet = UNet((16, 16, channels), [4, 8, 16], normalization)
    assert unet(images(channels=channels)).shape == (2, 16, 16, channels)


def test_decoding_the_encoding_is_the_whole_network():
    unet = UNet((16, 16, 1), [4, 8])
    np.testing.assert_array_equal(unet.decode(unet.encode(images())), unet(images(), training=False))


def test_every_level_halves_the_resolution():
    unet = UNet((32, 16, 1), [4, 8, 12])
    shapes = [tuple(level.shape[1:]) for level in unet.encode(np.zeros((1, 32, 16, 1)))]
    assert shapes == [(32, 16, 4), (16, 8, 8), (8, 4, 12)]


def test_weights_of_a_level_follow_the_description():
    unet = UNet((16, 16, 1), [4, 8], dropout=0.0)
    kernels = [tuple(w.shape) for w in unet.encoder.weights if len(w.shape) == 4]
    # Two blocks at level 0; then one block, and after pooling a residual unit of three.
    assert kernels == [(3, 3, 1, 4), (3, 3, 4, 4), (3, 3, 4, 8)] + [(3, 3, 8, 8)] * 3
    kernels = [tuple(w.shape) for w in unet.decoder.weights if len(w.shape) == 4]
    assert kernels == [(3, 3, 8, 8)] * 2 + [(3, 3, 12, 4), (3, 3, 4, 4), (1, 1, 4, 1)]


def test_output_is_not_bounded():
    unet = UNet((16, 16, 1), [4, 8])
    unet.decoder.get_layer("image").bias.assign([5.0])
    assert unet(images()).numpy().max() > 1


def test_saved_and_loaded_in_safe_mode_it_answers_the_same(tmp_path):
    unet = UNet((16, 16, 1), [4, 8], "group", dropout=0.1)
    unet.save(tmp_path / "unet.keras")
    loaded = keras.saving.load_model(tmp_path / "unet.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(images(), training=False), unet(images(), training=False))
    assert loaded.get_config()["filters"] == [4, 8]


def test_dropout_acts_in_training_only():
    unet = UNet((16, 16, 1), [4, 8], dropout=0.5)
    assert np.any(unet(images(), training=True) != unet(images(), training=True))
    np.testing.assert_array_equal(unet(images(), training=False), unet(images(), training=False))


def test_affine_normalization_is_batch_normalization_in_inference_mode():
    affine = UNet((16, 16, 1), [4, 8], "affine")
    assert not any("moving" in w.path for w in affine.weights)
    shifted = images() + 100.0  # statistics would remove the shift
    assert float(tf.reduce_max(tf.abs(affine(shifted) - affine(images())))) > 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": [4]}, "two levels"),
        ({"input_shape": (18, 16, 1), "filters": [4, 8, 16]}, "multiples of 4"),
        ({"normalization": "layer"}, "`normalization` must be"),
    ],
)
def test_wrong_arguments_get_the_rule(arguments, message):
    with pytest.raises(ValueError, match=message):
        UNet(**{"input_shape": (16, 16, 1), "filters": [4, 8], **arguments})


@pytest.mark.parametrize("residual", [1, 2, 4])
def test_a_residual_network_begins_as_the_identity_and_learns_a_change(residual):
    unet = UNet((16, 16, 1), [4, 8, 8], dropout=0.0, residual=residual)
    x = tf.constant(images())
    np.testing.assert_array_equal(unet(x), x)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(unet(x))
    last = unet.decoder.get_layer("change_of_image")
    gradient = tape.gradient(loss, last.kernel)
    assert np.abs(gradient).max() > 0
    last.kernel.assign_sub(gradient)
    change = (unet(x) - x).numpy()
    assert np.abs(change).max() > 1e-3
    # No more detail than the change's own resolution: it is what bilinear upsampling makes of it.
    small = keras.Model(unet.encoder.input, unet.encoder.output)(x)
    features = keras.Model(unet.decoder.inputs, last.output)(small)
    assert features.shape[1:3] == (16 // residual, 16 // residual)
    upsampled = tf.image.resize(features, (16, 16), "bilinear")
    np.testing.assert_allclose(change, upsampled, atol=1e-6)


def test_a_residual_network_hands_its_image_to_the_decoder(tmp_path):
    unet = UNet((16, 16, 1), [4, 8, 8], dropout=0.0, residual=2)
    unet.decoder.get_layer("change_of_image").kernel.assign(np.full((1, 1, 8, 1), 0.1))
    levels = unet.encode(images())
    assert [tuple(level.shape[1:]) for level in levels] == [(16, 16, 1), (8, 8, 8), (4, 4, 8)]
    np.testing.assert_array_equal(unet.decode(levels), unet(images(), training=False))
    unet.save(tmp_path / "unet.keras")
    loaded = keras.saving.load_model(tmp_path / "unet.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(images(), training=False), unet(images(), training=False))


@pytest.mark.parametrize("residual", [0, 3, 8])
def test_a_change_of_no_level_is_refused(residual):
    with pytest.raises(ValueError, match="power of 2 up to 4"):
        UNet((16, 16, 1), [4, 8, 8], residual=residual)


def test_the_heads_of_a_residual_network_begin_as_the_identity():
    network = two_headed_unet((16, 16, 1), [4, 8], dropout=0.0, residual=2)
    np.testing.assert_array_equal(network(images()), np.concatenate([images(), images()], axis=-1))


@pytest.mark.parametrize("padding", ["mirrored", "zeros"])
def test_mirrored_edges_do_not_tell_where_a_pixel_is(padding):
    # Of a plain image every pixel looks the same, unless the zeros beyond the edge tell them apart.
    keras.utils.set_random_seed(0)
    plain = tf.fill((1, 32, 32, 1), 0.5)
    for network in (
        UNet((32, 32, 1), [4, 8, 8], dropout=0.0, padding=padding),
        two_headed_unet((32, 32, 1), [4, 8, 8], dropout=0.0, padding=padding),
    ):
        spread = np.ptp(network(plain).numpy(), axis=(1, 2)).max()
        assert spread < 1e-6 if padding == "mirrored" else spread > 1e-3


def test_mirrored_edges_train_alike_with_and_without_xla(tmp_path):
    unet = UNet((16, 16, 1), [4, 8], dropout=0.0, padding="mirrored")
    x = tf.constant(images())

    def slope():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(unet(x, training=True)))
        return tape.gradient(loss, unet.trainable_variables)

    for compiled, plain in zip(tf.function(slope, jit_compile=True)(), slope(), strict=True):
        np.testing.assert_allclose(compiled, plain, atol=1e-5)
    unet.save(tmp_path / "unet.keras")
    loaded = keras.saving.load_model(tmp_path / "unet.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(x, training=False), unet(x, training=False))


def test_another_padding_is_refused():
    with pytest.raises(ValueError, match='`padding` must be "zeros" or "mirrored"'):
        UNet((16, 16, 1), [4, 8], padding="same")
