"""Where a classifier's nearest smooth adversaries lie: a control without any generator.

    python benchmarks/nearest_adversaries.py --bundle RUN [--part validation] [--percentile 90] [--images 64]

A generator can be no better than the classifier that it is trained against: where a faint pattern all over
the image turns the decision, that is what it learns to paint. So for every image of class 1 that is found and
has a mask, a change of an eighth of the resolution, upsampled bilinearly, is sought by 150 steps of Adam. Its
loss is a hinge of the logit, which ends half a unit beyond the decision, and the mean distance to the image.
The IoU of the most important pixels with the mask is measured for that change, the gradient, and both.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import numpy as np
import results
import tensorflow as tf

import tfadvpath as tap
from tfadvpath.metrics import bootstrap_interval, iou

_STEPS, _RATE = 150, 3e-3
_BEYOND = 0.5  # of the logit
_DISTANCE = 20.0  # weight of the mean distance in grey values, beside the logit
_SMALLEST = 1e-6


def nearest(classifier: keras.Model, images: np.ndarray, scale: int) -> np.ndarray:
    """Returns an adversary of class 0 for each image of class 1, float32 [N, H, W, C]."""
    height, width, channels = images.shape[1:]
    change = tf.Variable(tf.zeros((len(images), height // scale, width // scale, channels)))
    optimizer = keras.optimizers.Adam(_RATE)
    optimizer.build([change])

    def changed() -> tf.Tensor:
        return tf.clip_by_value(images + tf.image.resize(change, (height, width)), 0.0, 1.0)

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            adversary = changed()
            answers = tf.clip_by_value(classifier(adversary, training=False), _SMALLEST, 1 - _SMALLEST)
            logits = tf.math.log(answers) - tf.math.log1p(-answers)
            distance = tf.reduce_mean(tf.abs(adversary - images), axis=(1, 2, 3))
            loss = tf.reduce_sum(tf.nn.relu(logits + _BEYOND)) + _DISTANCE * tf.reduce_sum(distance)
        optimizer.apply_gradients([(tape.gradient(loss, change), change)])

    for _ in range(_STEPS):
        step()
    return changed().numpy()


def gradient(classifier: keras.Model, images: np.ndarray) -> np.ndarray:
    images = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        answers = classifier(images, training=False)
    return np.abs(tape.gradient(answers, images).numpy())


def measured(bundle: tap.Bundle, given: argparse.Namespace) -> dict:
    part = bundle.recipe.data.load(given.part, bundle.recipe.seed)
    scores = bundle.classifier.predict(np.asarray(part.images), verbose=0)[:, 0]
    found = np.flatnonzero((part.labels == 1) & part.masks.any(axis=(1, 2)) & (scores >= 0.5))[: given.images]
    images, masks, patients = (np.asarray(each[found]) for each in (part.images, part.masks, part.patients))
    adversaries = nearest(bundle.classifier, images, given.scale)
    importance = tap.feature_importance(bundle.classifier, images, adversaries)
    difference, slopes = np.abs(images - adversaries), gradient(bundle.classifier, images)
    maps = {
        "difference": difference,
        "difference, smoothed": tap.gaussian_filter(difference).numpy(),
        "v2": importance.fi_v2.numpy(),
        "v2 smooth": importance.fi_v2_smooth.numpy(),
        "gradient": slopes,
        "gradient, smoothed": tap.gaussian_filter(slopes).numpy(),
        "random order": np.random.default_rng(0).random(images.shape),
    }
    answers = bundle.classifier.predict(adversaries, verbose=0)[:, 0]
    figures: dict = {
        "images": len(images),
        "crossed": round(float(np.mean(answers < 0.5)), 3),
        "mean_distance": round(float(difference.mean()), 4),
        "iou": {},
    }
    for name, map_ in maps.items():
        values = iou(map_, masks, given.percentile)
        low, high = bootstrap_interval(np.mean, [values], patients)
        figures["iou"][name] = {
            "mean": round(float(values.mean()), 3),
            "interval": [round(float(low), 3), round(float(high), 3)],
        }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--part", default="validation", choices=["train", "validation", "test"])
    parser.add_argument("--percentile", type=float, default=90.0)
    parser.add_argument("--images", type=int, default=64, help="at most so many, the first ones")
    parser.add_argument("--scale", type=int, default=8, help="factor by which the change is coarser")
    parser.add_argument("--name", default="nearest_adversaries", help="of the file of results")
    given = parser.parse_args()
    bundle = tap.load_bundle(given.bundle)
    asked = {"part": given.part, "percentile": given.percentile, "scale": given.scale}
    results.write(given.name, {"data": bundle.recipe.name, **asked, **measured(bundle, given)})


if __name__ == "__main__":
    main()
