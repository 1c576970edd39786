"""Which of several equal values comes first."""

from __future__ import annotations

import numpy as np

_SEED = 0


def tie_order(count: int) -> np.ndarray:
    """Returns a fixed random order of 0…count - 1, int64 [count]: equal values stand in it.

    Row by row would favour the upper edge of a map with many equal values, such as one that is 0 over the
    background. The order depends on ``count`` alone.
    """
    return np.random.default_rng(_SEED).permutation(count)
