"""Charts, which matplotlib draws, as PNG files and as pixels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfadvpath.files import replacing_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_chart(path: Path | str, chart: Figure) -> None:
    """Writes a chart as PNG, whole or not at all."""
    with replacing_file(path) as partial:
        chart.savefig(partial, format="png")


def chart_pixels(chart: Figure) -> np.ndarray:
    """Returns a chart as a picture, uint8 RGB [rows, columns, 3]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow, and most who import writers draw none

    canvas = FigureCanvasAgg(chart)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
