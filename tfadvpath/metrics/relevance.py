"""Feature relevance R: the most important pixels must change the decision, the least important must not.

Source: Charachon et al. 2021, section 4, table 2.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tfadvpath.metrics.perturbation_curves import most_and_least_curves


class FeatureRelevance(NamedTuple):
    """Results of ``feature_relevance``. Numbers are in [0, 1], NaN where there is no image.

    Attributes:
        all: R of all images.
        class_0: R of the images that are predicted 0.
        class_1: R of the images that are predicted 1.
        destruction: D of all images.
        preservation: P of all images.
        most: float32 [B, steps + 1], f_c with the most important pixels replaced first.
        least: float32 [B, steps + 1], f_c with the least important pixels replaced first.
        predicted: int64 [B], class c whose probability they are.
    """

    all: float
    class_0: float
    class_1: float
    destruction: float
    preservation: float
    most: np.ndarray
    least: np.ndarray
    predicted: np.ndarray


def feature_relevance(
    classifier: Any,
    images: Any,
    maps: Any,
    perturbed: Any,
    *,
    steps: int = 224,
    region: int = 1,
    batch_size: int = 64,
) -> FeatureRelevance:
    """Replaces all pixels in equal steps, once the most and once the least important first.

        D = 1 - AUC(most first),  P = AUC(least first),  R = 2 D P / (D + P)

    AUC is the area under the mean curve over the images, by trapezoids, over the share replaced. A random
    order of area c reaches R = 2c (1 - c), which depends on classifier and perturbation: compare with
    ``relevance_from_curves(random, random)`` of ``random_curves``.

    Args:
        classifier: Any callable float32 [N, H, W, C] -> probabilities [N] or [N, 1]; of a classifier with K
            classes, ``tfadvpath.path.classifier.probability_function(classifier, target)``.
        images: float [B, H, W, C], B >= 1, in the range that the classifier takes.
        maps: float [B, H, W] or [B, H, W, any], finite; channels are summed.
        perturbed: Replacement of the pixels: x_p, float [B, H, W, C]; or a function of TensorFlow operations
            (images [N, H, W, C], removed bool [N, H, W, 1]) -> images [N, H, W, C], of which only the removed
            pixels are used.
        steps: Number of equal steps up to the whole image, positive.
        region: Side of the squares in pixels; 1 replaces single pixels.
        batch_size: Number of replaced images on the device at once, positive.

    Returns:
        FeatureRelevance; its curves give R of any other group of images, by ``relevance_from_curves``.

    Raises:
        ValueError: An argument is outside the values above, or maps are not finite.
    """
    most, least, predicted = most_and_least_curves(
        classifier, images, maps, perturbed, steps=steps, region=region, batch_size=batch_size
    )
    class_0, class_1 = (relevance_from_curves(most[predicted == c], least[predicted == c]) for c in (0, 1))
    return FeatureRelevance(
        all=relevance_from_curves(most, least),
        class_0=class_0,
        class_1=class_1,
        destruction=1 - _area(most),
        preservation=_area(least),
        most=most,
        least=least,
        predicted=predicted,
    )


def relevance_from_curves(most: Any, least: Any) -> float:
    """Returns R of the curves of both orders over the whole image; NaN where there is no image.

    Args:
        most: float [B, steps + 1], f_c with the most important pixels replaced first; steps >= 1.
        least: float [B, steps + 1], f_c with the least important pixels replaced first.

    Raises:
        ValueError: Another shape.

    Example:
        >>> relevance_from_curves([[1, 0, 0]], [[1, 1, 0]])  # D = P = 3/4
        0.75
    """
    destruction, preservation = 1 - _area(most), _area(least)
    if destruction + preservation == 0:
        return 0.0
    return 2 * destruction * preservation / (destruction + preservation)


def _area(curves: Any) -> float:
    curves = np.asarray(curves, np.float64)
    if curves.ndim != 2 or curves.shape[1] < 2:
        raise ValueError(f"Curves must be [B, steps + 1] with steps >= 1. Received: shape {curves.shape}")
    if not len(curves):
        return float("nan")
    mean = curves.mean(axis=0)
    return float((mean[1:] + mean[:-1]).mean() / 2)
