"""Values of DICOM attributes, decoded from their bytes (PS3.5, 6.2).

A ``ValueError`` says what is wrong with a value, without the value.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from pydicom.valuerep import VR

KNOWN_VRS = {str(vr) for vr in VR}
_TEXT = {
    *("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT"),
    *("PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"),
}
_BINARY = {
    "FL": "f4",
    "FD": "f8",
    "SS": "i2",
    "SL": "i4",
    "SV": "i8",
    "US": "u2",
    "UL": "u4",
    "UV": "u8",
    "OB": "u1",
    "OW": "u2",
    "OL": "u4",
    "OV": "u8",
    "OF": "f4",
    "OD": "f8",
}
# What the dictionary calls "US or SS" and the like: the caller knows which it is.
AMBIGUOUS = "US"
# An attribute that is decoded to numbers or words has a few of them.
_LONGEST = 2**16
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)


class Stored(NamedTuple):
    """Value of an attribute as it is stored.

    Attributes:
        content: Its bytes.
        vr: Its value representation; of several possible ones "US".
        is_named: Whether the file names the value representation.
        little_endian: Order of its bytes.
        implicit: Whether what lies in it is stored without value representations.
    """

    content: bytes
    vr: str
    is_named: bool
    little_endian: bool
    implicit: bool


def decoded(stored: Stored) -> list[str] | list[int] | list[float]:
    """Returns the values of an attribute: texts without the spaces around them, or numbers.

    Args:
        stored: The attribute.

    Raises:
        ValueError: It is too long, or of no values.
    """
    if len(stored.content) > _LONGEST:
        raise ValueError(f"is {len(stored.content):,} bytes long")
    if stored.vr in _TEXT:
        texts = stored.content.decode("ascii", errors="replace").split("\\")
        return [text.strip(" \0\t\r\n") for text in texts]
    dtype = np.dtype(_BINARY.get(stored.vr, "V")).newbyteorder("<" if stored.little_endian else ">")
    if not dtype.itemsize or len(stored.content) % dtype.itemsize:
        raise ValueError("cannot be read")
    values: list[int] | list[float] = np.frombuffer(stored.content, dtype).tolist()
    return values


def number_of(value: str | int | float) -> float:
    """Returns a value as a number, finite or not.

    Args:
        value: Number, or a text of one with a decimal point or a decimal comma, which other readers take too.

    Raises:
        ValueError: The text is no number.
    """
    if not isinstance(value, str):
        return float(value)
    if "." not in value:
        value = value.replace(",", ".", 1)
    if not _NUMBER.fullmatch(value):
        raise ValueError("is no number")
    return float(value)
