"""Draws the examples of docs/explanation/reading_a_map.md into docs/images, from generated slices.

    python docs/reading_examples.py

The networks are those of bundles/phantom_brain, and no network was trained on these patients.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib as mpl
import numpy as np

import tfadvpath as tap
from tfadvpath.datasets.phantoms.brain_slices import phantom_brain_slices
from tfadvpath.metrics import iou

mpl.use("Agg")
import matplotlib.pyplot as plt

IMAGES = Path(__file__).parent / "images"
BUNDLE = Path(__file__).parents[1] / "bundles" / "phantom_brain"
MAP = "fi_v2_smooth"


def draw(file: str, rows: list[tuple[tap.PathExplanation, int, np.ndarray]], note: str = "") -> None:
    """Draws explanations, a row each: input, start, adversary, difference and map, with the annotation."""
    figure, axes = plt.subplots(len(rows), 5, figsize=(10, 2.3 * len(rows)), squeeze=False)
    for row, (explanation, at, mask) in zip(axes, rows, strict=True):
        pictures = {
            f"input, f = {explanation.score[at]:.2f}": (explanation.images[at], "gray"),
            f"stable image, f = {explanation.score_start[at]:.2f}": (explanation.start[at], "gray"),
            f"adversary, f = {explanation.score_adversary[at]:.2f}": (explanation.adversary[at], "gray"),
            "difference": (explanation.maps["difference"][at], "inferno"),
            note or "importance, v2 smooth": (explanation.maps[MAP][at], "inferno"),
        }
        for axis, (title, (picture, colours)) in zip(row, pictures.items(), strict=True):
            limits = {"vmin": 0, "vmax": 1} if colours == "gray" else {}
            axis.imshow(picture[..., 0], cmap=colours, **limits)
            if mask.any():
                axis.contour(mask, levels=[0.5], colors="cyan", linewidths=0.8)
            axis.set_title(title, fontsize=8)
            axis.axis("off")
    figure.tight_layout()
    figure.savefig(IMAGES / file, dpi=110)
    plt.close(figure)
    print(file)


def first(where: np.ndarray) -> int:
    """Returns the place of the first True; fails where there is none."""
    assert where.any(), "no slice is an example of this"
    return int(np.argmax(where))


def main() -> None:
    bundle = tap.load_bundle(BUNDLE)
    size = bundle.image_size[0]
    slices = phantom_brain_slices(
        range(700_000, 700_030), size, min_tumour_pixels=8, min_body_fraction=0.1, twins=True
    )
    explainer = tap.explainers.get("syce", bundle)
    explanation = explainer.explain(slices.images)
    masks, diseased = slices.masks, slices.labels == 1
    hits = np.where(diseased, iou(explanation.maps[MAP], masks, 98), np.nan)
    readable = explanation.crossed & explanation.kept
    found = diseased & explanation.decision

    at = int(np.nanargmax(np.where(readable & found, hits, -1)))
    draw("reading_found.png", [(explanation, at, masks[at])])
    at = first(found & ~explanation.crossed)
    draw("reading_did_not_cross.png", [(explanation, at, masks[at])])
    at = int(
        np.argmin(np.where(diseased & ~explanation.decision & explanation.crossed, explanation.score, 2))
    )
    draw("reading_missed.png", [(explanation, at, masks[at])])
    at = int(np.nanargmin(np.where(readable & found, hits, 2)))
    draw("reading_elsewhere.png", [(explanation, at, masks[at])])

    # The same pair, and the gradient of a classifier that has learned nothing.
    at = int(np.nanargmax(np.where(readable & found, hits, -1)))
    nothing = tap.models.randomized(bundle.classifier, seed=0)
    pair = tap.feature_importance(nothing, explanation.start[[at]], explanation.adversary[[at]])
    scale = float(pair.fi_v2_smooth.numpy().max())
    print(f"largest importance: {explanation.maps[MAP][at].max():.1e} of the classifier, {scale:.1e} of none")
    random = explainer.explain(slices.images[[at]])
    random.maps[MAP] = pair.fi_v2_smooth.numpy()
    draw("reading_no_classifier.png", [(random, 0, masks[at])], "v2 smooth, random classifier")


if __name__ == "__main__":
    main()
