"""The gradient: how much the probability changes with each pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfadvpath.explainers.base import Explainer
from tfadvpath.explainers.registry import register
from tfadvpath.path.classifier import probability_function, scores_and_gradients


@register("gradient")
class Gradient(Explainer):
    """Explains with the size of the gradient, E = |∂f/∂x|, map [B, H, W, C].

    Source: Simonyan, Vedaldi and Zisserman 2014, "Deep inside convolutional networks".

    Args:
        classifier: Classifier of images in [0, 1], as ``tfadvpath.feature_importance`` takes it.
        target: Class to explain where the classifier has K of them.
        batch_size: Images on the device at once.
        jit_compile: True compiles with XLA, False runs the graph, "auto" chooses by the device.
        precision: Floating-point type in which the classifier computes: "float32", "bfloat16", or "auto" for
            bfloat16 where it is faster.

    Example:
        >>> f = lambda x: tf.reduce_mean(x[:, :2], axis=(1, 2, 3))  # looks at the two upper rows
        >>> Gradient(f).explain(tf.ones((1, 4, 2, 1))).maps["gradient"][0, :, 0, 0]
        array([0.25, 0.25, 0.  , 0.  ], dtype=float32)
    """

    def __init__(
        self,
        classifier: Any,
        *,
        target: int | None = None,
        batch_size: int = 16,
        jit_compile: bool | str = "auto",
        precision: str = "float32",
    ):
        super().__init__(("gradient",), batch_size, jit_compile)
        self.probability = probability_function(classifier, target, precision)

    def explain_batch(self, images: tf.Tensor, count: tf.Tensor) -> Mapping[str, Any]:
        scores, gradients = scores_and_gradients(self.probability, images)
        return {"maps": {"gradient": tf.abs(gradients)}, "score": scores}
