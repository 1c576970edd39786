"""Realism of generated images: how well networks trained for the purpose tell them from real ones.

The discriminator that a generator was trained against says little: the generator learnt to please it. Here a
new one is trained, and asked about patients that it has not seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfadvpath import metrics

_FILTERS = (8, 16, 32)
_LEARNING_RATE = 2e-3
_SCORED = 64  # images in one call of a trained network

# Function of images [N, ...], whether each is generated, bool [N], and the folds, int [N]; it returns
# held-out scores, float [N], high for generated images and NaN where there was nothing to train on.
HeldOutScores = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class Separation(NamedTuple):
    """Measurement of how well generated images are told from real ones.

    Attributes:
        auc: Area under the ROC curve on patients that the training has not seen, in [0, 1]: 0.5 is chance, 1
            an error-free distinction. It is the mean over the folds and the directions; NaN where there are
            too few images.
        interval: Bounds of its interval of 95 % by bootstrap over patients, for the networks as trained.
    """

    auc: float
    interval: tuple[float, float]


def separation(
    made: np.ndarray,
    real: np.ndarray,
    made_to: np.ndarray,
    real_class: np.ndarray,
    patients: np.ndarray,
    held_out_scores: HeldOutScores,
    *,
    folds: int = 3,
    largest: int = 500,
    seed: int = 0,
) -> Separation:
    """Returns how well images made for a class are told from real images of this class.

    Each class is a problem of its own: were both one, the share of each class would give the generated images
    away. In each problem both sets have as many images, drawn at random.

    Args:
        made: Generated images or their features, float [N, ...], row i made of row i of ``real``.
        real: Real images or their features, float [N, ...].
        made_to: Classes that the images were made to look like, int [N], 0 or 1.
        real_class: Classes of the real images, int [N], 0 or 1.
        patients: Names of the images' patients, [N].
        held_out_scores: Function that trains on all folds but one and scores that one, in turn.
        folds: Number of folds, over patients.
        largest: Largest number of images in each set of each class, for the time that the training takes.
        seed: Seed of the folds and of the draws, not negative.
    """
    generator = np.random.default_rng(seed)
    fold_of = metrics.patient_folds(np.asarray(patients).tolist(), folds, seed)
    parts = []
    for target in (0, 1):
        of_made, of_real = np.flatnonzero(made_to == target), np.flatnonzero(real_class == target)
        count = min(len(of_made), len(of_real), largest)
        rows = [np.sort(generator.permutation(chosen)[:count]) for chosen in (of_made, of_real)]
        if not count:
            continue
        at = np.concatenate(rows)
        generated = np.arange(2 * count) < count
        scores = held_out_scores(np.concatenate([made[rows[0]], real[rows[1]]]), generated, fold_of[at])
        known = ~np.isnan(scores)
        # Folds of the two directions have networks of their own.
        parts.append((generated[known], scores[known], fold_of[at][known] + target * folds, at[known]))
    if not parts or not any(len(part[0]) for part in parts):
        return Separation(float("nan"), (float("nan"), float("nan")))
    labels, scores, fold, at = (np.concatenate(column) for column in zip(*parts, strict=True))

    def statistic(labels: np.ndarray, scores: np.ndarray, fold: np.ndarray) -> float:
        halves = [
            metrics.held_out_auc(labels[one], scores[one], fold[one]) for one in (fold < folds, fold >= folds)
        ]
        defined = [value for value in halves if not np.isnan(value)]
        return float(np.mean(defined)) if defined else float("nan")

    interval = metrics.bootstrap_interval(
        statistic, [labels, scores, fold], np.asarray(patients)[at].tolist(), repeats=500
    )
    return Separation(statistic(labels, scores, fold), interval)


def network_scores(
    shape: tuple[int, int, int], steps: int = 200, batch_size: int = 32, seed: int = 0
) -> HeldOutScores:
    """Returns a function that trains a small convolutional network for each fold, from fresh weights.

    For every width of 8, 16 and 32: Conv 3x3 of stride 2, ReLU. Then the mean and the maximum over the image,
    and dense 1. The mean lets it learn a texture from few images, wherever it lies. The images are flipped at
    random along both axes.

    Args:
        shape: Shape of an image, (height, width, channels).
        steps: Number of training steps for each fold, positive.
        batch_size: Number of images in a step, half of them generated, even.
        seed: Seed of the weights and of the batches, not negative.
    """
    learner = _Learner(shape, steps)

    def held_out_scores(images: np.ndarray, generated: np.ndarray, folds: np.ndarray) -> np.ndarray:
        scores = np.full(len(images), np.nan)
        for fold in np.unique(folds):
            held_out = folds == fold
            sets = [np.flatnonzero(~held_out & (generated == one)) for one in (True, False)]
            if all(map(len, sets)):
                draws = np.random.default_rng([seed, int(fold)])
                batches = np.concatenate(
                    [draws.choice(rows, (steps, batch_size // 2)) for rows in sets], axis=1
                )
                learner.train(images, generated, batches, draws)
                scores[held_out] = learner.scores(images[held_out])
        return scores

    return held_out_scores


def feature_scores(features: np.ndarray, generated: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Returns the held-out scores of a logistic regression on features: ``metrics.logistic_scores``.

    Args:
        features: Features of an encoder, float [N, D].
        generated: bool [N], whether they are of a generated image.
        folds: int [N], fold of each image.
    """
    return metrics.logistic_scores(features, generated, folds)


class _Learner:
    """A network that is trained again and again from fresh weights; it is compiled once."""

    def __init__(self, shape: tuple[int, int, int], steps: int):
        layers = keras.layers
        image = keras.Input(shape)
        x = image
        for width in _FILTERS:
            x = layers.Conv2D(width, 3, 2, padding="same", activation="relu", dtype="float32")(x)
        pooled = [layers.GlobalAveragePooling2D(dtype="float32"), layers.GlobalMaxPooling2D(dtype="float32")]
        x = layers.Concatenate(dtype="float32")([pool(x) for pool in pooled])
        self.network = keras.Model(image, layers.Dense(1, dtype="float32")(x))
        self.optimizer = keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, steps), global_clipnorm=1.0
        )
        self.optimizer.build(self.network.trainable_variables)
        self.unused = [variable.numpy() for variable in self.optimizer.variables]
        self._run = tf.function(self._steps)

    def train(
        self, images: np.ndarray, generated: np.ndarray, batches: np.ndarray, draws: np.random.Generator
    ) -> None:
        """Trains on images by their places in batches, int [steps, batch]."""
        # Weights by He et al. 2015, drawn here so that no seed of the whole process is touched.
        self.network.set_weights(
            [
                draws.normal(0, np.sqrt(2 / np.prod(weight.shape[:-1])), weight.shape)
                if len(weight.shape) > 1
                else np.zeros(weight.shape)
                for weight in self.network.weights
            ]
        )
        for variable, value in zip(self.optimizer.variables, self.unused, strict=True):
            variable.assign(value)
        flips = draws.random((2, *batches.shape)) < 0.5
        labels = generated.astype(np.float32)[batches]
        self._run(
            *(tf.constant(values, tf.float32) for values in (images, labels)),
            tf.constant(batches, tf.int32),
            tf.constant(flips),
        )

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Returns float64 [N], high for generated images."""
        found = [
            np.asarray(self.network(images[i : i + _SCORED], training=False))[:, 0]
            for i in range(0, len(images), _SCORED)
        ]
        return np.concatenate([np.zeros(0), *found])

    def _steps(self, images: tf.Tensor, labels: tf.Tensor, batches: tf.Tensor, flips: tf.Tensor) -> None:
        for step in tf.range(tf.shape(batches)[0]):
            x = tf.gather(images, batches[step])
            for axis in (1, 2):
                flipped = flips[axis - 1, step][:, tf.newaxis, tf.newaxis, tf.newaxis]
                x = tf.where(flipped, tf.reverse(x, [axis]), x)
            with tf.GradientTape() as tape:
                odds = self.network(x, training=True)[:, 0]
                losses = tf.nn.sigmoid_cross_entropy_with_logits(labels[step], odds)
                loss = tf.reduce_mean(losses)
            variables = self.network.trainable_variables
            self.optimizer.apply(tape.gradient(loss, variables), variables)
