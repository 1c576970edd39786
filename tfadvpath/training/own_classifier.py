"""A trained classifier of one's own, in place of one that is trained here."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from tfadvpath.bundle import load_network, sha256
from tfadvpath.errors import InputError
from tfadvpath.models.binary import binary_classifier
from tfadvpath.training.material import Material, scores_of
from tfadvpath.training.options import ClassifierOptions

_ASKED = 64  # images whose answers are looked at


def own_classifier_digest(file: str) -> str:
    """Returns the SHA-256 of a model's file.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return sha256(Path(file))
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
        raise InputError(f"classifier.model: {file}", problem, "Name a .keras file") from None


def load_own_classifier(options: ClassifierOptions, material: Material) -> keras.Model:
    """Loads the model of ``options.model`` in safe mode, as ``models.binary_classifier``.

    Raises:
        InputError: It cannot be loaded, takes other images, has other outputs than the options say, or
            answers with something else than probabilities.
    """
    source = f"classifier.model: {options.model}"
    try:
        model = load_network(Path(str(options.model)))
    except Exception as error:  # whatever a file that is no Keras model leads to
        raise InputError(
            source,
            f"cannot be loaded ({_first_line(error)})",
            "Save it by model.save('NAME.keras'), without Lambda layers or classes of its own",
        ) from error
    try:
        classifier = binary_classifier(model, material.image_shape, options.target)
    except ValueError as error:
        raise InputError(
            source,
            _first_line(error).replace("`", ""),
            "Set data.image_size or classifier.target, or save a model that fits",
        ) from error
    scores = scores_of(classifier, material.parts["train"].images[:_ASKED])
    if not (np.all(scores >= 0) and np.all(scores <= 1)):  # so written that NaN fails
        raise InputError(
            source,
            f"answers from {scores.min():.3g} to {scores.max():.3g}, which are no probabilities",
            "Save it with a sigmoid or softmax at its end",
        )
    return classifier


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
