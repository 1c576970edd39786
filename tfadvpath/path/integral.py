"""Sums of a classifier's gradients along paths, in chunks of points of one size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from tfadvpath.path.classifier import Probability, scores_and_gradients
from tfadvpath.path.paths import LinearPath, Path

# 25 points of 224x224 pixels are differentiated at once where `path_chunk` is not given. A process with a
# ResNet50V2 then peaks at 2 GB on a CPU, and larger chunks are no faster there (benchmarks/path_speed.py).
_DEFAULT_CHUNK_PIXELS = 25 * 224 * 224


class PathSums(NamedTuple):
    """Means of the gradient's products along the path of every image, all float32.

    Attributes:
        signed: [B, H, W, C], mean of ∂f/∂x γ'^2.
        absolute: [B, H, W, C], mean of |∂f/∂x| γ'^2.
        change: [B, H, W, C], mean of ∂f/∂x γ': what each pixel adds to f(γ(1)) - f(γ(0)).
        score_start: [B], f(γ(0)).
        score_adversary: [B], f(γ(1)).
        endpoint_distance: [B, 2], mean |γ(0) - start| and mean |γ(1) - adversary|.
    """

    signed: tf.Tensor
    absolute: tf.Tensor
    change: tf.Tensor
    score_start: tf.Tensor
    score_adversary: tf.Tensor
    endpoint_distance: tf.Tensor


@dataclass(frozen=True)
class PathOptions:
    """Options of the integral.

    Attributes:
        steps: Number of points of the path where the gradient is taken.
        path_chunk: Points (images x steps) in one pass of gradients; None chooses by the image size.
        path: Path from start to adversary; None is the straight one.
        dtype: Floating-point type in which the classifier is fed; None is float32.
    """

    steps: int = 50
    path_chunk: int | None = None
    path: Path | None = None
    dtype: str | None = None

    def __post_init__(self) -> None:
        if self.steps < 1 or (self.path_chunk is not None and self.path_chunk < 1):
            raise ValueError(
                "`steps` and `path_chunk` must be positive. "
                f"Received: steps={self.steps}, path_chunk={self.path_chunk}"
            )


def sum_along_path(
    probability: Probability,
    start: tf.Tensor,
    adversary: tf.Tensor,
    options: PathOptions,
    count: tf.Tensor | None = None,
) -> PathSums:
    """Takes the gradient at the midpoints of the path, ``path_chunk`` points at a time, as graph code.

    Args:
        probability: float [N, H, W, C] -> [N], as ``probability_function`` makes it.
        start: float32 [B, H, W, C]; H, W and C are static.
        adversary: float32 [B, H, W, C].
        options: Options of the integral.
        count: int32 scalar: images after the first ``count`` are padding, their results are undefined. None
            is B.
    """
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
    used = blocks if count is None else _at_least_one(-(-count // block))

    def one_block(i: tf.Tensor, results: tuple[tf.TensorArray, ...]) -> tuple[tf.Tensor, Any]:
        sums = _sum_block(probability, start_blocks[i], adversary_blocks[i], positions, weights, options)
        return i + 1, tuple(result.write(i, value) for result, value in zip(results, sums, strict=True))

    shapes = [(height, width, channels)] * 3 + [()] * 2 + [(2,)]
    rows = tf.get_static_value(block)
    results = tuple(tf.TensorArray(tf.float32, blocks, element_shape=(rows, *shape)) for shape in shapes)
    # One block at a time: parallel iterations would hold the activations of several.
    _, results = tf.while_loop(
        lambda i, _: i < used, one_block, (tf.constant(0), results), parallel_iterations=1
    )
    return PathSums(
        *(
            tf.reshape(result.stack(), [blocks * block, *shape])[:images]
            for result, shape in zip(results, shapes, strict=True)
        )
    )


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


def _sum_block(
    probability: Probability,
    start: tf.Tensor,
    adversary: tf.Tensor,
    positions: tf.Tensor,
    weights: tf.Tensor,
    options: PathOptions,
) -> PathSums:
    """Returns the sums of a block of images, whose paths are differentiated one chunk after the other."""
    path = options.path or LinearPath()
    endpoints = path.endpoints(start, adversary)

    def classifier_input(points: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.reshape(points, [-1, *start.shape[1:]]), options.dtype or tf.float32)

    def one_chunk(
        i: tf.Tensor, signed: tf.Tensor, absolute: tf.Tensor, change: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        points, velocity = path.at(endpoints, positions[i])  # [block, chunk, H, W, C]
        _, gradient = scores_and_gradients(probability, classifier_input(points))
        gradient = tf.reshape(gradient, tf.shape(points))
        weight = weights[i][tf.newaxis, :, tf.newaxis, tf.newaxis, tf.newaxis]
        squared = weight * tf.square(velocity)
        signed += tf.reduce_sum(gradient * squared, axis=1)
        absolute += tf.reduce_sum(tf.abs(gradient) * squared, axis=1)
        change += tf.reduce_sum(gradient * (weight * velocity), axis=1)
        return i + 1, signed, absolute, change

    zeros = tf.zeros_like(start)
    chunks = positions.shape[0]
    initial = (tf.constant(0), zeros, zeros, zeros)
    _, signed, absolute, change = tf.while_loop(
        lambda i, *_: i < chunks, one_chunk, initial, parallel_iterations=1
    )
    ends, _ = path.at(endpoints, tf.constant([0.0, 1.0]))  # [block, 2, H, W, C]
    scores = tf.cast(tf.reshape(probability(classifier_input(ends)), [-1, 2]), tf.float32)
    distance = tf.reduce_mean(tf.abs(ends - tf.stack([start, adversary], axis=1)), axis=(2, 3, 4))
    return PathSums(signed, absolute, change, scores[:, 0], scores[:, 1], distance)
