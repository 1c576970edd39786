"""The classifier's stage."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfadvpath.datasets.slices import SliceSet
from tfadvpath.errors import InputError
from tfadvpath.importance import use_xla
from tfadvpath.models.resnet50 import resnet50_classifier
from tfadvpath.training.best_weights import BestWeights
from tfadvpath.training.recipe import Augmentation, Recipe


def train_classifier(
    recipe: Recipe, train: SliceSet, validation: SliceSet, verbose: int | str = "auto"
) -> keras.Model:
    """Trains the classifier and returns it with the weights of the lowest validation loss.

    Weighted binary cross-entropy, class weights inverse to frequency; Adam, its rate falling along a half
    cosine.
    """
    options = recipe.classifier
    if len(train.labels) < options.batch_size or not 0 < np.mean(train.labels) < 1:
        raise InputError(
            recipe.name,
            f"{len(train.labels)} training slices, {int(np.sum(train.labels))} with tumour, where a batch of "
            f"{options.batch_size} and both classes are needed",
            "Add patients or lower min_tumour_pixels",
        )
    model = resnet50_classifier(
        train.images.shape[1:], options.variant, options.weights, options.width, options.dropout
    )
    batches = training_batches(train, options.batch_size, options.augmentation, recipe.seed)
    rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, options.epochs * len(batches))
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.BinaryCrossentropy(),
        metrics=[keras.metrics.AUC(name="auc")],
        jit_compile=use_xla("auto"),
    )
    best = BestWeights("val_loss")
    model.fit(
        batches,
        epochs=options.epochs,
        validation_data=tf.data.Dataset.from_tensor_slices((validation.images, validation.labels)).batch(256),
        class_weight=class_weights(train.labels),
        callbacks=[best],
        verbose=verbose,
    )
    best.restore()
    return model


def class_weights(labels: np.ndarray) -> dict[int, float]:
    """Returns weights inverse to frequency, of mean 1 over the images: {0: …, 1: …}."""
    share = float(np.mean(labels))
    return {0: 0.5 / (1.0 - share), 1: 0.5 / share}


def training_batches(
    slices: SliceSet, batch_size: int, augmentation: Augmentation, seed: int
) -> tf.data.Dataset:
    """Returns shuffled, augmented batches (images, labels [B, 1]); the last, smaller one is dropped."""
    layers = [
        keras.layers.RandomRotation(augmentation.rotation, fill_mode="constant", seed=seed + 1),
        keras.layers.RandomZoom(augmentation.zoom, fill_mode="constant", seed=seed + 2),
        keras.layers.RandomTranslation(
            augmentation.translation, augmentation.translation, fill_mode="constant", seed=seed + 3
        ),
    ]
    if augmentation.flip:
        layers.insert(0, keras.layers.RandomFlip("horizontal", seed=seed))
    move = keras.Sequential(layers)
    factors = keras.random.SeedGenerator(seed + 4)

    def augment(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        darkest = 1.0 - augmentation.darkening
        factor = keras.random.uniform((batch_size, 1, 1, 1), darkest, 1.0, seed=factors)
        return move(images, training=True) * factor, labels

    return (
        tf.data.Dataset.from_tensor_slices((slices.images, slices.labels[:, np.newaxis]))
        .shuffle(len(slices.labels), seed=seed, reshuffle_each_iteration=True)
        .batch(batch_size, drop_remainder=True)
        .map(augment)
        .prefetch(2)
    )


def classifier_figures(model: keras.Model, slices: SliceSet) -> dict[str, float]:
    """Returns AUC, sensitivity and specificity at 0.5, and the number of slices."""
    probability = model.predict(slices.images, batch_size=256, verbose=0)[:, 0]
    positive = slices.labels == 1
    auc = keras.metrics.AUC(num_thresholds=2000)
    auc.update_state(slices.labels, probability)
    return {
        "slices": len(positive),
        "auc": float(auc.result()),
        "sensitivity": float(np.mean(probability[positive] >= 0.5)),
        "specificity": float(np.mean(probability[~positive] < 0.5)),
    }
