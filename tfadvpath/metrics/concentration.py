"""Concentration of a map: whether few pixels hold most of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfadvpath.metrics.maps import summed_maps


def concentration(maps: Any) -> np.ndarray:
    """Returns the Gini coefficient of every map, float64 [B] in [0, 1).

    With the N values of a map in ascending order, v_1 to v_N, and their sum S, it is

        1 - 2 Σ_k (v_k / S) (N - k + 1/2) / N.

    0 is a map of equal values, 1 - 1/N a map of one pixel.

    Source: Hurley and Rickard 2009; as the sparseness of maps, Chalasani et al. 2020.

    Args:
        maps: float [B, H, W] or [B, H, W, C], not negative; channels are summed.

    Returns:
        NaN where a map is 0 everywhere.

    Raises:
        ValueError: The shape is another, or values are negative or not finite.

    Example:
        >>> one_pixel = np.zeros((1, 2, 2))
        >>> one_pixel[0, 0, 0] = 3.0
        >>> concentration(one_pixel)
        array([0.75])
    """
    values = summed_maps(maps)
    if values.min() < 0:
        raise ValueError(f"`maps` must not be negative. Received: values down to {values.min():.3g}")
    ordered = np.sort(values.reshape(len(values), -1), axis=1)
    count = ordered.shape[1]
    total = ordered.sum(axis=1)
    places = (count - np.arange(1, count + 1) + 0.5) / count
    weighted = ordered @ places
    return np.asarray(1.0 - 2.0 * weighted / np.where(total > 0, total, np.nan))
