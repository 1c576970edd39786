"""Images and masks at another size, and images scaled to [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

# A slice whose range after resizing is below this part of its range before is flat up to rounding.
FLAT = 1e-6


def at_size(values: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """Returns one slice [rows, columns] at the asked size, scaled to float64 [0, 1]; None keeps the size."""
    scaled = min_max(values.astype(np.float64))
    if size is None or values.shape == tuple(size):
        return scaled
    values = resized(scaled, size)
    return np.zeros(size) if np.ptp(values) < FLAT else min_max(values)


def min_max(values: np.ndarray) -> np.ndarray:
    """Scales by the smallest and the largest value to [0, 1]; values that are all the same become 0."""
    low, high = values.min(), values.max()
    if low == high:
        return np.zeros_like(values)
    if high / 2 - low / 2 > np.finfo(np.float64).max / 2:  # the range itself would overflow
        values, low, high = values / 2, low / 2, high / 2
    return (values - low) / (high - low)


def resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Averages over areas along axes that shrink, interpolates linearly along axes that grow."""
    rows, columns = min(size[0], values.shape[0]), min(size[1], values.shape[1])
    shrunk = cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


def nearest(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Resizes an array by taking for each place the value at its centre.

    OpenCV's nearest neighbour takes the value at the place's corner, which shifts masks against images.

    Args:
        values: Array of any shape.
        shape: Lengths of the result's axes.

    Example:
        >>> nearest(np.array([0, 1, 2, 3, 4, 5]), [2])
        array([1, 4])
    """
    for axis, (old, new) in enumerate(zip(values.shape, shape, strict=True)):
        if old != new:
            values = values.take(((np.arange(new) + 0.5) * old / new).astype(np.int64), axis)
    return values
