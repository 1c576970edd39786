"""The chequered pattern of transposed convolutions: power at periods of 2 and 4 pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

# Shortest side that leaves frequencies beside those of the pattern.
SMALLEST_SIDE = 16
_PERIODS = (2, 4)  # pixels, that layers of stride 2 leave: the last one, and the one before it
# Powers below this share of the mean one count as nothing: rounding makes such powers out of none.
_NEGLIGIBLE = 1e-5


def chequer_ratio(changes: Any) -> np.ndarray:
    """Returns how far the power at periods of 2 and 4 pixels stands out of the spectrum beside it.

    A transposed convolution of stride 2 treats even and odd pixels by different weights, so what a network
    makes with it may carry a pattern of two pixels' period, and with two such layers of four. Along each axis
    the power spectrum P of the lines is averaged over the lines. Then

        ratio = max over axis and period p of P(1/p) / median of P beside 1/p

    Beside are the frequencies at a distance of 1/16 to 1/8 cycles a pixel from 1/p, below and above; the side
    with the larger median counts. So a spectrum that falls, as that of a smooth change, has at most 1.
    White noise is a little above 1, since the largest of four ratios counts: 1.2 at 64 pixels, 1.3 at 16.

    The lines are weighted with a Hann window, so that the borders of the image add nothing, and cut at their
    end to a multiple of four pixels, so that both periods are frequencies of the transform.

    Source: Odena, Dumoulin and Olah 2016 describe the pattern; the ratio is this project's.

    Args:
        changes: float [N, H, W, C], differences of two images, such as x_a - x, whose channels are summed; H
            and W are 16 or more.

    Returns:
        float64 [N], positive; NaN where nothing changes.

    Raises:
        ValueError: Another shape, or values that are not finite.

    Example:
        >>> row, column = np.indices((32, 32))
        >>> board = ((row + column) % 2).astype(float)[np.newaxis, ..., np.newaxis]
        >>> bool(chequer_ratio(board)[0] > 1000)
        True
    """
    values = np.asarray(changes, np.float64)
    if values.ndim != 4 or min(values.shape[1:3]) < SMALLEST_SIDE:
        raise ValueError(
            f"`changes` must be [N, H, W, C], H and W at least {SMALLEST_SIDE}. Received: {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError("`changes` must be finite. Received: NaN or infinite values")
    values = values.sum(axis=3)
    ratios = [_largest_ratio(lines) for lines in (values, values.swapaxes(1, 2))]
    return np.asarray(np.maximum(*ratios))


def _largest_ratio(lines: np.ndarray) -> np.ndarray:
    """Returns the larger ratio of both periods along the last axis of float64 [N, lines, pixels]."""
    length = lines.shape[2] // 4 * 4
    # A periodic window: a period of a whole number of samples stays within its two neighbours.
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    power = np.square(np.abs(np.fft.rfft(lines[:, :, :length] * window))).mean(axis=1)  # [N, length / 2 + 1]
    power += _NEGLIGIBLE * power.mean(axis=1, keepdims=True)
    near, far = max(2, length // 16), length // 8  # far is 2 or more
    ratios = []
    for period in _PERIODS:
        place = length // period
        below = np.median(power[:, place - far : place - near + 1], axis=1)
        above = power[:, place + near : place + far + 1]  # none above half a cycle a pixel
        beside = np.maximum(below, np.median(above, axis=1)) if above.shape[1] else below
        ratios.append(np.divide(power[:, place], beside, out=np.full(len(power), np.nan), where=beside > 0))
    return np.asarray(np.maximum(*ratios))
