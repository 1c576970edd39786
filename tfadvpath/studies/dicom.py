"""DICOM files: from bytes to frames as a viewer shows them."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.pixels import get_decoder, iter_pixels
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGExtended12Bit,
)

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom_display import displayed
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.limits import check_size
from tfadvpath.studies.readers import Reader, Reading, check_finite, register

PIXEL_ELEMENTS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
MAGIC = b"DICM"  # bytes 128 to 131
COPY_AGAIN = "Copy or export it again"


@register
class DicomReader(Reader):
    """Reads grey DICOM images; each frame of a multi-frame file is a slice.

    Transfer syntaxes: uncompressed, deflated, RLE, JPEG Baseline, JPEG 2000 and JPEG-LS; others if a pydicom
    plugin for them is installed. See ``dicom_display`` for the way from stored to shown values.
    """

    endings = (".dcm", ".dicom", ".ima")

    def recognizes(self, head: bytes) -> bool:
        return head[128:132] == MAGIC

    def read(self, path: Path, channel: int | None) -> Reading:
        dataset = _parse(path)
        try:
            _check_kind(path, dataset)
            grid = Grid(shape=_shape(path, dataset))
            _check_encoding(path, dataset)
        except InputError:
            raise
        except Exception as error:  # odd headers fail in pydicom's conversions in many ways
            raise InputError(path, f"has a damaged DICOM header ({error})", COPY_AGAIN) from None
        return Reading(_frames(path, dataset, grid.slices_shape[0]), grid)


def _parse(path: Path) -> FileDataset:
    content = path.read_bytes()
    if content[128:132] != MAGIC and not _starts_like_a_header(content):
        raise InputError(path, "is not a DICOM file, whatever its name says", "Give it its true ending")
    try:
        dataset = pydicom.dcmread(io.BytesIO(content), force=True)
    except Exception as error:  # zlib, struct, encoding and pydicom errors
        raise InputError(path, f"is truncated or damaged DICOM ({error})", COPY_AGAIN) from None
    if not any(name in dataset for name in PIXEL_ELEMENTS):
        # pydicom drops an element that the file ends in.
        little_endian = dataset.original_encoding[1] is not False
        tag = b"\xe0\x7f\x10\x00" if little_endian else b"\x7f\xe0\x00\x10"
        if tag in content and dataset.get("Modality") != "SR":
            raise InputError(path, "is truncated: it ends within its pixel data", COPY_AGAIN)
    return dataset


def _starts_like_a_header(content: bytes) -> bool:
    """Returns whether a file starts with an element of group 2 or 8, as old ones without the magic do."""
    return content[:2] in (b"\x02\x00", b"\x08\x00", b"\x00\x02", b"\x00\x08") and len(content) > 8


def _check_kind(path: Path, dataset: FileDataset) -> None:
    kind = UID(str(dataset.get("SOPClassUID") or "")).name
    if dataset.get("Modality") == "SR":
        raise InputError(
            path,
            f"is a structured report ({kind or 'SR'}), not an image",
            "Pass the image that it reports on",
        )
    if not any(name in dataset for name in PIXEL_ELEMENTS):
        problem = f"holds no pixel data ({kind})" if kind else "holds no pixel data"
        raise InputError(path, problem, "Pass an image; if it should be one, it was cut short: copy it again")
    photometric = str(dataset.get("PhotometricInterpretation") or "").strip()
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        if not photometric:
            raise InputError(path, "lacks the DICOM attribute PhotometricInterpretation", COPY_AGAIN)
        raise InputError(path, f"is a colour image ({photometric})", "Convert it to MONOCHROME2")


def _shape(path: Path, dataset: FileDataset) -> tuple[int, ...]:
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    frames = int(dataset.get("NumberOfFrames") or 1)
    check_size(path, (frames, rows, columns), rows * columns)
    return (rows, columns) if frames == 1 else (frames, rows, columns)


def _check_encoding(path: Path, dataset: FileDataset) -> None:
    """Makes sure that the transfer syntax is known and can be decoded here."""
    syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if not syntax:
        if "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
            raise InputError(path, "does not name its compression (no TransferSyntaxUID)", COPY_AGAIN)
        implicit, little_endian = dataset.original_encoding
        syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        if little_endian is False:
            syntax = ExplicitVRBigEndian
        if not hasattr(dataset, "file_meta"):
            dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
    try:
        decoder = get_decoder(syntax)
        available = decoder.is_available
    except NotImplementedError:
        available = False
    if available and syntax == JPEGExtended12Bit and decoder.available_plugins == ("pillow",):
        available = dataset.BitsStored <= 8  # Pillow's limit
    if not available:
        raise InputError(
            path,
            f"is compressed as {syntax.name} ({syntax}), for which no decoder is installed",
            "Install python-gdcm, or decompress the file with: gdcmconv --raw IN OUT",
        )
    if "PixelData" in dataset and not syntax.is_encapsulated:
        bits = int(dataset.BitsAllocated) * int(dataset.Rows) * int(dataset.Columns)
        needed = math.ceil(bits * int(dataset.get("NumberOfFrames") or 1) / 8)
        if len(dataset.PixelData) < needed:
            problem = f"is truncated: it has {len(dataset.PixelData):,} of {needed:,} bytes of pixel data"
            raise InputError(path, problem, COPY_AGAIN)


def _frames(path: Path, dataset: FileDataset, count: int) -> Iterator[np.ndarray]:
    index = -1
    try:
        for index, stored in enumerate(iter_pixels(dataset)):
            if index == count:
                raise InputError(path, f"holds more than the {count} frames of its header", COPY_AGAIN)
            check_finite(path, stored)
            yield displayed(stored, dataset, index)
        if index + 1 < count:
            raise InputError(path, f"is truncated: it holds {index + 1} of {count} frames", COPY_AGAIN)
    except InputError:
        raise
    except Exception as error:  # each decoder has its own errors; pydicom lists them, one a line
        reason = (str(error).splitlines() or [type(error).__name__])[-1].strip()
        problem = f"is truncated or damaged: its pixels cannot be decoded ({reason})"
        raise InputError(path, problem, COPY_AGAIN) from None
