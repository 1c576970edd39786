"""Worker of attribution_speed.py: PAIR's saliency, with gradients by TensorFlow."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from saliency import core as saliency
from worker import Contestant, Task, serve


class Saliency(Contestant):
    """IntegratedGradients, the mean over equal steps with both ends of the path, one image a call."""

    packages = ("saliency", "tensorflow", "keras")

    def __init__(self, task: Task):
        super().__init__(task)
        self.model = keras.models.load_model(task.folder / "model.keras", compile=False)
        self.explainer = saliency.IntegratedGradients()

    def explain(self, images: int, points: int | None) -> np.ndarray:
        found = [
            self.explainer.GetMask(
                adversary,
                self._call_model,
                x_baseline=start,
                x_steps=self.task.steps,
                batch_size=points or self.task.steps,
            )
            for start, adversary in zip(self.task.start[:images], self.task.adversary[:images], strict=True)
        ]
        return np.stack(found)

    def maps(self, images: int, points: int | None, rule: str) -> dict[str, np.ndarray]:
        return {"integrated_gradients": self.explain(images, points)}

    def _call_model(self, images: np.ndarray, call_model_args: Any, expected_keys: Any) -> dict[str, Any]:
        return {saliency.INPUT_OUTPUT_GRADIENTS: self._gradient(tf.constant(images, tf.float32)).numpy()}

    @tf.function
    def _gradient(self, images: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(images)
            probability = self.model(images, training=False)
        return tape.gradient(probability, images)


if __name__ == "__main__":
    serve({"float32": Saliency})
