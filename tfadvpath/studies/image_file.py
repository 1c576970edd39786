"""PNG and JPEG files: from bytes to grey values."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from tfadvpath.errors import InputError
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.limits import MAX_PIXELS, check_size
from tfadvpath.studies.readers import Reader, Reading, register

# Chroma subsampling and rounding move the channels of a grey JPEG apart by a few of 255 levels.
JPEG_CHANNEL_TOLERANCE = 8


@register
class ImageFileReader(Reader):
    """Reads grey PNG (1, 8 and 16 bit) and JPEG files.

    Colour files are read if their channels are equal, in JPEG nearly equal. Opaque alpha is dropped.
    Rotation notes of cameras (EXIF) are not applied: the grid is the stored one.
    """

    endings = (".png", ".jpg", ".jpeg")

    def read(self, path: Path, channel: int | None) -> Reading:
        pixels, kind = _decode(path)
        grey = _grey(path, pixels, JPEG_CHANNEL_TOLERANCE if kind == "JPEG" else 0)
        return Reading([grey], Grid(shape=grey.shape))


def _decode(path: Path) -> tuple[np.ndarray, str]:
    """Returns pixels [rows, columns] or [rows, columns, channels], and "PNG" or "JPEG".

    Pillow decodes because it refuses a truncated file, where OpenCV returns half an image.
    """
    try:
        # verify() checks the checksums of PNG chunks and leaves the image unusable, hence the second open.
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            check_size(path, (image.height, image.width), image.height * image.width)
            image.verify()
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            if getattr(image, "is_animated", False):
                raise InputError(path, "is an animation", "Save its frames as single files")
            deep = ";16" in str(image.tile[0][3]) and image.mode in ("LA", "RGB", "RGBA")
            image.load()
            if deep:
                # Pillow keeps 8 of the 16 bits of these, OpenCV keeps all.
                return np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)), "PNG"
            if image.mode == "P":
                colours = image.convert("RGBA" if "transparency" in image.info else "RGB")
                return np.asarray(colours), "PNG"
            return np.asarray(image), str(image.format)
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError(
            path,
            "is not a PNG or JPEG file, whatever its name says",
            "Pass an image, or give it its true ending",
        ) from None
    except Image.DecompressionBombError:
        raise InputError(
            path,
            f"is too large: more pixels than the {MAX_PIXELS:,} that a slice may have",
            "Crop or shrink it, or check that its header is right",
        ) from None
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, zlib.error and struct.error
        raise InputError(path, f"is truncated or damaged ({error})", "Copy or save it again") from None


def _grey(path: Path, pixels: np.ndarray, tolerance: int) -> np.ndarray:
    """Returns the one grey channel [rows, columns] of the decoded pixels."""
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] in (2, 4):
        pixels, alpha = pixels[..., :-1], pixels[..., -1]
        opaque = np.iinfo(alpha.dtype).max
        if not (alpha == opaque).all():
            raise InputError(path, "has transparent pixels", "Save it without an alpha channel")
    levels = pixels.astype(np.int32)
    apart = int((levels.max(axis=2) - levels.min(axis=2)).max())
    if apart > tolerance:
        raise InputError(
            path, f"is a colour image: its channels differ by up to {apart} levels", "Save it as a grey image"
        )
    return levels.mean(axis=2)
