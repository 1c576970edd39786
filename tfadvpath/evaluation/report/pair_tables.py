"""Tables of the generators' pairs: their quality, and whether they tell the classifier's errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tfadvpath.bundle.pair_verdict import THRESHOLDS
from tfadvpath.evaluation.errors_told import UNCERTAINTY
from tfadvpath.evaluation.summary import Summary
from tfadvpath.generators.registry import GENERATORS
from tfadvpath.writers.tables import Cell, Heading, Number, Table

_PAIR_FIGURES = {
    "flip_rate": "x_a crosses the decision",
    "flip_rate_with_margin": "x_a crosses it with a margin",
    "keep_rate": "x_s keeps the decision",
    "undoing": "cosine of x - x_a and x_s - x_a",
    "transfer_rate": "x_a crosses a second classifier's decision",
    "transfer_rate_images": "images that both classifiers decide alike",
    "adversary_distance": "mean |x - x_a|",
    "stable_distance": "mean |x - x_s|",
    "adversary_sparsity": "share of the pixels that x_a changes",
    "adversary_similarity": "SSIM of x and x_a",
    "adversary_similarity_outside": "SSIM of x and x_a outside the finding",
    "stable_similarity": "SSIM of x and x_s",
    "adversary_sharpness": "high frequencies of x_a, of those of x",
    "stable_sharpness": "high frequencies of x_s, of those of x",
    "discriminator_auc": "AUC of a fresh discriminator, x_a against real images",
    "encoder_auc": "AUC on an encoder's features, x_a against real images",
    "encoder_frechet_distance": "Fréchet distance of an encoder's features",
    "encoder_frechet_floor": "the same between real images",
    "cout": "COUT",
    "chequer_ratio": "chequer of x_a - x",
    "completeness_residual": "residual of the completeness",
}
# Of those above, which are whole numbers; 0 is where nothing was measured.
_COUNTS = ("transfer_rate_images",)
# What is taken for a sign of an error.
_SIGNS = {
    UNCERTAINTY: "f(x) near 0.5",
    "completeness_residual": "large residual of the completeness",
    "adversary_l1": "small |x - x_a|",
    "target_probability": "x_a surely of the other class",
    "cout": "high COUT",
    "transferred": "x_a does not cross a second classifier's decision",
    "concentration": "v2 smooth spread over the image",
}


def pair_table(summary: Summary) -> Table | None:
    """Returns Table 6: the quality of each generator's pairs; None where they were not measured."""
    if not summary.pairs:
        return None
    headings = [Heading("figure"), *(Heading(GENERATORS[name].title) for name in summary.pairs)]
    rows: list[list[Cell]] = []
    for name, title in _PAIR_FIGURES.items():
        cells = [_pair_cell(figures, name) for figures in summary.pairs.values()]
        if all(isinstance(cell, Number) and math.isnan(cell.value) for cell in cells):
            continue
        rows.append([title, *cells, _limits(name)])
    notes = [
        "x is the image, x_a its adversary, x_s its stable image. Wanted: the limits of the verdict, which "
        "docs/explanation/metrics.md explains with each figure. Brackets: intervals of 95 % by bootstrap "
        "over patients."
    ]
    return Table("table_6", "Table 6: the pairs", [*headings, Heading("wanted")], rows, notes)


def _pair_cell(figures: Mapping[str, Any], name: str) -> Cell:
    value, interval = figures.get(name), figures.get(f"{name}_interval") or [None, None]
    if name in _COUNTS:
        return str(value) if value else Number(float("nan"))
    if isinstance(value, Mapping):  # by direction
        value = value.get("mean")
    return Number(float("nan")) if value is None else Number(float(value), *interval)


def _limits(figure: str) -> str:
    """Returns what the verdict wants of a figure; "" where it wants nothing."""
    wanted = [threshold for threshold in THRESHOLDS if threshold.figure == figure]
    low = next((one.low for one in wanted if one.low is not None), None)
    high = next((one.high for one in wanted if one.high is not None), None)
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    if low is not None:
        return f"at least {low:g}"
    return "" if high is None else f"at most {high:g}"


def errors_table(summary: Summary) -> Table | None:
    """Returns Table 7: whether the pairs tell the classifier's errors; None where nothing says so."""
    rows: list[list[Cell]] = []
    for name, figures in summary.pairs.items():
        for signal, one in figures.get("errors_told", {}).items():
            row: list[Cell] = [f"{GENERATORS[name].title}: {_SIGNS[signal]}", Number(one["images"])]
            row += [Number(one["wrong"]), Number(one["auc"], *one["auc_interval"])]
            gain = Number(one["gain"], *one["gain_interval"])
            rows.append([*row, Number(float("nan")) if signal == UNCERTAINTY else gain])
    if not rows:
        return None
    headings = [Heading("sign of an error"), Heading("images", 0), Heading("wrong", 0)]
    headings += [Heading("AUC"), Heading("above f(x) near 0.5")]
    notes = [
        "AUC: how often a wrong decision shows more of the sign than a right one; 0.5 is a sign of nothing. "
        "A classifier is less sure where it is wrong, so f(x) near 0.5 is a sign that needs no map: the last "
        "column is what each sign has above it on the same images. Brackets: intervals of 95 % by bootstrap "
        "over patients."
    ]
    return Table("table_7", "Table 7: do the pairs tell that the classifier is wrong?", headings, rows, notes)
