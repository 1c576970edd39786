"""Resizing of masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def nearest(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Resizes an array by taking for each place the value at its centre.

    OpenCV's nearest neighbour takes the value at the place's corner, which shifts masks against images.

    Examples:
        >>> nearest(np.array([0, 1, 2, 3, 4, 5]), [2])
        array([1, 4])
    """
    for axis, (old, new) in enumerate(zip(values.shape, shape, strict=True)):
        if old != new:
            values = values.take(((np.arange(new) + 0.5) * old / new).astype(np.int64), axis)
    return values
