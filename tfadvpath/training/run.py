"""A whole training: data, classifier, generators, bundle."""

from __future__ import annotations

import pathlib

import keras
import tensorflow as tf

from tfadvpath.bundle import save_bundle
from tfadvpath.datasets.slices import SliceSet, phantom_brain_slices
from tfadvpath.training.classifier import classifier_figures, train_classifier
from tfadvpath.training.recipe import Recipe
from tfadvpath.training.syce import syce_figures, train_syce

# Phantom seeds: a million for each seed of a recipe.
_SEEDS_PER_RECIPE = 1_000_000


def train(recipe: Recipe, out: pathlib.Path | str, verbose: int | str = "auto") -> None:
    """Trains every stage of a recipe and writes the bundle.

    The same recipe gives the same networks on the same machine. To that end the whole process is changed:
    Keras's session is cleared, seeds are set, and TensorFlow keeps to deterministic operations.

    Args:
        recipe: What to train.
        out: The bundle's folder.
        verbose: Of Keras: 0 is silent, 1 a progress bar, 2 a line per epoch.

    Raises:
        InputError: ``out`` holds something else.
    """
    make_deterministic(recipe.seed)
    parts = {part: slices_of(recipe, part) for part in ("train", "validation", "test")}
    classifier = train_classifier(recipe, parts["train"], parts["validation"], verbose)
    syce = train_syce(recipe, classifier, parts["train"], parts["validation"], verbose)
    figures = {
        part: {
            "classifier": classifier_figures(classifier, parts[part]),
            "syce": syce_figures(syce, parts[part]),
        }
        for part in ("validation", "test")
    }
    save_bundle(out, classifier, (syce.generators[0], syce.generators[1]), recipe, figures)


def make_deterministic(seed: int) -> None:
    """Seeds everything for what this process trains next, and has TensorFlow choose deterministic kernels.

    Keras's counters of layer names start anew: TensorFlow orders some sums by the names in a graph.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def patient_seeds(recipe: Recipe, part: str) -> range:
    """Returns the phantoms' seeds of one part: "train", "validation" or "test". The parts are disjoint."""
    patients = recipe.data.patients
    first = {"train": 0, "validation": patients.train, "test": patients.train + patients.validation}[part]
    first += recipe.seed * _SEEDS_PER_RECIPE
    return range(first, first + getattr(patients, part))


def slices_of(recipe: Recipe, part: str) -> SliceSet:
    """Returns the labelled slices of one part."""
    data = recipe.data
    return phantom_brain_slices(
        patient_seeds(recipe, part),
        data.image_size,
        data.channel,
        data.min_tumour_pixels,
        data.min_body_fraction,
        data.twins,
    )
