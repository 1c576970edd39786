"""Arrays as text for a page: levels of few bits, packed, in letters that HTML leaves alone.

An image's value is ``level / image_top``. A map's value is ``largest * (level / map_top)²``: most values of a
map are far below its largest one, and there the steps are finer. A map with negative values has the level
``map_top`` for 0, and those below it for them. The level above all others is no number. Each level is kept as
the difference from the mean of those at its left and above it. assets/decode.js reads this.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Values of all arrays together, up to which a page has the fine steps.
_MOST_OF_FINE = 2**20


class Precision(NamedTuple):
    """Numbers of levels above 0.

    Attributes:
        image_top: Level of an image's value 1.
        map_top: Level of a map's largest value.
    """

    image_top: int
    map_top: int

    @property
    def image_error(self) -> float:
        """Largest distance between an image's value and the page's."""
        return 0.5 / self.image_top

    @property
    def map_error(self) -> float:
        """Largest distance between a map's value and the page's, as a share of the map's largest value."""
        return 1 / self.map_top


FINE = Precision(4095, 4095)
# Maps are good to a thousandth of their largest value.
COARSE = Precision(255, 1023)


def precision_of(values: int) -> Precision:
    """Returns the precision of a page by its number of values: a single image has room for more.

    Args:
        values: Number of all images' and maps' values.
    """
    return FINE if values <= _MOST_OF_FINE else COARSE


def image_levels(image: np.ndarray, top: int) -> np.ndarray:
    """Returns the levels, int32 [H, W], of an image [H, W] or [H, W, C] in [0, 1]; of channels their mean."""
    image = image.mean(axis=2) if image.ndim == 3 else image
    return np.rint(np.clip(image, 0, 1) * top).astype(np.int32)


def map_levels(values: np.ndarray, largest: float, top: int, signed: bool = False) -> np.ndarray:
    """Returns the levels of a map.

    Args:
        values: float [H, W]; NaN is no number.
        largest: Largest size of a value in the study, whatever its sign.
        top: Number of levels on one side of 0.
        signed: Whether the study's map has negative values.

    Returns:
        int32 [H, W] from 0 to ``top``, of a signed map to twice that; one more is no number.
    """
    zero = top if signed else 0
    empty = np.isnan(values)
    sizes = np.minimum(np.abs(np.where(empty, 0, values)) / (largest or 1), 1)
    levels = zero + np.sign(np.where(empty, 0, values)) * np.rint(np.sqrt(sizes) * top)
    return np.where(empty, zero + top + 1, levels).astype(np.int32)


def packed(levels: np.ndarray, reference: np.ndarray | None = None) -> bytes:
    """Returns levels as two bytes each: the low bytes of all, then the high bytes.

    Args:
        levels: int32 [H, W] from 0 to 8191.
        reference: Levels of a similar image, from which the difference is kept; None is 0.
    """
    values = levels if reference is None else levels - reference
    left, above = np.zeros_like(values), np.zeros_like(values)
    left[:, 1:], above[1:] = values[:, :-1], values[:-1]
    change = values - ((left + above) >> 1)
    # Small changes of both signs as small numbers: 0, -1, 1, -2, ... are 0, 1, 2, 3, ...
    codes = np.where(change < 0, -2 * change - 1, 2 * change).astype(np.uint16)
    return (codes & 255).astype(np.uint8).tobytes() + (codes >> 8).astype(np.uint8).tobytes()


def as_text(parts: Sequence[bytes]) -> str:
    """Returns packed arrays as one text: zlib's format in base64."""
    # What remains of maps is like noise, in which no word comes twice: runs of zeros are all there is.
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    content = packer.compress(b"".join(parts)) + packer.flush()
    return base64.b64encode(content).decode("ascii")
