"""Curves of the classifier's answer while pixels are replaced in the order of a map.

Source: Samek et al. 2017; Charachon et al. 2021, section 4.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tfadvpath.metrics.maps import summed_maps
from tfadvpath.metrics.replacement import Plan, Regions, UnitValues, replaced_scores

# Whether the order begins with the last rank.
_FROM_LAST = {"most": False, "least": True}


class BothCurves(NamedTuple):
    """Curves of both orders.

    Attributes:
        most: float32 [B, steps + 1], f_c with the most important pixels replaced first.
        least: float32 [B, steps + 1], f_c with the least important pixels replaced first.
        predicted: int64 [B], class c whose probability they are.
    """

    most: np.ndarray
    least: np.ndarray
    predicted: np.ndarray


def perturbation_curves(
    classifier: Any,
    images: Any,
    maps: Any,
    perturbed: Any,
    *,
    steps: int,
    order: str = "most",
    region: int = 1,
    share: float = 1.0,
    batch_size: int = 64,
) -> np.ndarray:
    """Returns the probability of the predicted class at every step of replacing an image by its perturbation.

        curve[k] = f_c(x_k),  x_k = x_p where a pixel is among the first n_k of the order, x elsewhere

    f_c is the probability of the class c that is predicted for x: f where f(x) >= 0.5, else 1 - f. Of N units
    n_k = k / steps · share · N, rounded, are replaced. A unit is a pixel or a square; squares are cut
    off at the right and lower edge of the image; a square's value is the sum of the map
    over it. Equal values stand in a fixed random order, and "least" is the exact reverse of "most".

    The replaced images are built on the device from the ranks of the units, ``batch_size`` points (images x
    steps) at a time, by one compiled function; f(x) is computed once an image. Calls with the same
    classifier, callable and shapes share that function. It follows the classifier's variables but no other
    change. The functions of the last four pairs of classifier and callable are kept.

    Args:
        classifier: Any callable float32 [N, H, W, C] -> probabilities [N] or [N, 1]; of a classifier with K
            classes, ``tfadvpath.path.classifier.probability_function(classifier, target)``.
        images: float [B, H, W, C], B >= 1, in the range that the classifier takes.
        maps: float [B, H, W] or [B, H, W, any], finite; channels are summed.
        perturbed: Replacement of the pixels: x_p, float [B, H, W, C]; or a function of TensorFlow operations
            (images [N, H, W, C], removed bool [N, H, W, 1]) -> images [N, H, W, C], of which only the removed
            pixels are used.
        steps: Number of equal steps up to ``share``, positive.
        order: Order of the pixels: "most" replaces those of the largest values first, "least" those of the
            smallest.
        region: Side of the squares in pixels; 1 replaces single pixels.
        share: Share of the units that is replaced in the end, in (0, 1].
        batch_size: Number of replaced images on the device at once, positive.

    Returns:
        float32 [B, steps + 1], whose first column is f_c(x).

    Raises:
        ValueError: An argument is outside the values above, or maps are not finite.

    Example:
        >>> image, black = np.ones((1, 4, 4, 1)), np.zeros((1, 4, 4, 1))
        >>> perturbation_curves(lambda x: x[:, 0, 0, 0], image, image, black, steps=1)
        array([[1., 0.]], dtype=float32)
    """
    if order not in _FROM_LAST:
        raise ValueError(f"`order` must be one of {tuple(_FROM_LAST)}. Received: {order!r}")
    curves, _ = _map_curves(classifier, images, maps, perturbed, (order,), steps, region, share, batch_size)
    return curves[:, 0]


def most_and_least_curves(
    classifier: Any,
    images: Any,
    maps: Any,
    perturbed: Any,
    *,
    steps: int,
    region: int = 1,
    share: float = 1.0,
    batch_size: int = 64,
) -> BothCurves:
    """Returns ``perturbation_curves`` of both orders; at the ends, where they meet, f is computed once.

    Args:
        classifier: Any callable float32 [N, H, W, C] -> probabilities [N] or [N, 1]; of a classifier with K
            classes, ``tfadvpath.path.classifier.probability_function(classifier, target)``.
        images: float [B, H, W, C], B >= 1, in the range that the classifier takes.
        maps: float [B, H, W] or [B, H, W, any], finite; channels are summed.
        perturbed: Replacement of the pixels: x_p, float [B, H, W, C]; or a function of TensorFlow operations
            (images [N, H, W, C], removed bool [N, H, W, 1]) -> images [N, H, W, C], of which only the removed
            pixels are used.
        steps: Number of equal steps up to ``share``, positive.
        region: Side of the squares in pixels; 1 replaces single pixels.
        share: Share of the units that is replaced in the end, in (0, 1].
        batch_size: Number of replaced images on the device at once, positive.

    Raises:
        ValueError: An argument is outside the values above, or maps are not finite.
    """
    curves, predicted = _map_curves(
        classifier, images, maps, perturbed, ("most", "least"), steps, region, share, batch_size
    )
    return BothCurves(curves[:, 0], curves[:, 1], predicted)


def random_curves(
    classifier: Any,
    images: Any,
    perturbed: Any,
    *,
    steps: int,
    draws: int = 5,
    region: int = 1,
    share: float = 1.0,
    batch_size: int = 64,
    seed: int = 0,
) -> np.ndarray:
    """Returns the curves of random orders: what a map must do better than.

    Every image has orders of its own, drawn from the seed and its place among the images.

    Args:
        classifier: Any callable float32 [N, H, W, C] -> probabilities [N] or [N, 1]; of a classifier with K
            classes, ``tfadvpath.path.classifier.probability_function(classifier, target)``.
        images: float [B, H, W, C], B >= 1, in the range that the classifier takes.
        perturbed: Replacement of the pixels: x_p, float [B, H, W, C]; or a function of TensorFlow operations
            (images [N, H, W, C], removed bool [N, H, W, 1]) -> images [N, H, W, C], of which only the removed
            pixels are used.
        steps: Number of equal steps up to ``share``, positive.
        draws: Number of orders of each image, positive; its curve is the mean over them.
        region: Side of the squares in pixels; 1 replaces single pixels.
        share: Share of the units that is replaced in the end, in (0, 1].
        batch_size: Number of replaced images on the device at once, positive.
        seed: Seed of the orders, not negative.

    Returns:
        float32 [B, steps + 1], whose first column is f_c(x).

    Raises:
        ValueError: An argument is outside the values above.
    """
    if draws < 1:
        raise ValueError(f"`draws` must be positive. Received: {draws}")
    images = _checked_images(images)
    regions = Regions.of(images.shape[1], images.shape[2], region)

    def values(rows: np.ndarray) -> np.ndarray:
        drawn = (
            np.random.default_rng([seed, row]).random((draws, regions.units), np.float32) for row in rows
        )
        return np.stack(list(drawn))

    plan = Plan.of([(draw, False) for draw in range(draws)], regions.units, steps, share)
    curves, _ = _of_predicted_class(classifier, images, values, perturbed, plan, regions, batch_size)
    mean: np.ndarray = curves.mean(axis=1)
    return mean


def _map_curves(
    classifier: Any,
    images: Any,
    maps: Any,
    perturbed: Any,
    orders: tuple[str, ...],
    steps: int,
    region: int,
    share: float,
    batch_size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the curves, float32 [B, orders, steps + 1], and the predicted classes, int64 [B]."""
    images = _checked_images(images)
    regions = Regions.of(images.shape[1], images.shape[2], region)
    sums = regions.sums(_checked_maps(maps, images))
    plan = Plan.of([(0, _FROM_LAST[order]) for order in orders], regions.units, steps, share)
    return _of_predicted_class(
        classifier, images, lambda rows: sums[rows, np.newaxis], perturbed, plan, regions, batch_size
    )


def _of_predicted_class(
    classifier: Any,
    images: np.ndarray,
    unit_values: UnitValues,
    perturbed: Any,
    plan: Plan,
    regions: Regions,
    batch_size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns f_c, float32 [B, curves, steps + 1], and c, int64 [B]."""
    scores = replaced_scores(classifier, images, unit_values, perturbed, plan, regions, batch_size)
    predicted = scores[:, 0] >= 0.5  # the plan's first point is the image itself
    of_class = np.where(predicted[:, np.newaxis], scores, 1 - scores)
    return of_class[:, plan.place], predicted.astype(np.int64)


def _checked_images(images: Any) -> np.ndarray:
    pixels = np.asarray(images, np.float32)
    if pixels.ndim != 4 or not pixels.size:
        raise ValueError(f"`images` must be [B, H, W, C] with B >= 1. Received: shape {pixels.shape}")
    return pixels


def _checked_maps(maps: Any, images: np.ndarray) -> np.ndarray:
    """Returns the maps summed over their channels, [B, H, W], which must be those of the images."""
    summed = summed_maps(maps)
    if summed.shape != images.shape[:3]:
        raise ValueError(
            "`maps` must be [B, H, W] or [B, H, W, C] like the images. "
            f"Received: shapes {summed.shape} and {images.shape}"
        )
    return summed
