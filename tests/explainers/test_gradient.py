import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tfadvpath.explainers import Gradient

SIZE = 8
PIXELS = SIZE * SIZE


def some_images(count=3):
    return np.random.default_rng(0).random((count, SIZE, SIZE, 1)).astype(np.float32)


def some_weights(*shape):
    return np.random.default_rng(1).normal(size=shape) / SIZE


def sigmoid(t):
    return 1 / (1 + np.exp(-t))


def test_it_is_the_derivative_of_the_probability_without_its_sign():
    weights = some_weights(PIXELS)

    def f(x):
        return tf.sigmoid(tf.linalg.matvec(tf.reshape(x, [-1, PIXELS]), tf.constant(weights, x.dtype)))

    p = sigmoid(some_images().reshape(3, -1).astype(np.float64) @ weights)
    expected = np.abs(weights) * (p * (1 - p))[:, np.newaxis]
    explanation = Gradient(f).explain(some_images())
    assert (weights < 0).any()
    np.testing.assert_allclose(explanation.maps["gradient"].reshape(3, -1), expected, rtol=1e-5)
    np.testing.assert_allclose(explanation.score, p, rtol=1e-6)


def test_target_picks_the_class():
    weights = some_weights(PIXELS, 3)

    def f(x):
        return tf.nn.softmax(tf.reshape(x, [-1, PIXELS]) @ tf.constant(weights, x.dtype))

    logits = some_images().reshape(3, -1).astype(np.float64) @ weights
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = np.abs(p[:, 2:] * (weights[:, 2] - p @ weights.T))
    explanation = Gradient(f, target=2).explain(some_images())
    np.testing.assert_allclose(explanation.maps["gradient"].reshape(3, -1), expected, rtol=1e-4)
    np.testing.assert_allclose(explanation.score, p[:, 2], rtol=1e-5)
    with pytest.raises(ValueError, match="`target` must name"):
        Gradient(f).explain(some_images())


def test_keras_2_models_are_classifiers_too():
    layers = [tf_keras.layers.Flatten(), tf_keras.layers.Dropout(0.9), tf_keras.layers.Dense(1, "sigmoid")]
    model = tf_keras.Sequential(layers)
    p = model(some_images()).numpy().astype(np.float64)
    expected = np.abs(model.layers[-1].get_weights()[0][:, 0]) * p * (1 - p)
    values = Gradient(model).explain(some_images()).maps["gradient"]
    np.testing.assert_allclose(values.reshape(3, -1), expected, rtol=1e-5)


def test_half_precision_keeps_the_gradient_of_a_nearly_certain_classifier():
    def network(policy):
        image = keras.Input((SIZE, SIZE, 1))
        x = keras.layers.Conv2D(4, 3, activation="relu", dtype=policy)(image)
        x = keras.layers.GlobalAveragePooling2D(dtype=policy)(x)
        return keras.Model(image, keras.layers.Dense(1, activation="sigmoid", dtype="float32")(x))

    keras.utils.set_random_seed(0)
    single, half = network("float32"), network("mixed_float16")
    single.layers[-1].kernel.assign(0.1 * tf.ones((4, 1)))
    single.layers[-1].bias.assign([11.0])  # a slope of 1.7e-5, below float16's smallest normal number
    half.set_weights(single.get_weights())
    expected, values = (Gradient(f).explain(some_images()).maps["gradient"] for f in (single, half))
    assert 0 < expected.max() < 1e-5
    np.testing.assert_allclose(values, expected, atol=0.03 * expected.max())


def test_a_classifier_without_a_gradient_is_refused():
    with pytest.raises(ValueError, match="no gradient"):
        Gradient(lambda x: tf.zeros(tf.shape(x)[0])).explain(some_images())
