"""Area over the perturbation curve: how fast the decision falls with the most important regions.

Source: Samek et al. 2017; Charachon et al. 2021, section 4.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tfadvpath.metrics.perturbation_curves import perturbation_curves


class Aopc(NamedTuple):
    """Results of ``aopc``.

    Attributes:
        value: AOPC(L) over all images.
        per_step: float64 [L + 1], AOPC(0) … AOPC(L).
        curves: float32 [B, L + 1], f_c of each image after 0 … L steps.
    """

    value: float
    per_step: np.ndarray
    curves: np.ndarray


def aopc(
    classifier: Any,
    images: Any,
    maps: Any,
    perturbed: Any,
    *,
    region: int = 8,
    step_share: float = 0.01,
    share: float = 0.16,
    batch_size: int = 64,
) -> Aopc:
    """Replaces the squares of the largest summed importance first and measures the fall of f_c.

        AOPC(L) = 1/(L + 1) · mean over images of Σ_{k=0..L} (f_c(x_0) - f_c(x_k))

    Its size depends on the perturbation: compare it with that of ``random_curves``, of the same perturbation
    and steps. Values over the whole image come from the same curves, ``share=1``: their first 17 columns are
    those of 16 %.

    Args:
        classifier: Any callable float32 [N, H, W, C] -> probabilities [N] or [N, 1]; of a classifier with K
            classes, ``tfadvpath.path.classifier.probability_function(classifier, target)``.
        images: float [B, H, W, C], B >= 1, in the range that the classifier takes.
        maps: float [B, H, W] or [B, H, W, any], finite; channels are summed.
        perturbed: Replacement of the pixels: x_p, float [B, H, W, C]; or a function of TensorFlow operations
            (images [N, H, W, C], removed bool [N, H, W, 1]) -> images [N, H, W, C], of which only the removed
            pixels are used.
        region: Side of the squares in pixels, positive.
        step_share: Share of the squares that a step replaces, positive.
        share: Share of the squares that is replaced in the end, a whole number of steps, in (0, 1].
        batch_size: Number of replaced images on the device at once, positive.

    Raises:
        ValueError: An argument is outside the values above, or maps are not finite.
    """
    steps = round(share / step_share) if step_share > 0 else 0
    if steps < 1 or not np.isclose(steps * step_share, share, rtol=1e-6):
        raise ValueError(
            "`share` must be a positive whole number of `step_share`. "
            f"Received: share={share}, step_share={step_share}"
        )
    curves = perturbation_curves(
        classifier, images, maps, perturbed, steps=steps, region=region, share=share, batch_size=batch_size
    )
    return Aopc(aopc_from_curves(curves), aopc_per_step(curves), curves)


def aopc_from_curves(curves: Any) -> float:
    """Returns AOPC(L) of curves; NaN where there is no image.

    Args:
        curves: float [B, L + 1], f_c of each image after 0 … L steps, the most important regions first.

    Raises:
        ValueError: Another shape.

    Example:
        >>> aopc_from_curves([[1.0, 0.5, 0.0]])  # falls by 0, 0.5 and 1
        0.5
    """
    return float(aopc_per_step(curves)[-1])


def aopc_per_step(curves: Any) -> np.ndarray:
    """Returns AOPC(0) … AOPC(L) of curves, float64 [L + 1]; NaN where there is no image.

    Args:
        curves: float [B, L + 1], f_c of each image after 0 … L steps, the most important regions first.

    Raises:
        ValueError: Another shape.
    """
    curves = np.asarray(curves, np.float64)
    if curves.ndim != 2 or not curves.shape[1]:
        raise ValueError(f"`curves` must be [B, steps + 1]. Received: shape {curves.shape}")
    if not len(curves):
        return np.full(curves.shape[1], np.nan)
    mean = curves.mean(axis=0)
    return np.cumsum(mean[0] - mean) / np.arange(1, len(mean) + 1)
