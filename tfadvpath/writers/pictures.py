"""Grey images with a map or an outline on them, as arrays of RGB values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

# A map is shown from 0 to this percentile of its values: a few brightest pixels would else darken the rest.
SCALE_PERCENTILE = 99.5
# The share of the colour where the map reaches its scale; the anatomy stays visible through it.
OPACITY = 0.85
# The colour map starts here: its lowest colours are black, which the grey image would be taken for.
FIRST_COLOUR = 0.3
OUTLINE = (0, 230, 230)
# float32 [256, 3], RGB.
_COLOURS = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[np.newaxis], cv2.COLORMAP_INFERNO)[
    0, :, ::-1
].astype(np.float32)


def display_scale(maps: Any) -> float:
    """Returns the value that is shown brightest: the largest of the maps' 99.5th percentiles.

    One scale for all slices of a study, so that a slice where little matters looks so.

    Args:
        maps: float [B, H, W] or [B, H, W, C]; channels are summed.

    Returns:
        Positive; 1 where every map is 0 up there.
    """
    maps = _single_channel(np.asarray(maps))
    scale = float(np.percentile(maps, SCALE_PERCENTILE, axis=(1, 2)).max()) if maps.size else 0.0
    return scale if scale > 0 else 1.0


def picture_size(shape: tuple[int, int], least: int, most: int) -> tuple[int, int]:
    """Returns rows and columns to show an image at: its own, or with the longer side in [least, most]."""
    longer = max(shape)
    factor = min(max(longer, least), most) / longer
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def grey(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns an image [H, W] or [H, W, C] in [0, 1] as uint8 RGB of that size; of C channels their mean.

    Cubic interpolation where it grows, averages where it shrinks.
    """
    image = np.asarray(image)
    image = image.mean(axis=2) if image.ndim == 3 else image
    levels = np.rint(255 * np.clip(_resized(image, size), 0, 1)).astype(np.uint8)
    return np.repeat(levels[..., np.newaxis], 3, axis=2)


def overlay(picture: np.ndarray, values: np.ndarray, scale: float) -> np.ndarray:
    """Lays a map over a picture: transparent where it is 0, inferno's yellow where it reaches the scale.

    Args:
        picture: uint8 RGB [rows, columns, 3].
        values: float [H, W] or [H, W, C], not negative; channels are summed, the size is the picture's after.
        scale: Value that is shown brightest, such as ``display_scale`` gives.

    Returns:
        uint8 RGB [rows, columns, 3].
    """
    values = _single_channel(np.asarray(values)[np.newaxis])[0]
    strength = np.clip(_resized(values, picture.shape[:2]) / scale, 0, 1)
    index = np.rint(255 * (FIRST_COLOUR + (1 - FIRST_COLOUR) * strength)).astype(np.uint8)
    share = OPACITY * np.sqrt(strength)
    rest = 1 - share
    mixed = []
    for channel, behind in enumerate(cv2.split(picture)):  # [rows, columns] at a time: a third of the time
        colour = share * cv2.LUT(index, _COLOURS[:, channel])
        mixed.append(cv2.convertScaleAbs(rest * behind + colour))  # it rounds
    return cv2.merge(mixed)


def outline(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Draws the outer border of a mask bool [H, W] on an RGB picture of any size."""
    size = picture.shape[:2]
    # Bilinear and halved at 0.5: the border of a coarse mask without its stairs.
    inside = _resized(mask.astype(np.float32), size, cv2.INTER_LINEAR) >= 0.5
    borders, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn = picture.copy()
    cv2.drawContours(drawn, borders, -1, OUTLINE, max(1, max(size) // 300), cv2.LINE_AA)
    return drawn


def labelled(picture: np.ndarray, text: str) -> np.ndarray:
    """Writes a short text (ASCII) into the lower left corner of an RGB picture."""
    written = picture.copy()
    left, bottom = 4, picture.shape[0] - 5
    # Bright with a dark edge: readable on any grey. A thicker stroke would make the letters wider instead.
    around = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)]
    for (x, y), colour in [*((shift, (0, 0, 0)) for shift in around), ((0, 0), (255, 255, 255))]:
        place = (left + x, bottom + y)
        cv2.putText(written, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
    return written


def montage(pictures: Sequence[np.ndarray], across: int | None = None) -> np.ndarray:
    """Lays RGB pictures of one size in a grid, row by row, two pixels apart.

    Args:
        pictures: uint8 RGB [rows, columns, 3], each of the same size.
        across: Pictures in a row; None makes the grid about as wide as high.
    """
    rows, columns = pictures[0][..., 0].shape
    across = across or int(np.ceil(np.sqrt(len(pictures))))
    down = -(-len(pictures) // across)
    sheet = np.zeros((down * (rows + 2) - 2, across * (columns + 2) - 2, 3), np.uint8)
    for i, picture in enumerate(pictures):
        row, column = divmod(i, across)
        top, left = row * (rows + 2), column * (columns + 2)
        sheet[top : top + rows, left : left + columns] = picture
    return sheet


def _single_channel(maps: np.ndarray) -> np.ndarray:
    return maps.sum(axis=3) if maps.ndim == 4 else maps


def _resized(values: np.ndarray, size: tuple[int, int], growing: int = cv2.INTER_CUBIC) -> np.ndarray:
    values = np.asarray(values, np.float32)
    shrinks = size[0] < values.shape[0] or size[1] < values.shape[1]
    return cv2.resize(values, size[::-1], interpolation=cv2.INTER_AREA if shrinks else growing)
