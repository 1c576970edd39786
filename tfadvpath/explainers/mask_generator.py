"""The mask generator's map: the mask that a trained decoder makes in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfadvpath.explainers.base import Explainer
from tfadvpath.explainers.registry import register
from tfadvpath.generators.mask_generator import MaskGenerator
from tfadvpath.path.classifier import probability_function


@register("mask_generator", generator="mask_generator")
class GeneratedMask(Explainer):
    """Explains with the mask M of a trained ``MaskGenerator``, map [B, H, W, 1] in [0, 1].

    Source: Dabkowski and Gal 2017, "Real time image saliency for black box classifiers".

    Args:
        generator: Trained generator of masks.
        batch_size: Images on the device at once.
        jit_compile: True compiles with XLA, False runs the graph, "auto" chooses by the device.

    Raises:
        TypeError: The generator makes no masks.
    """

    def __init__(self, generator: MaskGenerator, *, batch_size: int = 16, jit_compile: bool | str = "auto"):
        if not isinstance(generator, MaskGenerator):
            raise TypeError(
                "`generator` must be a trained tfadvpath.generators.MaskGenerator. "
                f"Received: {type(generator).__name__}"
            )
        super().__init__(("mask_generator",), batch_size, jit_compile)
        self.generator = generator
        self.probability = probability_function(generator.classifier)

    def explain_batch(self, images: tf.Tensor, count: tf.Tensor) -> Mapping[str, Any]:
        return {
            "maps": {"mask_generator": self.generator.mask(images)},
            "score": tf.cast(self.probability(images), tf.float32),
        }
