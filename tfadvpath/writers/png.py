"""RGB pictures as PNG."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tfadvpath.files import replacing_file

# Least effort, of 1 to 9; one filter for all rows; runs as the only repetitions that are looked for. It
# takes .4 of the time of level 3 with all filters. Files of noisy images are as large then, of smooth ones
# a fifth larger.
_QUICK = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
)


def png_bytes(picture: np.ndarray) -> bytes:
    """Encodes a uint8 RGB picture [rows, columns, 3]; one without colour as grey, in a third of the bytes."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(
            f"`picture` must be uint8 [rows, columns, 3]. Received: {picture.dtype} {picture.shape}"
        )
    red, green, blue = cv2.split(picture) if picture.size else np.moveaxis(picture, 2, 0)
    is_grey = np.array_equal(red, green) and np.array_equal(red, blue)
    content: np.ndarray
    done, content = cv2.imencode(".png", red if is_grey else picture[..., ::-1], _QUICK)
    if not done:
        raise ValueError(f"A picture of the shape {picture.shape} cannot be encoded as PNG")
    return content.tobytes()


def write_png(path: Path | str, picture: np.ndarray) -> None:
    """Writes a uint8 RGB picture [rows, columns, 3]."""
    with replacing_file(path) as partial:
        partial.write_bytes(png_bytes(picture))
