"""Maps as every metric takes them, and the order of equal values in them."""

from __future__ import annotations

from typing import Any

import numpy as np

_SEED = 0


def summed_maps(maps: Any) -> np.ndarray:
    """Returns maps summed over their channels, float64 [B, H, W].

    Args:
        maps: float [B, H, W] or [B, H, W, C], finite, B >= 1.

    Raises:
        ValueError: They are not [B, H, W] or [B, H, W, C] with B >= 1, or values are not finite.
    """
    values = np.asarray(maps, np.float64)
    if values.ndim == 4:
        values = values.sum(axis=3)
    if values.ndim != 3 or not values.size:
        raise ValueError(
            f"`maps` must be [B, H, W] or [B, H, W, C] with B >= 1. Received: shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError("`maps` must be finite. Received: NaN or infinite values")
    return values


def tie_order(count: int) -> np.ndarray:
    """Returns a fixed random order of 0…count - 1, int64 [count]: equal values stand in it.

    Row by row would favour the upper edge of a map with many equal values, such as one that is 0 over the
    background. The order depends on ``count`` alone.

    Args:
        count: Number of places.
    """
    return np.random.default_rng(_SEED).permutation(count)
