"""The paper's method: a generator's path between a stable image and an adversary, weighted by importance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import tensorflow as tf

from tfadvpath.explainers.base import Explainer
from tfadvpath.explainers.registry import register
from tfadvpath.explanation import PathExplanation
from tfadvpath.generators.base import AdversarialPair
from tfadvpath.importance import integrate_path
from tfadvpath.path_integral import PathOptions
from tfadvpath.probability import probability_function


class MakesPairs(Protocol):
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
        steps: As of ``feature_importance``, and so on.
        path_chunk: As there.
        sigma: As there.
        kernel_size: As there.
        dtype: As there.

    Raises:
        TypeError: The generator makes no pairs.
    """

    EXPLANATION: ClassVar = PathExplanation

    def __init__(
        self,
        generator: MakesPairs,
        *,
        batch_size: int = 16,
        jit_compile: bool | str = "auto",
        steps: int = 50,
        path_chunk: int | None = None,
        sigma: float = 2.0,
        kernel_size: int = 28,
        dtype: str | None = None,
    ):
        if not callable(getattr(generator, "generate", None)):
            raise TypeError(
                "`generator` must make pairs, as tfadvpath.generators.SyCE does. "
                f"Received: {type(generator).__name__}"
            )
        super().__init__(("fi_v2_smooth", "fi_v2", "fi_v1", "difference"), batch_size, jit_compile)
        self.generator = generator
        self.probability = probability_function(generator.classifier)
        # The path is the straight one: a manifold is of one class, and batches hold both.
        self.path_options = PathOptions(steps, path_chunk, sigma, kernel_size, dtype=dtype)

    def explain_batch(self, images: tf.Tensor, count: tf.Tensor) -> Mapping[str, Any]:
        pair = self.generator.generate(images)
        result = integrate_path(self.probability, pair.start, pair.adversary, self.path_options, count)
        return {
            "maps": {name: getattr(result, name) for name in self.map_names},
            "score": pair.probability,
            "start": pair.start,
            "adversary": pair.adversary,
            "score_start": result.score_start,
            "score_adversary": result.score_adversary,
            "completeness_residual": result.completeness_residual,
        }
