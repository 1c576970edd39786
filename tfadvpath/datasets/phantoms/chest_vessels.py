"""Pulmonary vessels of the chest phantom: trees that leave the hila and thin out."""

import cv2
import numpy as np

CANVAS = 512  # the trees are drawn at one size, so that a patient looks the same at any
TRUNK = 0.013  # radius of a tree's first piece, in half image widths

Piece = tuple[np.ndarray, float]  # points [5, 2] of a vessel in body coordinates, and its radius


def draw_vessel_trees(
    rng: np.random.Generator, size: int, scale: float, shift: tuple[float, float]
) -> np.ndarray:
    """Draws eight trees on each side.

    Args:
        rng: Source of the branches.
        size: Number of rows and columns of the result.
        scale: Size of the body in the image.
        shift: Place of the body in the image.

    Returns:
        float32 [size, size], 1 in the middle of the thickest vessels, 0 between vessels.
    """
    pieces: list[Piece] = []
    for side in (-1, 1):
        for angle in np.linspace(-1.2, 1.3, 8):
            start = np.array([side * 0.11, -0.03 + 0.06 * angle])
            pieces += _grow(rng, start, angle + rng.normal(0, 0.1), side, TRUNK, forks=4)
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    # Thin ones first: where vessels cross, the thick one shows.
    for points, radius in sorted(pieces, key=lambda piece: piece[1]):
        pixels = (points * scale + np.array(shift) + 1) / 2 * CANVAS
        fixed = (pixels * 16).round().astype(np.int32)[:, None]  # 4 fractional bits
        thickness = max(1, round(radius * CANVAS))
        cv2.polylines(canvas, [fixed], False, round(255 * radius / TRUNK), thickness, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), 0.8)
    interpolation = cv2.INTER_AREA if size < CANVAS else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(soft, (size, size), interpolation=interpolation))


def _grow(
    rng: np.random.Generator, start: np.ndarray, angle: float, side: int, radius: float, forks: int
) -> list[Piece]:
    """Returns a winding piece from ``start`` and the pieces that branch off its end."""
    points = [start]
    for _ in range(4):
        angle += rng.normal(0, 0.12)
        points.append(points[-1] + 0.028 * np.array([side * np.cos(angle), np.sin(angle)]))
    pieces: list[Piece] = [(np.array(points), radius)]
    if forks:
        spread = rng.uniform(0.15, 0.5)
        pieces += _grow(rng, points[-1], angle + spread, side, radius * 0.74, forks - 1)
        if rng.random() < 0.75:
            pieces += _grow(rng, points[-1], angle - spread, side, radius * 0.68, forks - 1)
    return pieces
