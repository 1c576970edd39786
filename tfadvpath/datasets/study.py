"""From a file to images at a model's size, and from maps back to the file's grid."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tfadvpath.datasets.find import find_studies
from tfadvpath.datasets.grid import Grid
from tfadvpath.datasets.readers import MAX_FILE_BYTES
from tfadvpath.datasets.registry import ENDINGS, reader_for
from tfadvpath.errors import InputError

__all__ = ["Grid", "Study", "find_studies", "read_study"]

# A slice whose range after resizing is below this part of its range before is flat up to rounding.
FLAT = 1e-6


@dataclass(frozen=True, eq=False)
class Study:
    """The slices of one file, ready for a model.

    Args:
        path: The file.
        images: float32 [N, H, W, 1] in [0, 1], each slice scaled by its own smallest and largest value.
        blank: bool [N]: slices of one value. Their images are 0, and there is nothing to explain.
        grid: The file's grid.
    """

    path: Path
    images: np.ndarray
    blank: np.ndarray
    grid: Grid

    def to_grid(self, maps: np.ndarray) -> np.ndarray:
        """Bring maps over `images` back to the file's grid, bilinearly.

        Args:
            maps: float [N, h, w] or [N, h, w, 1].

        Returns:
            float32 of the shape `grid.shape`: [X, Y, Z] for NIfTI ([X, Y] if the file has two dimensions),
            [frames, rows, columns] for several DICOM frames, else [rows, columns].

        Raises:
            ValueError: The number of maps is not the number of slices.
        """
        maps = np.asarray(maps, dtype=np.float32)
        count, rows, columns = self.grid.slices_shape
        if maps.ndim == 4 and maps.shape[3] == 1:
            maps = maps[..., 0]
        if maps.ndim != 3 or maps.shape[0] != count:
            raise ValueError(
                f"`maps` must be [{count}, h, w] or [{count}, h, w, 1]. Received: {list(maps.shape)}"
            )
        slices = np.empty((count, rows, columns), dtype=np.float32)
        for index in range(count):
            slices[index] = cv2.resize(
                np.ascontiguousarray(maps[index]), (columns, rows), interpolation=cv2.INTER_LINEAR
            )
        return self.grid.from_slices(slices)


def read_study(path: Path | str, size: tuple[int, int] | None = None, channel: int | None = None) -> Study:
    """Read one DICOM, NIfTI, PNG or JPEG file.

    Args:
        path: The file.
        size: Rows and columns of the images; None keeps the file's.
        channel: Which channel of a 4-D NIfTI file, from 0. Other files have one and ignore it.

    Returns:
        The study.

    Raises:
        InputError: The file cannot be read, or holds nothing that can be explained.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     ramp = np.arange(12, dtype=np.uint8).reshape(3, 4)
        ...     written = cv2.imwrite(f"{folder}/ramp.png", ramp)
        ...     study = read_study(f"{folder}/ramp.png", size=(6, 8))
        >>> study.images.shape
        (1, 6, 8, 1)
        >>> study.to_grid(study.images).shape
        (3, 4)
    """
    path = Path(path)
    with open_slices(path, channel) as (slices, grid):
        count, rows, columns = grid.slices_shape
        images = np.zeros((count, *(size or (rows, columns)), 1), dtype=np.float32)
        for index, values in zip(range(count), slices, strict=True):
            images[index, ..., 0] = at_size(values, size)
    return Study(path, images, blank=images.max(axis=(1, 2, 3)) == 0, grid=grid)


@contextmanager
def open_slices(path: Path, channel: int | None = None) -> Iterator[tuple[Iterable[np.ndarray], Grid]]:
    """Give the slices of one file as its reader has them, and their grid, to the block that goes over them.

    Raises:
        InputError: As `read_study`, also for what is wrong with a slice once the block comes to it.
    """
    _check_file(path)
    try:
        reader = reader_for(path)
        if reader is None:
            raise InputError(path, "has an ending that no reader knows", f"Pass one of: {', '.join(ENDINGS)}")
        with _quiet():
            yield reader.read(path, channel)
    except OSError as error:
        raise InputError(
            path, f"cannot be read ({error.strerror or error})", "Check its permissions"
        ) from None
    except MemoryError:
        raise InputError(path, "does not fit into memory", "Crop or shrink it") from None


def _check_file(path: Path) -> None:
    try:
        if path.is_symlink() and not path.exists():
            raise InputError(path, "is a link to a file that does not exist", "Mend or remove the link")
        if not path.exists():
            raise InputError(path, "does not exist", "Check the spelling")
        if path.is_dir():
            raise InputError(
                path, "is a folder that cannot be read as one image", "Check its permissions or pass files"
            )
        if not path.is_file():
            raise InputError(path, "is not a regular file", "Pass an image file")
        size = path.stat().st_size
        path.open("rb").close()
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror or error})", "Check the path") from None
    if size == 0:
        raise InputError(path, "is empty (0 bytes)", "Copy or export it again")
    if size > MAX_FILE_BYTES:
        raise InputError(
            path, f"is too large: {size:,} bytes of at most {MAX_FILE_BYTES:,}", "Crop or shrink it"
        )


def at_size(values: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """Return one slice [rows, columns] at the asked size, scaled to float64 [0, 1]; None keeps the size."""
    scaled = min_max(values.astype(np.float64))
    if size is None or values.shape == tuple(size):
        return scaled
    values = resized(scaled, size)
    return np.zeros(size) if np.ptp(values) < FLAT else min_max(values)


def min_max(values: np.ndarray) -> np.ndarray:
    """Scale by the smallest and the largest value to [0, 1]; values that are all the same become 0."""
    low, high = values.min(), values.max()
    if low == high:
        return np.zeros_like(values)
    if high / 2 - low / 2 > np.finfo(np.float64).max / 2:  # the range itself would overflow
        values, low, high = values / 2, low / 2, high / 2
    return (values - low) / (high - low)


def resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Average over areas along axes that shrink, interpolate linearly along axes that grow."""
    rows, columns = min(size[0], values.shape[0]), min(size[1], values.shape[1])
    shrunk = cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the format libraries' own remarks from the console: what matters is said by an InputError."""
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
