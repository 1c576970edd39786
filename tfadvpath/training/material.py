"""What a stage trains on: the images of every part, the classifier, and its answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

import keras
import numpy as np

from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.errors import InputError
from tfadvpath.training.data import PartName

PARTS: tuple[PartName, ...] = ("train", "validation", "test")
_BATCH = 64


@dataclass(frozen=True, eq=False)
class Material:
    """Images by part, and how the classifier answers them.

    Attributes:
        name: The recipe's, for messages.
        parts: By "train", "validation" and "test".
        classifier: Float32 network; None before it is trained.
        scores: By part, float32 [N]: the classifier's probability of class 1.
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


def scores_of(classifier: keras.Model, images: np.ndarray) -> np.ndarray:
    """Returns f of every image, float32 [N]."""
    batches = [
        classifier.predict_on_batch(np.ascontiguousarray(images[i : i + _BATCH]))[:, 0]
        for i in range(0, len(images), _BATCH)
    ]
    return np.concatenate([np.zeros(0, np.float32), *batches])


def with_classifier(material: Material, classifier: keras.Model) -> Material:
    """Returns the material with the classifier and its answers to every image."""
    scores = {part: scores_of(classifier, images.images) for part, images in material.parts.items()}
    return dataclasses.replace(material, classifier=classifier, scores=scores)
