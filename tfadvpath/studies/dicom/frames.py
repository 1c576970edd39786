"""Frames of DICOM images as stored values: decoded, and rid of the bits that hold no value."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from pydicom.uid import UncompressedTransferSyntaxes

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.attributes import MEND
from tfadvpath.studies.dicom.decode import Decoded, called, check_identifier, decoder_of
from tfadvpath.studies.dicom.file import DicomFile, PixelElement
from tfadvpath.studies.dicom.fragments import frames_of, joined
from tfadvpath.studies.dicom.native import NativeFrames
from tfadvpath.studies.dicom.pixels import PixelFormat, values_of


def stored_frames(file: DicomFile, pixels: PixelElement, layout: PixelFormat) -> Iterator[np.ndarray]:
    """Yields the stored values of each frame [rows, columns(, samples)], one at a time.

    Args:
        file: File of the image.
        pixels: Its pixels.
        layout: Format of its values.

    Raises:
        InputError: The transfer syntax cannot be decoded here, or the pixels are cut or damaged. What is
            wrong with a frame is said when it is asked for.
    """
    if pixels.length is not None:
        _check_is_native(file, pixels)
        native = NativeFrames(file, pixels, layout)
        return (_values(native.frame(index), layout) for index in range(layout.frames))
    decode = decoder_of(file, layout)
    frames = frames_of(file, pixels, layout.frames)
    return (_decoded_values(file, decode, joined(file, fragments), layout) for fragments in frames)


def _values(words: np.ndarray, layout: PixelFormat) -> np.ndarray:
    if layout.is_float:
        return words
    return values_of(words, layout.stored, layout.high + 1 - layout.stored, layout.signed)


def _decoded_values(
    file: DicomFile, decode: Callable[[bytes], Decoded], content: bytes, layout: PixelFormat
) -> np.ndarray:
    words, precision, signed = decode(content)
    if words.shape != layout.shape:
        raise InputError(file.path, "holds a frame of another size than its header names", MEND)
    # A stream of another sign holds the bits of its words as they are, and no more of them than it has.
    bits = layout.stored if signed == layout.signed else min(layout.stored, precision)
    shift = layout.high + 1 - layout.stored if precision > layout.high else 0
    return values_of(words, bits, shift, layout.signed)


def _check_is_native(file: DicomFile, pixels: PixelElement) -> None:
    if file.syntax in UncompressedTransferSyntaxes:
        return
    check_identifier(file)
    name = called(file)
    if file.syntax.is_transfer_syntax:
        raise InputError(
            file.path,
            f"names the compression {name}, but its {pixels.name} is not encapsulated",
            "Correct its TransferSyntaxUID, or export the file again",
        )
    raise InputError(
        file.path,
        f"is in the transfer syntax {name}, which is not read",
        "Export it as Explicit VR Little Endian",
    )
