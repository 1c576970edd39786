"""The base class of the stages that train against the classifier: batches by its decisions."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from tfadvpath.datasets.batches import batches, epoch_order
from tfadvpath.recipes.stages import Training, UNetOptions
from tfadvpath.training.stage import Stage
from tfadvpath.training.stage_data import StageData

# Seeds of the orders within a recipe's seed, far from each other.
_CLASS_0, _CLASS_1 = 1_000, 2_000
_MEASURED_0, _MEASURED_1 = 4_000, 5_000
_SHOWN = 4
_MEASURED = 16  # of each predicted class
# A tenth of the decisions that does not cross is worse than any loss that is left by then.
_PENALTY = 100.0


class GeneratorStage(Stage):
    """A stage whose model trains against the classifier.

    Attributes:
        paired: Whether a step takes a pair of batches, one of each predicted class; otherwise one batch, half
            of it of each.
        sub_batches: Number of parts that a step splits its batch into, see ``Stage``; each part gets both
            classes.
    """

    paired = False

    def __init__(self, options: Training, data: StageData, seed: int):
        super().__init__(options, data, seed)
        self.per_class = options.batch_size if self.paired else max(1, options.batch_size // 2)
        self.domains = {part: data.domains(part, self.per_class) for part in ("train", "validation")}

    @property
    def classifier(self) -> keras.Model:
        """The frozen classifier."""
        if self.data.classifier is None:
            raise ValueError("a generator trains against a classifier: `data` must hold one")
        return self.data.classifier

    @property
    def batch(self) -> int:
        return self.per_class if self.paired else 2 * self.per_class

    @property
    def steps(self) -> int:
        return self.options.steps_per_epoch or min(map(len, self.domains["train"])) // self.per_class

    def batches(self, epoch: int) -> tf.data.Dataset:
        needed = self.steps * self.per_class
        orders = [
            indices[epoch_order(len(indices), needed, self.seed + offset, epoch)]
            for indices, offset in zip(self.domains["train"], (_CLASS_0, _CLASS_1), strict=True)
        ]
        return self._in_order("train", orders)

    def validation(self) -> tf.data.Dataset:
        smaller = min(map(len, self.domains["validation"])) // self.per_class * self.per_class
        # Evenly over all patients: the images stand in the order of their patients.
        chosen = [
            indices[np.linspace(0, len(indices) - 1, smaller).astype(int)]
            for indices in self.domains["validation"]
        ]
        return self._in_order("validation", chosen)

    def _in_order(self, part: str, orders: list[np.ndarray]) -> tf.data.Dataset:
        images = self.data.parts[part].images
        if self.paired:
            return tf.data.Dataset.zip(*(batches((images,), order, self.per_class) for order in orders))
        pairs = np.stack(orders, axis=1)  # [images of a class, 2 domains]
        parts = pairs.reshape(-1, self.sub_batches, 2)  # [images of a class in one part, parts, 2 domains]
        # Position i goes to part i modulo the number of parts, so the parts vary fastest.
        return batches((images,), parts.swapaxes(1, 2).reshape(-1), self.batch)

    def rank(self, logs: Mapping[str, float]) -> float | None:
        """Returns the validation loss, with a penalty for every share of decisions that misses its target."""
        targets = self.options.targets() if isinstance(self.options, UNetOptions) else {}
        missing = sum(max(0.0, share - logs[f"val_{term}_rate"]) for term, share in targets.items())
        return logs["val_loss"] + _PENALTY * missing

    def measured(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the validation images that the pairs are measured on while they train.

        They are 16 of those predicted 0 and 16 of those predicted 1, or all where there are fewer, drawn by
        the seed: each time the same ones, float32 [N, H, W, C].
        """
        images = self.data.parts["validation"].images
        zero, one = (
            indices[epoch_order(len(indices), min(_MEASURED, len(indices)), self.seed + offset, 0)]
            for indices, offset in zip(self.domains["validation"], (_MEASURED_0, _MEASURED_1), strict=True)
        )
        return np.asarray(images[np.sort(zero)]), np.asarray(images[np.sort(one)])

    def shown(self) -> np.ndarray:
        """Returns the same few validation images each time, of both predictions: float32 [N, H, W, C].

        They lie apart: neighbours are often slices of one patient.
        """
        chosen = [
            indices[np.linspace(0, len(indices) - 1, _SHOWN // 2 + 2)[1:-1].astype(int)]
            for indices in self.domains["validation"]
        ]
        return np.asarray(self.data.parts["validation"].images[np.unique(np.concatenate(chosen))])
