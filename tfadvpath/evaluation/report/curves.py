"""Charts of an evaluation: AOPC by the share replaced, IoU by percentile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tfadvpath.evaluation.compared_maps import BASELINES, COMPARED_MAPS, GENERATORS, main_map
from tfadvpath.evaluation.summary import SHORT, MeasuredMap, Summary
from tfadvpath.generators.registry import GENERATORS as GENERATOR_ROWS

# Okabe and Ito's colours, which colour-blind people can tell apart. The main map is black among others.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
_MAIN = "black"
_BAND = 0.15  # opacity
_DPI = 110


def aopc_chart(summary: Summary) -> Figure:
    """Draws AOPC relative to random orders: above, the first part of the image; below, all of it.

    Bands are intervals of 95 %.
    """
    steps = summary.options.region_steps
    share = 100 * np.arange(steps + 1) / steps
    groups = _groups(summary)
    chart = Figure(figsize=(4.1 * len(groups) + 0.6, 7.2), layout="constrained", dpi=_DPI)
    grid = chart.subplots(2, len(groups), squeeze=False, sharey="row")
    for axes, last in zip(grid, (min(SHORT, steps), steps), strict=True):
        _draw(axes, groups, share[: last + 1], "aopc", (0, slice(last + 1)))  # of all classes
        axes[0].set_ylabel("AOPC above random order", fontsize=9)
        for each in axes:
            each.axhline(0, color="0.5", linewidth=0.8, linestyle=":")
            each.set_xlabel("share of the image replaced, %", fontsize=9)
    return chart


def iou_chart(summary: Summary) -> Figure:
    """Draws IoU by the percentile from which pixels count as important.

    Bands are intervals of 95 %. Some of the images must be annotated.
    """
    groups = _groups(summary)
    chart = Figure(figsize=(4.1 * len(groups) + 0.6, 3.8), layout="constrained", dpi=_DPI)
    grid = chart.subplots(1, len(groups), squeeze=False, sharey=True)
    _draw(grid[0], groups, np.array(summary.options.curve), "curve")
    grid[0][0].set_ylabel("IoU", fontsize=9)
    for each in grid[0]:
        each.set_xlabel("percentile", fontsize=9)
        each.set_ylim(bottom=0)
    return chart


def _groups(summary: Summary) -> list[tuple[str, list[tuple[MeasuredMap, str]]]]:
    """Returns the panels: their titles, and measured maps with colours."""
    main = main_map(summary.maps)
    groups = []
    shown = {key: measured for key, measured in summary.maps.items() if not measured.compared.is_control}
    others = [key for key, measured in shown.items() if measured.compared.method not in GENERATORS]
    if others:
        # A baseline has one colour whichever are measured; methods that the paper has not begin anew.
        places = [BASELINES.index(key) if key in BASELINES else i for i, key in enumerate(others)]
        lines = [
            (summary.maps[key], _COLOURS[place % len(_COLOURS)])
            for key, place in zip(others, places, strict=True)
        ]
        if main not in others:
            lines.append((summary.maps[main], _MAIN))
        groups.append(("baselines", lines))
    for method in GENERATORS:
        own = [measured for measured in shown.values() if measured.compared.method == method]
        if own:
            groups.append((GENERATOR_ROWS[method].title, list(zip(own, _COLOURS, strict=False))))
    return groups


def _draw(
    axes: Sequence[Any],
    groups: Sequence[tuple[str, list[tuple[MeasuredMap, str]]]],
    x: np.ndarray,
    name: str,
    part: tuple[int | slice, ...] = (),
) -> None:
    for each, (title, lines) in zip(axes, groups, strict=True):
        for measured, colour in lines:
            estimate = measured.estimates[name].at(*part)
            low, high = estimate.interval()
            each.fill_between(x, low, high, color=colour, alpha=_BAND, linewidth=0)
            compared = measured.compared
            style = "-" if compared in COMPARED_MAPS else "--"  # dashed: the paper does not have the method
            each.plot(x, estimate.value, style, color=colour, linewidth=1.6, label=compared.title)
        each.set_title(title, fontsize=10, loc="left")
        each.legend(fontsize=7.5, framealpha=0.6)
        each.tick_params(labelsize=8)
        each.grid(alpha=0.25)
