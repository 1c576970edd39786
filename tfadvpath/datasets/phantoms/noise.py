"""Smooth random fields: white noise on a coarse lattice, interpolated by cubic B-splines."""

import numpy as np

HALF_WIDTH = 130.0  # mm: the lattice covers this much on both sides of the origin, whatever is asked of it
B_SPLINE_STD = (151 / 315) ** 0.5  # standard deviation that one axis of B-spline interpolation leaves


def smooth_noise(rng: np.random.Generator, axes: tuple[np.ndarray, ...], scale: float) -> np.ndarray:
    """Draws a smooth field of zero mean and unit variance.

    The lattice does not depend on ``axes``: one seed gives one field, at any sampling.

    Args:
        rng: Source of the lattice values.
        axes: Coordinate vectors in mm, one per dimension, within +-130 mm.
        scale: Distance of the lattice points in mm.

    Returns:
        float32 array with one dimension per axis.
    """
    knots = np.arange(-HALF_WIDTH - 2 * scale, HALF_WIDTH + 3 * scale, scale)
    field = rng.standard_normal((knots.size,) * len(axes), dtype=np.float32)
    for axis in axes:
        weights = _cubic_b_spline((axis[:, None] - knots[None, :]) / scale) / B_SPLINE_STD
        # Contracting the first dimension and appending the new one last restores the order after all axes.
        field = np.tensordot(field, weights.astype(np.float32), axes=(0, 1))
    return field


def _cubic_b_spline(distance: np.ndarray) -> np.ndarray:
    t = np.abs(distance)
    near = 2 / 3 - t**2 + t**3 / 2
    far = np.clip(2 - t, 0, None) ** 3 / 6
    return np.where(t < 1, near, far)
