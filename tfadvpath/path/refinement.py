"""Sums along paths with as many steps as each image needs: ``steps="auto"``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfadvpath.path.classifier import Probability
from tfadvpath.path.integral import (
    AUTO,
    Ends,
    Integrand,
    PathOptions,
    PathSums,
    Watched,
    default_chunk,
    end_distance,
    sum_along_path,
    sum_chunks,
)
from tfadvpath.path.paths import LinearPath

# The first sum has the ends of the path and three points between them.
_INTERVALS = 4
# The error of a sum, relative to what its map moved by when the intervals were halved. The gradient of a
# network of ReLUs jumps along the path: where jumps lie anywhere in their intervals, the root of the mean
# square is 1/√3 = .58. The rest is for images that are worse than the mean (benchmarks/quadrature.py).
_ERROR_OF_MOVE = 0.9
# A map of few degrees of freedom can move by little once, by chance. So the move before counts as well, by
# the half that is to be expected of it. Before the first move it is taken as four times that one.
_MOVE_BEFORE_THE_FIRST = 4.0
_TINY = 1e-30


class _State(NamedTuple):
    """What is known of all images; ``active`` holds the indices of those that need more steps."""

    active: tf.Tensor
    intervals: tf.Tensor
    integrals: tuple[tf.Tensor, ...]
    scores: tf.Tensor
    distance: tf.Tensor
    steps: tf.Tensor
    moved: tf.Tensor
    error: tf.Tensor


def integrals_along_path(
    probability: Probability,
    start: tf.Tensor,
    adversary: tf.Tensor,
    options: PathOptions,
    integrands: Sequence[Integrand],
    watched: Watched,
    count: tf.Tensor | None = None,
    is_one: tf.Tensor | None = None,
) -> PathSums:
    """Integrates with a number of steps, or halves the intervals until a map is exact enough.

    With ``steps="auto"`` the sum is that of the trapezoidal rule. Its points, five, nine, 17, 33 …, are
    nested, so every gradient is used again; the ends of the path are among them, so the scores there need no
    pass of their own. After each halving the error of a map is estimated: .9 times the mean of how far it
    moved and of half of what it had moved before, relative in L1. An image whose error is within the
    tolerance leaves the batch. This is graph code with tensors whose size is known only when it runs, which
    XLA does not compile.

    Args:
        probability: float [N, H, W, C] -> [N], as ``probability_function`` makes it.
        start: float32 [B, H, W, C]; H, W and C are static.
        adversary: float32 [B, H, W, C].
        options: Options of the integral.
        integrands: Functions of gradient and velocity that are integrated, all in one pass of gradients.
        watched: The map, of the integrals, whose error decides with ``steps="auto"``.
        count: int32 scalar: images after the first ``count`` are padding, their results are undefined. None
            is B.
        is_one: bool [B], whether each image is of class 1, for a path that has a network for either class.
            None leaves the choice to the path.

    Returns:
        PathSums with the number of steps of each image and, with ``steps="auto"``, the estimated error of its
        map, which exceeds the tolerance where the largest number of steps did not suffice.

    Raises:
        ValueError: An integrand returns another shape or type than it must.
    """
    if options.steps != AUTO:
        return sum_along_path(probability, start, adversary, options, integrands, count, is_one)
    images = tf.shape(start)[0]
    path_chunk = options.path_chunk or default_chunk(*start.shape[1:3])

    def refined(state: _State) -> _State:
        first = state.intervals == 0
        active = state.active
        ends = Ends(*(None if x is None else tf.gather(x, active) for x in (start, adversary, is_one)))
        positions, weights = _new_points(state.intervals)
        new = _sums(probability, ends, options, positions, weights, integrands, path_chunk)
        known = tf.where(first, 0.0, 0.5)
        old = [tf.gather(integral, active) for integral in state.integrals]
        sums = [known * before + more for before, more in zip(old, new.integrals, strict=True)]
        moved = _relative_distance(watched(sums), watched(old))
        second = state.intervals == _INTERVALS
        before = tf.where(second, _MOVE_BEFORE_THE_FIRST * moved, tf.gather(state.moved, active))
        expected = _ERROR_OF_MOVE * 0.5 * (moved + 0.5 * before)
        error = tf.where(first, float("inf"), expected)
        places = active[:, tf.newaxis]

        def put(values: tf.Tensor, updates: tf.Tensor) -> tf.Tensor:
            return tf.tensor_scatter_nd_update(values, places, updates)

        # Only the first points are those of the ends.
        scores, distance = (
            tf.where(first, put(before, now), before)
            for before, now in ((state.scores, new.scores), (state.distance, new.distance))
        )
        taken = tf.fill(tf.shape(active), tf.size(positions))
        return _State(
            tf.boolean_mask(active, error > options.tolerance),
            tf.where(first, _INTERVALS, 2 * state.intervals),
            tuple(put(before, now) for before, now in zip(state.integrals, sums, strict=True)),
            scores,
            distance,
            tf.tensor_scatter_nd_add(state.steps, places, taken),
            put(state.moved, moved),
            put(state.error, error),
        )

    begin = _State(
        tf.range(images if count is None else count),
        tf.constant(0),
        (tf.zeros_like(start),) * len(integrands),
        tf.zeros([images, 2]),
        tf.zeros([images, 2]),
        tf.zeros([images], tf.int32),
        tf.zeros([images]),
        tf.zeros([images]),
    )
    shapes = tf.nest.map_structure(lambda tensor: tensor.shape, begin)
    [end] = tf.while_loop(
        lambda state: (tf.size(state.active) > 0) & (2 * state.intervals + 1 <= options.max_steps),
        lambda state: [refined(state)],
        [begin],
        shape_invariants=[shapes._replace(active=tf.TensorShape([None]))],
        parallel_iterations=1,
    )
    return PathSums(end.integrals, end.scores[:, 0], end.scores[:, 1], end.distance, end.steps, end.error)


def _new_points(intervals: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the points that come to those of so many intervals, and their weights in the new sum.

    Without any interval they are all of the first sum. Else they are the midpoints; the sum that is known
    counts half.
    """
    count = tf.cast(tf.maximum(intervals, 1), tf.float32)
    midpoints = (tf.range(count) + 0.5) / count
    first = tf.linspace(0.0, 1.0, _INTERVALS + 1)
    inner = tf.fill([_INTERVALS - 1], 1.0 / _INTERVALS)
    of_first = tf.concat([[0.5 / _INTERVALS], inner, [0.5 / _INTERVALS]], axis=0)
    chosen: tuple[tf.Tensor, tf.Tensor] = tf.cond(
        intervals == 0,
        lambda: (first, of_first),
        lambda: (midpoints, tf.fill(tf.shape(midpoints), 0.5 / count)),
    )
    return chosen


class _Sums(NamedTuple):
    integrals: tuple[tf.Tensor, ...]
    scores: tf.Tensor
    distance: tf.Tensor


def _sums(
    probability: Probability,
    ends: Ends,
    options: PathOptions,
    positions: tf.Tensor,
    weights: tf.Tensor,
    integrands: Sequence[Integrand],
    path_chunk: int,
) -> _Sums:
    """Returns weighted sums over positions, and the scores at the first and the last of them."""
    path = options.path or LinearPath()
    images, steps = tf.shape(ends.start)[0], tf.size(positions)
    parts = _divided_up(steps, path_chunk)
    chunk = _divided_up(steps, parts)
    passes = _divided_up(images, tf.maximum(1, path_chunk // steps))
    block = _divided_up(images, passes)
    more = [[0, parts * chunk - steps]]
    places = tuple(tf.reshape(tf.pad(values, more), [parts, chunk]) for values in (positions, weights))

    def one_block(i: tf.Tensor, results: tuple[tf.TensorArray, ...]) -> tuple[tf.Tensor, Any]:
        here = slice(i * block, (i + 1) * block)
        some = Ends(*(None if x is None else x[here] for x in ends))
        endpoints = path.endpoints(*some.given())
        integrals, scores = sum_chunks(probability, some, endpoints, path, places, integrands)
        points, _ = path.at(endpoints, tf.constant([0.0, 1.0]))
        of_ends = tf.stack([scores[:, 0], scores[:, steps - 1]], axis=1)
        values = *integrals, of_ends, end_distance(points, some)
        return i + 1, tuple(result.write(i, value) for result, value in zip(results, values, strict=True))

    shapes = [ends.start.shape[1:]] * len(integrands) + [tf.TensorShape([2])] * 2
    results = tuple(
        tf.TensorArray(tf.float32, passes, element_shape=[None, *shape], infer_shape=False)
        for shape in shapes
    )
    _, results = tf.while_loop(
        lambda i, _: i < passes, one_block, (tf.constant(0), results), parallel_iterations=1
    )
    *integrals, scores, distance = (
        tf.ensure_shape(result.concat(), [None, *shape])
        for result, shape in zip(results, shapes, strict=True)
    )
    return _Sums(tuple(integrals), scores, distance)


def _divided_up(count: tf.Tensor, by: tf.Tensor | int) -> tf.Tensor:
    return -(-count // by)


def _relative_distance(image: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns the L1 distance of maps relative to the first one, float32 [B]; 0 where both are 0."""
    moved, size = (tf.reduce_sum(tf.abs(values), axis=(1, 2, 3)) for values in (image - other, image))
    return tf.where(moved > 0.0, moved / tf.maximum(size, _TINY), 0.0)
