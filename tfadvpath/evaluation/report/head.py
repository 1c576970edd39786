"""Head of the report: sentences that a reader must know before the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfadvpath.bundle.figures import classifier_figures
from tfadvpath.evaluation.estimates import Estimate
from tfadvpath.evaluation.images import EvaluatedImages
from tfadvpath.evaluation.options import SECOND
from tfadvpath.evaluation.replacement_images import FIXED_POINT_GAN
from tfadvpath.evaluation.summary import Summary
from tfadvpath.generators.registry import GENERATORS
from tfadvpath.path.lengths import PAPER_SIDE, length_scale

_BY_NAME = {
    FIXED_POINT_GAN: "the fixed-point GAN's image of the other class",
    "blur": "the blurred image",
    "inpainting": "the interpolation of what remains",
    "noise": "uniform noise",
    "zero": "black",
}


def facts(evaluated: EvaluatedImages, summary: Summary, lengths: str) -> dict[str, str]:
    """Returns sentences on the images, the classifier, the perturbation and the generators, by title.

    Args:
        evaluated: Test images.
        summary: Measurements.
        lengths: Sentence on the lengths that depend on the images' size, see ``lengths_in_words``.
    """
    images, counts = evaluated.images, summary.counts
    positives = int((np.asarray(images.labels) == 1).sum())
    found = {
        "Test images": f"{counts['images']} of {counts['patients']} patients, {positives} of class 1, "
        f"{counts['localised']} of these annotated",
        "Classifier": _classifier(evaluated),
        "Perturbation": _perturbation(summary, ""),
    }
    if SECOND in summary.options.perturbations:
        found["Second perturbation"] = _perturbation(summary, SECOND)
    found["Lengths"] = lengths
    for row in GENERATORS.values():
        measured = summary.maps.get(f"{row.name}_difference")
        if measured is not None:
            crossed, kept = (_share(measured.estimates[name]) for name in ("crossed", "kept"))
            found[row.title] = f"{crossed} of the adversaries cross the decision"
            if row.has_stable_image:
                found[row.title] += f", {kept} of the stable images keep it"
    return found


def lengths_in_words(
    height: int, width: int, squares: int, of_methods: Mapping[str, Mapping[str, float]]
) -> str:
    """Returns the lengths of the measurement and of the methods in pixels, and the scale that makes them.

    Args:
        height: Height of the images in pixels.
        width: Width of the images in pixels.
        squares: Side of AOPC's squares in pixels.
        of_methods: Lengths by name, as ``Explainer.lengths`` returns them, by the method's name.
    """
    groups: dict[str, list[str]] = {}
    for method, lengths in of_methods.items():
        text = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in lengths.items())
        if text:
            groups.setdefault(text, []).append(method)
    parts = [f"{', '.join(methods)}: {text}" for text, methods in groups.items()]
    scale = length_scale(height, width)
    return (
        f"in pixels of these images of {height} x {width}, where a length of the paper, which is for "
        f"{PAPER_SIDE} pixels, is multiplied by {scale:.3g} unless it was given. AOPC's squares: {squares}. "
        + "; ".join(parts)
    )


def _perturbation(summary: Summary, ending: str) -> str:
    name = summary.options.perturbations[ending]
    flipped = _share(summary.random[f"flipped{ending}"])
    return f"{_BY_NAME[name]}; it turns the decision of {flipped} of the images"


def _classifier(evaluated: EvaluatedImages) -> str:
    figures: Mapping[str, Any] = classifier_figures(
        evaluated.scores, evaluated.images.known_labels, evaluated.images.patients
    )
    if figures["auc"] is None:
        return "not measured: no label is known, and classes are its own decisions"
    parts = []
    for name, title in (("auc", "AUC"), ("sensitivity", "sensitivity"), ("specificity", "specificity")):
        low, high = figures[f"{name}_interval"]
        interval = "" if low is None else f" [{low:.3f}, {high:.3f}]"
        parts.append(f"{title} {figures[name]:.3f}{interval}")
    return ", ".join(parts)


def _share(estimate: Estimate) -> str:
    low, high = estimate.interval()
    interval = "" if np.isnan(low) else f" [{100 * low:.1f}, {100 * high:.1f}]"
    return f"{100 * estimate.value:.1f} %{interval}"
