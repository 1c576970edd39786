"""JPEG streams: their headers, and strict decoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import simplejpeg

from tfadvpath.errors import InputError, quoted
from tfadvpath.studies.limits import MAX_PIXELS, check_size
from tfadvpath.studies.pictures.jpeg_stream import COPY_AGAIN, JPEG_LS, JpegHeader, taken_apart

SAVE_OTHERWISE = "Save it as PNG, or as baseline JPEG of 8 bits"
# Decoding takes time for every pixel in every scan, even where a scan holds nothing. Encoders write ten.
MAX_SCANNED_PIXELS = 64 * MAX_PIXELS
MAX_SIDE = 65500  # of libjpeg-turbo
SPACES = {1: "GRAY", 3: "RGB", 4: "CMYK"}  # by the number of components


def read_jpeg_header(path: Path, content: bytes) -> JpegHeader:
    """Walks over the markers of a JPEG stream without decoding it.

    Args:
        path: File that holds the stream, for the message.
        content: The stream. What follows its end is passed over.

    Raises:
        InputError: The content is no JPEG stream, is cut, or lacks a frame header or a scan.
    """
    return taken_apart(path, content).header(path)


def decode_jpeg(path: Path, content: bytes) -> np.ndarray:
    """Decodes a JPEG stream of 8 bits, and refuses it where a decoder would have to guess.

    Rotation notes of cameras (EXIF) and colour profiles are not applied.

    Args:
        path: File that holds the stream, for the message.
        content: The stream. What follows its end is passed over.

    Returns:
        uint8 [rows, columns] for one component, else [rows, columns, 3]: red, green and blue as they are
        shown, also of CMYK.

    Raises:
        InputError: The stream is cut or damaged, too large, or of a kind that is not read.
    """
    stream = taken_apart(path, content)
    header = stream.header(path)
    kind = _unread_kind(header)
    if kind is not None:
        raise InputError(path, f"is compressed as {kind}, which is not read", SAVE_OTHERWISE)
    check_size(path, (header.rows, header.columns), header.rows * header.columns)
    if max(header.rows, header.columns) > MAX_SIDE:
        raise InputError(path, f"has a side of more than {MAX_SIDE:,} pixels", "Crop or shrink it")
    if header.rows * header.columns * header.scans > MAX_SCANNED_PIXELS:
        problem = f"is a JPEG file of {header.scans:,} scans, which would take too long to decode"
        raise InputError(path, problem, SAVE_OTHERWISE)
    if not stream.complete:  # a decoder takes what is missing for zero, without a warning
        problem = "is truncated: its JPEG scans do not hold the whole image"
        raise InputError(path, problem, COPY_AGAIN)
    try:
        pixels = simplejpeg.decode_jpeg(stream.rebuilt(), SPACES[header.components], strict=True)
    except ValueError as error:
        if "subsampling" in str(error):
            problem = "is a JPEG file whose components are sampled in an unusual way, which is not read"
            raise InputError(path, problem, SAVE_OTHERWISE) from None
        problem = f"is truncated or damaged: its JPEG data cannot be decoded whole ({quoted(error)})"
        raise InputError(path, problem, COPY_AGAIN) from None
    if header.components == 4:
        return _rgb_of_inverted_cmyk(pixels)
    return pixels[..., 0] if header.components == 1 else pixels


def _unread_kind(header: JpegHeader) -> str | None:
    """Returns what kind of JPEG it is, if it is one that is not read."""
    kinds = (
        (header.process == JPEG_LS, "JPEG-LS"),
        (header.process > 8, "JPEG with arithmetic coding"),
        (header.process in (3, 7), "lossless JPEG"),
        (header.process > 3, "hierarchical JPEG"),
        (header.precision != 8, f"JPEG of {header.precision} bits"),
        (header.components not in SPACES, f"JPEG of {header.components} components"),
        (header.rows == 0, "JPEG that tells its height after its pixels (DNL)"),
    )
    return next((kind for applies, kind in kinds if applies), None)


def _rgb_of_inverted_cmyk(stored: np.ndarray) -> np.ndarray:
    """Returns CMYK, stored as 255 minus its value as Adobe does, as Pillow and most viewers show it."""
    shown = np.empty((*stored.shape[:2], 3), np.uint8)
    for row, values in zip(shown, stored, strict=True):
        light = values[:, 3].astype(np.uint32)
        for index in range(3):
            # Rounded division by 255, in whole numbers as Pillow has it.
            shade = (255 - values[:, index]) * light + 128
            row[:, index] = light - ((shade >> 8) + shade >> 8)
    return shown
