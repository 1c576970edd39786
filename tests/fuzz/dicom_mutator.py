"""Changes of DICOM files element by element, inside deflated files and compressed frames too."""

from __future__ import annotations

import functools
import io
import random
import struct
import zlib
from collections.abc import Sequence

import pydicom
from fuzz.byte_mutator import NUMBERS, change_bytes, whole_number
from fuzz.picture_mutator import change_jpeg
from pydicom.datadict import tag_for_keyword
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element, write_file_meta_info
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

_VRS = [b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"FD", b"FL", b"IS", b"LO", b"OB", b"OD", b"OF", b"OW"]
_VRS += [b"PN", b"SH", b"SL", b"SQ", b"SS", b"SV", b"UI", b"UL", b"UN", b"UR", b"US", b"UT", b"UV", b"  "]
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
# Attributes that the readers look at, with their VRs.
_ATTRIBUTES = {
    "WindowCenter": b"DS",
    "WindowWidth": b"DS",
    "VOILUTFunction": b"CS",
    "RescaleSlope": b"DS",
    "RescaleIntercept": b"DS",
    "PixelPaddingValue": b"US",
    "PixelPaddingRangeLimit": b"SS",
    "FloatPixelPaddingValue": b"FL",
    "NumberOfFrames": b"IS",
    "SamplesPerPixel": b"US",
    "PlanarConfiguration": b"US",
    "PhotometricInterpretation": b"CS",
    "BitsAllocated": b"US",
    "BitsStored": b"US",
    "HighBit": b"US",
    "PixelRepresentation": b"US",
    "Rows": b"US",
    "Columns": b"US",
    "PixelSpacing": b"DS",
    "ImagePositionPatient": b"DS",
    "ImageOrientationPatient": b"DS",
    "SliceThickness": b"DS",
    "Modality": b"CS",
    "ImageType": b"CS",
    "SOPClassUID": b"UI",
    "SeriesInstanceUID": b"UI",
    "SpecificCharacterSet": b"CS",
    "ExtendedOffsetTable": b"OV",
    "ExtendedOffsetTableLengths": b"OV",
    "FloatPixelData": b"OF",
    "PresentationLUTShape": b"CS",
}
_SEQUENCES = ("ModalityLUTSequence", "VOILUTSequence", "SharedFunctionalGroupsSequence")
_SEQUENCES += ("PerFrameFunctionalGroupsSequence", "FrameVOILUTSequence", "PixelValueTransformationSequence")
_WORDS = [b"MONOCHROME1", b"MONOCHROME2", b"RGB", b"PALETTE COLOR", b"SIGMOID", b"LINEAR_EXACT", b"INVERSE"]
_WORDS += [b"SR", b"SEG", b"ISO_IR 192", b"ISO 2022 IR 87", b"\\ISO 2022 IR 6", b"1.2.840.10008.5.1.4.1.1.2"]
_WORDS += [b"\x1b$B" * 9, b"\xff\xfe", b"A" * 70, b"LOCALIZER", b"x\x00y"]
_SYNTAXES = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"]
_SYNTAXES += [f"1.2.840.10008.1.2.4.{k}" for k in (50, 51, 57, 70, 80, 81, 90, 91, 92, 201, 203, 110)]
_SYNTAXES += ["1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.1", "1.2.3.4"]
_SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
_ITEM_END = b"\xfe\xff\x0d\xe0\0\0\0\0"


def change_dicom(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Returns a DICOM file with changed elements; sometimes with changed bytes in place of them."""
    if rng.random() < 0.15:
        return change_bytes(data, rng, others)
    head, elements, syntax = _parts(data)
    elements = list(elements)
    implicit = UID(syntax).is_implicit_VR if syntax else False
    for _ in range(rng.choice((1, 1, 2, 3))):
        _change_elements(elements, implicit, rng)
    if rng.random() < 0.06:
        syntax = rng.choice(_SYNTAXES)
        head = _head(syntax)
    body = b"".join(elements)
    if rng.random() < 0.1:
        body = change_bytes(body, rng, [])
    if syntax == DeflatedExplicitVRLittleEndian:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        body = packer.compress(body) + packer.flush()
        body = change_bytes(body, rng, []) if rng.random() < 0.05 else body
    return head + body


@functools.cache
def _parts(data: bytes) -> tuple[bytes, tuple[bytes, ...], str | None]:
    """Returns the part before the data set, the data set's elements as bytes, and the transfer syntax."""
    dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    implicit, little_endian = dataset.original_encoding
    elements = []
    for element in dataset:
        file = DicomBytesIO()
        file.is_implicit_VR, file.is_little_endian = implicit, little_endian
        write_data_element(file, element)
        elements.append(file.getvalue())
    head = _head(syntax) if syntax else (bytes(128) + b"DICM" if data[128:132] == b"DICM" else b"")
    return head, tuple(elements), syntax


def _head(syntax: str) -> bytes:
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = syntax
    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = False, True
    write_file_meta_info(file, meta, enforce_standard=True)
    return bytes(128) + b"DICM" + file.getvalue()


def _change_elements(elements: list[bytes], implicit: bool, rng: random.Random) -> None:
    at = rng.randrange(len(elements)) if elements else 0
    kind = rng.randrange(12)
    if kind <= 3 or not elements:
        elements.insert(rng.randrange(len(elements) + 1), _attribute(implicit, rng))
    elif kind == 4:
        elements.insert(rng.randrange(len(elements) + 1), _sequence(implicit, rng))
    elif kind == 5:
        del elements[at]
    elif kind == 6:
        elements.insert(at, elements[at])
    elif kind == 7:  # another VR, or the tag of another element
        one = bytearray(elements[at])
        if rng.random() < 0.7:
            one[4:6] = rng.choice(_VRS) if rng.random() < 0.9 else rng.randbytes(2)
        else:
            one[:4] = rng.choice(elements)[:4]
        elements[at] = bytes(one)
    elif kind == 8:  # a length that is not that of the value
        one = bytearray(elements[at])
        start, size = (8, 4) if bytes(one[4:6]) in _LONG and not implicit else (6, 2)
        start, size = (4, 4) if implicit else (start, size)
        one[start : start + size] = whole_number(rng, size)
        elements[at] = bytes(one)
    elif kind == 9:
        elements[at] = change_bytes(elements[at], rng, elements)
    else:
        elements[-1] = _change_pixels(elements[-1], rng)


def _attribute(implicit: bool, rng: random.Random) -> bytes:
    name = rng.choice(list(_ATTRIBUTES))
    vr = _ATTRIBUTES[name]
    tag = tag_for_keyword(name)
    if vr in (b"DS", b"IS"):
        value = b"\\".join(rng.choices(NUMBERS, k=rng.choice((1, 1, 1, 2, 3, 6))))
    elif vr in (b"CS", b"UI"):
        value = rng.choice(_WORDS)
    elif vr in (b"FL", b"OF"):
        value = struct.pack("<f", rng.choice((0.0, -1.0, 3.4e38, float("nan"), float("inf"))))
    elif vr == b"OV":
        value = b"".join(whole_number(rng, 8) for _ in range(rng.randrange(3)))
    else:
        value = b"".join(whole_number(rng, 2) for _ in range(rng.choice((1, 1, 1, 0, 2))))
    return _element(tag or 0, vr, value, implicit)


def _sequence(implicit: bool, rng: random.Random) -> bytes:
    """A sequence with one item, of tables or of further attributes, at times nested."""
    inside = [_attribute(implicit, rng) for _ in range(rng.randrange(3))]
    if rng.random() < 0.6:
        entries = rng.choice((0, 1, 2, 256, 4096, 65535))
        descriptor = struct.pack("<3H", entries, rng.choice((0, 1, 32768, 65535)), rng.choice((0, 8, 12, 16)))
        count = rng.choice((entries, entries // 2, 0, 1, 2 * entries))
        table = rng.choice((bytes(count * 2), bytes(count), rng.randbytes(2 * count)))
        inside.append(_element(0x00283002, rng.choice((b"US", b"SS")), descriptor, implicit))
        inside.append(_element(0x00283006, rng.choice((b"US", b"OW")), table[:60000], implicit))
    if rng.random() < 0.3:
        inside.append(_sequence(implicit, rng))
    item = b"".join(inside)
    items = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + item + _ITEM_END
    items *= rng.choice((1, 1, 1, 0, 3))
    tag = struct.pack("<HH", *divmod(tag_for_keyword(rng.choice(_SEQUENCES)) or 0, 65536))
    return tag + (b"" if implicit else b"SQ\0\0") + b"\xff\xff\xff\xff" + items + _SEQUENCE_END


def _element(tag: int, vr: bytes, value: bytes, implicit: bool) -> bytes:
    value += b" " * (len(value) % 2)
    start = struct.pack("<HH", *divmod(tag, 65536))
    if implicit:
        return start + struct.pack("<I", len(value)) + value
    if vr in _LONG:
        return start + vr + b"\0\0" + struct.pack("<I", len(value)) + value
    return start + vr + struct.pack("<H", len(value) % 65536) + value


def _change_pixels(element: bytes, rng: random.Random) -> bytes:
    """Changes the value of the last element, in most files the pixel data: compressed frames inside."""
    head, value = element[:12], element[12:]
    if head[8:12] != b"\xff\xff\xff\xff" or value[:4] != b"\xfe\xff\x00\xe0":
        return head + change_bytes(value, rng, [])
    items, at = [], 0
    while value[at : at + 4] == b"\xfe\xff\x00\xe0" and at + 8 <= len(value):
        length = struct.unpack_from("<I", value, at + 4)[0]
        items.append(value[at + 8 : at + 8 + length])
        at += 8 + length
    chosen = rng.randrange(len(items))
    kind = rng.randrange(6)
    if kind == 0:
        items.insert(chosen, rng.choice((b"", items[chosen], bytes(8))))
    elif kind == 1:
        del items[chosen]
    else:
        items[chosen] = _change_codestream(items[chosen], rng)
    written = (
        b"\xfe\xff\x00\xe0"
        + (struct.pack("<I", len(item)) if rng.random() < 0.97 else whole_number(rng, 4))
        + item
        for item in items
    )
    return head + b"".join(written) + (_SEQUENCE_END if rng.random() < 0.9 else b"")


def _change_codestream(frame: bytes, rng: random.Random) -> bytes:
    if frame[:2] == b"\xff\xd8" and rng.random() < 0.8:  # JPEG and JPEG-LS
        return change_jpeg(frame, rng, [])
    if (
        frame[:2] == b"\xff\x4f" and len(frame) > 60 and rng.random() < 0.6
    ):  # the sizes of JPEG 2000, big-endian
        changed = bytearray(frame)
        at = rng.randrange(6, 60)
        size = rng.choice((1, 2, 4))
        changed[at : at + size] = (rng.choice((0, 1, 64, 127, 255, 40000, 2**31 - 1, 2**32 - 1))).to_bytes(
            4, "big"
        )[-size:]
        return bytes(changed)
    return change_bytes(frame, rng, [])
