"""Bootstrap intervals: how far a statistic could be from its value by the choice of patients alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np


def bootstrap_interval(
    statistic: Callable[..., float],
    arrays: Sequence[Any],
    groups: Iterable[Hashable],
    *,
    repeats: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Returns the percentile bootstrap interval of a statistic, resampled over patients.

    Images of one patient resemble each other: resampling single images would make the interval too narrow.
    The same seed and groups draw the same patients, whatever the statistic. For the difference of two methods
    let ``arrays`` hold both, or their differences, image by image: its interval is paired, and narrower than
    those of either method suggest.

    Args:
        statistic: Function that takes as many arrays as ``arrays`` holds and returns a number.
        arrays: Arrays [N, ...], a row an image.
        groups: Patients of the N images: strings, numbers or anything that can be a key.
        repeats: Number of resamplings, positive; each draws as many patients as there are, with replacement.
        confidence: Share of the resamplings between low and high, in (0, 1).
        seed: Seed of the draws, not negative.

    Returns:
        (low, high). Resamplings where the statistic is NaN, such as an AUC where one class was drawn, are
        left out; ``bootstrap_values`` shows how many. Both are NaN where more than half of them are, or where
        there are fewer than two patients.

    Raises:
        ValueError: Lengths differ, there is no image, ``repeats`` is not positive, or ``confidence`` is
            outside (0, 1).

    Example:
        >>> patients = ["a", "a", "b", "c", "d"]
        >>> low, high = bootstrap_interval(np.mean, [[0.0, 0.2, 0.4, 0.6, 0.8]], patients)
        >>> bool(0.0 < low < 0.4 < high < 0.8)
        True
    """
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must be between 0 and 1. Received: {confidence}")
    groups = list(groups)
    values = bootstrap_values(statistic, arrays, groups, repeats=repeats, seed=seed)
    defined = values[~np.isnan(values)]
    if 2 * len(defined) < repeats or len(set(groups)) < 2:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def bootstrap_values(
    statistic: Callable[..., float],
    arrays: Sequence[Any],
    groups: Iterable[Hashable],
    *,
    repeats: int = 1000,
    seed: int = 0,
) -> np.ndarray:
    """Returns a statistic of every resampling, float64 [repeats]; NaN where the statistic is.

    Args:
        statistic: Function that takes as many arrays as ``arrays`` holds and returns a number.
        arrays: Arrays [N, ...], a row an image.
        groups: Patients of the N images: strings, numbers or anything that can be a key.
        repeats: Number of resamplings, positive; each draws as many patients as there are, with replacement.
        seed: Seed of the draws, not negative.

    Raises:
        ValueError: Lengths differ, there is no image, or ``repeats`` is not positive.
    """
    rows = [np.asarray(array) for array in arrays]
    groups = list(groups)
    lengths = [len(array) for array in rows]
    if not groups or not rows or set(lengths) != {len(groups)}:
        raise ValueError(
            "`arrays` must have as many rows as `groups`, at least one. "
            f"Received: {lengths} and {len(groups)}"
        )
    if repeats < 1:
        raise ValueError(f"`repeats` must be positive. Received: {repeats}")
    return np.array(
        [statistic(*(array[drawn] for array in rows)) for drawn in _resamplings(groups, repeats, seed)],
        np.float64,
    )


def _resamplings(groups: Sequence[Hashable], repeats: int, seed: int) -> Iterator[np.ndarray]:
    """Yields int64 [K]: the images of as many groups as there are, drawn with replacement."""
    codes: dict[Hashable, int] = {}
    group_of = np.array([codes.setdefault(group, len(codes)) for group in groups])
    members = np.argsort(group_of, kind="stable")  # images, group after group
    sizes = np.bincount(group_of)
    first = np.cumsum(sizes) - sizes
    generator = np.random.default_rng(seed)
    for _ in range(repeats):
        drawn = generator.integers(len(sizes), size=len(sizes))
        counts = sizes[drawn]
        # Where each drawn group's images begin in `members`, and their places from there.
        place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        yield members[np.repeat(first[drawn], counts) + place]
