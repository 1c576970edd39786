"""What a stage of the training is."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.training.material import Material
from tfadvpath.training.options import Training


class Stage(abc.ABC):
    """One network, or a few that train together: how to build, feed, save and measure them.

    Args:
        options: The recipe's.
        material: Images and, but for the classifier's stage, the classifier.
        seed: The recipe's.

    Attributes:
        hands: The step deals its batch into that many, every ``hands``-th image to the same one.
    """

    name: str
    hands = 1

    def __init__(self, options: Training, material: Material, seed: int):
        self.options = options
        self.material = material
        self.seed = seed

    @abc.abstractmethod
    def build(self) -> keras.Model:
        """Returns the compiled model whose ``train_step`` is run."""

    def warm_up(self, model: keras.Model) -> None:
        """Prepares a new model before the first epoch."""
        del model

    @property
    def batch(self) -> int:
        """Images of a step, or of each domain where it takes a pair of batches."""
        return self.options.batch_size

    @property
    @abc.abstractmethod
    def steps(self) -> int:
        """Training steps of an epoch."""

    @abc.abstractmethod
    def batches(self, epoch: int) -> tf.data.Dataset:
        """Returns the training batches of an epoch, always the same ones for its number."""

    @abc.abstractmethod
    def validation(self) -> tf.data.Dataset:
        """Returns the validation batches, the same ones each time."""

    def rank(self, logs: Mapping[str, float]) -> float | None:
        """Returns the figure whose lowest value marks the best epoch; None: the last epoch is the best."""
        return logs["val_loss"]

    @abc.abstractmethod
    def networks(self, model: keras.Model) -> Mapping[str, keras.Model]:
        """Returns what to keep, by the file's name without its ending."""

    @abc.abstractmethod
    def figures(self, model: keras.Model, part: LabelledImages) -> Mapping[str, Any]:
        """Returns what the trained model is worth on images, as JSON can hold it."""

    def panel(self, model: keras.Model) -> np.ndarray | None:
        """Returns a picture of a few validation images, uint8 [H, W, 3], or None."""
        return None
