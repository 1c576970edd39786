"""What a reader must know of a measurement before its figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfadvpath.evaluation.columns import GENERATORS
from tfadvpath.evaluation.held_out import HeldOut
from tfadvpath.evaluation.perturbed import FIXED_POINT_GAN
from tfadvpath.evaluation.resampling import Estimate
from tfadvpath.evaluation.summary import Summary
from tfadvpath.training.figures import classifier_figures

_BY_NAME = {
    FIXED_POINT_GAN: "the fixed-point GAN's image of the other class",
    "blur": "the blurred image",
    "inpainting": "the interpolation of what remains",
    "noise": "uniform noise",
    "zero": "black",
}


def facts(held_out: HeldOut, summary: Summary) -> dict[str, str]:
    """Returns sentences on the images, the classifier, the perturbation and the generators, by title."""
    images, counts = held_out.images, summary.counts
    positives = int((np.asarray(images.labels) == 1).sum())
    found = {
        "Test images": f"{counts['images']} of {counts['patients']} patients, {positives} of class 1, "
        f"{counts['localised']} of these annotated",
        "Classifier": _classifier(held_out),
        "Perturbation": f"{_BY_NAME[summary.options.perturbation]}; it turns the decision of "
        f"{_share(summary.random['flipped'])} of the images",
    }
    for method in (*GENERATORS, "sagen"):
        column = summary.columns.get(f"{method}_difference")
        if column is not None:
            crossed, kept = (_share(column.estimates[name]) for name in ("crossed", "kept"))
            title = column.column.title.split()[0]
            found[title] = f"{crossed} of the adversaries cross the decision"
            if method != "cyce":  # whose path starts at the image itself
                found[title] += f", {kept} of the stable images keep it"
    return found


def _classifier(held_out: HeldOut) -> str:
    figures: Mapping[str, Any] = classifier_figures(
        held_out.scores, held_out.images.labels, held_out.images.patients
    )
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
