"""What every metric takes for a batch of maps."""

from __future__ import annotations

from typing import Any

import numpy as np


def summed_maps(maps: Any) -> np.ndarray:
    """Returns maps summed over their channels, float64 [B, H, W].

    Raises:
        ValueError: They are not [B, H, W] or [B, H, W, C] with B >= 1, or values are not finite.
    """
    maps = np.asarray(maps, np.float64)
    if maps.ndim == 4:
        maps = maps.sum(axis=3)
    if maps.ndim != 3 or not maps.size:
        raise ValueError(
            f"`maps` must be [B, H, W] or [B, H, W, C] with B >= 1. Received: shape {maps.shape}"
        )
    if not np.isfinite(maps).all():
        raise ValueError("`maps` must be finite. Received: NaN or infinite values")
    return maps
