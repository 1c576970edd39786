"""The base class of the stages of a training."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

import keras
import numpy as np
import tensorflow as tf

from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.recipes.stages import Training
from tfadvpath.training.stage_data import StageData


class Look(Protocol):
    """A function that is told how far a warm-up is."""

    def __call__(self, step: int, steps: int, line: str | None = None) -> None:
        """Takes note of it.

        Args:
            step: Number of steps that are done.
            steps: Largest number of them.
            line: Sentence on what was measured after that step; None where nothing was.
        """


def unheard(step: int, steps: int, line: str | None = None) -> None:
    """Takes note of nothing."""


class Stage(abc.ABC):
    """One network, or a few that train together: how to build, feed, save and measure them.

    Args:
        options: Options of the stage in the recipe.
        data: Images and, but for the classifier's stage, the classifier.
        seed: Seed of the recipe.

    Attributes:
        name: Name of the stage in recipes, which is the generator's name but for the classifier's stage.
        NEEDS_CLASSIFIER: Whether the stage takes the trained classifier; otherwise it makes it.
        TRAINS: Whether there is anything to train; otherwise ``build`` returns the finished model.
        sub_batches: Number of parts that a step splits its batch into: image i goes to part i modulo
            ``sub_batches``.
    """

    name: str
    NEEDS_CLASSIFIER: ClassVar[bool] = True
    TRAINS: ClassVar[bool] = True
    sub_batches = 1

    def __init__(self, options: Training, data: StageData, seed: int):
        self.options = options
        self.data = data
        self.seed = seed

    @abc.abstractmethod
    def build(self) -> keras.Model:
        """Returns the compiled model whose ``train_step`` is run."""

    @classmethod
    def takes(cls, options: Training) -> bool:
        """Whether this class trains a stage of those options: two classes may share a stage's name."""
        return True

    def warm_up(self, model: keras.Model, look: Look = unheard) -> int:
        """Prepares a new model before the first epoch; returns the number of steps that it took.

        Args:
            model: Model as ``build`` returned it.
            look: Function that is told now and then how many steps are done, and what was measured.
        """
        return 0

    def step(self, model: keras.Model) -> Callable[[Any], Any]:
        """Returns the function of a batch that trains the model by one step."""
        return model.train_step

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

    def measurement(self, model: keras.Model) -> Callable[[], Mapping[str, float]]:
        """Returns a function that every epoch calls at its end.

        It returns further numbers of validation images by name, changes nothing and draws no random number.
        """
        return dict

    def rank(self, logs: Mapping[str, float]) -> float | None:
        """Returns the number whose lowest value marks the best epoch; None: the last epoch is the best."""
        return logs["val_loss"]

    def finish(self, model: keras.Model) -> None:  # noqa: B027  most stages need none
        """Changes the trained model, which computes in float32, before it is kept and measured."""

    @abc.abstractmethod
    def networks(self, model: keras.Model) -> Mapping[str, keras.Model]:
        """Returns the networks to keep, by the file's name without its ending."""

    @abc.abstractmethod
    def figures(self, model: keras.Model, part: LabelledImages) -> Mapping[str, Any]:
        """Returns measurements of the trained model on images, as JSON can hold them."""

    def panel(self, model: keras.Model) -> np.ndarray | None:
        """Returns a picture of a few validation images, uint8 [H, W, 3], or None."""
        return None


def adam(
    options: Training, steps: int, learning_rate: float | None = None, **kwargs: float
) -> keras.Optimizer:
    """Returns Adam, or AdamW where weights decay, by the options of a stage.

    Args:
        options: Options with the rate, its schedule and the gradients' largest norm.
        steps: Moves of this optimizer in the whole stage, over which a cosine falls.
        learning_rate: Rate in place of the options'.
        **kwargs: Further arguments of ``keras.optimizers.Adam``.
    """
    rate = learning_rate or options.learning_rate
    if options.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    if options.weight_decay:
        return keras.optimizers.AdamW(
            rate, weight_decay=options.weight_decay, global_clipnorm=options.clip_norm, **kwargs
        )
    return keras.optimizers.Adam(rate, global_clipnorm=options.clip_norm, **kwargs)
