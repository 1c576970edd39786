import keras
import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.models.resnet50 import resnet50_classifier


@pytest.mark.slow
def test_full_width_backbone_is_keras_own():
    model = resnet50_classifier((32, 32, 3), weights=None)
    reference = keras.applications.ResNet50V2(include_top=False, weights=None, input_shape=(32, 32, 3))
    for layer in reference.layers:
        if layer.weights:
            model.get_layer(layer.name).set_weights(layer.get_weights())
    features = keras.Model(model.input, model.get_layer("post_relu").output)
    images = np.random.default_rng(0).random((1, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(features(images), reference(images), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_head_is_the_papers():
    model = resnet50_classifier((32, 32, 1), weights=None, width=8)
    names = [layer.name for layer in model.layers[-5:]]
    assert names == ["average_pool", "dropout", "dense", "leaky_relu", "probability"]
    assert model.get_layer("dropout").rate == 0.3
    assert model.get_layer("dense").units == 128
    assert model.get_layer("leaky_relu").negative_slope == pytest.approx(0.3)


@pytest.mark.slow
def test_grey_is_copied_to_three_channels_so_its_gradient_is_their_sum():
    grey = resnet50_classifier((32, 32, 1), weights=None, width=4)
    rgb = resnet50_classifier((32, 32, 3), weights=None, width=4)
    rgb.set_weights(grey.get_weights())
    image = tf.constant(np.random.default_rng(1).random((1, 32, 32, 1)), tf.float32)

    def gradient(model, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = model(x, training=False)
        return y, tape.gradient(y, x)

    (y_grey, g_grey), (y_rgb, g_rgb) = gradient(grey, image), gradient(rgb, tf.repeat(image, 3, axis=-1))
    np.testing.assert_allclose(y_grey, y_rgb, rtol=1e-6)
    np.testing.assert_allclose(g_grey[..., 0], tf.reduce_sum(g_rgb, axis=-1), rtol=1e-4, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["v1", "v2"])
def test_width_scales_every_convolution(variant):
    narrow = resnet50_classifier((32, 32, 1), variant, weights=None, width=8)
    full = resnet50_classifier((32, 32, 1), variant, weights=None)
    for layer in full.layers:
        if isinstance(layer, keras.layers.Conv2D):
            assert narrow.get_layer(layer.name).filters * 8 == layer.filters
    assert narrow.output_shape == (None, 1)


@pytest.mark.slow
def test_backbone_weights_come_from_a_file(tmp_path):
    keras.utils.set_random_seed(7)
    source = keras.applications.ResNet50V2(include_top=False, weights=None)
    path = tmp_path / "resnet50v2_notop.weights.h5"
    source.save_weights(path)
    model = resnet50_classifier((32, 32, 1), weights=path)
    np.testing.assert_array_equal(
        model.get_layer("conv1_conv").get_weights()[0], source.get_layer("conv1_conv").get_weights()[0]
    )


def test_missing_imagenet_weights_say_what_to_do(monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(keras.utils, "get_file", offline)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", offline)
    with pytest.raises(ValueError, match=r"notop\.h5.*no route to host"):
        resnet50_classifier((32, 32, 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "v3"}, "`variant` must be"),
        ({"input_shape": (16, 32, 1)}, "`input_shape` must be"),
        ({"input_shape": (32, 32, 2)}, "`input_shape` must be"),
        ({"width": 7}, "`width` must be"),
        ({"width": 8, "weights": "imagenet"}, "need `width=64`"),
    ],
)
def test_wrong_arguments_get_the_rule(arguments, message):
    with pytest.raises(ValueError, match=message):
        resnet50_classifier(**{"input_shape": (32, 32, 1), "weights": None, **arguments})
