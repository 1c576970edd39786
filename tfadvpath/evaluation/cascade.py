"""Maps under cascading randomization: the classifier forgets layer by layer, from the output to the input.

A map of a generator's pair is mostly the difference of the pair, which no later change of the classifier
moves. So its rank correlation with itself stays high whatever the gradient does. What the gradient adds is
the weight, the map over the squared difference, so the weight is compared alone, too.

Source: Adebayo et al. 2018, "Sanity checks for saliency maps".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tfadvpath import metrics
from tfadvpath.evaluation.compared_maps import COSTLY
from tfadvpath.explainers.base import Explainer

# Shares of the layers with weights that have new ones, from the output; 0 is the last layer alone.
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
# Maps that are a weight times the squared difference, pixel by pixel.
_WEIGHTED = ("fi_v1", "fi_v2")
# Below this difference of the two images a pixel has no weight that could be told from rounding.
_LEAST_DIFFERENCE = 1e-4


def shares(method: str) -> tuple[float, ...]:
    """Returns the steps of the cascade that a method is measured at, the whole network last.

    Args:
        method: Name of the explainer.
    """
    return SHARES[-1:] if method in COSTLY else SHARES


def share_title(share: float) -> str:
    """Returns "last layer", "25 %" and so on.

    Args:
        share: One of ``SHARES``.
    """
    return f"{100 * share:g} %" if share else "last layer"


def cascade(
    method: str,
    make_randomised: Callable[[float], Explainer],
    images: np.ndarray,
    maps: Mapping[str, np.ndarray],
    map_names: Sequence[str],
    percentile: float,
    on_progress: Callable[[float], None] = lambda amount: None,
) -> dict[str, dict[str, np.ndarray]]:
    """Compares maps with those of a classifier whose last layers have random weights, more at each step.

    Args:
        method: Name of the explainer.
        make_randomised: Function of a share of ``SHARES`` that returns the same explainer of such a
            classifier.
        images: float32 [K, H, W, C] in [0, 1].
        maps: Maps of the trained classifier, float32 [K, H, W, C], by name.
        map_names: Names of the maps that are compared.
        percentile: Percentile above which pixels are the most important ones.
        on_progress: Function that is called with the number of images of each batch.

    Returns:
        Arrays by the map's name and by their own, L steps each. ``cascade`` float64 [K, L, 2]: the rank
        correlation of both maps, and the IoU of the most important pixels, ties broken. ``cascade_weight``
        float64 [K, L], of maps that have a weight: the rank correlation of the weights where the two images
        of the pair differ by more than 1e-4.
    """
    found: dict[str, list[np.ndarray]] = {name: [] for name in map_names}
    weights: dict[str, list[np.ndarray]] = {name: [] for name in map_names if name in _WEIGHTED}
    for share in shares(method):
        others = make_randomised(share).explain(images, on_progress).maps
        for name in map_names:
            own, other = maps[name].sum(axis=3), others[name].sum(axis=3)
            selected = metrics.most_important(other, percentile, exact=True)
            same = metrics.iou(own, selected, percentile, exact=True)
            found[name].append(np.stack([metrics.rank_correlation(own, other), same], axis=1))
        for name, correlations in weights.items():
            correlations.append(_weight_correlation(maps[name], others[name], maps["difference"]))
    measured = {name: {"cascade": np.stack(values, axis=1)} for name, values in found.items()}
    for name, correlations in weights.items():
        measured[name]["cascade_weight"] = np.stack(correlations, axis=1)
    return measured


def _weight_correlation(own: np.ndarray, other: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """Returns the rank correlation of two maps over the squared difference, float64 [K]."""
    where = difference > _LEAST_DIFFERENCE
    squared = np.where(where, difference.astype(np.float64), 1.0) ** 2
    flat = (len(own), 1, -1)  # every channel has a weight of its own
    weights, others = ((one / squared).reshape(flat) for one in (own, other))
    return metrics.rank_correlation(weights, others, where.reshape(flat))
