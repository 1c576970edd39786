"""The paper's method: a generator's path between a stable image and an adversary, weighted by importance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import tensorflow as tf

from tfadvpath.explainers.base import Explainer
from tfadvpath.explainers.registry import register
from tfadvpath.explanation import PathExplanation
from tfadvpath.generators.base import AdversarialPair
from tfadvpath.importance import PathOptions, integrate_path, use_xla
from tfadvpath.probability import probability_function


class PairGenerator(Protocol):
    """What makes the ends of the path: ``SyCE`` and its relatives."""

    classifier: Any

    def generate(self, images: tf.Tensor) -> AdversarialPair: ...


@register("cyce", generator="cyce")
@register("syce", generator="syce")
@register("sagen", generator="sagen")
class AdversarialPath(Explainer):
    """Generates start and adversary and integrates the gradient between them, in one compiled function.

    Source: Charachon et al. 2021, eq. 1-6.

    Args:
        generator: Has ``classifier`` and ``generate(images) -> AdversarialPair``.
        batch_size: Images on the device at once.
        jit_compile: As of ``tfadvpath.feature_importance``.
        **options: Of ``tfadvpath.importance.PathOptions``: steps, path_chunk, sigma and so on.
    """

    EXPLANATION: ClassVar = PathExplanation

    def __init__(
        self,
        generator: PairGenerator,
        *,
        batch_size: int = 16,
        jit_compile: bool | str = "auto",
        **options: Any,
    ):
        super().__init__(("fi_v2_smooth", "fi_v2", "fi_v1", "difference"), batch_size)
        probability = probability_function(generator.classifier)
        if options.get("path") is not None:
            raise ValueError("`path` is straight here: a manifold is of one class, and batches hold both")
        path_options = PathOptions(**options)

        def explain_batch(images: tf.Tensor, count: tf.Tensor) -> dict[str, Any]:
            pair = generator.generate(images)
            result = integrate_path(probability, pair.start, pair.adversary, path_options, count)
            return {
                "maps": {name: getattr(result, name) for name in self.map_names},
                "score": pair.probability,
                "start": pair.start,
                "adversary": pair.adversary,
                "score_start": result.score_start,
                "score_adversary": result.score_adversary,
                "completeness_residual": result.completeness_residual,
            }

        self._explain_batch = tf.function(explain_batch, jit_compile=use_xla(jit_compile))

    def explain_batch(self, images: tf.Tensor, count: tf.Tensor) -> Mapping[str, Any]:
        return self._explain_batch(images, count)
