"""Worker of attribution_speed.py: TensorFlow alone, for one map and for the product of matrices.

The loop also gives integrated gradients by the rule of every peer, against which the peers are checked.
"""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from worker import Contestant, Task, serve

# Rows and columns of the matrices whose product is timed, and how often, of which the fastest counts.
_MATRIX, _PRODUCTS = 4096, 3


class Loop(Contestant):
    """The least that gives the map |∂f/∂x| γ'^2: a gradient tape in one compiled loop over chunks."""

    packages = ("tensorflow", "keras")

    def __init__(self, task: Task):
        super().__init__(task)
        self.model = keras.models.load_model(task.folder / "model.keras", compile=False)

    def explain(self, images: int, points: int | None) -> list[np.ndarray]:
        pairs = zip(self.task.start[:images], self.task.adversary[:images], strict=True)
        positions, weights = _rule("midpoints", self.task.steps, points)
        return [self._absolute(*pair, positions, weights).numpy() for pair in pairs]

    def maps(self, images: int, points: int | None, rule: str) -> dict[str, np.ndarray]:
        start, adversary = self.task.start[:images], self.task.adversary[:images]
        if rule == "trapezoids from black":
            start = np.zeros_like(start)
        positions, weights = _rule(rule, self.task.steps, points)
        signed = [self._signed(*pair, positions, weights) for pair in zip(start, adversary, strict=True)]
        found = {"integrated_gradients": np.stack(signed) * (adversary - start)}
        if rule == "midpoints":
            found["fi_v1"] = np.abs(found["integrated_gradients"] * (adversary - start))
            found["fi_v2"] = np.stack(self.explain(images, points))
        return found

    @tf.function
    def _absolute(self, start: Any, adversary: Any, positions: Any, weights: Any) -> tf.Tensor:
        return self._sum(start, adversary, positions, weights, tf.abs) * tf.square(adversary - start)

    @tf.function
    def _signed(self, start: Any, adversary: Any, positions: Any, weights: Any) -> tf.Tensor:
        return self._sum(start, adversary, positions, weights, tf.identity)

    def _sum(self, start: Any, adversary: Any, positions: Any, weights: Any, function: Any) -> tf.Tensor:
        total = tf.zeros_like(start)
        for i in tf.range(tf.shape(positions)[0]):
            tf.autograph.experimental.set_loop_options(parallel_iterations=1)
            points = start + positions[i] * (adversary - start)
            with tf.GradientTape() as tape:
                tape.watch(points)
                probability = self.model(points, training=False)
            total += tf.reduce_sum(weights[i] * function(tape.gradient(probability, points)), axis=0)
        return total


def _rule(name: str, steps: int, chunk: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Returns positions and weights of a rule of quadrature, float32 [chunks, chunk, 1, 1, 1]."""
    positions, weights = np.linspace(0, 1, steps), np.full(steps, 1 / steps)
    if name == "midpoints":
        positions = (np.arange(steps) + 0.5) / steps
    elif name == "trapezoids from black":
        weights = np.r_[0.5, np.ones(steps - 2), 0.5] / (steps - 1)
    shape = (-1, chunk or steps, 1, 1, 1)
    return positions.reshape(shape).astype(np.float32), weights.reshape(shape).astype(np.float32)


class MatrixProduct(Contestant):
    """The product of two large square matrices in float32 and in bfloat16."""

    packages = ("tensorflow",)

    def __init__(self, task: Task):
        super().__init__(task)
        factors = tf.random.stateless_uniform((2, _MATRIX, _MATRIX), (0, 0), -1.0, 1.0)
        self.factors = {name: tf.unstack(tf.cast(factors, name)) for name in ("float32", "bfloat16")}
        self.product = tf.function(tf.matmul)

    def time(self, images: int, points: int | None, calls: int) -> dict[str, Any]:
        return {name: self._gflops(*factors) for name, factors in self.factors.items()}

    def _gflops(self, left: tf.Tensor, right: tf.Tensor) -> float:
        times = []
        for _ in range(_PRODUCTS):
            begin = time.perf_counter()
            self.product(left, right)[0, 0].numpy()
            times.append(time.perf_counter() - begin)
        return 2 * _MATRIX**3 / min(times) / 1e9


if __name__ == "__main__":
    serve({"loop": Loop, "matrix": MatrixProduct})
