"""Pictures by their stored values, without the scaling of each by its own smallest and largest one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfadvpath.studies.sizes import resized
from tfadvpath.studies.study import open_slices

_BYTE, _WORD = 255.0, 65535.0


def read_stored(path: Path, size: int) -> np.ndarray:
    """Reads a PNG or JPEG file by its stored values over the largest that such a file can hold.

    Args:
        path: File of one image.
        size: Rows and columns of the result.

    Returns:
        float32 [size, size, 1] in [0, 1].

    Raises:
        InputError: The file cannot be read.
    """
    with open_slices(path) as reading:
        [values] = reading.slices
    most = _BYTE if values.max() <= _BYTE else _WORD
    return np.asarray(resized(values.astype(np.float64), (size, size)) / most, np.float32)[..., np.newaxis]
