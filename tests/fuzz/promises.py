"""What every input must lead to: a result, or one line that a person can act on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfadvpath.errors import InputError, UnforeseenError

# They stand in the headers of the seeds; no line may repeat them.
PATIENT = {
    "PatientName": "ZEBRA^PATIENT",
    "PatientID": "PID-778899",
    "PatientBirthDate": "19010203",
    "AccessionNumber": "ZEBRA-ACC",
    "InstitutionName": "ZEBRA CLINIC",
}
_SECRETS = ("ZEBRA", "778899", "19010203")
_LONGEST = 400


class BrokenPromise(AssertionError):
    """An input led to what a reader promises not to do."""


def check_line(error: InputError, *paths: Path) -> None:
    """Fails unless the error is one short, printable line without a patient's data.

    Args:
        error: The error that an input led to.
        paths: Names that the line may hold, which count neither as long nor as data.
    """
    if isinstance(error, UnforeseenError):
        raise BrokenPromise(f"an unforeseen error: {error.trace}")
    check_text(str(error), *paths)


def check_text(line: str, *paths: Path) -> None:
    """Fails unless a text is one short, printable line without a patient's data."""
    for path in sorted(map(str, paths), key=len, reverse=True):
        line = line.replace(path, "PATH")
    if not line.isprintable():
        raise BrokenPromise(f"a line that is not printable: {line[:_LONGEST]!r}")
    if len(line) > _LONGEST:
        raise BrokenPromise(f"a line of {len(line)} characters: {line[:_LONGEST]}")
    if any(secret in line.upper() for secret in _SECRETS):
        raise BrokenPromise(f"a line with a patient's data: {line}")
    if "does not fit into memory" in line:
        raise BrokenPromise("memory: it was asked for before the size was checked")


def check_images(images: np.ndarray, blank: np.ndarray) -> None:
    """Fails unless images are float32 [N, H, W, 1] in [0, 1], each 0 or from 0 to 1."""
    if images.dtype != np.float32 or images.ndim != 4 or images.shape[3] != 1 or not images.size:
        raise BrokenPromise(f"images are {images.dtype} {images.shape}")
    if not np.isfinite(images).all():
        raise BrokenPromise("images with NaN or infinite values")
    lowest, highest = images.min(axis=(1, 2, 3)), images.max(axis=(1, 2, 3))
    if lowest.any() or not np.isin(highest, (0, 1)).all():
        raise BrokenPromise(f"images from {lowest.min()} to {highest.max()}")
    if not np.array_equal(blank, highest == 0):
        raise BrokenPromise("slices that are wrongly called blank")
