"""Metrics of localization: where the most important pixels of a map lie, against an annotation.

Source: Charachon et al. 2021, section 4.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tfadvpath.metrics.maps import summed_maps, tie_order


def most_important(maps: Any, percentile: float, exact: bool = False) -> np.ndarray:
    """Selects the pixels B of each map at or above its percentile.

    A map with many equal values, such as one that is 0 over the background, can have far more of them than
    the percentile says: see ``selected_share``. With ``exact`` there are always ceil((100 - percentile) % of
    H W), and among equal values a fixed random order decides.

    Args:
        maps: float [B, H, W] or [B, H, W, C]; channels are summed.
        percentile: Percentile of the map's values from which pixels are important, in (0, 100).
        exact: Whether ties are broken.

    Returns:
        bool [B, H, W].

    Raises:
        ValueError: Another shape or percentile, or values that are not finite.
    """
    flat = _checked(maps, percentile).reshape(len(maps), -1)
    selected: np.ndarray
    if not exact:
        selected = flat >= np.percentile(flat, percentile, axis=1, keepdims=True)
    else:
        count = _selected_count(flat.shape[1], percentile)
        order = tie_order(flat.shape[1])
        descending = order[np.argsort(-flat[:, order], axis=1, kind="stable")]
        selected = np.zeros(flat.shape, bool)
        np.put_along_axis(selected, descending[:, :count], True, axis=1)
    return selected.reshape(np.shape(maps)[:3])


def selected_share(maps: Any, percentile: float) -> np.ndarray:
    """Returns the share of the image that ``most_important`` selects without ``exact``, float64 [B].

    Far above (100 - percentile) / 100 the map has ties: its numbers speak of a larger area than another's.

    Args:
        maps: float [B, H, W] or [B, H, W, C]; channels are summed.
        percentile: Percentile of the map's values from which pixels are important, in (0, 100).

    Raises:
        ValueError: Another shape or percentile, or values that are not finite.
    """
    share: np.ndarray = most_important(maps, percentile).mean(axis=(1, 2))
    return share


def iou(maps: Any, masks: Any, percentile: float, exact: bool = False) -> np.ndarray:
    """Returns the intersection over union |B ∩ G| / |B ∪ G| of the important pixels B and the annotation G.

    The paper averages it over the test images whose true label is 1.

    Args:
        maps: float [B, H, W] or [B, H, W, C]; channels are summed.
        masks: bool [B, H, W] or [B, H, W, 1], the annotation; a number that is not 0 counts as annotated.
        percentile: Percentile of the map's values from which pixels are important, in (0, 100); the paper's
            are 90, 95 and 98 for chest X-rays, 98 and 99 for the brain.
        exact: Whether ties are broken, so that the same number of pixels is selected of every map.

    Returns:
        float64 [B] in [0, 1].

    Raises:
        ValueError: Another shape or percentile, values that are not finite, or maps and masks that differ in
            shape.

    Example:
        >>> ramp = np.arange(100.0).reshape(1, 10, 10)
        >>> iou(ramp, ramp >= 95, percentile=90)
        array([0.5])
    """
    selected, annotated = _selected_and_annotated(maps, masks, percentile, exact)
    return _pixels(selected & annotated) / _pixels(selected | annotated)


def false_negative_rate(maps: Any, masks: Any, percentile: float, exact: bool = False) -> np.ndarray:
    r"""Returns the share |B \ G| / |B| of the most important pixels B that lies outside the annotation G.

    The name is the paper's. The field calls this the false discovery rate; 1 minus it is the precision.

    Args:
        maps: float [B, H, W] or [B, H, W, C]; channels are summed.
        masks: bool [B, H, W] or [B, H, W, 1], the annotation; a number that is not 0 counts as annotated.
        percentile: Percentile of the map's values from which pixels are important, in (0, 100); the paper's
            are 90, 95 and 98 for chest X-rays, 98 and 99 for the brain.
        exact: Whether ties are broken, so that the same number of pixels is selected of every map.

    Returns:
        float64 [B] in [0, 1].

    Raises:
        ValueError: Another shape or percentile, values that are not finite, or maps and masks that differ in
            shape.
    """
    selected, annotated = _selected_and_annotated(maps, masks, percentile, exact)
    return _pixels(selected & ~annotated) / _pixels(selected)


def random_iou(masks: Any, percentile: float) -> np.ndarray:
    """Returns the mean of ``iou`` over all orders of the pixels: what a map that knows nothing reaches.

    The number of annotated pixels among the k most important ones of n is hypergeometric. The mean is over
    its distribution, without any draw.

    Args:
        masks: bool [B, H, W] or [B, H, W, 1], the annotation; a number that is not 0 counts as annotated.
        percentile: Percentile of the map's values from which pixels are important, in (0, 100).

    Returns:
        float64 [B] in [0, 1].

    Raises:
        ValueError: Another shape or percentile.

    Example:
        >>> half = np.array([[[True, True], [False, False]]])
        >>> random_iou(half, percentile=75)  # one pixel of four: it is annotated in half of the orders
        array([0.25])
    """
    _check_percentile(percentile)
    pixels, areas = _areas(masks)
    selected = _selected_count(pixels, percentile)
    unique, places = np.unique(areas, return_inverse=True)
    means = []
    for area in unique:
        common = np.arange(min(selected, area) + 1)
        shares = common / (selected + area - common)
        means.append(stats.hypergeom.pmf(common, pixels, area, selected) @ shares)
    found: np.ndarray = np.array(means, float)[places.reshape(-1)]
    return found


def random_false_negative_rate(masks: Any) -> np.ndarray:
    """Returns the mean of ``false_negative_rate`` over all orders of the pixels, at any percentile.

    It is the share of the image that is not annotated, float64 [B].

    Args:
        masks: bool [B, H, W] or [B, H, W, 1], as ``random_iou`` takes them.

    Raises:
        ValueError: Another shape.

    Example:
        >>> random_false_negative_rate(np.array([[[True, False], [False, False]]]))
        array([0.75])
    """
    pixels, areas = _areas(masks)
    return 1 - areas / pixels


def pointing_game(maps: Any, masks: Any, tolerance: float = 0) -> np.ndarray:
    """Returns whether the largest value of each map lies in the annotation G, or near it.

    One pixel decides, so the result says nothing of the map's extent. Of several largest values a fixed
    random order picks one.

    Source: Zhang et al. 2016, "Top-down neural attention by excitation backprop"; its tolerance is 15 pixels.

    Args:
        maps: float [B, H, W] or [B, H, W, C]; channels are summed.
        masks: bool [B, H, W] or [B, H, W, 1], the annotation; a number that is not 0 counts as annotated.
        tolerance: Largest distance from the annotation in pixels, between centres, not negative.

    Returns:
        bool [B]; False where nothing is annotated.

    Raises:
        ValueError: Other shapes, values that are not finite, or a negative tolerance.

    Example:
        >>> ramp = np.arange(100.0).reshape(1, 10, 10)
        >>> pointing_game(ramp, ramp == 97), pointing_game(ramp, ramp == 97, tolerance=2)
        (array([False]), array([ True]))
    """
    if not tolerance >= 0:
        raise ValueError(f"`tolerance` must not be negative. Received: {tolerance}")
    maps = summed_maps(maps)
    annotated = _checked_masks(masks, maps)
    flat = maps.reshape(len(maps), -1)
    order = tie_order(flat.shape[1])
    row, column = np.divmod(order[np.argmax(flat[:, order], axis=1)], maps.shape[2])
    height, width = (np.arange(size) for size in maps.shape[1:])
    squared = ((height - row[:, np.newaxis]) ** 2)[:, :, np.newaxis] + ((width - column[:, np.newaxis]) ** 2)[
        :, np.newaxis
    ]
    return _pixels(annotated & (squared <= tolerance**2)) > 0


def average_precision(maps: Any, masks: Any) -> np.ndarray:
    """Returns how well each map classifies the pixels of its image into annotated and other.

        AP = Σ_n (recall_n - recall_{n-1}) precision_n,  n over the map's distinct values, the largest first

    No percentile is chosen. Equal values are passed at once, so their order does not matter. A random map
    reaches the annotated share of the image, so numbers of images with lesions of different size do not
    compare.

    Args:
        maps: float [B, H, W] or [B, H, W, C]; channels are summed.
        masks: bool [B, H, W] or [B, H, W, 1], the annotation; a number that is not 0 counts as annotated.

    Returns:
        float64 [B] in [0, 1]; NaN where nothing is annotated.

    Raises:
        ValueError: Other shapes, or values that are not finite.

    Example:
        >>> ramp = np.arange(4.0).reshape(1, 2, 2)
        >>> average_precision(ramp, ramp >= 2), average_precision(0 * ramp, ramp >= 2)
        (array([1.]), array([0.5]))
    """
    maps = summed_maps(maps)
    annotated = _checked_masks(masks, maps).reshape(len(maps), -1)
    flat = maps.reshape(len(maps), -1)
    order = np.argsort(-flat, axis=1)
    values = np.take_along_axis(flat, order, axis=1)
    found = np.cumsum(np.take_along_axis(annotated, order, axis=1), axis=1)
    precision = found / np.arange(1, flat.shape[1] + 1)
    # A threshold lies behind the last of equal values.
    last = np.ones(flat.shape, bool)
    last[:, :-1] = values[:, 1:] != values[:, :-1]
    recalled = np.where(last, found, 0)
    gained = np.diff(np.maximum.accumulate(recalled, axis=1), axis=1, prepend=0)
    total = found[:, -1]
    weighted: NDArray[np.float64] = (gained * precision).sum(axis=1)
    return weighted / np.where(total > 0, total, np.nan)


def _pixels(chosen: np.ndarray) -> NDArray[np.int64]:
    """Returns the number of pixels of each image that are chosen, int64 [B], of bool [B, H, W]."""
    count: NDArray[np.int64] = chosen.sum(axis=(1, 2))
    return count


def _checked(maps: Any, percentile: float) -> np.ndarray:
    _check_percentile(percentile)
    return summed_maps(maps)


def _check_percentile(percentile: float) -> None:
    if not 0 < percentile < 100:
        raise ValueError(f"`percentile` must be between 0 and 100. Received: {percentile}")


def _selected_count(pixels: int, percentile: float) -> int:
    """Returns how many of an image's pixels are at or above a percentile: a part of one counts."""
    return math.ceil(round((100 - percentile) * pixels / 100, 6))


def _areas(masks: Any) -> tuple[int, np.ndarray]:
    """Returns the pixels of an image, and how many of each are annotated, int64 [B]."""
    shape = np.shape(masks)
    if len(shape) not in (3, 4) or shape[3:] not in ((), (1,)):
        raise ValueError(f"`masks` must be [B, H, W] or [B, H, W, 1]. Received: shape {shape}")
    annotated = np.asarray(masks).reshape(shape[:3]) != 0
    return annotated[0].size if len(annotated) else 1, annotated.sum(axis=(1, 2))


def _selected_and_annotated(
    maps: Any, masks: Any, percentile: float, exact: bool
) -> tuple[np.ndarray, np.ndarray]:
    selected = most_important(maps, percentile, exact)
    return selected, _checked_masks(masks, selected)


def _checked_masks(masks: Any, maps: np.ndarray) -> np.ndarray:
    """Returns the annotation, bool [B, H, W] like the maps."""
    annotated: NDArray[np.bool_] = np.asarray(masks) != 0
    if annotated.ndim == 4 and annotated.shape[3] == 1:
        annotated = annotated[..., 0]
    if annotated.shape != maps.shape:
        raise ValueError(
            f"`masks` must be [B, H, W] like the maps. Received: shapes {np.shape(masks)} and {maps.shape}"
        )
    return annotated
