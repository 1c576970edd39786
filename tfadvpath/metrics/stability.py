"""Sensitivity of maps to small disturbances of the image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np


class MapSensitivity(NamedTuple):
    """Relative distances of disturbed maps from the map, float64 [B] each; NaN where the map is 0.

    Attributes:
        maximum: Largest distance over the samples.
        mean: Mean distance over the samples.
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
    lower bound of that over all y and grows with the samples. A constant map is the most stable of all:
    the sensitivity is of use beside the relevance. Where the disturbance changes the decision an adversarial
    path goes the other way; give images that are not at the threshold, or a small radius.

    Source: Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations".

    Args:
        explain: Function float32 [B, H, W, C] in [0, 1] -> maps [B, H, W] or [B, H, W, any].
        images: float [B, H, W, C] in [0, 1], B >= 1.
        radius: Largest disturbance of a pixel, positive.
        samples: Number of disturbed copies of each image; ``explain`` is called once more than that.
        seed: Seed of the disturbances.

    Raises:
        ValueError: Another shape, or an argument is not positive.

    Example:
        >>> identity = map_sensitivity(lambda x: x, np.full((1, 8, 8, 1), 0.5), radius=0.1)
        >>> bool(0 < identity.mean[0] <= identity.maximum[0] <= 0.2)
        True
    """
    found = map_sensitivities(
        lambda x: {"map": explain(x)}, images, radius=radius, samples=samples, seed=seed
    )
    return found["map"]


def map_sensitivities(
    explain: Callable[[np.ndarray], Mapping[str, Any]],
    images: Any,
    *,
    radius: float = 0.02,
    samples: int = 10,
    seed: int = 0,
) -> dict[str, MapSensitivity]:
    """Measures the sensitivity of several maps that one call makes: of each what ``map_sensitivity`` does.

    Args:
        explain: Function float32 [B, H, W, C] in [0, 1] -> maps by name, [B, H, W] or [B, H, W, any].
        images: float [B, H, W, C] in [0, 1], B >= 1.
        radius: Largest disturbance of a pixel, positive.
        samples: Number of disturbed copies of each image; ``explain`` is called once more than that.
        seed: Seed of the disturbances, not negative.

    Returns:
        The sensitivity of every map, by its name.

    Raises:
        ValueError: Images of another shape, or an argument is not positive.
    """
    images = np.asarray(images, np.float32)
    if images.ndim != 4 or not images.size:
        raise ValueError(f"`images` must be [B, H, W, C] with B >= 1. Received: shape {images.shape}")
    if not radius > 0 or samples < 1:
        raise ValueError(
            f"`radius` and `samples` must be positive. Received: radius={radius}, samples={samples}"
        )
    maps = {name: _flat(values) for name, values in explain(images).items()}
    norms = {name: np.linalg.norm(values, axis=1) for name, values in maps.items()}
    for norm in norms.values():
        norm[norm == 0] = np.nan
    generator = np.random.default_rng(seed)
    distances = {name: np.empty((samples, len(images))) for name in maps}
    for i in range(samples):
        disturbance = generator.uniform(-radius, radius, images.shape)
        disturbed = np.clip(images + disturbance, 0, 1).astype(np.float32)
        for name, values in explain(disturbed).items():
            distances[name][i] = np.linalg.norm(_flat(values) - maps[name], axis=1) / norms[name]
    return {name: MapSensitivity(each.max(axis=0), each.mean(axis=0)) for name, each in distances.items()}


def _flat(maps: Any) -> np.ndarray:
    return np.asarray(maps, np.float64).reshape(len(maps), -1)
