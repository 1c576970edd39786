"""A figure of explained images: each in a row, with its stable image, its adversary and its maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfadvpath.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES = 2.2  # of a picture's side
_TITLE = 0.3
_PERCENTILE = 99.5  # of a map: the brightest colour stands for it
_OPACITY = 0.75
_MOST_ROWS = 32


def check_matplotlib() -> None:
    """Checks that figures can be drawn.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise InputError("matplotlib", "is not installed", "Run: pip install matplotlib") from None


def figure(
    images: Mapping[str, np.ndarray],
    maps: Mapping[str, np.ndarray],
    scores: Mapping[str, np.ndarray],
    rows: Sequence[int],
    remarks: Sequence[str],
) -> Figure:
    """Draws images, each in a row, with what was made of them and their maps over them.

    Args:
        images: Arrays float [B, H, W, C] in [0, 1] by their columns' titles, the input first.
        maps: Arrays float [B, H, W, C] by their columns' titles, not negative.
        scores: Arrays float [B] by an image's title: the classifier's probability.
        rows: Places of the images that are drawn, at least one and at most 32.
        remarks: Sentence on each of the drawn images, "" for none.

    Raises:
        InputError: There is nothing to draw, or too much; matplotlib is not installed.
    """
    check_matplotlib()
    from tfadvpath.plots.shown_figure import ShownFigure

    if not 0 < len(rows) <= _MOST_ROWS:
        raise InputError("`images`", f"{len(rows)} cannot be drawn", f"Choose 1 to {_MOST_ROWS}")
    across = len(images) + len(maps)
    chart = ShownFigure((_INCHES * across, (_INCHES + _TITLE) * len(rows)), layout="constrained", dpi=100)
    grid = chart.subplots(len(rows), across, squeeze=False)
    first = next(iter(images.values()))
    for axes_of_row, row, remark in zip(grid, rows, remarks, strict=True):
        for axes, (title, values) in zip(axes_of_row, images.items(), strict=False):
            draw_image(axes, values[row])
            score = f" f = {scores[title][row]:.2f}" if title in scores else ""
            axes.set_title(f"{title}{score}", fontsize=9)
        for axes, (title, values) in zip(axes_of_row[len(images) :], maps.items(), strict=True):
            draw_image(axes, first[row])
            draw_map(axes, values[row])
            axes.set_title(title, fontsize=9)
        axes_of_row[0].set_ylabel(remark, fontsize=8)
    return chart


def draw_image(axes: Axes, image: np.ndarray) -> None:
    """Draws an image float [H, W, C] in [0, 1], the mean of its channels, without ticks."""
    axes.imshow(image.mean(axis=-1), cmap="gray", vmin=0.0, vmax=1.0)
    axes.set(xticks=[], yticks=[])


def draw_map(axes: Axes, values: np.ndarray) -> None:
    """Draws a map float [H, W, C], the sum of its channels, over what the axes show; 0 is transparent."""
    shown = values.sum(axis=-1)
    most = float(np.percentile(shown, _PERCENTILE)) or float(shown.max()) or 1.0
    strength = np.clip(shown / most, 0.0, 1.0)
    axes.imshow(strength, cmap="inferno", vmin=0.0, vmax=1.0, alpha=_OPACITY * strength)
