"""Integrated gradients: what each pixel adds to the probability on the way from a black image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfadvpath.explainers.base import Explainer
from tfadvpath.explainers.registry import register
from tfadvpath.path.classifier import probability_function
from tfadvpath.path.compilation import use_xla
from tfadvpath.path.integral import AUTO, PathOptions, change_of_probability
from tfadvpath.path.refinement import integrals_along_path


@register("integrated_gradients")
class IntegratedGradients(Explainer):
    """Explains with E = |x * mean of ∂f/∂x| at the midpoints between a black image and x, map [B, H, W, C].

    Without the bars the pixels of E add up to f(x) - f(0) as the steps grow.

    Source: Sundararajan, Taly and Yan 2017, "Axiomatic attribution for deep networks"; black baseline and 50
    midpoints as in Charachon et al. 2021.

    Args:
        classifier: Classifier of images in [0, 1], as ``tfadvpath.feature_importance`` takes it.
        target: Class to explain where the classifier has K of them.
        steps: Number of midpoints where the gradient is taken, or "auto": as many points as each image needs.
        path_chunk: Points (images x steps) in one pass of gradients; None chooses by the image size.
        batch_size: Images on the device at once.
        jit_compile: True compiles with XLA, False runs the graph, "auto" chooses by the device.
        precision: Floating-point type in which the classifier computes: "float32", "bfloat16", or "auto" for
            bfloat16 where it is faster.
        tolerance: Relative L1 error of the map at which an image has steps enough, with ``steps="auto"``.
        max_steps: Largest number of steps of an image, with ``steps="auto"``.

    Example:
        >>> f = lambda x: tf.reduce_mean(x[:, :2] ** 2, axis=(1, 2, 3))
        >>> IntegratedGradients(f).explain(tf.ones((1, 4, 2, 1))).maps["integrated_gradients"].sum().round(5)
        np.float32(1.0)
    """

    def __init__(
        self,
        classifier: Any,
        *,
        target: int | None = None,
        steps: int | str = 50,
        path_chunk: int | None = None,
        batch_size: int = 16,
        jit_compile: bool | str = "auto",
        precision: str = "float32",
        tolerance: float = 0.05,
        max_steps: int = 129,
    ):
        self.path_options = PathOptions(steps, path_chunk, None, tolerance, max_steps)
        super().__init__(("integrated_gradients",), batch_size, use_xla(jit_compile, steps != AUTO))
        self.probability = probability_function(classifier, target, precision)

    def explain_batch(self, images: tf.Tensor, count: tf.Tensor) -> Mapping[str, Any]:
        black = tf.zeros_like(images)
        sums = integrals_along_path(
            self.probability,
            black,
            images,
            self.path_options,
            (change_of_probability,),
            lambda integrals: tf.abs(integrals[0]),
            count,
        )
        return {"maps": {"integrated_gradients": tf.abs(sums.integrals[0])}, "score": sums.score_adversary}
