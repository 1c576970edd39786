"""Classifiers by brightness as people have them, with known answers, and images of every brightness."""

import keras
import numpy as np

SIZE = 32


def classifier(outputs=1, activation="sigmoid", channels=1, first=(), last=(), size=SIZE):
    """Classifier of the mean m of an image: its logits are 20 m - 10, or 0 and that, or those of quarters."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((size, size, channels)),
            *first,
            layers.GlobalAveragePooling2D(),
            layers.Dense(outputs, activation),
            *last,
        ]
    )
    dense = next(layer for layer in model.layers if isinstance(layer, layers.Dense))
    slopes, offsets = {
        1: ([20.0], [-10.0]),
        2: ([0.0, 20.0], [0.0, -10.0]),
        # The largest of these lines is the one of the quarter that m is in.
        4: ([0.0, 40.0, 80.0, 120.0], [0.0, -10.0, -30.0, -60.0]),
    }[outputs]
    kernel = np.tile(np.array(slopes, np.float32) / channels, (channels, 1))
    dense.set_weights([kernel, np.array(offsets, np.float32)])
    return model


def images(count=60, seed=0, means=(0.1, 0.9)):
    """Images float32 [N, 32, 32, 1] in [0, 1] of some texture, whose means go evenly through a range."""
    rng = np.random.default_rng(seed)
    mean = rng.permutation(np.linspace(*means, count))[:, np.newaxis, np.newaxis, np.newaxis]
    texture = rng.uniform(-0.08, 0.08, (count, SIZE, SIZE, 1))
    texture -= texture.mean(axis=(1, 2, 3), keepdims=True)
    return (mean + texture).astype(np.float32)


def probability(values):
    """The probability of class 1 that ``classifier`` answers, float64 [N], by the definition."""
    return 1 / (1 + np.exp(10 - 20 * np.asarray(values, np.float64).mean(axis=(1, 2, 3))))
