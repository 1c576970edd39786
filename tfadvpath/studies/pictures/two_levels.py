"""Masks in JPEG files, whose compression blurs their two levels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tfadvpath.errors import InputError

BLOCK = 8  # JPEG's; an edge sends its ringing through its own block, or through two where colours are halved
LEAST = 16  # of 255: below, a level cannot be told from the ringing
# Largest number of pixels between 3/8 and 5/8 of the maximum, as a share of those of the finding.
MOST_UNSURE = 0.05


def two_levels(path: Path, values: np.ndarray) -> np.ndarray:
    """Tells the two levels of a mask apart at half of its maximum.

    Between the levels, values are taken for blurred edges, but only in blocks that have both levels close by.

    Args:
        path: File of the mask, for the message.
        values: uint8 [rows, columns], decoded from JPEG.

    Returns:
        bool [rows, columns].

    Raises:
        InputError: The values are of more than two levels, or of two that lie too close together.
    """
    top = int(values.max())
    if 0 < top < LEAST:
        problem = f"is a mask of values up to {top}, which JPEG does not keep apart from 0"
        raise InputError(path, problem, "Save it as PNG")
    padding = [(0, -length % BLOCK) for length in values.shape]
    blocks = np.pad(values, padding, mode="edge")
    rows, columns = (length // BLOCK for length in blocks.shape)
    blocks = blocks.reshape(rows, BLOCK, columns, BLOCK)
    highest, lowest = blocks.max(axis=(1, 3)), blocks.min(axis=(1, 3))
    around = np.ones((3, 3), np.uint8)
    bright, dark = top * 3 // 4, top // 4
    # Beside no finding a block must be background, and beside no background it must be finding.
    wrong = (cv2.dilate(highest, around) < bright) & (highest >= LEAST)
    wrong |= (cv2.erode(lowest, around) > dark) & (lowest < bright)
    # A block of one value that is neither is a third level.
    wrong |= (highest - lowest < top // 8) & (lowest >= LEAST) & (highest < bright)
    finding = values > top // 2
    unsure = np.count_nonzero((values > top * 3 // 8) & (values < top * 5 // 8))
    if wrong.any() or unsure > MOST_UNSURE * np.count_nonzero(finding):
        problem = "is a JPEG mask that does not hold two clear levels"
        raise InputError(path, problem, "Save it as PNG, with 0 where no finding is")
    return finding
