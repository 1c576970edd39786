"""An animation along the straight path from the start image to the adversary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfadvpath.files import replacing_file
from tfadvpath.plots.figure import check_matplotlib, draw_image, draw_map

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation

_INCHES = 3.0
_REST = 5  # frames that the ends are shown for


def animation(
    image: np.ndarray,
    start: np.ndarray,
    adversary: np.ndarray,
    importance: np.ndarray,
    scores: tuple[float, float, float],
    map_name: str,
    frames: int,
    frames_per_second: int,
) -> FuncAnimation:
    """Draws the way from a start image to its adversary and back, beside the image and its map.

    Args:
        image: Image, float [H, W, C] in [0, 1].
        start: Start of the path, as the image.
        adversary: End of the path, as the image.
        importance: Map, float [H, W, C], not negative.
        scores: Probabilities of the image, the start and the adversary.
        map_name: Name of the map.
        frames: Number of steps from one end to the other, positive.
        frames_per_second: Number of frames shown in a second, positive.

    Raises:
        InputError: matplotlib is not installed.
    """
    check_matplotlib()
    from matplotlib.animation import FuncAnimation
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    chart = Figure((3 * _INCHES, _INCHES + 0.5), dpi=100)
    chart.subplots_adjust(0.01, 0.02, 0.99, 0.86, wspace=0.04)  # not by the texts: nothing else shall move
    FigureCanvasAgg(chart)
    of_image, of_path, of_map = chart.subplots(1, 3)
    draw_image(of_image, image)
    of_image.set_title(f"input f = {scores[0]:.2f}", fontsize=9)
    draw_image(of_map, image)
    draw_map(of_map, importance)
    of_map.set_title(map_name, fontsize=9)
    draw_image(of_path, start)
    shown = of_path.images[0]
    there = np.concatenate([np.zeros(_REST), np.linspace(0.0, 1.0, frames + 1), np.ones(_REST)])
    places = np.concatenate([there, there[::-1]])

    def draw(number: int) -> list[Any]:
        t = float(places[number])
        shown.set_data((start + t * (adversary - start)).mean(axis=-1))
        ends = f"f = {scores[1]:.2f} at the start, {scores[2]:.2f} at the adversary"
        of_path.set_title(f"{t:.0%} of the way\n{ends}", fontsize=8)
        return [shown]

    return FuncAnimation(chart, draw, frames=len(places), interval=1000 / frames_per_second, blit=False)


def write_gif(path: Path | str, moving: FuncAnimation, frames_per_second: int) -> None:
    """Writes an animation as GIF, whole or not at all.

    Args:
        path: File to write.
        moving: Animation.
        frames_per_second: Number of frames shown in a second, positive.
    """
    from matplotlib.animation import PillowWriter

    with replacing_file(path) as partial:
        moving.save(str(partial), writer=PillowWriter(fps=frames_per_second))
