"""All adversarial-path maps from one pass of gradients along the path."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from tfadvpath.gaussian import gaussian_filter
from tfadvpath.paths import LinearPath, Path
from tfadvpath.probability import Probability, probability_function

# 25 points of 224x224 pixels are differentiated at once where `path_chunk` is not given. A process with a
# ResNet50V2 then peaks at 2 GB on a CPU, and larger chunks are no faster there (benchmarks/path_speed.py).
_DEFAULT_CHUNK_PIXELS = 25 * 224 * 224
# Below this change of the probability along the path, a residual relative to it says nothing.
_SMALLEST_CHANGE = 1e-6


class PathImportance(NamedTuple):
    """The maps of Charachon et al. 2021 for a batch, and the figures to trust them by. All float32.

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
    """

    difference: tf.Tensor
    fi_v1: tf.Tensor
    fi_v2: tf.Tensor
    fi_v2_smooth: tf.Tensor
    completeness_residual: tf.Tensor
    score_start: tf.Tensor
    score_adversary: tf.Tensor
    endpoint_distance: tf.Tensor


MAPS = ("difference", "fi_v1", "fi_v2", "fi_v2_smooth")


@dataclass(frozen=True)
class PathOptions:
    """How the integral is taken: the options of ``feature_importance`` by the same names."""

    steps: int = 50
    path_chunk: int | None = None
    sigma: float = 2.0
    kernel_size: int = 28
    path: Path | None = None
    dtype: str | None = None

    def __post_init__(self) -> None:
        if self.steps < 1 or (self.path_chunk is not None and self.path_chunk < 1):
            raise ValueError(
                "`steps` and `path_chunk` must be positive. "
                f"Received: steps={self.steps}, path_chunk={self.path_chunk}"
            )


def feature_importance(
    classifier: Any,
    start: Any,
    adversary: Any,
    *,
    target: int | None = None,
    steps: int = 50,
    path_chunk: int | None = None,
    sigma: float = 2.0,
    kernel_size: int = 28,
    path: Path | None = None,
    jit_compile: bool | str = "auto",
    dtype: str | None = None,
) -> PathImportance:
    """Weights the difference of start and adversary with the classifier's gradient along their path.

    The gradient is taken at the midpoints λ = (m - 1/2) / steps, m = 1 … steps (paper eq. 6), in ONE pass
    for all maps. Images and steps are differentiated `path_chunk` points at a time, so memory depends
    neither on the number of steps nor, but for the images themselves, on that of images.

    Repeated calls with the same classifier and options reuse one compiled function. It follows the
    classifier's variables but no other change: after replacing a layer or an activation, pass a new model. A
    batch is padded to a power of two, at least to the largest seen of its image size; no gradient is taken
    for the padding. The functions of the last four pairs of classifier and options are kept.

    Args:
        classifier: Any callable float [N, H, W, C] -> probabilities [N], [N, 1] or [N, K]: a Keras 3 or
            tf_keras model (called with ``training=False``), a signature of a loaded SavedModel, a
            TensorFlow function.
        start: float [B, H, W, C], B >= 1: the stable image, or the input itself. In the range that the
            classifier takes, which is not checked.
        adversary: float [B, H, W, C]: the image across the decision.
        target: The class to explain where the classifier has K of them.
        steps: M, points of the Riemann sum.
        path_chunk: Points (images x steps) in one pass of gradients. None chooses by the image size.
        sigma: Of the smoothing kernel, in pixels.
        kernel_size: Taps per axis of the smoothing kernel.
        path: A path of ``tfadvpath.paths``; None is the straight one.
        jit_compile: True compiles with XLA, False runs the graph, "auto" is XLA on an accelerator and the
            graph on a CPU, where it is the faster. The maps are the same.
        dtype: Floating-point type in which the classifier is fed, such as "bfloat16". None is float32. It is
            for callables that compute in the type they are given: Keras models follow their own policy.

    Returns:
        PathImportance, float32 whatever ran inside.

    Raises:
        ValueError: Shapes differ, are not [B, H, W, C] or not known; values are integers; an option is out of
            range; the classifier has no gradient.
        TypeError: The classifier cannot be called.

    Example:
        >>> start, adversary = tf.zeros((1, 32, 32, 1)), tf.ones((1, 32, 32, 1))
        >>> mean = lambda x: tf.reduce_mean(x, axis=(1, 2, 3))
        >>> result = feature_importance(mean, start, adversary)
        >>> bool(abs(result.fi_v2[0, 0, 0, 0] * 32 * 32 - 1) < 1e-5)
        True
    """
    start, adversary = tf.convert_to_tensor(start), tf.convert_to_tensor(adversary)
    if start.shape.rank != 4 or start.shape != adversary.shape:
        raise ValueError(
            "`start` and `adversary` must both be [B, H, W, C]. Received: shapes "
            f"{tuple(start.shape)} and {tuple(adversary.shape)}"
        )
    if start.shape[0] == 0 or not start.shape.is_fully_defined():
        raise ValueError(f"Images must be [B >= 1, H, W, C], all known. Received: shape {start.shape}")
    if not (start.dtype.is_floating and adversary.dtype.is_floating):
        raise ValueError(
            "Images must be floating-point, in the range that the classifier takes. "
            f"Received: {start.dtype.name} and {adversary.dtype.name}"
        )
    target = None if target is None else operator.index(target)
    options = PathOptions(steps, path_chunk, sigma, kernel_size, path, dtype)
    key = (classifier, target, options, use_xla(jit_compile))
    try:
        hash(key)
    except TypeError:
        compiled = _CompiledPass(*key)
    else:
        compiled = _compiled_pass(*key)
    return compiled(tf.cast(start, tf.float32), tf.cast(adversary, tf.float32))


def use_xla(jit_compile: bool | str) -> bool:
    """Returns whether XLA compiles: "auto" is True where TensorFlow sees a GPU or a TPU.

    Raises:
        ValueError: Neither a bool nor "auto".
    """
    if jit_compile == "auto":
        return bool(tf.config.get_visible_devices("GPU") or tf.config.get_visible_devices("TPU"))
    if not isinstance(jit_compile, bool):
        raise ValueError(f'`jit_compile` must be True, False or "auto". Received: {jit_compile!r}')
    return jit_compile


class _CompiledPass:
    """One compiled function; batches of one image size share a trace up to the largest seen."""

    def __init__(self, classifier: Any, target: int | None, options: PathOptions, jit_compile: bool):
        probability = probability_function(classifier, target)

        def run(start: tf.Tensor, adversary: tf.Tensor, count: tf.Tensor) -> PathImportance:
            return integrate_path(probability, start, adversary, options, count)

        self.run = tf.function(run, jit_compile=jit_compile)
        self.capacities: dict[tuple[int, ...], int] = {}

    def __call__(self, start: tf.Tensor, adversary: tf.Tensor) -> PathImportance:
        count, *image_shape = start.shape
        # Powers of two: batches that grow one by one are traced a few times, not every time.
        capacity = max(1 << (count - 1).bit_length(), self.capacities.get(tuple(image_shape), 0))
        self.capacities[tuple(image_shape)] = capacity
        start, adversary = (pad_images(images, capacity) for images in (start, adversary))
        result = self.run(start, adversary, tf.constant(count))
        return PathImportance(*(field[:count] for field in result))


_compiled_pass = functools.lru_cache(maxsize=4)(_CompiledPass)


def pad_images(images: tf.Tensor, size: int | tf.Tensor) -> tf.Tensor:
    """Appends black images up to ``size``."""
    return tf.pad(images, [[0, size - tf.shape(images)[0]], [0, 0], [0, 0], [0, 0]])


def integrate_path(
    probability: Probability,
    start: tf.Tensor,
    adversary: tf.Tensor,
    options: PathOptions,
    count: tf.Tensor | None = None,
) -> PathImportance:
    """The computation of ``feature_importance`` as graph code, to be called inside a ``tf.function``.

    Args:
        probability: float [N, H, W, C] -> [N], as ``probability_function`` makes it.
        start: float32 [B, H, W, C]; H, W and C are static.
        adversary: As ``start``.
        options: How the integral is taken.
        count: int32 scalar: images after the first ``count`` are padding, their results are undefined. None
            is B.
    """
    height, width, channels = start.shape[1:]
    images = tf.shape(start)[0] if start.shape[0] is None else start.shape[0]
    path_chunk = options.path_chunk or max(1, _DEFAULT_CHUNK_PIXELS // (height * width))
    block, chunk = _tiling(options.steps, path_chunk, start.shape[0])
    positions, weights = _midpoints(options.steps, chunk)
    blocks = -(-images // block)  # images / block, rounded up
    start_blocks, adversary_blocks = (
        tf.reshape(pad_images(x, blocks * block), [blocks, block, height, width, channels])
        for x in (start, adversary)
    )
    used = blocks if count is None else -(-count // block)

    def one_block(i: tf.Tensor, results: tuple[tf.TensorArray, ...]) -> tuple[tf.Tensor, Any]:
        sums = _integrate_block(
            probability, start_blocks[i], adversary_blocks[i], positions, weights, options
        )
        return i + 1, tuple(result.write(i, value) for result, value in zip(results, sums, strict=True))

    shapes = [(block, height, width, channels)] * 2 + [(block,)] * 3 + [(block, 2)]
    results = tuple(tf.TensorArray(tf.float32, blocks, element_shape=shape) for shape in shapes)
    # One block at a time: parallel iterations would hold the activations of several.
    _, results = tf.while_loop(
        lambda i, _: i < used, one_block, (tf.constant(0), results), parallel_iterations=1
    )
    signed, absolute, change, score_start, score_adversary, endpoint_distance = (
        tf.reshape(result.stack(), [blocks * block, *shape[1:]])[:images]
        for result, shape in zip(results, shapes, strict=True)
    )
    expected = score_adversary - score_start
    return PathImportance(
        difference=tf.abs(start - adversary),
        fi_v1=tf.abs(signed),
        fi_v2=absolute,
        fi_v2_smooth=gaussian_filter(absolute, options.sigma, options.kernel_size),
        completeness_residual=tf.abs(change - expected) / tf.maximum(tf.abs(expected), _SMALLEST_CHANGE),
        score_start=score_start,
        score_adversary=score_adversary,
        endpoint_distance=endpoint_distance,
    )


def _tiling(steps: int, path_chunk: int, images: int | None) -> tuple[int, int]:
    """Returns how many images and how many steps of each make one pass: at most path_chunk points together.

    A path longer than the chunk is cut into equal parts; shorter paths of several images share a pass.
    """
    parts = math.ceil(steps / path_chunk)
    chunk = math.ceil(steps / parts)
    block = max(1, path_chunk // steps)
    return (block if images is None else max(1, min(block, images))), chunk


def _midpoints(steps: int, chunk: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns positions λ and weights, float32 [chunks, chunk]; the last chunk is filled up with weight 0."""
    chunks = math.ceil(steps / chunk)
    index = tf.range(chunks * chunk, dtype=tf.float32)
    positions = tf.minimum((index + 0.5) / steps, 1.0)
    weights = tf.where(index < steps, 1.0 / steps, 0.0)
    return tf.reshape(positions, [chunks, chunk]), tf.reshape(weights, [chunks, chunk])


def _integrate_block(
    probability: Probability,
    start: tf.Tensor,
    adversary: tf.Tensor,
    positions: tf.Tensor,
    weights: tf.Tensor,
    options: PathOptions,
) -> tuple[tf.Tensor, ...]:
    """Returns the signed and the absolute sums [block, H, W, C], the change, both scores, the distances."""
    path = options.path or LinearPath()
    endpoints = path.endpoints(start, adversary)
    gradient_at = _gradient_function(probability, start.shape[1:], options.dtype)

    def one_chunk(
        i: tf.Tensor, signed: tf.Tensor, absolute: tf.Tensor, change: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        points, velocity = path.at(endpoints, positions[i])  # [block, chunk, H, W, C]
        gradient = gradient_at(points)
        weight = weights[i][tf.newaxis, :, tf.newaxis, tf.newaxis, tf.newaxis]
        squared = weight * tf.square(velocity)
        signed += tf.reduce_sum(gradient * squared, axis=1)
        absolute += tf.reduce_sum(tf.abs(gradient) * squared, axis=1)
        change += tf.reduce_sum(gradient * velocity * weight, axis=(1, 2, 3, 4))
        return i + 1, signed, absolute, change

    zeros = tf.zeros_like(start)
    chunks = positions.shape[0]
    initial = (tf.constant(0), zeros, zeros, tf.zeros(start.shape[0]))
    _, signed, absolute, change = tf.while_loop(
        lambda i, *_: i < chunks, one_chunk, initial, parallel_iterations=1
    )
    ends, _ = path.at(endpoints, tf.constant([0.0, 1.0]))  # [block, 2, H, W, C]
    scores = tf.reshape(probability(_classifier_input(ends, start.shape[1:], options.dtype)), [-1, 2])
    scores = tf.cast(scores, tf.float32)
    distance = tf.reduce_mean(tf.abs(ends - tf.stack([start, adversary], axis=1)), axis=(2, 3, 4))
    return signed, absolute, change, scores[:, 0], scores[:, 1], distance


def _classifier_input(points: tf.Tensor, image_shape: tf.TensorShape, dtype: str | None) -> tf.Tensor:
    return tf.cast(tf.reshape(points, [-1, *image_shape]), dtype or tf.float32)


def _gradient_function(
    probability: Probability, image_shape: tf.TensorShape, dtype: str | None
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the gradient of the probability at points [block, chunk, H, W, C], float32 of that shape."""

    def gradient_at(points: tf.Tensor) -> tf.Tensor:
        flat = _classifier_input(points, image_shape, dtype)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(flat)
            scores = probability(flat)
        scale = _gradient_scale(scores)
        gradient = tape.gradient(scores, flat, output_gradients=tf.cast(scale, scores.dtype))
        if gradient is None:
            raise ValueError("The classifier's output has no gradient with respect to its input images")
        gradient = tf.cast(gradient, tf.float32) / scale[:, tf.newaxis, tf.newaxis, tf.newaxis]
        return tf.reshape(gradient, tf.shape(points))

    return gradient_at


def _gradient_scale(scores: tf.Tensor) -> tf.Tensor:
    """Returns powers of two about 1 / (p (1 - p)), at most 2^15: float32 [N].

    The slope of a sigmoid near 0 or 1 is so small that layers in half precision would round it to 0. A power
    of two changes nothing in float32.
    """
    scores = tf.cast(tf.stop_gradient(scores), tf.float32)
    slope = tf.clip_by_value(scores * (1.0 - scores), 2.0**-15, 0.25)
    return tf.pow(2.0, -tf.round(tf.math.log(slope) / math.log(2.0)))
