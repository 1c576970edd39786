"""RGB pictures as PNG."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tfadvpath.files import replacing_file

# Of 0 to 9. OpenCV's own choice makes files 1.6 times as large, a higher one is slow.
_COMPRESSION = 3


def png_bytes(picture: np.ndarray) -> bytes:
    """Encodes a uint8 RGB picture [rows, columns, 3]."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(
            f"`picture` must be uint8 [rows, columns, 3]. Received: {picture.dtype} {picture.shape}"
        )
    done, content = cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION])
    if not done:
        raise ValueError(f"A picture of the shape {picture.shape} cannot be encoded as PNG")
    return content.tobytes()


def write_png(path: Path | str, picture: np.ndarray) -> None:
    """Writes a uint8 RGB picture [rows, columns, 3]."""
    with replacing_file(path) as partial:
        partial.write_bytes(png_bytes(picture))
