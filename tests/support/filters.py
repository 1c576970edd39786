"""Interpolation and smoothing along one axis as float64 matrices: independent of what the library does."""

from __future__ import annotations

import numpy as np


def bilinear(size: int, larger: int) -> np.ndarray:
    """[larger, size]: pixel centres at (i + 1/2) size / larger - 1/2, the edge goes on as it is."""
    places = np.clip((np.arange(larger) + 0.5) * size / larger - 0.5, 0, size - 1)
    return np.maximum(0.0, 1.0 - np.abs(places[:, None] - np.arange(size)))


def gaussian(size: int, sigma: float) -> np.ndarray:
    """[size, size]: reaches 3 σ, mirrored at the border without repeating the edge."""
    reach = min(int(np.ceil(3 * sigma)), size - 1)
    taps = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    matrix = np.zeros((size, size))
    for row in range(size):
        for offset, tap in zip(range(-reach, reach + 1), taps / taps.sum(), strict=True):
            place = abs(row + offset)
            matrix[row, place if place < size else 2 * (size - 1) - place] += tap
    return matrix


def along_both(matrices: tuple[np.ndarray, np.ndarray], images: np.ndarray) -> np.ndarray:
    """Applies one matrix to the rows and one to the columns of [B, H, W, C]."""
    return np.einsum("Hh,Ww,bhwc->bHWc", *matrices, images)
