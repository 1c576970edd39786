"""Sums of a classifier's gradients along paths, in chunks of points of one size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from tfadvpath.path.classifier import Probability, scores_and_gradients
from tfadvpath.path.classifier_input import said
from tfadvpath.path.paths import LinearPath, Path

# 25 points of 224x224 pixels are differentiated at once where `path_chunk` is not given. A process with a
# ResNet50V2 then peaks at 2 GB on a CPU, and larger chunks are no faster there (benchmarks/path_speed.py).
_DEFAULT_CHUNK_PIXELS = 25 * 224 * 224
# The fewest points whose error can be told: those of four intervals, and their midpoints.
LEAST_STEPS = 9

# What is integrated: graph code of the gradient [B, K, H, W, C] and of the velocity [B, K or 1, H, W, C] at K
# points of a path. It returns [B, K, H, W, C], or [B, 1, H, W, C] where all points have the same value.
Integrand = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def signed_importance(gradient: tf.Tensor, velocity: tf.Tensor) -> tf.Tensor:
    """Returns ∂f/∂x γ'^2: F(x, y) y of eq. 3 with F(x, y) = x y."""
    return gradient * tf.square(velocity)


def absolute_importance(gradient: tf.Tensor, velocity: tf.Tensor) -> tf.Tensor:
    """Returns |∂f/∂x| γ'^2: F(x, y) y of eq. 3 with F(x, y) = |x| y."""
    return tf.abs(gradient) * tf.square(velocity)


def change_of_probability(gradient: tf.Tensor, velocity: tf.Tensor) -> tf.Tensor:
    """Returns ∂f/∂x γ', whose integral is what each pixel adds to f(γ(1)) - f(γ(0))."""
    return gradient * velocity


# The map whose error decides about the steps: graph code of the integrals [B, H, W, C], one for each
# integrand, that returns [B, H, W, C].
Watched = Callable[[Sequence[tf.Tensor]], tf.Tensor]
AUTO = "auto"


class PathSums(NamedTuple):
    """Integrals along the path of every image, all float32 unless said.

    Attributes:
        integrals: [B, H, W, C] for each integrand, its mean over the path's points.
        score_start: [B], f(γ(0)).
        score_adversary: [B], f(γ(1)).
        endpoint_distance: [B, 2], mean |γ(0) - start| and mean |γ(1) - adversary|.
        steps: int32 [B], points where the gradient was taken.
        map_error: [B], estimated relative L1 error of the map, with ``steps="auto"``; NaN with a fixed
            number, which tells nothing of it.
    """

    integrals: tuple[tf.Tensor, ...]
    score_start: tf.Tensor
    score_adversary: tf.Tensor
    endpoint_distance: tf.Tensor
    steps: tf.Tensor
    map_error: tf.Tensor


@dataclass(frozen=True)
class PathOptions:
    """Options of the integral.

    Attributes:
        steps: Number of points of the path where the gradient is taken, or "auto": as many as an image needs.
        path_chunk: Points (images x steps) in one pass of gradients; None chooses by the image size.
        path: Path from start to adversary; None is the straight one.
        tolerance: Relative L1 error of the map at which an image has steps enough, with ``steps="auto"``.
        max_steps: Largest number of steps of an image, with ``steps="auto"``.
    """

    steps: int | str = 50
    path_chunk: int | None = None
    path: Path | None = None
    tolerance: float = 0.05
    max_steps: int = 129

    def __post_init__(self) -> None:
        if isinstance(self.steps, str) and self.steps != AUTO:
            raise ValueError(f'`steps` must be a number or "{AUTO}". Received: {self.steps!r}')
        steps = 1 if isinstance(self.steps, str) else self.steps
        if steps < 1 or (self.path_chunk is not None and self.path_chunk < 1):
            raise ValueError(
                "`steps` and `path_chunk` must be positive. "
                f"Received: steps={self.steps}, path_chunk={self.path_chunk}"
            )
        if not self.tolerance > 0.0:
            raise ValueError(f"`tolerance` must be positive. Received: {self.tolerance}")
        if self.max_steps < LEAST_STEPS:
            raise ValueError(f"`max_steps` must be at least {LEAST_STEPS}. Received: {self.max_steps}")


def sum_along_path(
    probability: Probability,
    start: tf.Tensor,
    adversary: tf.Tensor,
    options: PathOptions,
    integrands: Sequence[Integrand],
    count: tf.Tensor | None = None,
    is_one: tf.Tensor | None = None,
) -> PathSums:
    """Takes the gradient at the midpoints of the path, ``path_chunk`` points at a time, as graph code.

    Args:
        probability: float [N, H, W, C] -> [N], as ``probability_function`` makes it.
        start: float32 [B, H, W, C]; H, W and C are static.
        adversary: float32 [B, H, W, C].
        options: Options of the integral, with a number of steps.
        integrands: Functions of gradient and velocity that are integrated, all in one pass of gradients.
        count: int32 scalar: images after the first ``count`` are padding, their results are undefined. None
            is B.
        is_one: bool [B], whether each image is of class 1, for a path that has a network for either class.
            None leaves the choice to the path.

    Raises:
        ValueError: An integrand returns another shape or type than it must.
    """
    assert isinstance(options.steps, int)
    height, width, channels = start.shape[1:]
    images = tf.shape(start)[0] if start.shape[0] is None else start.shape[0]
    path_chunk = options.path_chunk or default_chunk(height, width)
    block, chunk = _tiling(options.steps, path_chunk, images)
    positions, weights = _midpoints(options.steps, chunk)
    # A TensorArray without a write has no element shape: a batch of 0 images still runs one block.
    blocks = _at_least_one(-(-images // block))
    start_blocks, adversary_blocks = (
        tf.reshape(pad_images(x, blocks * block), [blocks, block, height, width, channels])
        for x in (start, adversary)
    )
    if is_one is not None:
        is_one = tf.reshape(tf.pad(is_one, [[0, blocks * block - images]]), [blocks, block])
    used = blocks if count is None else _at_least_one(-(-count // block))
    path = options.path or LinearPath()

    def one_block(i: tf.Tensor, results: tuple[tf.TensorArray, ...]) -> tuple[tf.Tensor, Any]:
        ends = Ends(start_blocks[i], adversary_blocks[i], None if is_one is None else is_one[i])
        endpoints = path.endpoints(*ends.given())
        integrals, *_ = sum_chunks(probability, ends, endpoints, path, (positions, weights), integrands)
        values = *integrals, *_at_ends(probability, ends, endpoints, path)
        written = zip(results, values, strict=True)
        return i + 1, tuple(result.write(i, value) for result, value in written)

    shapes = [(height, width, channels)] * len(integrands) + [()] * 2 + [(2,)]
    rows = tf.get_static_value(block)
    results = tuple(tf.TensorArray(tf.float32, blocks, element_shape=(rows, *shape)) for shape in shapes)
    # One block at a time: parallel iterations would hold the activations of several.
    _, results = tf.while_loop(
        lambda i, _: i < used, one_block, (tf.constant(0), results), parallel_iterations=1
    )
    *integrals, score_start, score_adversary, distance = (
        tf.reshape(result.stack(), [blocks * block, *shape])[:images]
        for result, shape in zip(results, shapes, strict=True)
    )
    steps, error = tf.fill([images], options.steps), tf.fill([images], float("nan"))
    return PathSums(tuple(integrals), score_start, score_adversary, distance, steps, error)


def default_chunk(height: int, width: int) -> int:
    """Returns the points of that image size that are differentiated at once unless an option says it."""
    return max(1, _DEFAULT_CHUNK_PIXELS // (height * width))


def pad_images(images: tf.Tensor, size: int | tf.Tensor) -> tf.Tensor:
    """Appends black images up to ``size``."""
    return tf.pad(images, [[0, size - tf.shape(images)[0]], [0, 0], [0, 0], [0, 0]])


def _tiling(steps: int, path_chunk: int, images: int | tf.Tensor) -> tuple[int | tf.Tensor, int]:
    """Returns how many images and how many steps of each make one pass: at most path_chunk points together.

    A path longer than the chunk is cut into equal parts; shorter paths of several images share a pass, and
    passes share the images evenly. Where the number of images is known only when the graph runs, so is that
    of a pass.
    """
    parts = math.ceil(steps / path_chunk)
    passes = _at_least_one(-(-images // max(1, path_chunk // steps)))  # rounded up
    return _at_least_one(-(-images // passes)), math.ceil(steps / parts)


def _at_least_one(count: int | tf.Tensor) -> int | tf.Tensor:
    return max(1, count) if isinstance(count, int) else tf.maximum(1, count)


def _midpoints(steps: int, chunk: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns positions λ and weights, float32 [chunks, chunk]; the last chunk is filled up with weight 0."""
    chunks = math.ceil(steps / chunk)
    index = tf.range(chunks * chunk, dtype=tf.float32)
    positions = tf.minimum((index + 0.5) / steps, 1.0)
    weights = tf.where(index < steps, 1.0 / steps, 0.0)
    return tf.reshape(positions, [chunks, chunk]), tf.reshape(weights, [chunks, chunk])


class Ends(NamedTuple):
    """Start images and adversaries of some paths, float32 [B, H, W, C], and whether they are of class 1."""

    start: tf.Tensor
    adversary: tf.Tensor
    is_one: tf.Tensor | None

    def given(self) -> tuple[tf.Tensor, ...]:
        """Returns what ``Path.endpoints`` is given: the class of each image only where it is known."""
        return (self.start, self.adversary) if self.is_one is None else tuple(self)


class ChunkSums(NamedTuple):
    """What a pass over all chunks of the paths of B images adds up.

    Attributes:
        integrals: float32 [B, H, W, C] for each integrand: its values times the weights.
        scores: float32 [B, chunks x chunk], f(γ(λ)) at every position.
    """

    integrals: tuple[tf.Tensor, ...]
    scores: tf.Tensor


def sum_chunks(
    probability: Probability,
    ends: Ends,
    endpoints: Any,
    path: Path,
    places: tuple[tf.Tensor, tf.Tensor],
    integrands: Sequence[Integrand],
) -> ChunkSums:
    """Adds up integrands along the paths of some images, one chunk of positions after the other.

    Args:
        probability: float [N, H, W, C] -> [N].
        ends: Start images and adversaries.
        endpoints: Result of ``path.endpoints`` for them.
        path: Path between them.
        places: Positions λ and their weights, both float32 [chunks, chunk].
        integrands: Functions of gradient and velocity.
    """
    positions, weights = places
    image_shape = ends.start.shape[1:]
    chunks = positions.shape[0] or tf.shape(positions)[0]
    size = positions.shape[1] or tf.shape(positions)[1]

    def one_chunk(
        i: tf.Tensor, integrals: tuple[tf.Tensor, ...], scores: tf.TensorArray
    ) -> tuple[tf.Tensor, Any, tf.TensorArray]:
        points, velocity = path.at(endpoints, positions[i])  # [B, chunk, H, W, C]
        score, gradient = scores_and_gradients(probability, tf.reshape(points, [-1, *image_shape]))
        gradient = tf.ensure_shape(tf.reshape(gradient, tf.shape(points)), [None, None, *image_shape])
        weight = weights[i][tf.newaxis, :, tf.newaxis, tf.newaxis, tf.newaxis]
        values = [_checked(integrand(gradient, velocity), image_shape) for integrand in integrands]
        added = (tf.reduce_sum(weight * value, axis=1) for value in values)
        sums = tuple(integral + more for integral, more in zip(integrals, added, strict=True))
        return i + 1, sums, scores.write(i, tf.reshape(score, [-1, size]))

    static = positions.shape[1]
    scores = tf.TensorArray(tf.float32, chunks, element_shape=(None, static))
    initial = tf.constant(0), (tf.zeros_like(ends.start),) * len(integrands), scores
    _, integrals, scores = tf.while_loop(lambda i, *_: i < chunks, one_chunk, initial, parallel_iterations=1)
    in_order = tf.transpose(scores.stack(), [1, 0, 2])
    return ChunkSums(integrals, tf.reshape(in_order, [tf.shape(ends.start)[0], -1]))


def _at_ends(
    probability: Probability, ends: Ends, endpoints: Any, path: Path
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the scores at both ends of every path, [B] each, and how far these are from the images."""
    points, _ = path.at(endpoints, tf.constant([0.0, 1.0]))  # [B, 2, H, W, C]
    flat = tf.reshape(points, [-1, *ends.start.shape[1:]])
    scores = tf.cast(tf.reshape(probability(flat), [-1, 2]), tf.float32)
    return scores[:, 0], scores[:, 1], end_distance(points, ends)


def end_distance(points: tf.Tensor, ends: Ends) -> tf.Tensor:
    """Returns mean |γ(0) - start| and mean |γ(1) - adversary|, float32 [B, 2].

    Args:
        points: float32 [B, 2, H, W, C], γ(0) and γ(1).
        ends: Start images and adversaries.
    """
    return tf.reduce_mean(tf.abs(points - tf.stack([ends.start, ends.adversary], axis=1)), axis=(2, 3, 4))


def _checked(value: tf.Tensor, image_shape: tf.TensorShape) -> tf.Tensor:
    """Returns the value of an integrand, which has a number for each pixel of each point."""
    value = tf.convert_to_tensor(value)
    pixels = value.shape[2:] if value.shape.rank == 5 else None
    if pixels != image_shape or value.dtype != tf.float32:
        height, width, channels = image_shape
        raise said(
            ValueError(
                f"`integrand` must return float32 [B, K, {height}, {width}, {channels}], a value for each of "
                f"the gradient's. Received: {value.dtype.name} of shape {value.shape}"
            )
        )
    return value
