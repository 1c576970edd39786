"""Boxes around findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def filled_boxes(
    boxes: Iterable[Sequence[float]], shape: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """Returns the mask of all boxes on an image of another size.

    A pixel is inside where its centre is: what nearest-neighbour resizing makes of the filled boxes.

    Args:
        boxes: Boxes, each x, y, width and height in pixels of the image that they were drawn on.
        shape: Rows and columns of that image; (1, 1) for boxes in fractions of the image.
        size: Rows and columns of the mask.

    Returns:
        bool ``size``.

    Example:
        >>> filled_boxes([(2, 0, 4, 2)], shape=(8, 8), size=(4, 4)).astype(int)
        array([[0, 1, 1, 0],
               [0, 0, 0, 0],
               [0, 0, 0, 0],
               [0, 0, 0, 0]])
    """
    rows, columns = ((np.arange(n) + 0.5) * whole / n for n, whole in zip(size, shape, strict=True))
    mask = np.zeros(size, bool)
    for x, y, width, height in boxes:
        inside = (rows >= y) & (rows < y + height), (columns >= x) & (columns < x + width)
        mask |= np.logical_and.outer(*inside)
    return mask
