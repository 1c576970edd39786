"""Studies: files as images at a model's size, and maps back on the files' grid."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.files import check_file
from tfadvpath.studies.find import find_studies
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.limits import check_expansion, check_size
from tfadvpath.studies.readers import Reading, quiet
from tfadvpath.studies.registry import endings, reader_for
from tfadvpath.studies.series import series_of
from tfadvpath.studies.sizes import at_size


@dataclass(frozen=True, eq=False)
class Study:
    """The slices of one file, or of a DICOM series, ready for a model.

    Attributes:
        sources: The file; or the files of a series, one for each slice in their order.
        images: float32 [N, H, W, 1] in [0, 1], each slice scaled by its own smallest and largest value.
        blank: bool [N]: slices of one value. Their images are 0, and there is nothing to explain.
        grid: Grid of the file or of the series.
        channel: Channel of a 4-D NIfTI file that was read; None where there is one.
        remarks: Sentences on what was passed over in the files, such as a window that leaves nothing.
        digest: SHA-256 of the files' contents, as whoever keeps results of them asks for; else None.
    """

    sources: tuple[Path, ...]
    images: np.ndarray
    blank: np.ndarray
    grid: Grid
    channel: int | None = None
    remarks: tuple[str, ...] = ()
    digest: str | None = None

    @property
    def source(self) -> Path:
        """Name of the study: its file, or the folder of its series."""
        return source_name(self.sources)

    def to_grid(self, maps: np.ndarray) -> np.ndarray:
        """Brings maps over ``images`` back to the study's grid, bilinearly.

        Args:
            maps: float [N, h, w] or [N, h, w, 1].

        Returns:
            float32 of the shape ``grid.shape``: [X, Y, Z] for NIfTI ([X, Y] if the file has two dimensions),
            [slices, rows, columns] for several DICOM frames or a series, else [rows, columns].

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


def source_name(sources: Sequence[Path]) -> Path:
    """Returns what a study is called in messages: its file, or the folder of its series."""
    return sources[0] if len(sources) == 1 else sources[0].parent


def read_study(
    path: Path | str | Sequence[Path | str], size: tuple[int, int] | None = None, channel: int | None = None
) -> Study:
    """Reads one study: a DICOM, NIfTI, PNG or JPEG file, or the files of a DICOM series.

    The slices of a series are in the order of their positions, whatever the order of the files.

    Args:
        path: File; files of one series; or a folder that holds one study.
        size: Rows and columns of the images; None keeps the file's.
        channel: Index of the channel of a 4-D NIfTI file, from 0. Other files have one and ignore it.

    Raises:
        InputError: A file cannot be read, or holds nothing that can be explained; the files are not of one
            series; the folder holds no study or several.

    Example:
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
    paths = [Path(path)] if isinstance(path, (str, Path)) else [Path(one) for one in path]
    if len(paths) == 1 and paths[0].is_dir():
        paths = list(_only_study(paths[0]))
    if len(paths) == 1:
        with open_slices(paths[0], channel) as reading:
            grid, remarks = reading.grid, reading.remarks
            images, blank = _images(paths, reading, size)
    else:
        if not paths:
            raise InputError("`path`", "names no file", "Pass the files of one series")
        for one in paths:
            check_file(one)
        series = series_of(paths)
        paths = list(series.paths)
        grid = Grid(shape=(len(paths), *series.headers[0].size), affine=series.affine)
        check_size(paths[0].parent, grid.shape, grid.shape[1] * grid.shape[2])
        remarks = []
        images, blank = _images(paths, Reading(_series_slices(paths, grid, remarks), grid), size)
    return Study(tuple(paths), images, blank, grid, channel, tuple(dict.fromkeys(remarks)))


def _only_study(folder: Path) -> tuple[Path, ...]:
    found = find_studies(folder).studies
    if len(found) != 1:
        raise InputError(
            folder, f"is a folder that holds {len(found) or 'no'} studies", "Name a file or one series"
        )
    return found[0].sources


def _images(
    paths: Sequence[Path], reading: Reading, size: tuple[int, int] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the slices as images, and which of them are blank."""
    count, rows, columns = reading.grid.slices_shape
    shape = (count, *(size or (rows, columns)), 1)
    check_expansion(paths[0], 4 * math.prod(shape) if count > 1 else 0, sum(map(_bytes_of, paths)))
    images = np.zeros(shape, dtype=np.float32)
    for index, values in zip(range(count), reading.slices, strict=True):
        at_size(values, size, images[index, ..., 0])
    return images, images.max(axis=(1, 2, 3)) == 0


def _bytes_of(path: Path) -> int:
    return path.stat().st_size


def _series_slices(paths: Sequence[Path], grid: Grid, remarks: list[str]) -> Iterator[np.ndarray]:
    for path in paths:
        with open_slices(path) as reading:
            if reading.grid.slices_shape != (1, *grid.slices_shape[1:]):
                raise InputError(path, "has another size than the other slices of its series", "Take it out")
            yield from reading.slices
            remarks.extend(reading.remarks)


@contextmanager
def open_slices(path: Path, channel: int | None = None) -> Iterator[Reading]:
    """Gives the slices of one file as its reader has them to the block that goes over them.

    Args:
        path: File to read.
        channel: Index of the channel of a 4-D NIfTI file, from 0.

    Raises:
        InputError: The file cannot be read, or holds nothing that can be explained. What is wrong with a
            slice is said once the block comes to it.
    """
    check_file(path)
    try:
        reader = reader_for(path)
        if reader is None:
            raise InputError(path, "is of no format that is read", f"Pass one of: {', '.join(endings())}")
        with quiet():
            yield reader.read(path, channel)
    except OSError as error:
        raise InputError(
            path, f"cannot be read ({error.strerror or error})", "Check its permissions"
        ) from None
    except MemoryError:
        raise InputError(path, "does not fit into memory", "Crop or shrink it") from None
