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
from tfadvpath.models.classifier_head import head_weights, shift_decision, with_cells
from tfadvpath.models.resnet50 import resnet50_classifier
from tfadvpath.path.compilation import use_xla
from tfadvpath.recipes.stages import CLASSIFIER, ClassifierOptions, Training
from tfadvpath.training.attack import attacked, step_seed
from tfadvpath.training.slower_weights import slowed
from tfadvpath.training.stage import Stage, adam
from tfadvpath.training.stage_data import StageData
from tfadvpath.training.stages.registry import register

# Weight of a cell in the finding beside one that is not: a finding takes about a fifth of its image.
_CELL_OF_FINDING = 5.0
# Stream of random numbers within a recipe's seed, apart from the epochs' orders.
_SHUFFLING = 2**31


@register
class ClassifierStage(Stage):
    """Trains the classifier: weighted binary cross-entropy, class weights inverse to frequency, Adam.

    With ``finding_weight`` the model that is trained answers for each cell as well, and learns the finding's
    masks by a second cross-entropy. What is kept is the classifier alone.

    Attributes:
        labels: Labels that it is trained on, float32 [N]: those of the training images, or shuffled ones.

    Raises:
        InputError: There are fewer images than a batch, or of one class only; or the finding shall be
            learned and no training image has a mask.
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
        if options.finding_weight and not data.parts["train"].masks.any():
            raise InputError(
                data.name,
                "no training image has a mask of the finding, which classifier.finding_weight needs",
                "Add masks or boxes, or set classifier.finding_weight: 0",
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
        loss, metric = keras.losses.BinaryCrossentropy(), keras.metrics.AUC(name="auc")
        if options.finding_weight:
            model = with_cells(model)
            self.cells = model.output["cells"].shape[1:3]
            model.compile(
                optimizer,
                {"probability": loss, "cells": keras.losses.BinaryCrossentropy()},
                loss_weights={"probability": 1.0, "cells": options.finding_weight},
                metrics={"probability": [metric]},
                jit_compile=use_xla("auto"),
            )
        else:
            model.compile(optimizer, loss, metrics=[metric], jit_compile=use_xla("auto"))
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
        options = self.options
        backbone = load_own_network(Path(str(options.backbone)), source)
        try:
            model = backbone_classifier(
                backbone, self.data.image_shape, options.dropout, options.backbone_layer, options.head
            )
        except ValueError as error:
            raise InputError(
                source,
                first_line(error).replace("`", ""),
                "Set data.image_size or classifier.backbone_layer, or name a file that fits",
            ) from error
        if options.backbone_rate == 0:
            own = {id(weight) for weight in head_weights(model)}
            for layer in model.layers:
                layer.trainable = any(id(weight) in own for weight in layer.weights)
        return model

    def finish(self, model: keras.Model) -> None:
        """Moves the last bias so that the threshold of the operating point becomes 0.5."""
        model = _classifier(model)
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
        classifier = _classifier(model)

        def train_against_attack(batch: Any) -> Any:
            images, *truth = batch
            labels = truth[0]["probability"] if isinstance(truth[0], Mapping) else truth[0]
            drawn = step_seed(self.seed, model.optimizer.iterations)
            images = attacked(classifier, images, labels, attack.radius, attack.scale, attack.steps, drawn)
            return model.train_step((images, *truth))

        return train_against_attack

    @property
    def steps(self) -> int:
        return self.options.steps_per_epoch or len(self.data.parts["train"].labels) // self.options.batch_size

    def batches(self, epoch: int) -> tf.data.Dataset:
        part, labels = self.data.parts["train"], self.labels
        weights = class_weights(labels)[labels.astype(int)]
        self.augmentation.start_epoch(epoch)
        order = epoch_order(len(labels), self.steps * self.options.batch_size, self.seed, epoch)
        arrays = [part.images, labels[:, np.newaxis], weights[:, np.newaxis]]
        if not self.options.finding_weight:
            drawn = batches(arrays, order, self.options.batch_size)
            return drawn.map(lambda images, *truth: (self.augmentation(images), *truth)).prefetch(2)
        drawn = batches([*arrays, *_findings(part)], order, self.options.batch_size)

        def augmented(images: tf.Tensor, *truth: tf.Tensor) -> tuple[Any, ...]:
            *others, masks, known = truth
            return self._with_cells(*self.augmentation.with_masks(images, masks), known, *others)

        return drawn.map(augmented).prefetch(2)

    def validation(self) -> tf.data.Dataset:
        part = self.data.parts["validation"]
        arrays = [part.images, part.labels[:, np.newaxis]]
        order = np.arange(len(part.labels))
        if not self.options.finding_weight:
            return batches(arrays, order, self.options.batch_size)
        ones = np.ones((len(part.labels), 1), np.float32)
        drawn = batches([*arrays, ones, *_findings(part)], order, self.options.batch_size)
        return drawn.map(
            lambda images, labels, ones, masks, known: self._with_cells(images, masks, known, labels, ones)
        )

    def _with_cells(
        self, images: tf.Tensor, masks: tf.Tensor, known: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Returns a batch of a model that answers for each cell: images, what is true, and its weights."""
        shares = tf.image.resize(masks, self.cells, "area")
        of_cells = known[:, :, tf.newaxis] * (1.0 + (_CELL_OF_FINDING - 1.0) * shares[..., 0])
        return images, {"probability": labels, "cells": shares}, {"probability": weights, "cells": of_cells}

    def rank(self, logs: Mapping[str, float]) -> float | None:
        if self.options.monitor == "none":
            return None
        # Keras puts the output's name before it where there are two.
        auc = "val_probability_auc" if self.options.finding_weight else "val_auc"
        return -logs[auc] if self.options.monitor == "auc" else super().rank(logs)

    def networks(self, model: keras.Model) -> Mapping[str, keras.Model]:
        return {"classifier": _classifier(model)}

    def figures(self, model: keras.Model, part: LabelledImages) -> Mapping[str, Any]:
        return classifier_figures(scores_of(_classifier(model), part.images), part.labels, part.patients)


def _classifier(model: keras.Model) -> keras.Model:
    """Returns the classifier itself of a model that may answer for each cell as well."""
    if len(model.outputs) == 1:
        return model
    return keras.Model(model.inputs[0], model.output["probability"], name=model.name)


def _findings(part: LabelledImages) -> tuple[np.ndarray, np.ndarray]:
    """Returns masks, [N, H, W, 1], and whether they are known, float32 [N, 1].

    An image of class 0 has no finding; one of class 1 without a mask has one that nobody has drawn.
    """
    known = (part.labels == 0) | part.masks.any(axis=(1, 2))
    return part.masks[..., np.newaxis], known.astype(np.float32)[:, np.newaxis]


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
