"""Adversarial-path maps, all from one pass of gradients along the path."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from tfadvpath.path.classifier import Probability, probability_function
from tfadvpath.path.compilation import one_per_classifier, use_xla
from tfadvpath.path.gaussian import gaussian_filter
from tfadvpath.path.image_pairs import PairFunction, checked_pairs
from tfadvpath.path.integral import (
    AUTO,
    PathOptions,
    absolute_importance,
    change_of_probability,
    signed_importance,
)
from tfadvpath.path.paths import Path
from tfadvpath.path.refinement import integrals_along_path

SMOOTHED = "fi_v2_smooth"
MAPS = ("difference", "fi_v1", "fi_v2", SMOOTHED)
# Those that depend on the number of steps.
INTEGRATED = MAPS[1:]
# Below this change of the probability along the path, a residual relative to it says nothing.
_SMALLEST_CHANGE = 1e-6


class PathImportance(NamedTuple):
    """The maps of Charachon et al. 2021 for a batch, and the numbers to trust them by. Float32 unless said.

    Attributes:
        difference: [B, H, W, C], |start - adversary| (eq. 1).
        fi_v1: [B, H, W, C], |mean of ∂f/∂x γ'^2| along the path (eq. 4 with F(x, y) = x y).
        fi_v2: [B, H, W, C], mean of |∂f/∂x| γ'^2 (eq. 4 with F(x, y) = |x| y, eq. 6).
        fi_v2_smooth: [B, H, W, C], fi_v2 convolved with a Gaussian (eq. 5).
        completeness_residual: [B], |Σ mean ∂f/∂x γ' - (f(γ(1)) - f(γ(0)))| relative to
            |f(γ(1)) - f(γ(0))|, at least 1e-6.
            Tends to 0 with more steps.
        score_start: [B], f(γ(0)) in [0, 1].
        score_adversary: [B], f(γ(1)) in [0, 1].
        endpoint_distance: [B, 2], mean |γ(0) - start| and mean |γ(1) - adversary|; 0 on the straight path.
        steps: int32 [B], points of each path where the gradient was taken.
        map_error: [B], estimated relative L1 error of the map ``tolerance_map`` with ``steps="auto"``; NaN
            with a fixed number of steps, which tells nothing of it.
    """

    difference: tf.Tensor
    fi_v1: tf.Tensor
    fi_v2: tf.Tensor
    fi_v2_smooth: tf.Tensor
    completeness_residual: tf.Tensor
    score_start: tf.Tensor
    score_adversary: tf.Tensor
    endpoint_distance: tf.Tensor
    steps: tf.Tensor
    map_error: tf.Tensor


@dataclass(frozen=True)
class ImportanceOptions(PathOptions):
    """Options of the integral, and of the kernel that smooths its map.

    Attributes:
        sigma: Standard deviation of the smoothing kernel in pixels; None is 2 pixels of 224, in proportion to
            the image's side.
        kernel_size: Number of taps per axis of the smoothing kernel; None is twice 7 σ, 28 at 224 pixels.
        tolerance_map: Map whose error decides about the steps, with ``steps="auto"``.
    """

    sigma: float | None = None
    kernel_size: int | None = None
    tolerance_map: str = SMOOTHED

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tolerance_map not in INTEGRATED:
            raise ValueError(
                f"`tolerance_map` must be one of {', '.join(INTEGRATED)}. Received: {self.tolerance_map!r}"
            )


def feature_importance(
    classifier: Any,
    start: Any,
    adversary: Any,
    *,
    target: int | None = None,
    steps: int | str = 50,
    path_chunk: int | None = None,
    sigma: float | None = None,
    kernel_size: int | None = None,
    path: Path | None = None,
    jit_compile: bool | str = "auto",
    precision: str = "float32",
    tolerance: float = 0.05,
    tolerance_map: str = SMOOTHED,
    max_steps: int = 129,
) -> PathImportance:
    """Weights the difference of start and adversary with the classifier's gradient along their path.

    The gradient is taken at the midpoints λ = (m - 1/2) / steps, m = 1 … steps (paper eq. 6), in one pass
    for all maps. Images and steps are differentiated ``path_chunk`` points at a time, so memory depends
    neither on the number of steps nor, but for the images themselves, on that of images.

    With ``steps="auto"`` each image gets 9, 17, 33 … steps, as many as it takes until the estimated error of
    a map is within ``tolerance``: see ``path.refinement.integrals_along_path``.

    Repeated calls with the same classifier and options reuse one compiled function. It follows the
    classifier's variables but no other change: after replacing a layer or an activation, pass a new model. A
    batch is padded to a power of two, at least to the largest seen of its image size; no gradient is taken
    for the padding. The functions of the last four pairs of classifier and options are kept.

    Args:
        classifier: Callable float [N, H, W, C] -> probabilities [N], [N, 1] or [N, K]: a Keras 3 or
            tf_keras model (called with ``training=False``), a signature of a loaded SavedModel, a
            TensorFlow function.
        start: float [B, H, W, C], B >= 1: the stable image, or the input itself. In the range that the
            classifier takes, which is not checked.
        adversary: float [B, H, W, C]: the image across the decision.
        target: Class to explain where the classifier has K of them.
        steps: Number M of the Riemann sum's points, or "auto": as many as each image needs.
        path_chunk: Points (images x steps) in one pass of gradients; None chooses by the image size.
        sigma: Standard deviation of the smoothing kernel in pixels; None is 2 pixels of 224, in proportion to
            the image's side: 0.57 at 64 pixels.
        kernel_size: Number of taps per axis of the smoothing kernel; None is twice 7 σ: 28 at 224 pixels, 8
            at 64.
        path: Path of ``tfadvpath.path.paths``; None is the straight one.
        jit_compile: True compiles with XLA, False runs the graph, "auto" is XLA on an accelerator and the
            graph on a CPU, where it is the faster. The maps are the same. With ``steps="auto"`` it is the
            graph.
        precision: Floating-point type in which the classifier computes: "float32", "bfloat16", or "auto" for
            bfloat16 where it is faster. A functional or sequential Keras model is computed in it; other
            callables are fed images of that type. The scores are those of this computation.
        tolerance: Relative L1 error of the map at which an image has steps enough, with ``steps="auto"``.
        tolerance_map: Map whose error that is: "fi_v1", "fi_v2" or "fi_v2_smooth".
        max_steps: Largest number of steps of an image, with ``steps="auto"``.

    Returns:
        PathImportance, float32 whatever ran inside.

    Raises:
        ValueError: Shapes differ, are not [B, H, W, C] or not known; values are integers; an option is out of
            range; the classifier has no gradient, or cannot compute in the ``precision``.
        TypeError: The classifier cannot be called.

    Example:
        >>> start, adversary = tf.zeros((1, 32, 32, 1)), tf.ones((1, 32, 32, 1))
        >>> mean = lambda x: tf.reduce_mean(x, axis=(1, 2, 3))
        >>> result = feature_importance(mean, start, adversary)
        >>> bool(abs(result.fi_v2[0, 0, 0, 0] * 32 * 32 - 1) < 1e-5)
        True
    """
    start, adversary = checked_pairs(start, adversary)
    target = None if target is None else operator.index(target)
    options = ImportanceOptions(
        steps, path_chunk, path, tolerance, max_steps, sigma, kernel_size, tolerance_map
    )
    xla = use_xla(jit_compile, steps != AUTO)
    importance: PathImportance = _compiled(classifier, target, options, precision, xla)(start, adversary)
    return importance


@one_per_classifier
def _compiled(
    classifier: Any, target: int | None, options: ImportanceOptions, precision: str, jit_compile: bool
) -> PairFunction:
    probability = probability_function(classifier, target, precision)

    def run(start: tf.Tensor, adversary: tf.Tensor, count: tf.Tensor) -> PathImportance:
        return integrate_path(probability, start, adversary, options, count)

    return PairFunction(run, jit_compile)


def integrate_path(
    probability: Probability,
    start: tf.Tensor,
    adversary: tf.Tensor,
    options: ImportanceOptions,
    count: tf.Tensor | None = None,
    is_one: tf.Tensor | None = None,
) -> PathImportance:
    """Returns the maps of ``feature_importance`` by graph code, to be called inside a ``tf.function``.

    Args:
        probability: float [N, H, W, C] -> [N], as ``probability_function`` makes it.
        start: float32 [B, H, W, C]; H, W and C are static.
        adversary: float32 [B, H, W, C].
        options: Options of the integral and of the smoothing.
        count: int32 scalar: images after the first ``count`` are padding, their results are undefined. None
            is B.
        is_one: bool [B], whether each image is of class 1, for a path that has a network for either class.
            None leaves the choice to the path.
    """
    integrands = signed_importance, absolute_importance, change_of_probability

    def watched(integrals: Sequence[tf.Tensor]) -> tf.Tensor:
        signed, absolute, _ = integrals
        if options.tolerance_map == "fi_v1":
            return tf.abs(signed)
        return smoothed(absolute) if options.tolerance_map == SMOOTHED else absolute

    def smoothed(image: tf.Tensor) -> tf.Tensor:
        return gaussian_filter(image, options.sigma, options.kernel_size)

    sums = integrals_along_path(probability, start, adversary, options, integrands, watched, count, is_one)
    signed, absolute, change = sums.integrals
    expected = sums.score_adversary - sums.score_start
    residual = tf.abs(tf.reduce_sum(change, axis=(1, 2, 3)) - expected)
    return PathImportance(
        difference=tf.abs(start - adversary),
        fi_v1=tf.abs(signed),
        fi_v2=absolute,
        fi_v2_smooth=smoothed(absolute),
        completeness_residual=residual / tf.maximum(tf.abs(expected), _SMALLEST_CHANGE),
        score_start=sums.score_start,
        score_adversary=sums.score_adversary,
        endpoint_distance=sums.endpoint_distance,
        steps=sums.steps,
        map_error=sums.map_error,
    )
