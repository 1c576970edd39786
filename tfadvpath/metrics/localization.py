"""Where the most important pixels of a map lie, against an annotation.

Source: Charachon et al. 2021, section 4.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# Orders pixels of one value where an exact number is selected. Row by row would favour the upper edge.
_TIE_SEED = 0


def most_important(maps: Any, percentile: float, exact: bool = False) -> np.ndarray:
    """Selects the pixels B of each map at or above its percentile.

    A map with many equal values, such as one that is 0 over the background, can have far more of them than
    the percentile says: see ``selected_share``. With ``exact`` there are always ceil((100 - percentile) % of
    H W), and among equal values a fixed random order decides.

    Args:
        maps: float [B, H, W] or [B, H, W, C]; channels are summed.
        percentile: In (0, 100).
        exact: Whether to break ties.

    Returns:
        bool [B, H, W].

    Raises:
        ValueError: Another shape or percentile, or values that are not finite.
    """
    flat = _checked(maps, percentile).reshape(len(maps), -1)
    if not exact:
        selected = flat >= np.percentile(flat, percentile, axis=1, keepdims=True)
    else:
        count = math.ceil(round((100 - percentile) * flat.shape[1] / 100, 6))
        order = np.random.default_rng(_TIE_SEED).permutation(flat.shape[1])
        descending = order[np.argsort(-flat[:, order], axis=1, kind="stable")]
        selected = np.zeros(flat.shape, bool)
        np.put_along_axis(selected, descending[:, :count], True, axis=1)
    return selected.reshape(np.shape(maps)[:3])


def selected_share(maps: Any, percentile: float) -> np.ndarray:
    """Returns the share of the image that ``most_important`` selects without ``exact``, float64 [B].

    Far above (100 - percentile) / 100 the map has ties: its figures speak of a larger area than another's.
    """
    return most_important(maps, percentile).mean(axis=(1, 2))


def iou(maps: Any, masks: Any, percentile: float, exact: bool = False) -> np.ndarray:
    """Intersection over union |B ∩ G| / |B ∪ G| of the most important pixels B and the annotation G.

    The paper averages it over the test images whose true label is 1.

    Args:
        maps: float [B, H, W] or [B, H, W, C].
        masks: bool [B, H, W] or [B, H, W, 1], the annotation; a number that is not 0 counts as annotated.
        percentile: In (0, 100); the paper's are 90, 95 and 98 for chest X-rays, 98 and 99 for the brain.
        exact: As of ``most_important``.

    Returns:
        float64 [B] in [0, 1].

    Raises:
        ValueError: As ``most_important``, or maps and masks differ in shape.

    Example:
        >>> ramp = np.arange(100.0).reshape(1, 10, 10)
        >>> iou(ramp, ramp >= 95, percentile=90)
        array([0.5])
    """
    selected, annotated = _selected_and_annotated(maps, masks, percentile, exact)
    return (selected & annotated).sum(axis=(1, 2)) / (selected | annotated).sum(axis=(1, 2))


def false_negative_rate(maps: Any, masks: Any, percentile: float, exact: bool = False) -> np.ndarray:
    r"""Share |B \ G| / |B| of the most important pixels B that lies outside the annotation G.

    The name is the paper's. The field calls this the false discovery rate; 1 minus it is the precision.

    Args:
        maps: As of ``iou``, like the following.
        masks: ""
        percentile: ""
        exact: ""

    Returns:
        float64 [B] in [0, 1].

    Raises:
        ValueError: As ``iou``.
    """
    selected, annotated = _selected_and_annotated(maps, masks, percentile, exact)
    return (selected & ~annotated).sum(axis=(1, 2)) / selected.sum(axis=(1, 2))


def _checked(maps: Any, percentile: float) -> np.ndarray:
    if not 0 < percentile < 100:
        raise ValueError(f"`percentile` must be between 0 and 100. Received: {percentile}")
    maps = np.asarray(maps, np.float64)
    if maps.ndim == 4:
        maps = maps.sum(axis=3)
    if maps.ndim != 3 or not maps[0:1].size:
        raise ValueError(
            f"`maps` must be [B, H, W] or [B, H, W, C] with B >= 1. Received: shape {maps.shape}"
        )
    if not np.isfinite(maps).all():
        raise ValueError("`maps` must be finite. Received: NaN or infinite values")
    return maps


def _selected_and_annotated(
    maps: Any, masks: Any, percentile: float, exact: bool
) -> tuple[np.ndarray, np.ndarray]:
    selected = most_important(maps, percentile, exact)
    annotated = np.asarray(masks) != 0
    if annotated.ndim == 4 and annotated.shape[3] == 1:
        annotated = annotated[..., 0]
    if annotated.shape != selected.shape:
        raise ValueError(
            "`masks` must be [B, H, W] like the maps. Received: shapes "
            f"{np.shape(masks)} and {np.shape(maps)}"
        )
    return selected, annotated
