"""RGB pictures as PNG."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tfadvpath.writers.atomic import replacing_file


def png_bytes(picture: np.ndarray) -> bytes:
    """Encodes a uint8 RGB picture [rows, columns, 3]."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(
            f"`picture` must be uint8 [rows, columns, 3]. Received: {picture.dtype} {picture.shape}"
        )
    done, content = cv2.imencode(".png", picture[..., ::-1])
    if not done:
        raise ValueError(f"A picture of the shape {picture.shape} cannot be encoded as PNG")
    return content.tobytes()


def write_png(path: Path | str, picture: np.ndarray) -> None:
    """Writes a uint8 RGB picture [rows, columns, 3]."""
    with replacing_file(path) as partial:
        partial.write_bytes(png_bytes(picture))
