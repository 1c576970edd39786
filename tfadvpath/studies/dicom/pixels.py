"""Stored values of DICOM images: their format, and words without the bits that hold no value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.attributes import MEND
from tfadvpath.studies.dicom.file import DicomFile, PixelElement
from tfadvpath.studies.limits import check_expansion, check_size

# A pixel of the largest colour images has red, green and blue, or four inks.
_MOST_SAMPLES = 4
_WIDTHS = (1, 8, 16, 32, 64)


@dataclass(frozen=True)
class PixelFormat:
    """Format of the stored values of an image (PS3.5, 8.1.1).

    Attributes:
        frames: Number of frames.
        rows: Rows of a frame.
        columns: Columns of a frame.
        samples: Samples of a pixel.
        planar: Whether a frame holds one plane after the other, where it has several samples.
        allocated: Bits that a sample takes.
        stored: Bits that hold its value.
        high: Index of the highest of these bits.
        signed: Whether the highest bit is a sign.
        is_float: Whether the values are floating-point numbers.
    """

    frames: int
    rows: int
    columns: int
    samples: int
    planar: bool
    allocated: int
    stored: int
    high: int
    signed: bool
    is_float: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """[rows, columns] of a frame, with a third axis where a pixel has several samples."""
        return (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, self.samples)

    @property
    def size(self) -> int:
        """Number of samples of a frame."""
        return self.rows * self.columns * self.samples

    @property
    def dtype(self) -> np.dtype:
        """Data type of a frame's samples as words without a sign, or as floats."""
        if self.is_float:
            return np.dtype(f"f{self.allocated // 8}")
        return np.dtype(f"u{max(1, self.allocated // 8)}")

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value that the stored bits can hold."""
        if self.signed:
            return -(2 ** (self.stored - 1)), 2 ** (self.stored - 1) - 1
        return 0, 2**self.stored - 1


def grid_shape(file: DicomFile) -> tuple[int, int, int]:
    """Returns the number of frames, rows and columns that a header names.

    Args:
        file: File, whose pixels need not be read.

    Raises:
        InputError: A number is missing or unusable, or the image is too large.
    """
    attributes = file.attributes
    rows, columns = attributes.needed("Rows"), attributes.needed("Columns")
    frames = attributes.whole("NumberOfFrames") or 1
    check_size(file.path, (frames, rows, columns), rows * columns)
    return frames, rows, columns


def read_format(file: DicomFile, pixels: PixelElement) -> PixelFormat:
    """Returns the format of an image's stored values.

    Args:
        file: File of the image.
        pixels: Its pixels.

    Raises:
        InputError: An attribute is missing or unusable, or the image is too large.
    """
    attributes = file.attributes
    frames, rows, columns = grid_shape(file)
    # Old files leave it out where there is one.
    samples = 1 if attributes.whole("SamplesPerPixel") is None else attributes.needed("SamplesPerPixel")
    if not 1 <= samples <= _MOST_SAMPLES:
        raise InputError(file.path, f"has {samples} samples per pixel", MEND)
    planar = samples > 1 and attributes.whole("PlanarConfiguration") == 1
    is_float = pixels.name != "PixelData"
    if is_float:
        allocated = stored = 32 if pixels.name == "FloatPixelData" else 64
        signed, high = False, stored - 1
    else:
        allocated, stored = attributes.needed("BitsAllocated"), attributes.needed("BitsStored")
        sign = attributes.needed("PixelRepresentation")
        if sign not in (0, 1):
            raise InputError(file.path, f"has the PixelRepresentation {sign}, which may be 0 or 1", MEND)
        signed = sign == 1
        named = attributes.whole("HighBit")
        high = stored - 1 if named is None else named
        _check_bits(file, allocated, stored, high)
    total = frames * rows * columns * samples * max(1, allocated // 8)
    check_expansion(file.path, total if frames > 1 else 0, file.stored)
    return PixelFormat(frames, rows, columns, samples, planar, allocated, stored, high, signed, is_float)


def _check_bits(file: DicomFile, allocated: int, stored: int, high: int) -> None:
    if allocated not in _WIDTHS:
        raise InputError(
            file.path,
            f"has the BitsAllocated {allocated}, where 1, 8, 16, 32 and 64 are read",
            "Export it with 8 or 16 bits",
        )
    if not 1 <= stored <= allocated:
        problem = f"has the BitsStored {stored}, which does not go with its BitsAllocated {allocated}"
        raise InputError(file.path, problem, MEND)
    if not stored - 1 <= high < allocated:
        raise InputError(
            file.path,
            f"has the HighBit {high}, which does not go with its BitsStored {stored} and its BitsAllocated "
            f"{allocated}",
            MEND,
        )


def values_of(words: np.ndarray, bits: int, shift: int, signed: bool) -> np.ndarray:
    """Returns the values that words hold in some of their bits, whatever the other bits are.

    Args:
        words: Unsigned integers of any shape.
        bits: Number of bits that hold the value; more than the words have are all of them.
        shift: Index of the lowest of them.
        signed: Whether the highest of them is a sign.

    Returns:
        Integers of the words' width and shape.

    Example:
        >>> values_of(np.array([0xF7FF, 0x0800], np.uint16), 12, 0, True).tolist()
        [2047, -2048]
    """
    width = 8 * words.dtype.itemsize
    if shift:
        words = words >> words.dtype.type(shift)
    unused = width - bits
    if not signed:
        return words if unused <= 0 else words & words.dtype.type(2**bits - 1)
    if unused > 0:
        words = words << words.dtype.type(unused)
    values = words.view(f"i{words.dtype.itemsize}")
    return values >> values.dtype.type(unused) if unused > 0 else values


def in_shape(samples: np.ndarray, layout: PixelFormat) -> np.ndarray:
    """Returns a frame's samples [rows, columns(, samples)].

    Args:
        samples: All samples in their order.
        layout: Format of the image.
    """
    if layout.planar:
        return np.moveaxis(samples.reshape(layout.samples, layout.rows, layout.columns), 0, -1)
    return samples.reshape(layout.shape)
