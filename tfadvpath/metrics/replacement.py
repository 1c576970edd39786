"""Answers of a classifier while an image's pixels are replaced, from the ranks of its pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfadvpath.metrics.maps import tie_order
from tfadvpath.path.classifier import probability_function
from tfadvpath.path.compilation import one_per_classifier

# Function of the images' numbers, int64 [M], to values that rank the units, float32 [M, rankings, units].
UnitValues = Callable[[np.ndarray], np.ndarray]


class Regions(NamedTuple):
    """Units that are replaced as one: pixels, or squares cut off at the right and lower edge.

    Attributes:
        region: Side of a square in pixels.
        unit_of_pixel: int32 [H, W], number of the unit that a pixel belongs to.
        units: Number of units.
    """

    region: int
    unit_of_pixel: np.ndarray
    units: int

    @classmethod
    def of(cls, height: int, width: int, region: int) -> Regions:
        """Lays the regions from the upper left corner.

        Args:
            height: Number of rows of pixels.
            width: Number of columns of pixels.
            region: Side of a square in pixels, positive.

        Raises:
            ValueError: ``region`` is not positive.
        """
        if region < 1:
            raise ValueError(f"`region` must be positive. Received: {region}")
        columns = -(-width // region)
        rows, across = np.arange(height) // region, np.arange(width) // region
        unit_of_pixel = rows[:, np.newaxis] * columns + across
        return cls(region, unit_of_pixel.astype(np.int32), -(-height // region) * columns)

    def sums(self, maps: np.ndarray) -> np.ndarray:
        """Returns the sum of each unit, float32 [B, units].

        Args:
            maps: float [B, H, W].
        """
        if self.region > 1:
            rows, columns = (np.arange(0, size, self.region) for size in maps.shape[1:])
            maps = np.add.reduceat(np.add.reduceat(maps, rows, axis=1, dtype=np.float64), columns, axis=2)
        # Adding 0 turns -0 into 0: a sort by bits would tell them apart.
        return maps.reshape(len(maps), -1).astype(np.float32) + np.float32(0)


class Plan(NamedTuple):
    """Units that each step of each curve replaces. What several curves have in common stands once.

    Attributes:
        points: int32 [Q, 3], rows (ranking, low, high): units of ranks low ≤ rank < high are replaced. The
            first replaces none.
        place: int [curves, steps + 1], row in ``points`` of each step.
    """

    points: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, curves: list[tuple[int, bool]], units: int, steps: int, share: float) -> Plan:
        """Makes the plan of curves.

        Args:
            curves: Pairs of a ranking and whether the curve begins with its last rank.
            units: Number of units of an image.
            steps: Number of equal steps up to ``share``, positive.
            share: Share of the units that is replaced in the end, in (0, 1].

        Raises:
            ValueError: ``steps`` or ``share`` is outside these values.
        """
        if steps < 1 or not 0 < share <= 1:
            raise ValueError(
                f"`steps` must be positive and `share` in (0, 1]. Received: steps={steps}, share={share}"
            )
        counts = np.floor(np.arange(steps + 1) / steps * share * units + 0.5).astype(np.int64)
        spans = []
        for ranking, from_last in curves:
            low = units - counts if from_last else np.zeros_like(counts)
            span = np.stack([np.full_like(counts, ranking), low, low + counts], axis=1)
            # None and all are the same in every order.
            span[counts == 0] = 0
            span[counts == units] = 0, 0, units
            spans.append(span)
        points, place = np.unique(np.concatenate(spans), axis=0, return_inverse=True)
        return cls(points.astype(np.int32), place.reshape(len(curves), steps + 1))


def replaced_scores(
    classifier: Any,
    images: np.ndarray,
    unit_values: UnitValues,
    perturbed: Any,
    plan: Plan,
    regions: Regions,
    batch_size: int,
) -> np.ndarray:
    """Returns f, float32 [B, Q], of every image at every point of the plan.

    All points of all images form one row, which is cut into equal chunks of at most ``batch_size``; a chunk
    brings the few images that its points are of. The last is filled up with copies of the last point.

    Args:
        classifier: Any callable that ``perturbation_curves`` takes.
        images: float32 [B, H, W, C] in [0, 1].
        unit_values: Function that returns the values that rank the units, the largest first.
        perturbed: float [B, H, W, C], or a function of images and the mask of removed pixels.
        plan: Points of all curves.
        regions: Units of an image.
        batch_size: Largest number of images that the classifier gets at once, positive.

    Raises:
        ValueError: ``batch_size`` is not positive, or ``perturbed`` has another shape than the images.
    """
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be positive. Received: {batch_size}")
    if not callable(perturbed):
        perturbed = np.asarray(perturbed, np.float32)
        if perturbed.shape != images.shape:
            raise ValueError(
                "`perturbed` must be a function or have the shape of the images. "
                f"Received: shapes {perturbed.shape} and {images.shape}"
            )
    count, points = len(images), len(plan.points)
    total = count * points
    chunks = math.ceil(total / batch_size)
    size = math.ceil(total / chunks)
    held = min(count, (size + points - 2) // points + 1)  # as many images as a chunk can touch
    run = _compiled(classifier, perturbed if callable(perturbed) else None)
    unit_of_pixel = tf.constant(regions.unit_of_pixel)
    scores = []
    for begin in range(0, total, size):
        row, point = np.divmod(np.minimum(np.arange(begin, begin + size), total - 1), points)
        rows = np.minimum(row[0] + np.arange(held), count - 1)
        where = np.column_stack([row - row[0], plan.points[point]])
        scores.append(
            run(
                tf.constant(images[rows]),
                None if callable(perturbed) else tf.constant(perturbed[rows]),
                tf.constant(unit_values(rows)),
                unit_of_pixel,
                tf.constant(where, tf.int32),
            )
        )
    answers: np.ndarray = tf.concat(scores, axis=0).numpy()
    return answers[:total].reshape(count, points)


def _compile(classifier: Any, fill: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None) -> Any:
    probability = probability_function(classifier)

    def run(
        images: tf.Tensor,
        perturbed: tf.Tensor | None,
        values: tf.Tensor,
        unit_of_pixel: tf.Tensor,
        points: tf.Tensor,
    ) -> tf.Tensor:
        """Returns f, float32 [size], at points int32 [size, 4] of (row, ranking, low, high)."""
        rank_of_pixel = tf.gather(ranks(values), unit_of_pixel, axis=2)  # [held, rankings, H, W]
        rank = tf.gather_nd(rank_of_pixel, points[:, :2])[..., tf.newaxis]  # [size, H, W, 1]
        low, high = (points[:, i, tf.newaxis, tf.newaxis, tf.newaxis] for i in (2, 3))
        removed = (low <= rank) & (rank < high)
        x = tf.gather(images, points[:, 0])
        filled = tf.gather(perturbed, points[:, 0]) if fill is None else fill(x, removed)
        return tf.cast(probability(tf.where(removed, filled, x)), tf.float32)

    return tf.function(run)


_compiled = one_per_classifier(_compile)


def ranks(values: tf.Tensor) -> tf.Tensor:
    """Returns the place of every unit, 0 that of the largest value; equal ones stand in ``tie_order``.

    Args:
        values: float32 [M, rankings, units], finite; the number of units is static.

    Returns:
        int32 of that shape.
    """
    units = values.shape[2]
    ties = tf.constant(tie_order(units), tf.int32)
    flat = tf.reshape(tf.gather(values, ties, axis=2), [-1, units])
    unit = tf.gather(ties, tf.argsort(flat, axis=1, direction="DESCENDING", stable=True))
    begin = units * tf.range(tf.shape(flat)[0])[:, tf.newaxis]
    places = tf.broadcast_to(tf.range(units), tf.shape(unit))
    place_of_unit = tf.scatter_nd(
        tf.reshape(begin + unit, [-1, 1]), tf.reshape(places, [-1]), [tf.size(places)]
    )
    return tf.reshape(place_of_unit, tf.shape(values))
