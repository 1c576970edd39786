"""How far a map moves when the image is disturbed a little."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class MapSensitivity(NamedTuple):
    """Relative distances of disturbed maps from the map, float64 [B] each; NaN where the map is 0.

    Attributes:
        maximum: The largest over the samples.
        mean: Their mean.
    """

    maximum: np.ndarray
    mean: np.ndarray


def map_sensitivity(
    explain: Callable[[np.ndarray], Any],
    images: Any,
    *,
    radius: float = 0.02,
    samples: int = 10,
    seed: int = 0,
) -> MapSensitivity:
    """Measures the distance of the maps of disturbed images from the map of the image.

        |E(y) - E(x)| / |E(x)|,  |y - x| <= radius in every pixel

    with Euclidean norms over the whole map. y is drawn uniformly and clipped to [0, 1], so the maximum is a
    lower bound of that over all y and grows with the samples. A constant map is the most stable of all: the
    figure is of use beside one of relevance. Where the disturbance changes the decision an adversarial path
    goes the other way; give images that are not at the threshold, or a small radius.

    Source: Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations".

    Args:
        explain: float32 [B, H, W, C] in [0, 1] -> maps [B, H, W] or [B, H, W, any].
        images: float [B, H, W, C] in [0, 1], B >= 1.
        radius: Positive.
        samples: Disturbed copies of each image; ``explain`` is called once more than that.
        seed: Of the disturbances.

    Raises:
        ValueError: Another shape, or an argument is not positive.

    Example:
        >>> identity = map_sensitivity(lambda x: x, np.full((1, 8, 8, 1), 0.5), radius=0.1)
        >>> bool(0 < identity.mean[0] <= identity.maximum[0] <= 0.2)
        True
    """
    images = np.asarray(images, np.float32)
    if images.ndim != 4 or not images.size:
        raise ValueError(f"`images` must be [B, H, W, C] with B >= 1. Received: shape {images.shape}")
    if not radius > 0 or samples < 1:
        raise ValueError(
            f"`radius` and `samples` must be positive. Received: radius={radius}, samples={samples}"
        )
    maps = _flat(explain(images))
    norm = np.linalg.norm(maps, axis=1)
    norm[norm == 0] = np.nan
    random = np.random.default_rng(seed)
    distances = np.empty((samples, len(images)))
    for i in range(samples):
        disturbance = random.uniform(-radius, radius, images.shape)
        disturbed = np.clip(images + disturbance, 0, 1).astype(np.float32)
        distances[i] = np.linalg.norm(_flat(explain(disturbed)) - maps, axis=1) / norm
    return MapSensitivity(distances.max(axis=0), distances.mean(axis=0))


def _flat(maps: Any) -> np.ndarray:
    return np.asarray(maps, np.float64).reshape(len(maps), -1)
