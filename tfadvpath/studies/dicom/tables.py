"""Look-up tables of DICOM files (PS3.3, C.11.1.1 and C.11.2.1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.attributes import MEND, Attributes
from tfadvpath.studies.dicom.values import Stored

_ALL = 2**16  # entries, which a descriptor has no number for


@dataclass(frozen=True, eq=False)
class LookupTable:
    """A table of values.

    Attributes:
        first: Value that the first entry is for; smaller ones take it as well.
        entries: Unsigned integers; values beyond the last one take that.
    """

    first: int
    entries: np.ndarray

    def of(self, values: np.ndarray) -> np.ndarray:
        """Returns the entries of values of any shape, as float64."""
        places = np.nan_to_num(np.rint(values) - self.first)
        return self.entries[np.clip(places, 0, len(self.entries) - 1).astype(np.intp)].astype(np.float64)


def read_table(path: Path, item: Attributes, sequence: str, may_be_negative: bool) -> LookupTable:
    """Returns the table of an item of a sequence.

    The first value that is mapped has 16 bits, and a sign where the values may be negative, whether the file
    names it so or not. The entries have none.

    Args:
        path: File, for the message.
        item: Item that holds the table.
        sequence: Keyword of the sequence, for the message.
        may_be_negative: Whether values that go into the table may be below zero.

    Raises:
        InputError: The table is missing, or shorter than its descriptor says.
    """
    descriptor, stored = item.words("LUTDescriptor")
    data = item.stored("LUTData")
    if stored is None or data is None:
        missing = "LUTDescriptor" if stored is None else "LUTData"
        raise InputError(path, f"has a {sequence} without {missing}", MEND)
    if len(descriptor) != 3:
        raise InputError(
            path, f"has a {sequence} whose LUTDescriptor has {len(descriptor)} values instead of 3", MEND
        )
    if data.vr not in ("US", "SS", "OW", "OB"):
        raise InputError(path, f"has a {sequence} whose LUTData cannot be read", MEND)
    count, first, bits = descriptor
    if first >= 2**15 and (may_be_negative or stored.vr == "SS"):
        first -= 2**16
    return LookupTable(first, _entries(path, data, sequence, count or _ALL, bits))


def _entries(path: Path, data: Stored, sequence: str, count: int, bits: int) -> np.ndarray:
    order = "<" if data.little_endian else ">"
    held = len(data.content) // 2
    if held >= count:
        return np.frombuffer(data.content, f"{order}u2", count)
    if bits <= 8 and len(data.content) >= count:  # two entries in a word, or one in a byte
        octets = np.frombuffer(data.content, np.uint8)
        if data.vr != "OB" and not data.little_endian:
            octets = octets[: 2 * held].reshape(-1, 2)[:, ::-1].ravel()
        if len(octets) >= count:
            return octets[:count]
    raise InputError(
        path,
        f"has a {sequence} whose LUTDescriptor names {count:,} entries, of which its LUTData holds "
        f"{len(data.content) if bits <= 8 else held:,}",
        MEND,
    )
