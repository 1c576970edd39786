"""A classifier by brightness and images of both its classes: for tests of what trains against one."""

import keras
import numpy as np
import tensorflow as tf

SHAPE = (16, 16, 1)


def brightness_classifier():
    """f(x) = sigmoid(8 (mean - 1/2)): bright images are class 1."""
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(1, "sigmoid")])
    model.layers[-1].set_weights([np.full((256, 1), 8 / 256, np.float32), np.array([-4.0], np.float32)])
    return model


def domains(count=4, seed=0):
    rng = np.random.default_rng(seed)
    dark = 0.1 + 0.2 * rng.random((count, *SHAPE))
    bright = 0.7 + 0.2 * rng.random((count, *SHAPE))
    return tf.constant(dark, tf.float32), tf.constant(bright, tf.float32)


def rec(u, v):
    return np.mean((u - v) ** 2) + np.mean(np.abs(u - v))


def cross_entropy(target, p):
    return -np.mean(target * np.log(p) + (1 - target) * np.log(1 - p))


def through(network, images):
    """A network's answer, in float64."""
    return network(np.asarray(images, np.float32), training=False).numpy().astype(np.float64)
