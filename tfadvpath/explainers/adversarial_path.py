"""The paper's method: a generator's path between a stable image and an adversary, weighted by importance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import keras
import tensorflow as tf

from tfadvpath.explainers.base import Explainer
from tfadvpath.explainers.generator_path import STRAIGHT, generator_path
from tfadvpath.explainers.registry import register
from tfadvpath.explanation import PathExplanation
from tfadvpath.generators.base import AdversarialPair
from tfadvpath.generators.registry import path_generators
from tfadvpath.path.classifier import probability_function
from tfadvpath.path.compilation import use_xla
from tfadvpath.path.importance import SMOOTHED, ImportanceOptions, integrate_path
from tfadvpath.path.integral import AUTO
from tfadvpath.path.lengths import smoothing_kernel


class MakesPairs(Protocol):
    """A generator of the path's ends: ``SyCE`` and its relatives."""

    classifier: Any

    def generate(self, images: tf.Tensor) -> AdversarialPair: ...


class AdversarialPath(Explainer):
    """Generates start and adversary and integrates the gradient between them, in one compiled function.

    Source: Charachon et al. 2021, eq. 1-6.

    Args:
        generator: Generator with ``classifier`` and ``generate(images) -> AdversarialPair``.
        batch_size: Images on the device at once.
        jit_compile: True compiles with XLA, False runs the graph, "auto" chooses by the device.
        steps: Number of points of the path where the gradient is taken, or "auto": as many as each image
            needs.
        path_chunk: Points (images x steps) in one pass of gradients; None chooses by the image size.
        sigma: Standard deviation of the smoothing kernel in pixels; None is 2 pixels of 224, in proportion to
            the image's side.
        kernel_size: Number of taps per axis of the smoothing kernel; None is twice 7 σ, 28 at 224 pixels.
        path: Path from start to adversary: "straight", or "manifold", the curve of the generator's decoder,
            see ``tfadvpath.ManifoldPath``. It needs networks that encode and decode, as those of CyCE, SyCE
            and SAGen do, and takes longer.
        precision: Floating-point type in which the classifier's gradients and the scores of both ends are
            computed: "float32", "bfloat16", or "auto" for bfloat16 where it is faster. The pair of images
            and the score of the input are computed in float32.
        tolerance: Relative L1 error of the map at which an image has steps enough, with ``steps="auto"``.
        tolerance_map: Map whose error that is: "fi_v1", "fi_v2" or "fi_v2_smooth".
        max_steps: Largest number of steps of an image, with ``steps="auto"``.

    Raises:
        TypeError: The generator makes no pairs.
        InputError: There is no such path, or the generator has no networks for it.
    """

    EXPLANATION: ClassVar = PathExplanation

    def __init__(
        self,
        generator: MakesPairs,
        *,
        batch_size: int = 16,
        jit_compile: bool | str = "auto",
        steps: int | str = 50,
        path_chunk: int | None = None,
        sigma: float | None = None,
        kernel_size: int | None = None,
        path: str = STRAIGHT,
        precision: str = "float32",
        tolerance: float = 0.05,
        tolerance_map: str = SMOOTHED,
        max_steps: int = 129,
    ):
        if not callable(getattr(generator, "generate", None)):
            raise TypeError(
                "`generator` must make pairs, as tfadvpath.generators.SyCE does. "
                f"Received: {type(generator).__name__}"
            )
        # Keras keeps AutoGraph out of its models; a function may need it.
        autograph = not isinstance(generator.classifier, keras.Model)
        self.path_options = ImportanceOptions(
            steps,
            path_chunk,
            generator_path(path, generator),
            tolerance,
            max_steps,
            sigma,
            kernel_size,
            tolerance_map,
        )
        xla = use_xla(jit_compile, steps != AUTO)
        super().__init__(("fi_v2_smooth", "fi_v2", "fi_v1", "difference"), batch_size, xla, autograph)
        self.generator = generator
        self.probability = probability_function(generator.classifier, precision=precision)

    def lengths(self, height: int, width: int) -> dict[str, float]:
        options = self.path_options
        return smoothing_kernel((height, width), options.sigma, options.kernel_size)._asdict()

    def explain_batch(self, images: tf.Tensor, count: tf.Tensor) -> Mapping[str, Any]:
        pair = self.generator.generate(images)
        # The network that made the pair was chosen by the image, whose decision the start may not share.
        result = integrate_path(
            self.probability, pair.start, pair.adversary, self.path_options, count, pair.is_one
        )
        counted = {"steps": result.steps, "map_error": result.map_error}
        return {
            "maps": {name: getattr(result, name) for name in self.map_names},
            "score": pair.probability,
            "start": pair.start,
            "adversary": pair.adversary,
            "score_start": result.score_start,
            "score_adversary": result.score_adversary,
            "completeness_residual": result.completeness_residual,
            **(counted if self.path_options.steps == AUTO else {}),
        }


for _name in path_generators():
    register(_name, generator=_name)(AdversarialPath)
