"""The paper's general integral along a path, of any function of gradient and velocity."""

from __future__ import annotations

import operator
from typing import Any

import tensorflow as tf

from tfadvpath.path.classifier import probability_function
from tfadvpath.path.compilation import one_per_classifier, use_xla
from tfadvpath.path.image_pairs import PairFunction, checked_pairs
from tfadvpath.path.integral import AUTO, Integrand, PathOptions
from tfadvpath.path.paths import Path
from tfadvpath.path.refinement import integrals_along_path


def path_integral(
    classifier: Any,
    start: Any,
    adversary: Any,
    integrand: Integrand,
    *,
    target: int | None = None,
    steps: int | str = 50,
    path_chunk: int | None = None,
    path: Path | None = None,
    jit_compile: bool | str = "auto",
    precision: str = "float32",
    tolerance: float = 0.05,
    max_steps: int = 129,
) -> tf.Tensor:
    """Integrates any function of the classifier's gradient and of the path's velocity, pixel by pixel.

    Equation 3 of Charachon et al. 2021 leaves a function F open:

        E(x) = | ∫ F(∂f/∂x(γ(u)), γ'(u)) γ'(u) du |, u from 0 to 1

    ``integrand(x, y)`` is F(x, y) y, with x the gradient and y the velocity. This function returns the
    integral without the bars, which keeps its sign and lets its pixels be added up. Known methods are:

        integrand(x, y)       F(x, y)    what comes of it
        x * y                 x          integrated gradients; the pixels add up to f(γ(1)) - f(γ(0))
        x * y**2              x y        ``fi_v1``, once its absolute value is taken
        tf.abs(x) * y**2      |x| y      ``fi_v2``

    All three are in ``feature_importance``, which takes one pass of gradients for them together, at the same
    midpoints. One function is compiled for a classifier, its options and an integrand, and the last four are
    kept: name the integrand once and pass the same one, rather than write a lambda in each call.

    Args:
        classifier: Callable float [N, H, W, C] -> probabilities [N], [N, 1] or [N, K], as
            ``feature_importance`` takes it.
        start: float [B, H, W, C], B >= 1: the stable image, or the input itself. In the range that the
            classifier takes, which is not checked.
        adversary: float [B, H, W, C]: the image across the decision.
        integrand: Function of the gradient, float32 [B, K, H, W, C] at K points of the path of each image,
            and of the velocity, float32 [B, K, H, W, C] or [B, 1, H, W, C] where it is constant. It returns
            float32 [B, K, H, W, C], finite, and is graph code.
        target: Class to explain where the classifier has K of them.
        steps: Number M of the Riemann sum's points, or "auto": as many as each image needs, as in
            ``feature_importance``.
        path_chunk: Points (images x steps) in one pass of gradients; None chooses by the image size.
        path: Path of ``tfadvpath.path.paths``; None is the straight one.
        jit_compile: True compiles with XLA, False runs the graph, "auto" is XLA on an accelerator and the
            graph on a CPU. With ``steps="auto"`` it is the graph.
        precision: Floating-point type in which the classifier computes, as ``feature_importance`` takes it.
        tolerance: Relative L1 error of the integral at which an image has steps enough, with
            ``steps="auto"``.
        max_steps: Largest number of steps of an image, with ``steps="auto"``.

    Returns:
        The integral, float32 [B, H, W, C]. A map of importance is its absolute value.

    Raises:
        ValueError: Shapes differ, are not [B, H, W, C] or not known; values are integers; an option is out of
            range; the classifier has no gradient; the integrand returns another shape or type.
        TypeError: The classifier or the integrand cannot be called.

    Example:
        >>> mean = lambda x: tf.reduce_mean(x**2, axis=(1, 2, 3))
        >>> start, adversary = tf.zeros((1, 2, 2, 1)), tf.ones((1, 2, 2, 1))
        >>> path_integral(mean, start, adversary, lambda x, y: x * y).numpy().ravel().round(4)
        array([0.25, 0.25, 0.25, 0.25], dtype=float32)
    """
    if not callable(integrand):
        raise TypeError(
            f"`integrand` must be a function of gradient and velocity. Received: {type(integrand).__name__}"
        )
    start, adversary = checked_pairs(start, adversary)
    target = None if target is None else operator.index(target)
    options = PathOptions(steps, path_chunk, path, tolerance, max_steps)
    xla = use_xla(jit_compile, steps != AUTO)
    return _compiled(classifier, target, options, precision, integrand, xla)(start, adversary)


@one_per_classifier
def _compiled(
    classifier: Any,
    target: int | None,
    options: PathOptions,
    precision: str,
    integrand: Integrand,
    jit_compile: bool,
) -> PairFunction:
    probability = probability_function(classifier, target, precision)

    def run(start: tf.Tensor, adversary: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        sums = integrals_along_path(
            probability, start, adversary, options, (integrand,), operator.itemgetter(0), count
        )
        return sums.integrals[0]

    return PairFunction(run, jit_compile)
