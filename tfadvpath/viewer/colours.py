"""Colours of maps, which change evenly to the eye and also to one that confuses red and green."""

from __future__ import annotations

import functools

import numpy as np

# Ramps of matplotlib, and the share of their darkest colours that are left out: they would be taken for the
# grey image.
_RAMPS = {"inferno": 0.3, "viridis": 0.15, "cividis": 0.15, "plasma": 0.1}
# Single colours of Okabe and Ito's palette.
_SINGLE = {"orange": "e69f00", "sky blue": "56b4e9", "bluish green": "009e73", "vermilion": "d55e00"}
# Of two hues that meet at a light middle, for maps with values of both signs.
_DIVERGING = ("coolwarm", "PuOr")
_STEPS = 256
# Colours of the outlines of masks, which no ramp has.
OUTLINES = ("#00e6e6", "#ff6ad5", "#ffffff", "#a6ff4d")


@functools.cache
def colour_tables() -> dict[str, str]:
    """Returns the tables by name: 256 colours from the smallest value to the largest, as hexadecimal RGB."""
    tables = {name: _table(name, first) for name, first in _RAMPS.items()}
    return tables | {name: colour * _STEPS for name, colour in _SINGLE.items()}


@functools.cache
def diverging_tables() -> dict[str, str]:
    """Returns tables by name as ``colour_tables`` does, whose middle stands for 0."""
    return {name: _table(name, 0) for name in _DIVERGING}


def _table(name: str, first: float) -> str:
    import matplotlib  # slow, and most who write files of results draw none

    colours = matplotlib.colormaps[name](np.linspace(first, 1, _STEPS))[:, :3]
    return np.rint(255 * colours).astype(np.uint8).tobytes().hex()
