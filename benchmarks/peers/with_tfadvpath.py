"""Worker of attribution_speed.py: this library."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from worker import Contestant, Task, serve

import tfadvpath as tap

_TOLERANCE = 0.05
# attribution_speed.py turns TF32 off for NVIDIA's libraries; this does so for products that XLA compiles.
tf.config.experimental.enable_tensor_float_32_execution(False)


class AllMaps(Contestant):
    """feature_importance, which gives four maps.

    Args:
        task: What is explained.
        options: Keyword arguments of feature_importance.
    """

    packages = ("tfadvpath", "tensorflow", "keras")

    def __init__(self, task: Task, **options: Any):
        super().__init__(task)
        self.options = {"steps": task.steps} | options
        self.model = keras.models.load_model(task.folder / "model.keras", compile=False)

    def explain(self, images: int, points: int | None) -> dict[str, np.ndarray]:
        start, adversary = self.task.start[:images], self.task.adversary[:images]
        result = tap.feature_importance(self.model, start, adversary, path_chunk=points, **self.options)
        arrays = {name: np.asarray(values) for name, values in result._asdict().items()}
        if "steps" in arrays:
            self.steps_taken = float(arrays["steps"].mean())
        return arrays

    def maps(self, images: int, points: int | None, rule: str) -> dict[str, np.ndarray]:
        found = self.explain(images, points)
        return {name: found[name] for name in ("fi_v1", "fi_v2")}


class OneMap(AllMaps):
    """path_integral, which gives the map of one integrand."""

    def explain(self, images: int, points: int | None) -> np.ndarray:
        return self._integral(images, points, _absolute)

    def maps(self, images: int, points: int | None, rule: str) -> dict[str, np.ndarray]:
        return {
            "integrated_gradients": self._integral(images, points, _integrated_gradients),
            "fi_v2": self._integral(images, points, _absolute),
        }

    def _integral(self, images: int, points: int | None, integrand: Any) -> np.ndarray:
        start, adversary = self.task.start[:images], self.task.adversary[:images]
        result = tap.path_integral(self.model, start, adversary, integrand, path_chunk=points, **self.options)
        return result.numpy()


def _absolute(gradient: tf.Tensor, velocity: tf.Tensor) -> tf.Tensor:
    return tf.abs(gradient) * tf.square(velocity)


def _integrated_gradients(gradient: tf.Tensor, velocity: tf.Tensor) -> tf.Tensor:
    return gradient * velocity


if __name__ == "__main__":
    serve(
        {
            "float32": lambda task: AllMaps(task, precision="float32"),
            "one map": OneMap,
            "bfloat16": lambda task: AllMaps(task, precision="bfloat16"),
            "bfloat16, steps auto": lambda task: AllMaps(
                task, precision="bfloat16", steps="auto", tolerance=_TOLERANCE
            ),
        }
    )
