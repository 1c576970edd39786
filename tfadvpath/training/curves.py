"""The chart of a training: what every epoch logged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

Epoch = Mapping[str, float]
_VALIDATION = "val_"
_NOT_DRAWN = ("epoch", "seconds")
# Values further apart than that are shown on a logarithmic scale.
_DECADES_FROM = 20.0


def _is_share(name: str) -> bool:
    return name == "auc" or (name.endswith("_rate") and name != "learning_rate")


def _is_of_pairs(name: str) -> bool:
    return name.endswith(("_similarity", "_sharpness")) or name.startswith("undoing")


# Numbers of each column; the last takes what is left.
_SHARES = "shares of images, AUC"
_RATE = "learning rate"
_COLUMNS: Mapping[str, Callable[[str], bool]] = {
    "loss": lambda name: name in ("loss", "discriminator_loss"),
    _SHARES: _is_share,
    _RATE: lambda name: name == "learning_rate",
    "mean distance of a pixel": lambda name: name.endswith("_distance"),
    "similarity, sharpness, undoing": _is_of_pairs,
    "terms of the loss": lambda name: True,
}


def training_chart(
    histories: Mapping[str, Sequence[Epoch]], best_epochs: Mapping[str, int] | None = None
) -> Figure:
    """Draws a row a stage: loss, shares of images, learning rate, distances, similarity, terms of the loss.

    Validation is solid, training dashed in the same colour; the best epoch is a vertical line. Shares go
    from 0 to 1. Others are on a logarithmic scale where they are positive and more than 20 times apart;
    where they have both signs and are as far apart, the scale is linear around 0.

    Args:
        histories: Numbers of every epoch by stage and name: "epoch" (from 0), "loss" and others; those of
            validation begin with ``val_``. "seconds" is not drawn.
        best_epochs: Index of the best epoch by stage, from 0. A stage that is not named has its lowest
            ``val_loss`` marked, if it has one.
    """
    titles = [title for title in _COLUMNS if any(_names(history, title) for history in histories.values())]
    rows, columns = max(len(histories), 1), max(len(titles), 1)
    # Inches: an axes is 2.8 x 1.7; left of it the numbers, right of it the names of its lines.
    width, height = 4.6 * columns, 2.5 * rows + 0.4
    chart = Figure(figsize=(width, height), dpi=100)
    edges = {"left": 0.5 / width, "right": 1 - 1.5 / width, "bottom": 0.5 / height, "top": 1 - 0.7 / height}
    grid = chart.subplots(
        rows, columns, squeeze=False, gridspec_kw={**edges, "wspace": 1.8 / 2.8, "hspace": 0.8 / 1.7}
    )
    for axes in grid.flat:
        axes.set_visible(False)
    for row, (stage, history) in zip(grid, histories.items(), strict=False):
        best = (best_epochs or {}).get(stage, _lowest(history))
        for axes, title in zip(row, titles, strict=False):
            if _names(history, title):
                _draw(axes, history, title, best)
                axes.set_title(f"{stage}: {title}", fontsize=9, loc="left")
    chart.legend(
        handles=[
            Line2D([], [], color="0.2", label="validation"),
            Line2D([], [], color="0.2", linestyle="--", linewidth=1, label="training"),
            Line2D([], [], color="0.6", linestyle=":", label="best epoch"),
        ],
        loc="upper left",
        ncols=3,
        fontsize=8,
        frameon=False,
    )
    return chart


def _names(history: Sequence[Epoch], title: str) -> list[str]:
    """Returns the numbers of one column, without the prefix of validation, in the order they were logged."""
    logged = dict.fromkeys(name.removeprefix(_VALIDATION) for epoch in history for name in epoch)
    return [
        name
        for name in logged
        if name not in _NOT_DRAWN and next(key for key, takes in _COLUMNS.items() if takes(name)) == title
    ]


def _lowest(history: Sequence[Epoch]) -> int | None:
    losses = [(epoch["val_loss"], int(epoch["epoch"])) for epoch in history if "val_loss" in epoch]
    return min(losses)[1] if losses else None


def _draw(axes: Axes, history: Sequence[Epoch], title: str, best: int | None) -> None:
    axes.set_visible(True)
    names = _names(history, title)
    palette = colormaps["tab10" if len(names) <= 10 else "tab20"]
    colours = [palette(i % palette.N) for i in range(len(names))]
    values = []
    for name, colour in zip(names, colours, strict=True):
        for key, line in ((_VALIDATION + name, "-"), (name, "-" if title == _RATE else "--")):
            points = [(epoch["epoch"] + 1, epoch[key]) for epoch in history if key in epoch]
            if points:
                mark = {"-": "o", "--": "x"}[line] if len(points) == 1 else None
                width = 1.5 if line == "-" else 1.0
                axes.plot(
                    *zip(*points, strict=True), color=colour, linestyle=line, linewidth=width, marker=mark
                )
                values += [value for _, value in points if math.isfinite(value)]
    if best is not None:
        axes.axvline(best + 1, color="0.6", linestyle=":", zorder=0)
    if title == _SHARES:
        axes.set_ylim(-0.02, 1.02)
    else:
        _scale(axes, values)
    if title != _RATE:
        handles = [
            Line2D([], [], color=colour, label=name) for name, colour in zip(names, colours, strict=True)
        ]
        axes.legend(handles=handles, fontsize=7, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    axes.set_xlim(0.5, len(history) + 0.5)
    axes.set_xlabel("epoch", fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)


def _scale(axes: Axes, values: Sequence[float]) -> None:
    sizes = sorted(abs(value) for value in values if value)
    if not sizes or sizes[-1] <= _DECADES_FROM * sizes[0]:
        return
    if min(values) >= 0:
        axes.set_yscale("log")
    else:
        axes.set_yscale("symlog", linthresh=sizes[len(sizes) // 2])
