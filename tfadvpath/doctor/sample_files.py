"""Tiny files of one picture in every format that is read, made without the libraries that read them."""

from __future__ import annotations

import base64
import gzip
import struct
import zlib

SIDE = 32
# uint8 by rows: a ramp from 0 to 248.
PIXELS = bytes(4 * (row + column) for row in range(SIDE) for column in range(SIDE))
_EXPLICIT = "1.2.840.10008.1.2.1"
_DEFLATED = "1.2.840.10008.1.2.1.99"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_WITH_LONG_LENGTH = (b"OB", b"OW")
# The picture as codecs wrote it.
_JPEG = (
    "|JeWF01!$>Nk#wx0RR9200961|JwjV00RO70|EjA0|NsD0|NvF2n7WM1O*BQ2L=cX3JeSj3JVJj4iXRz4iOFu3lJ6%5fc;@6%`B*"
    "7Z?^47!ni}6#u{g3kU!p03ZPY5di<h02TlN0RaF20000000000000072nqkh02dGe00RI300000000000000603tH~+5iXv0RR9$"
    "0MA24@kp#_-YFGL8^t22qj;p1O&i4`siSzLRWxrDipGuNl2kNr6pE&e;*nU<yizKfH;PG6(Y#VC8aIkXQ%3Pfs%YLRKmXY"
)
_JPEG_LS = (
    "|JeWc01F5JAOIi%0TBTI+5iXv0RR910G-``b^hCL|9}5}LNaZoRagIcKmULKZU2A&e^38^|9<~}|9|iQfB$~}fB%2a|9}5||9}5~"
    "zyE*#cmIF?e*b^}f8YOq|9k&`|9^k~fB$d)fB%2~fB%2~fB%2~fB%2~fB%2~fB%2~fB%2~fB%2~fB%2~fB%2~fB%2~fB%2~fB%2~"
    "fB%2~fB%2~fB%2~fB$^{*#"
)
_JPEG_2000 = (
    "|4;u>04V?f0000W0000W00000000000000W0000W0000000000009R90sm3}3;+NC0RROA1ONg5TmTb5KuAbXNJvmfNKi;fP)JBn"
    "|6~9q00BdCWnpw>WFTUBAWv{*Zc0!^M<8}(a&u{KZXhx)H7+v$kN^q*00000T>t_9lgHEq2p`AV1s`Y-1YZPS!|DTv)CLU#5eq$v"
    "!SjWK=LjMi2wi^zf89~Q`2#@t0{}LmnXY4>J*G5U5Zl0fBEWnj0AHuah@YLTDM0^!|Je"
)
_JPEG_LOSSLESS = "|JeV-01F5JAOIi%0TBTI!~hil0RaF20000000000000000|@`x00;pA00961pV1K!" + 127 * "5fKp)" + "6aU!&"


def sample_files() -> dict[str, tuple[str, bytes]]:
    """Returns the file name and content of every sample, by what it is called.

    Every file holds ``PIXELS``; in that of JPEG they differ by 3 at most.
    """
    jpeg = base64.b85decode(_JPEG)
    codes = {
        "DICOM, JPEG Baseline": ("1.2.840.10008.1.2.4.50", jpeg),
        "DICOM, JPEG-LS": ("1.2.840.10008.1.2.4.80", base64.b85decode(_JPEG_LS)),
        "DICOM, JPEG 2000": ("1.2.840.10008.1.2.4.90", base64.b85decode(_JPEG_2000)),
        "DICOM, RLE": ("1.2.840.10008.1.2.5", _run_lengths(PIXELS)),
        "DICOM, JPEG Lossless": ("1.2.840.10008.1.2.4.70", base64.b85decode(_JPEG_LOSSLESS)),
    }
    return {
        "PNG": ("sample.png", _png()),
        "JPEG": ("sample.jpg", jpeg),
        "NIfTI": ("sample.nii.gz", gzip.compress(_nifti())),
        "DICOM, uncompressed": ("plain.dcm", _dicom(_EXPLICIT)),
        "DICOM, deflated": ("deflated.dcm", _dicom(_DEFLATED)),
        **{name: (f"{syntax}.dcm", _dicom(syntax, code)) for name, (syntax, code) in codes.items()},
    }


def _png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + PIXELS[start : start + SIDE] for start in range(0, len(PIXELS), SIDE))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def _nifti() -> bytes:
    """Returns a NIfTI-1 file of uint8 [SIDE, SIDE, 1]."""
    header = bytearray(352)  # the last four bytes say that no extension follows
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, SIDE, SIDE, 1, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 2, 8)  # uint8
    struct.pack_into("<8f", header, 76, *8 * [1.0])
    struct.pack_into("<3f", header, 108, 352.0, 1.0, 0.0)
    struct.pack_into("<2h", header, 252, 0, 1)  # the rows of the affine count
    # The voxels' axes go as a picture's columns and rows do: to the left, to the back, up.
    struct.pack_into("<12f", header, 280, *(-1, 0, 0, 0), *(0, -1, 0, 0), *(0, 0, 1, 0))
    header[344:348] = b"n+1\0"
    return bytes(header) + PIXELS


def _dicom(syntax: str, code: bytes | None = None) -> bytes:
    """Returns a DICOM file (PS3.10) in explicit little endian.

    Args:
        syntax: Transfer syntax.
        code: The one frame as its codec wrote it; None is uncompressed pixels.
    """
    identifier = f"2.25.{zlib.crc32(syntax.encode())}".encode()
    short = struct.Struct("<H").pack
    about = b"".join(
        [
            _element(0x0008, 0x0016, b"UI", _SECONDARY_CAPTURE.encode()),
            _element(0x0008, 0x0018, b"UI", identifier),
            _element(0x0008, 0x0060, b"CS", b"OT"),
            _element(0x0028, 0x0002, b"US", short(1)),
            _element(0x0028, 0x0004, b"CS", b"MONOCHROME2"),
            _element(0x0028, 0x0010, b"US", short(SIDE)),
            _element(0x0028, 0x0011, b"US", short(SIDE)),
            _element(0x0028, 0x0100, b"US", short(8)),
            _element(0x0028, 0x0101, b"US", short(8)),
            _element(0x0028, 0x0102, b"US", short(7)),
            _element(0x0028, 0x0103, b"US", short(0)),
        ]
    )
    meta = b"".join(
        [
            _element(0x0002, 0x0001, b"OB", b"\0\1"),
            _element(0x0002, 0x0002, b"UI", _SECONDARY_CAPTURE.encode()),
            _element(0x0002, 0x0003, b"UI", identifier),
            _element(0x0002, 0x0010, b"UI", syntax.encode()),
            _element(0x0002, 0x0012, b"UI", b"2.25.1"),
        ]
    )
    if code is None:
        content = about + _element(0x7FE0, 0x0010, b"OB", PIXELS)
    else:
        content = about + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
        content += _item(b"") + _item(code) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    if syntax == _DEFLATED:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        content = packer.compress(content) + packer.flush()
        content += b"\0" * (len(content) % 2)
    length = _element(0x0002, 0x0000, b"UL", struct.pack("<I", len(meta)))
    return bytes(128) + b"DICM" + length + meta + content


def _element(group: int, number: int, kind: bytes, value: bytes) -> bytes:
    value += (b"\0" if kind in (b"UI", b"OB") else b" ") * (len(value) % 2)
    if kind in _WITH_LONG_LENGTH:
        return struct.pack("<HH2sHI", group, number, kind, 0, len(value)) + value
    return struct.pack("<HH2sH", group, number, kind, len(value)) + value


def _item(value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value


def _run_lengths(pixels: bytes) -> bytes:
    """Returns a frame in DICOM's RLE (PS3.5, annex G): one segment of literal runs, a row each."""
    header = struct.pack("<16I", 1, 64, *14 * [0])
    rows = (pixels[start : start + SIDE] for start in range(0, len(pixels), SIDE))
    return header + b"".join(bytes([SIDE - 1]) + row for row in rows)
