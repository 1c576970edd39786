"""Padding of DICOM images: pixels that were filled in beside what was taken (PS3.3, C.7.5.1.1.2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.attributes import MEND, Attributes
from tfadvpath.studies.dicom.pixels import PixelFormat, values_of

_NAMES = {
    "integer": ("PixelPaddingValue", "PixelPaddingRangeLimit"),
    "float32": ("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit"),
    "float64": ("DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit"),
}


@dataclass(frozen=True)
class Padding:
    """Range of the stored values that are padding; NaN is a range of its own.

    Attributes:
        low: Smallest of them.
        high: Largest of them.
    """

    low: float
    high: float

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Returns which stored values are padding, bool of their shape."""
        if np.isnan(self.low) or np.isnan(self.high):
            return np.isnan(values)
        return (values >= self.low) & (values <= self.high)


def read_padding(path: Path, attributes: Attributes, layout: PixelFormat) -> Padding | None:
    """Returns which stored values are padding; None where the file does not say.

    Args:
        path: File, for the message.
        attributes: Its attributes.
        layout: Format of its values.

    Raises:
        InputError: An attribute cannot be used.
    """
    names = _NAMES[layout.dtype.name if layout.is_float else "integer"]
    bounds = [_bound(path, attributes, name, layout) for name in names]
    value, limit = bounds
    if value is None:
        return None
    other = value if limit is None else limit
    return Padding(min(value, other), max(value, other))


def _bound(path: Path, attributes: Attributes, name: str, layout: PixelFormat) -> float | None:
    numbers, stored = attributes.numbers(name), attributes.stored(name)
    if stored is None or not numbers:
        return None
    if len(numbers) > 1 or (not layout.is_float and not float(numbers[0]).is_integer()):
        raise InputError(path, f"has a {name} that is not one value of its pixels", MEND)
    if layout.is_float:
        return float(layout.dtype.type(numbers[0]))
    # Some files write the value of signed pixels without a sign, or one that the stored bits do not hold:
    # it has the bits that the pixels have.
    bits = int(numbers[0])
    if layout.stored > 16:
        is_short = stored.vr in ("US", "SS") and layout.signed and not stored.is_named
        return bits - 2**16 if is_short and bits >= 2**15 else bits
    return int(values_of(np.array([bits & 0xFFFF], np.uint16), layout.stored, 0, layout.signed)[0])
