"""Limits of what a file may claim, checked before memory is taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from tfadvpath.errors import InputError

# A header can claim any size, so it is checked before memory is taken. The largest single images in use,
# mammograms and long-leg radiographs, have about 30 million pixels. A tomosynthesis study of 100 frames
# (2457 x 1996) has 490 million, and 2**29 values in float32 take 2 GiB.
MAX_PIXELS = 2**26
MAX_VALUES = 2**29
# Each takes time, however small it is. Whole slides and long films have tens of thousands.
MAX_SLICES = 2**17
# The largest allowed volume in 8-byte values, and room for a header.
MAX_FILE_BYTES = 9 * MAX_VALUES
# Compressed images of patients grow by a factor of 2 to 40. What grows by more holds nearly nothing, and may
# take memory only where it is little.
MAX_EXPANSION = 64
FREE_BYTES = 2**29
# Bytes that reading one study may take in the process that reads. The largest study that the limits above
# allow takes 4 GiB as stored in float64, and 2 GiB as images.
MEMORY_LIMIT = 8 * 2**30
# Seconds for a study of up to 10 MB; a larger one may take as many times more.
TIME_LIMIT = 20.0


def check_size(path: Path, shape: Sequence[int], pixels: int) -> None:
    """Refuses an image before it is decoded if its header claims an unusable size.

    Args:
        path: File, for the message.
        shape: Length of every dimension of the file.
        pixels: Number of pixels of one slice.

    Raises:
        InputError: A dimension is below 1, or the file is too large.
    """
    # A header may hold a number of hundreds of digits.
    size = " x ".join(str(length) if abs(length) < 10**12 else "more than 10^12" for length in shape)
    if min(shape) < 1:
        raise InputError(
            path, f"has the size {size}, where every length must be at least 1", "Write it again"
        )
    if math.prod(shape) > MAX_VALUES or pixels > MAX_PIXELS:
        raise InputError(
            path,
            f"is too large: {size} values, where a slice may have {MAX_PIXELS:,} and a file {MAX_VALUES:,}",
            "Crop or shrink it, or check that its header is right",
        )
    slices = math.prod(shape) // pixels
    if slices > MAX_SLICES:
        raise InputError(
            path,
            f"is too large: {slices:,} slices, where a file may have {MAX_SLICES:,}",
            "Split it, or check that its header is right",
        )


def check_expansion(path: Path, needed: int, stored: int) -> None:
    """Refuses content that takes far more memory than the bytes of its file account for.

    Args:
        path: File, for the message.
        needed: Bytes of memory that the content takes.
        stored: Bytes of the file.

    Raises:
        InputError: The content grows by more than ``MAX_EXPANSION`` and takes more than ``FREE_BYTES``.
    """
    if needed > most_bytes(stored):
        raise InputError(
            path,
            f"grows from {stored:,} to {needed:,} bytes, which no image of a patient does",
            "Check its header; if it is right, crop or shrink it",
        )


def most_bytes(stored: int) -> int:
    """Returns the number of bytes that a file's content may take in memory.

    Args:
        stored: Bytes of the file.
    """
    return max(FREE_BYTES, MAX_EXPANSION * stored)
