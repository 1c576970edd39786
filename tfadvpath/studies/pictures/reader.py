"""PNG and JPEG files: from bytes to grey values."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.pictures.jpeg import decode_jpeg
from tfadvpath.studies.pictures.jpeg_stream import START as JPEG_START
from tfadvpath.studies.pictures.png import PALETTE, SIGNATURE, Png, decode_png, read_png
from tfadvpath.studies.pictures.two_levels import two_levels
from tfadvpath.studies.readers import Reader, Reading, register

# Chroma subsampling and rounding move the channels of a grey JPEG apart by a few of 255 levels.
JPEG_CHANNEL_TOLERANCE = 8
# Starts of other files that are found under the name of a PNG or JPEG file.
OTHER_FORMATS = (
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x8aMNG", "MNG"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "ZIP"),
)


@register
class ImageFileReader(Reader):
    """Reads grey PNG (1 to 16 bit) and JPEG files.

    Colour files are read if their channels are equal, in JPEG nearly equal. Opaque alpha is dropped.
    Rotation notes of cameras (EXIF) are not applied: the grid is the stored one. A JPEG file is refused where
    its decoder has to guess.
    """

    endings = (".png", ".jpg", ".jpeg")

    def recognizes(self, head: bytes) -> bool:
        return head.startswith((SIGNATURE, JPEG_START))

    def read(self, path: Path, channel: int | None) -> Reading:
        content = path.read_bytes()
        if content.startswith(JPEG_START):
            grey = _mean(path, decode_jpeg(path, content))
        else:
            png = _png(path, content)
            pixels = decode_png(path, png)
            grey = _by_palette(path, pixels, png) if png.colour == PALETTE else _equal(path, pixels)
        return Reading([grey], Grid(shape=grey.shape))

    def read_mask(self, path: Path, image: Path) -> Reading:
        """Reads a mask: PNG by its stored values, whatever its palette shows; JPEG by its two levels.

        Pixels that are wholly transparent are no part of a mask.
        """
        content = path.read_bytes()
        if content.startswith(JPEG_START):
            shown = decode_jpeg(path, content)
            mask = two_levels(path, shown if shown.ndim == 2 else shown.max(axis=2))
        else:
            png = _png(path, content)
            stored = decode_png(path, png)
            if stored.ndim == 2:
                mask = stored != 0
            else:
                colours, alpha = _split(stored)
                mask = colours[..., 0] != 0
                for index in range(1, colours.shape[2]):
                    mask |= colours[..., index] != 0
                if alpha is not None:
                    mask &= alpha != 0
        return Reading([mask], Grid(shape=mask.shape))


def _png(path: Path, content: bytes) -> Png:
    if content.startswith(SIGNATURE):
        return read_png(path, content)
    kind = "WebP" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None
    kind = kind or next((name for start, name in OTHER_FORMATS if content.startswith(start)), None)
    if kind is not None:
        raise InputError(path, f"is a {kind} file, whatever its name says", "Save it as PNG")
    raise InputError(
        path,
        "is not a PNG or JPEG file, whatever its name says",
        "Pass an image, or give it its true ending",
    )


def _split(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns the colours [rows, columns, channels], and alpha if there is any."""
    return (pixels[..., :-1], pixels[..., -1]) if pixels.shape[2] in (2, 4) else (pixels, None)


def _equal(path: Path, pixels: np.ndarray) -> np.ndarray:
    """Returns the one grey channel of a PNG file that may hold it several times."""
    if pixels.ndim == 2:
        return pixels
    colours, alpha = _split(pixels)
    if alpha is not None:
        _check_opaque(path, bool((alpha == np.iinfo(alpha.dtype).max).all()))
    grey = colours[..., 0].copy()
    if any((colours[..., index] != grey).any() for index in range(1, colours.shape[2])):
        _refuse_colours(path, _apart(colours))
    return grey


def _mean(path: Path, pixels: np.ndarray) -> np.ndarray:
    """Returns the grey channel of a JPEG file, or the mean of three that are nearly the same."""
    if pixels.ndim == 2:
        return pixels
    apart = _apart(pixels)
    if apart > JPEG_CHANNEL_TOLERANCE:
        _refuse_colours(path, apart)
    total = pixels[..., 0].astype(np.uint16)
    for index in range(1, 3):
        total += pixels[..., index]
    return total / 3


def _by_palette(path: Path, places: np.ndarray, png: Png) -> np.ndarray:
    """Returns the grey values of a palette's colours."""
    colours = np.frombuffer(png.palette, np.uint8).reshape(-1, 3)
    used = np.flatnonzero(cv2.calcHist([places], [0], None, [256], [0, 256]))
    if used[-1] >= len(colours):
        raise InputError(path, "uses colours that its palette does not hold", "Save it again, as grey image")
    opacity = np.full(256, 255, np.uint8)
    opacity[: len(png.opacity)] = np.frombuffer(png.opacity[:256], np.uint8)
    _check_opaque(path, bool((opacity[used] == 255).all()))
    apart = _apart(colours[used][np.newaxis])
    if apart:
        _refuse_colours(path, apart)
    levels = np.zeros(256, np.uint8)
    levels[: len(colours)] = colours[:, 0]
    return cv2.LUT(places, levels)  # an index array would take 8 bytes a pixel


def _apart(colours: np.ndarray) -> int:
    """Returns by how many levels the channels of a pixel differ at most."""
    most = 0
    for row in colours:
        channels = [row[:, index] for index in range(row.shape[1])]
        most = max(most, int((np.maximum.reduce(channels) - np.minimum.reduce(channels)).max()))
    return most


def _check_opaque(path: Path, opaque: bool) -> None:
    if not opaque:
        raise InputError(path, "has transparent pixels", "Save it without an alpha channel")


def _refuse_colours(path: Path, apart: int) -> None:
    problem = f"is a colour image: its channels differ by up to {apart} levels"
    raise InputError(path, problem, "Save it as a grey image")
