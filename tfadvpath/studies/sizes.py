"""Images and masks at another size, and images scaled to [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

# A slice whose range after resizing is below this part of its range before is flat up to rounding.
FLAT = 1e-6
BLOCK = 2**20  # values that are scaled at once


def at_size(values: np.ndarray, size: tuple[int, int] | None, out: np.ndarray | None = None) -> np.ndarray:
    """Brings one slice to the asked size, scaled to [0, 1].

    Args:
        values: Real-valued [rows, columns].
        size: Rows and columns of the result; None keeps the size.
        out: Array [rows, columns] that takes the result; None makes one of float64.
    """
    if size is None or values.shape == tuple(size):
        return _scaled(values, out)
    resized_values = resized(_scaled(values), size)
    result = np.zeros(size) if np.ptp(resized_values) < FLAT else min_max(resized_values)
    if out is None:
        return result
    out[...] = result
    return out


def _scaled(values: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Returns what ``min_max`` has of the values in float64, without a copy of all of them."""
    result = np.empty(values.shape) if out is None else out
    low, high = float(values.min()), float(values.max())
    if low == high:
        result[...] = 0
        return result
    factor = _factor(low, high)
    low, high = low * factor, high * factor
    rows = max(1, BLOCK // values.shape[1])
    for start in range(0, len(values), rows):
        block = values[start : start + rows].astype(np.float64)
        if factor != 1:
            block *= factor
        block -= low
        block /= high - low
        result[start : start + rows] = block
    return result


def min_max(values: np.ndarray) -> np.ndarray:
    """Scales by the smallest and the largest value to [0, 1]; values that are all the same become 0."""
    low, high = values.min(), values.max()
    if low == high:
        return np.zeros_like(values)
    factor = _factor(low, high)
    if factor != 1:
        values, low, high = values * factor, low * factor, high * factor
    return (values - low) / (high - low)


def _factor(low: float, high: float) -> float:
    """Returns a half where the range itself would overflow, else 1."""
    return 0.5 if high / 2 - low / 2 > np.finfo(np.float64).max / 2 else 1


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
