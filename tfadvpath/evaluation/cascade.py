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
WEIGHTED = ("fi_v1", "fi_v2")
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
    weights: dict[str, list[np.ndarray]] = {name: [] for name in map_names if name in WEIGHTED}
    for share in shares(method):
        others = make_randomised(share).explain(images, on_progress).maps
        for name in map_names:
            own, other = maps[name].sum(axis=3), others[name].sum(axis=3)
            selected = metrics.most_important(other, percentile, exact=True)
            same = metrics.iou(own, selected, percentile, exact=True)
            found[name].append(np.stack([metrics.rank_correlation(own, other), same], axis=1))
        for name, correlations in weights.items():
            correlations.append(weight_correlation(maps[name], others[name], maps["difference"]))
    measured = {name: {"cascade": np.stack(values, axis=1)} for name, values in found.items()}
    for name, correlations in weights.items():
        measured[name]["cascade_weight"] = np.stack(correlations, axis=1)
    return measured


def weight_correlation(
    own: np.ndarray, other: np.ndarray, difference: np.ndarray, other_difference: np.ndarray | None = None
) -> np.ndarray:
    """Returns the rank correlation of the weights of two sets of maps: each over its squared difference.

    Args:
        own: float32 [K, H, W, C], maps of ``WEIGHTED``.
        other: float32 [K, H, W, C], the same of another classifier or of other images.
        difference: float32 [K, H, W, C], maps "difference" of ``own``.
        other_difference: The same of ``other``; None where the pair is the same.

    Returns:
        float64 [K], over the pixels where both differences are above 1e-4; NaN where fewer than two are.
    """
    both = (difference, difference if other_difference is None else other_difference)
    where = np.minimum(*both) > _LEAST_DIFFERENCE
    flat = (len(own), 1, -1)  # every channel has a weight of its own
    weights, others = (
        (one / np.where(where, of.astype(np.float64), 1.0) ** 2).reshape(flat)
        for one, of in zip((own, other), both, strict=True)
    )
    return metrics.rank_correlation(weights, others, where.reshape(flat))
