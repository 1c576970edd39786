"""The stage of the classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfadvpath.bundle.figures import classifier_figures
from tfadvpath.bundle.networks import load_own_network, scores_of
from tfadvpath.datasets.augmentation import Augmentation
from tfadvpath.datasets.batches import batches, epoch_order
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.errors import InputError, first_line
from tfadvpath.metrics.classification import operating_threshold
from tfadvpath.models.backbone import backbone_classifier
from tfadvpath.models.classifier_head import head_weights, shift_decision
from tfadvpath.models.resnet50 import resnet50_classifier
from tfadvpath.path.compilation import use_xla
from tfadvpath.recipes.stages import CLASSIFIER, ClassifierOptions, Training
from tfadvpath.training.attack import attacked, step_seed
from tfadvpath.training.slower_weights import slowed
from tfadvpath.training.stage import Stage, adam
from tfadvpath.training.stage_data import StageData
from tfadvpath.training.stages.registry import register

# Stream of random numbers within a recipe's seed, apart from the epochs' orders.
_SHUFFLING = 2**31


@register
class ClassifierStage(Stage):
    """Trains the classifier: weighted binary cross-entropy, class weights inverse to frequency, Adam.

    Attributes:
        labels: Labels that it is trained on, float32 [N]: those of the training images, or shuffled ones.

    Raises:
        InputError: There are fewer images than a batch, or of one class only.
    """

    name = CLASSIFIER
    NEEDS_CLASSIFIER = False
    options: ClassifierOptions

    def __init__(self, options: ClassifierOptions, data: StageData, seed: int):
        super().__init__(options, data, seed)
        labels = data.parts["train"].labels
        self.labels = shuffled(labels, seed) if options.shuffle_labels else labels
        if len(labels) < options.batch_size or not 0 < np.mean(labels) < 1:
            raise InputError(
                data.name,
                f"{len(labels)} training images, {int(np.sum(labels))} of them of class 1, where a batch of "
                f"{options.batch_size} and both classes are needed",
                "Add patients or lower batch_size",
            )
        self.augmentation = Augmentation(**options.augmentation.model_dump(), seed=seed)

    @classmethod
    def takes(cls, options: Training) -> bool:
        return isinstance(options, ClassifierOptions) and options.model is None

    def build(self) -> keras.Model:
        options = self.options
        model = self._on_backbone() if options.backbone else self._resnet50()
        optimizer = adam(options, options.epochs * self.steps)
        if options.backbone and 0 < options.backbone_rate < 1:
            own = {id(weight) for weight in head_weights(model)}
            slow = [weight for weight in model.trainable_variables if id(weight) not in own]
            optimizer = slowed(optimizer, model.trainable_variables, slow, options.backbone_rate)
        model.compile(
            optimizer,
            keras.losses.BinaryCrossentropy(),
            metrics=[keras.metrics.AUC(name="auc")],
            jit_compile=use_xla("auto"),
        )
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        return model

    def _resnet50(self) -> keras.Model:
        options = self.options
        try:
            return resnet50_classifier(
                self.data.image_shape, options.variant, options.weights, options.width, options.dropout
            )
        except (ValueError, OSError, KeyError) as error:
            if options.weights is None:
                raise
            raise InputError(
                f"classifier.weights: {options.weights}",
                f"these weights cannot be used ({error})",
                "Name Keras's file of the backbone without top (…_notop.h5), or train from scratch: "
                "classifier.weights: null",
            ) from error

    def _on_backbone(self) -> keras.Model:
        source = f"classifier.backbone: {self.options.backbone}"
        backbone = load_own_network(Path(str(self.options.backbone)), source)
        try:
            model = backbone_classifier(backbone, self.data.image_shape, self.options.dropout)
        except ValueError as error:
            raise InputError(
                source, first_line(error).replace("`", ""), "Set data.image_size, or name a file that fits"
            ) from error
        if self.options.backbone_rate == 0:
            dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
            for layer in set(model.layers) - set(dense[-2:]):
                layer.trainable = False
        return model

    def finish(self, model: keras.Model) -> None:
        """Moves the last bias so that the threshold of the operating point becomes 0.5."""
        point = self.options.operating_point
        if point == "half":
            return
        part = self.data.parts["validation"]
        scores = scores_of(model, part.images)
        try:
            threshold = operating_threshold(part.labels, scores, point)
        except ValueError as error:
            raise InputError(
                self.data.name,
                "the validation images are of one class, where an operating point needs both",
                "Add validation images, or set classifier.operating_point: half",
            ) from error
        shift_decision(model, threshold)

    def step(self, model: keras.Model) -> Callable[[Any], Any]:
        attack = self.options.attack
        if not attack.radius:
            return model.train_step

        def train_against_attack(batch: Any) -> Any:
            images, *truth = batch
            drawn = step_seed(self.seed, model.optimizer.iterations)
            images = attacked(model, images, truth[0], attack.radius, attack.scale, attack.steps, drawn)
            return model.train_step((images, *truth))

        return train_against_attack

    @property
    def steps(self) -> int:
        return self.options.steps_per_epoch or len(self.data.parts["train"].labels) // self.options.batch_size

    def batches(self, epoch: int) -> tf.data.Dataset:
        images, labels = self.data.parts["train"].images, self.labels
        weights = class_weights(labels)[labels.astype(int)]
        self.augmentation.start_epoch(epoch)
        order = epoch_order(len(labels), self.steps * self.options.batch_size, self.seed, epoch)
        return (
            batches(
                (images, labels[:, np.newaxis], weights[:, np.newaxis]),
                order,
                self.options.batch_size,
            )
            .map(lambda images, labels, weights: (self.augmentation(images), labels, weights))
            .prefetch(2)
        )

    def validation(self) -> tf.data.Dataset:
        part = self.data.parts["validation"]
        arrays = part.images, part.labels[:, np.newaxis]
        return batches(arrays, np.arange(len(part.labels)), self.options.batch_size)

    def rank(self, logs: Mapping[str, float]) -> float | None:
        if self.options.monitor == "none":
            return None
        return -logs["val_auc"] if self.options.monitor == "auc" else super().rank(logs)

    def networks(self, model: keras.Model) -> Mapping[str, keras.Model]:
        return {"classifier": model}

    def figures(self, model: keras.Model, part: LabelledImages) -> Mapping[str, Any]:
        return classifier_figures(scores_of(model, part.images), part.labels, part.patients)


def shuffled(labels: np.ndarray, seed: int) -> np.ndarray:
    """Returns the labels in a random order: as many of each class, and none knows its image.

    Images change their labels one by one. Patients would have to change them as a whole with others of as
    many images, of whom there may be none, and a slice's place in its volume would still tell its label.

    Args:
        labels: float32 [N].
        seed: Seed of the order, not negative.
    """
    return np.random.default_rng([seed, _SHUFFLING]).permutation(labels)


def class_weights(labels: np.ndarray) -> np.ndarray:
    """Returns the weights of both classes, inverse to frequency, of mean 1 over the images: float32 [2]."""
    share = float(np.mean(labels))
    return np.array([0.5 / (1.0 - share), 0.5 / share], np.float32)
