"""Decoders of the compressed frames of DICOM images, by transfer syntax."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSTransferSyntaxes,
    MPEGTransferSyntaxes,
    RLELossless,
    UncompressedTransferSyntaxes,
)

from tfadvpath.errors import InputError, quoted
from tfadvpath.studies.dicom.attributes import MEND
from tfadvpath.studies.dicom.file import COPY_AGAIN, DicomFile
from tfadvpath.studies.dicom.jpeg_2000 import check_jpeg_2000, read_jpeg_2000_header
from tfadvpath.studies.dicom.kinds import uid_name
from tfadvpath.studies.dicom.pixels import PixelFormat, in_shape
from tfadvpath.studies.dicom.rle import decode_rle
from tfadvpath.studies.pictures.jpeg import decode_jpeg, read_jpeg_header
from tfadvpath.studies.pictures.jpeg_stream import JpegHeader

# JPEG of 8 bits, whatever the process; the retired ones are progressive.
_JPEG = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 53, 55))
_JPEG_2000 = (JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K)
# These are what GDCM decodes and the decoders that come with this package may not.
_JPEG_OF_GDCM = (JPEGLossless, JPEGLosslessSV1, *JPEGLSTransferSyntaxes)
_UNCOMPRESSED_FRAMES = "1.2.840.10008.1.2.1.98"
_DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
# The first plugin that is installed decodes: another one may take for whole what the first refuses.
_PLUGINS = ("pylibjpeg", "pyjpegls", "gdcm", "pillow")


class Decoded(NamedTuple):
    """A frame as its decoder returns it.

    Attributes:
        words: Unsigned integers [rows, columns(, samples)].
        precision: Bits of a sample in the compressed stream.
        signed: Whether samples have a sign there; None where the stream does not say.
    """

    words: np.ndarray
    precision: int
    signed: bool | None = None


def decoder_of(file: DicomFile, layout: PixelFormat) -> Callable[[bytes], Decoded]:
    """Returns the function that decodes a frame of the file's transfer syntax.

    Args:
        file: File of the image.
        layout: Format of its values.

    Raises:
        InputError: There is none. The function raises it of a frame that is cut or damaged, or of another
            size than the image.
    """
    path, syntax = file.path, file.syntax
    if not file.names_syntax:
        raise InputError(path, "does not name its compression (no TransferSyntaxUID)", COPY_AGAIN)
    check_identifier(file)
    if layout.is_float:
        raise InputError(path, "has floating-point pixels that are encapsulated", "Export it uncompressed")
    if syntax == RLELossless:
        return lambda content: Decoded(decode_rle(path, content, layout), layout.allocated)
    if syntax in _JPEG:
        return lambda content: _decode_jpeg(file, content, layout)
    if syntax in _JPEG_2000:
        plugin = _plugin(file)
        return lambda content: _decode_jpeg_2000(file, content, layout, plugin)
    if syntax in _JPEG_OF_GDCM:
        plugin = _plugin(file)
        return lambda content: _decode_other_jpeg(file, content, layout, plugin)
    if syntax == _UNCOMPRESSED_FRAMES:
        return lambda content: _decode_native(path, content, layout)
    if syntax == _DEFLATED_FRAMES:
        return lambda content: _decode_native(path, _inflated(path, content, layout), layout)
    raise _no_decoder(file)


def is_lossy_jpeg(file: DicomFile) -> bool:
    """Returns whether the pixels of a file are in JPEG of 8 bits, which blurs edges."""
    return file.syntax in _JPEG


def called(file: DicomFile) -> str:
    """Returns what the transfer syntax of a file is called, with its identifier."""
    name = uid_name(file.syntax)
    return name if name == file.syntax else f"{name} ({file.syntax})"


def check_identifier(file: DicomFile) -> None:
    """Refuses a file whose transfer syntax is no identifier."""
    if not uid_name(file.syntax):
        raise InputError(file.path, "has a TransferSyntaxUID that is no identifier", MEND)


def _plugin(file: DicomFile) -> str:
    try:
        installed = get_decoder(file.syntax).available_plugins
    except NotImplementedError:
        installed = ()
    plugin = next((name for name in _PLUGINS if name in installed), None)
    if plugin is None:
        raise _no_decoder(file)
    return plugin


def _no_decoder(file: DicomFile) -> InputError:
    syntax = file.syntax
    if syntax in UncompressedTransferSyntaxes:
        return InputError(
            file.path,
            f"has encapsulated pixels, where its TransferSyntaxUID names {called(file)}",
            "Correct its TransferSyntaxUID, or export the file again",
        )
    if syntax in _JPEG_OF_GDCM:
        remedy = "Install python-gdcm, or decompress the file with: gdcmconv --raw IN OUT"
    elif syntax in _JPEG_2000:
        remedy = "Install pylibjpeg and pylibjpeg-openjpeg, or export it uncompressed"
    elif syntax in MPEGTransferSyntaxes:
        remedy = "Save the frames of interest as PNG files"
    else:
        remedy = "Export it uncompressed"
    problem = f"is compressed as {called(file)}, for which no decoder is installed"
    return InputError(file.path, problem, remedy)


def _decode_jpeg(file: DicomFile, content: bytes, layout: PixelFormat) -> Decoded:
    header = read_jpeg_header(file.path, content)
    _check_header(file.path, header.rows, header.columns, header.components, layout)
    if header.process <= 2 and header.precision == 8:
        return Decoded(decode_jpeg(file.path, content), 8)
    if file.syntax == JPEGExtended12Bit and header.process == 1 and _can_decode_12_bits():
        return _decode_by_plugin(file, content, layout, "pylibjpeg", header.precision, None)
    raise InputError(
        file.path,
        f"is compressed as {called(file)} with {_kind(header)}, for which no decoder is installed",
        "Decompress the file with DCMTK: dcmdjpeg IN OUT",
    )


def _kind(header: JpegHeader) -> str:
    if header.process == 3:
        return "a lossless JPEG stream"
    return f"a JPEG stream of {header.precision} bits" if header.process <= 2 else "an unusual JPEG stream"


def _can_decode_12_bits() -> bool:
    return "pylibjpeg" in get_decoder(JPEGExtended12Bit).available_plugins


def _decode_other_jpeg(file: DicomFile, content: bytes, layout: PixelFormat, plugin: str) -> Decoded:
    header = read_jpeg_header(file.path, content)
    _check_header(file.path, header.rows, header.columns, header.components, layout)
    return _decode_by_plugin(file, content, layout, plugin, header.precision, None)


def _decode_jpeg_2000(file: DicomFile, content: bytes, layout: PixelFormat, plugin: str) -> Decoded:
    header = read_jpeg_2000_header(file.path, content)
    _check_header(file.path, header.rows, header.columns, header.components, layout)
    check_jpeg_2000(file.path, content)
    return _decode_by_plugin(file, content, layout, plugin, header.precision, header.signed)


def _check_header(path: Path, rows: int, columns: int, components: int, layout: PixelFormat) -> None:
    if (rows, columns, components) != (layout.rows, layout.columns, layout.samples):
        raise _other_shape(path, (rows, columns) if components == 1 else (rows, columns, components))


def _other_shape(path: Path, shape: tuple[int, ...]) -> InputError:
    size = " x ".join(str(length) for length in shape)
    return InputError(
        path,
        f"holds a compressed frame of {size} values, where its Rows, Columns and SamplesPerPixel name others",
        MEND,
    )


def _decode_by_plugin(
    file: DicomFile, content: bytes, layout: PixelFormat, plugin: str, precision: int, signed: bool | None
) -> Decoded:
    try:
        buffer, properties = get_decoder(file.syntax).as_buffer(
            encapsulate([content]),
            index=0,
            decoding_plugin=plugin,
            rows=layout.rows,
            columns=layout.columns,
            number_of_frames=1,
            samples_per_pixel=layout.samples,
            planar_configuration=0,
            photometric_interpretation="MONOCHROME2" if layout.samples == 1 else "RGB",
            bits_allocated=max(8, layout.allocated),
            bits_stored=layout.stored,
            pixel_representation=int(layout.signed),
            pixel_keyword="PixelData",
        )
    except Exception as error:  # each decoder has errors of its own; pydicom lists them, one a line
        problem = f"is truncated or damaged: its pixels cannot be decoded ({quoted(error)})"
        raise InputError(file.path, problem, COPY_AGAIN) from None
    words = np.frombuffer(buffer, f"<u{int(properties['bits_allocated']) // 8}")
    planar = layout.samples > 1 and properties.get("planar_configuration") == 1
    if planar:
        words = np.moveaxis(words.reshape(layout.samples, layout.rows, layout.columns), 0, -1)
    return Decoded(words.reshape(layout.shape), precision, signed)


def _decode_native(path: Path, content: bytes, layout: PixelFormat) -> Decoded:
    needed = -(-layout.size * layout.allocated // 8)
    if len(content) < needed:
        problem = f"is truncated: a frame has {len(content):,} of {needed:,} bytes"
        raise InputError(path, problem, COPY_AGAIN)
    if layout.allocated == 1:
        samples = np.unpackbits(np.frombuffer(content, np.uint8, needed), bitorder="little")[: layout.size]
    else:
        samples = np.frombuffer(content, layout.dtype.newbyteorder("<"), layout.size)
    return Decoded(in_shape(samples, layout), layout.allocated)


def _inflated(path: Path, content: bytes, layout: PixelFormat) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        return inflater.decompress(content, -(-layout.size * layout.allocated // 8))
    except zlib.error as error:
        problem = f"is truncated or damaged: a frame cannot be inflated ({quoted(error)})"
        raise InputError(path, problem, COPY_AGAIN) from None
