"""First bytes of DICOM files, with or without the magic."""

from __future__ import annotations

import struct

from pydicom.datadict import DicomDictionary
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from tfadvpath.studies.dicom.parse import is_explicit
from tfadvpath.studies.dicom.values import KNOWN_VRS

MAGIC = b"DICM"  # bytes 128 to 131
_LONG_VRS = {str(vr).encode() for vr in EXPLICIT_VR_LENGTH_32}
# A file without the magic is known by its first elements, which have short values.
_TELLING = 3
_SHORT = 256


def looks_like_dicom(head: bytes) -> bool:
    """Returns whether a file starts as DICOM files do, with the magic or, as old ones, without it.

    Args:
        head: First bytes of the file; a kilobyte tells well.
    """
    if head[128:132] == MAGIC or (head[:4] == MAGIC and _starts_data_set(head[4:], True)):
        return True
    return any(_starts_data_set(head, little_endian) for little_endian in (True, False))


def _starts_data_set(head: bytes, little_endian: bool) -> bool:
    """Returns whether known elements of group 2 or 8 begin here, in rising order and of short values."""
    order = "<" if little_endian else ">"
    explicit = is_explicit(head)
    position, last, count = 0, 0, 0
    while count < _TELLING and position + 12 <= len(head):
        group, number = struct.unpack_from(f"{order}HH", head, position)
        tag = group << 16 | number
        if group not in (0x0002, 0x0008) or tag <= last or not (number == 0 or tag in DicomDictionary):
            return False
        vr = head[position + 4 : position + 6]
        if explicit and vr not in _LONG_VRS:
            (length,) = struct.unpack_from(f"{order}H", head, position + 6)
            position += 8
        else:
            (length,) = struct.unpack_from(f"{order}I", head, position + (8 if explicit else 4))
            position += 12 if explicit else 8
        if length % 2 or length > _SHORT or (explicit and vr.decode("latin-1") not in KNOWN_VRS):
            return False
        position += length
        count, last = count + 1, tag
    return count == _TELLING
