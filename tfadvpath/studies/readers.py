"""Readers of image files, and the checks that they share."""

from __future__ import annotations

import logging
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.grid import Grid

# A header can claim any size, so it is checked before memory is taken. The largest single images in use,
# mammograms and long-leg radiographs, have about 30 million pixels. A tomosynthesis study of 100 frames
# (2457 x 1996) has 490 million, and 2**29 values in float32 take 2 GiB.
MAX_PIXELS = 2**26
MAX_VALUES = 2**29
# The largest allowed volume in 8-byte values, and room for a header.
MAX_FILE_BYTES = 9 * MAX_VALUES


# The classes of all formats whose modules were imported; ``registry.readers`` imports them.
REGISTERED: list[type[Reader]] = []
_Kind = TypeVar("_Kind", bound="type[Reader]")


def register(kind: _Kind) -> _Kind:
    """Adds a reader to those that are tried for a file."""
    REGISTERED.append(kind)
    return kind


class Reader(ABC):
    """Reads one file format.

    Attributes:
        endings: File name endings of the format, lower case, with the dot.
    """

    endings: tuple[str, ...]

    def recognizes(self, head: bytes) -> bool:
        """Returns whether a file starts like this format, where its ending does not tell.

        Args:
            head: First 132 bytes of the file.
        """
        return False

    @abstractmethod
    def read(self, path: Path, channel: int | None) -> tuple[Iterable[np.ndarray], Grid]:
        """Reads a file that exists and is not empty.

        Args:
            path: File to read.
            channel: Index of the channel, of a file that has several.

        Returns:
            The slices as real-valued [rows, columns] arrays, bright for high, finite; and their grid.

        Raises:
            InputError: The file is no image that can be explained.
        """


def check_size(path: Path, shape: Sequence[int], pixels: int) -> None:
    """Refuses an image before it is decoded if its header claims an unusable size.

    Args:
        path: File, for the message.
        shape: Length of every dimension of the file.
        pixels: Number of pixels of one slice.

    Raises:
        InputError: A dimension is below 1, or the file is too large.
    """
    size = " x ".join(str(length) for length in shape)
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


def check_finite(path: Path, values: np.ndarray) -> None:
    """Refuses NaN and infinite values.

    They are not replaced: a map over invented values looks as sure as any other.

    Args:
        path: File, for the message.
        values: Values of the file, of any shape.

    Raises:
        InputError: At least one value is not finite.
    """
    if values.dtype.kind != "f":
        return
    wrong = values.size - int(np.count_nonzero(np.isfinite(values)))
    if wrong == values.size:
        raise InputError(path, "holds no number: every value is NaN or infinite", "Write it again")
    if wrong:
        raise InputError(
            path,
            f"holds NaN or infinite values ({wrong:,} of {values.size:,})",
            "Replace them, for example by the background's value with numpy.nan_to_num",
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps the format libraries' own remarks from the console: an InputError says what matters."""
    loggers = [logging.getLogger(name) for name in ("nibabel.global", "pydicom", "PIL", "openjpeg")]
    disabled = [logger.disabled for logger in loggers]
    try:
        for logger in loggers:
            logger.disabled = True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, was_disabled in zip(loggers, disabled, strict=True):
            logger.disabled = was_disabled
