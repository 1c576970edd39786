"""Worker of attribution_speed.py: Xplique's integrated gradients in TensorFlow.

Xplique takes one number as the baseline of all images, so its paths begin at a black image. That takes as
long as from any other.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from worker import Contestant, Task, serve
from xplique.attributions import IntegratedGradients


def sliced_without_autotuning(tensors: object) -> tf.data.Dataset:
    """Returns what ``tf.data.Dataset.from_tensor_slices`` does, which Xplique batches images by.

    The end of such a data set waits for the thread that tunes it, which sleeps 10 ms, 20 ms, 40 ms and so on:
    calls would take 5.11, 10.23 or 40.95 seconds, and not what Xplique needs.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return _sliced(tensors).with_options(options)


_sliced = tf.data.Dataset.from_tensor_slices
tf.data.Dataset.from_tensor_slices = sliced_without_autotuning


class Xplique(Contestant):
    """IntegratedGradients by trapezoids, both ends of the path among the points."""

    packages = ("xplique", "tensorflow", "keras")

    def __init__(self, task: Task):
        super().__init__(task)
        self.model = keras.models.load_model(task.folder / "model.keras", compile=False)

    def explain(self, images: int, points: int | None) -> np.ndarray:
        explainer = IntegratedGradients(
            self.model, steps=self.task.steps, batch_size=points, baseline_value=0.0
        )
        targets = np.ones((images, 1), np.float32)
        return explainer.explain(self.task.adversary[:images], targets).numpy()

    def maps(self, images: int, points: int | None, rule: str) -> dict[str, np.ndarray]:
        return {"integrated_gradients": self.explain(images, points)}


if __name__ == "__main__":
    serve({"float32": Xplique})
