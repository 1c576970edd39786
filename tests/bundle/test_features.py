import keras
import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.bundle.features import with_features
from tfadvpath.models.backbone import backbone_classifier
from tfadvpath.models.resnet50 import resnet50_classifier

SHAPE = (8, 8, 1)
layers = keras.layers


def images():
    return tf.constant(np.random.default_rng(0).random((3, *SHAPE)), tf.float32)


def head():
    return keras.Sequential(
        [keras.Input(SHAPE), layers.Flatten(), layers.Dense(5, "relu"), layers.Dense(1, "sigmoid")]
    )


def features_of_head(model, x):
    dense = model.layers[1]
    return np.maximum(0, np.reshape(x, (len(x), -1)) @ dense.kernel + dense.bias)


@pytest.mark.slow
def test_features_of_the_resnet_stand_behind_its_leaky_relu():
    model = resnet50_classifier((32, 32, 1), weights=None, width=4)
    x = tf.random.uniform((2, 32, 32, 1), seed=0)
    features, probability = tf.function(with_features(model))(x)
    expected = keras.Model(model.input, model.get_layer("leaky_relu").output)(x)
    assert features.shape == (2, 128)
    np.testing.assert_allclose(features, expected, atol=1e-6)
    np.testing.assert_allclose(probability, model(x)[:, 0], atol=1e-6)


def test_a_nested_model_is_looked_into():
    inner = head()
    image = keras.Input(SHAPE)
    functional = keras.Model(image, inner(layers.Rescaling(0.5)(image)))
    sequential = keras.Sequential([keras.Input(SHAPE), layers.Rescaling(0.25), inner])
    for outer, factor in ((functional, 0.5), (sequential, 0.25), (inner, 1.0)):
        features, probability = with_features(outer)(images())
        np.testing.assert_allclose(features, features_of_head(inner, factor * images()), atol=1e-6)
        np.testing.assert_allclose(probability, outer(images())[:, 0], atol=1e-6)


def test_the_layer_may_be_followed_by_an_activation_or_stand_in_a_subclass():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.last = layers.Dense(1)  # made first, called last
            self.first = layers.Dense(5, "relu")

        def call(self, x):
            return keras.ops.sigmoid(self.last(self.first(keras.ops.reshape(x, (-1, 64)))))

    own = Own()
    own(images())
    features, _ = with_features(own)(images())
    np.testing.assert_allclose(features, own.first(tf.reshape(images(), (3, 64))), atol=1e-6)
    chain = keras.Sequential(
        [keras.Input(SHAPE), layers.Flatten(), layers.Dense(1), layers.Activation("relu")]
    )
    np.testing.assert_array_equal(with_features(chain)(images())[0], tf.reshape(images(), (3, 64)))


def test_the_classifier_stays_as_it_was():
    model = head()
    before = model(images()).numpy()
    tf.function(with_features(model))(images())
    np.testing.assert_array_equal(model(images()), before)
    assert all("call" not in vars(layer) for layer in model.layers)


def test_a_layer_that_is_called_twice_gives_its_last_input():
    shared = layers.Dense(64, "relu")
    image = keras.Input(SHAPE)
    once = shared(layers.Flatten()(image))
    model = keras.Model(image, keras.ops.mean(shared(once), axis=1, keepdims=True))
    features, _ = with_features(model)(images())
    np.testing.assert_allclose(features, shared(tf.reshape(images(), (3, 64))), atol=1e-6)


def test_a_classifier_without_a_dense_layer_is_refused():
    model = keras.Sequential([keras.Input(SHAPE), layers.GlobalAveragePooling2D()], name="pooling")
    with pytest.raises(ValueError, match=r"Dense layer.*'pooling'"):
        with_features(model)


def test_features_of_a_local_head_are_those_of_its_cells():
    convolution = layers.Conv2D(4, 3, strides=2, activation="relu", name="last")
    model = backbone_classifier(keras.Sequential([keras.Input(SHAPE), convolution]), SHAPE, head="local")
    features, probability = with_features(model)(images())
    cells = keras.Model(model.input, model.get_layer("last").output)(images())
    np.testing.assert_allclose(features, np.mean(cells, axis=(1, 2)), atol=1e-6)
    np.testing.assert_allclose(probability, model(images())[:, 0], atol=1e-6)
