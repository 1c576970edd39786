"""The data of a stage: the images of every part, the classifier, and its answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

import keras
import numpy as np

from tfadvpath.bundle.networks import scores_of
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.errors import InputError


@dataclass(frozen=True, eq=False)
class StageData:
    """Images by part, and how the classifier answers them.

    Attributes:
        name: Name of the recipe, for messages.
        parts: Images by part: "train", "validation" and "test".
        classifier: Classifier, a float32 network; None before it is trained.
        scores: Probabilities of class 1 that the classifier answers, by part, float32 [N].
        start_from: Trained networks that the stage begins with, by their files' names; empty for most.
    """

    name: str
    parts: Mapping[str, LabelledImages]
    classifier: keras.Model | None = None
    scores: Mapping[str, np.ndarray] = field(default_factory=dict)
    start_from: Mapping[str, keras.Model] = field(default_factory=dict)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return tuple(self.parts["train"].images.shape[1:])

    def domains(self, part: str, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the indices of the images predicted 0 and of those predicted 1, int64.

        Images are split into domains by the classifier's decision, not by label.

        Raises:
            InputError: One of them has less than a batch.
        """
        one = self.scores[part] >= 0.5
        split = np.flatnonzero(~one), np.flatnonzero(one)
        if min(map(len, split)) < batch_size:
            raise InputError(
                self.name,
                f"the classifier assigns {len(split[0])} {part} images to class 0 and {len(split[1])} to "
                f"class 1, where a batch of {batch_size} of each is needed",
                "Train the classifier longer, add images or lower batch_size",
            )
        return split


def with_classifier(data: StageData, classifier: keras.Model) -> StageData:
    """Returns the data with the classifier and its answers to every image."""
    scores = {part: scores_of(classifier, images.images) for part, images in data.parts.items()}
    return dataclasses.replace(data, classifier=classifier, scores=scores)
