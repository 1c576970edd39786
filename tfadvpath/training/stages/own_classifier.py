"""The stage of your own trained classifier, which is taken as it is in place of one that is trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfadvpath.bundle.figures import classifier_figures
from tfadvpath.bundle.networks import load_own_network, scores_of
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.errors import InputError, first_line
from tfadvpath.models.binary import binary_classifier
from tfadvpath.recipes.stages import CLASSIFIER, ClassifierOptions, Training
from tfadvpath.training.stage import Stage
from tfadvpath.training.stages.registry import register

_ASKED = 64  # images whose answers are looked at


@register
class OwnClassifierStage(Stage):
    """Loads your own trained classifier and measures it; there is nothing to train."""

    name = CLASSIFIER
    NEEDS_CLASSIFIER = False
    TRAINS = False
    options: ClassifierOptions

    @classmethod
    def takes(cls, options: Training) -> bool:
        return isinstance(options, ClassifierOptions) and options.model is not None

    @property
    def steps(self) -> int:
        return 0

    def batches(self, epoch: int) -> tf.data.Dataset:
        raise ValueError("your own classifier is not trained")

    def validation(self) -> tf.data.Dataset:
        raise ValueError("your own classifier is not trained")

    def build(self) -> keras.Model:
        """Loads the model of ``options.model`` in safe mode, as ``models.binary_classifier``.

        Raises:
            InputError: It cannot be loaded, takes other images, has other outputs than the options say, or
                answers with something else than probabilities.
        """
        source = f"classifier.model: {self.options.model}"
        model = load_own_network(Path(str(self.options.model)), source)
        try:
            classifier = binary_classifier(model, self.data.image_shape, self.options.target)
        except ValueError as error:
            raise InputError(
                source,
                first_line(error).replace("`", ""),
                "Set data.image_size or classifier.target, or save a model that fits",
            ) from error
        scores = scores_of(classifier, self.data.parts["train"].images[:_ASKED])
        if not (np.all(scores >= 0) and np.all(scores <= 1)):  # NaN fails both comparisons
            raise InputError(
                source,
                f"answers from {scores.min():.3g} to {scores.max():.3g}, which are no probabilities",
                "Save it with a sigmoid or softmax at its end",
            )
        return classifier

    def networks(self, model: keras.Model) -> Mapping[str, keras.Model]:
        return {CLASSIFIER: model}

    def figures(self, model: keras.Model, part: LabelledImages) -> Mapping[str, Any]:
        return classifier_figures(scores_of(model, part.images), part.known_labels, part.patients)
