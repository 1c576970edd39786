"""Readers of image files, and the checks that they share."""

from __future__ import annotations

import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.grid import Grid

# The classes of all formats whose modules were imported; ``registry.readers`` imports them.
REGISTERED: list[type[Reader]] = []
_Kind = TypeVar("_Kind", bound="type[Reader]")


def register(kind: _Kind) -> _Kind:
    """Adds a reader to those that are tried for a file."""
    REGISTERED.append(kind)
    return kind


@dataclass(frozen=True, eq=False)
class Reading:
    """What a reader has of a file.

    Attributes:
        slices: Real-valued [rows, columns] arrays; they may be read while they are gone over.
        grid: Grid of the file.
        remarks: Sentences on what was passed over, such as a window that leaves nothing of the image, each
            once; complete when all slices are read.
    """

    slices: Iterable[np.ndarray]
    grid: Grid
    remarks: list[str] = field(default_factory=list)


class Reader(ABC):
    """Reads one file format.

    Attributes:
        endings: File name endings of the format, lower case, with the dot.
    """

    endings: tuple[str, ...]

    def recognizes(self, head: bytes) -> bool:
        """Returns whether a file starts like this format, whatever its name.

        Args:
            head: First 1024 bytes of the file.
        """
        return False

    @abstractmethod
    def read(self, path: Path, channel: int | None) -> Reading:
        """Reads a file that exists and is not empty.

        Args:
            path: File to read.
            channel: Index of the channel, of a file that has several.

        Returns:
            The slices as they are shown, bright for high, finite; and their grid.

        Raises:
            InputError: The file is no image that can be explained.
        """

    def read_mask(self, path: Path, image: Path) -> Reading:
        """Reads a mask by its stored values, whatever a viewer would show.

        Args:
            path: File of the mask, which exists and is not empty.
            image: File of the image that it belongs to.

        Returns:
            bool slices, True where the stored value is not 0; and their grid.

        Raises:
            InputError: The file is no mask; it lies on another grid than its image; or the format is one
                whose masks are not read.
        """
        raise InputError(path, "is of a format whose masks are not read", "Save the mask as PNG")


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
