"""The reliability diagram: whether a probability of 0.8 means eight of ten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure


def reliability_chart(figures: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draws a diagram for each part: the share of class 1 among images of about one probability.

    A point below the diagonal says that the classifier promises more than it holds. Below, how many images
    there are.

    Args:
        figures: Measurements by part, such as "validation" and "test", as ``classifier_figures`` returns
            them.
    """
    chart = Figure(figsize=(3.4 * len(figures), 4.2), layout="constrained", dpi=100)
    grid = chart.subplots(2, len(figures), squeeze=False, sharex=True, height_ratios=(3, 1))
    for (above, below), (part, values) in zip(grid.T, figures.items(), strict=True):
        bins = {name: np.array(column, float) for name, column in values["reliability"].items()}
        occupied = bins["images"] > 0
        above.plot([0, 1], [0, 1], color="0.6", linestyle=":")
        above.plot(bins["mean_score"][occupied], bins["positive_share"][occupied], marker="o", markersize=4)
        error = values["expected_calibration_error"]
        note = "" if error is None else f", calibration error {error:.3f}"
        above.set_title(f"{part}{note}", fontsize=9, loc="left")
        above.set_ylabel("share of class 1", fontsize=8)
        above.set(xlim=(0, 1), ylim=(-0.02, 1.02))
        edges = np.linspace(0, 1, len(occupied) + 1)
        below.bar(edges[:-1], bins["images"], width=np.diff(edges), align="edge", edgecolor="white")
        below.set_ylabel("images", fontsize=8)
        below.set_xlabel("probability of class 1", fontsize=8)
        for axes in (above, below):
            axes.tick_params(labelsize=8)
            axes.grid(alpha=0.25)
    return chart
