"""Which reader reads which file."""

from __future__ import annotations

from pathlib import Path

from tfadvpath.datasets.dicom import DicomReader
from tfadvpath.datasets.image_file import ImageFileReader
from tfadvpath.datasets.nifti import NiftiReader
from tfadvpath.datasets.readers import Reader

READERS: tuple[Reader, ...] = (DicomReader(), NiftiReader(), ImageFileReader())
ENDINGS = tuple(ending for reader in READERS for ending in reader.endings)
HEAD_BYTES = 132  # the DICOM magic is at 128 to 131


def reader_by_ending(path: Path) -> Reader | None:
    """The reader of the file name's ending, or None; the file need not exist."""
    name = path.name.lower()
    return next((reader for reader in READERS if name.endswith(reader.endings)), None)


def reader_for(path: Path) -> Reader | None:
    """The reader of a file's ending, else of its first bytes, else None.

    Raises:
        OSError: The file cannot be opened.
    """
    by_ending = reader_by_ending(path)
    if by_ending is not None:
        return by_ending
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return next((reader for reader in READERS if reader.recognizes(head)), None)
