"""Writes files that cannot be explained, each wrong in its own way, and some that can."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)


def picture(rows: int = 48, columns: int = 40, top: int = 255) -> np.ndarray:
    """int64 [rows, columns] in [0, top]: a ramp with a bright square, different under every flip and turn."""
    ramp = np.add.outer(np.arange(rows), 2 * np.arange(columns)) * (top // 2) // (rows + 2 * columns)
    ramp[4:12, 6:16] = top
    return ramp


def dicom(
    values: np.ndarray,
    bits_stored: int | None = None,
    syntax: UID = ExplicitVRLittleEndian,
    frames: bytes | None = None,
    **attributes: object,
) -> FileDataset:
    """An image of integers [rows, columns] or [frames, rows, columns]; uncompressed without `frames`.

    Args:
        values: Their dtype gives BitsAllocated and PixelRepresentation.
        bits_stored: All bits if None.
        syntax: The transfer syntax.
        frames: Encapsulated pixel data to take in place of the values' bytes.
        attributes: Further DICOM attributes by keyword; None removes one.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["broken files"])
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset(None, {}, bytes(128), meta, syntax.is_implicit_VR, syntax.is_little_endian)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Modality = "CR"
    dataset.Rows, dataset.Columns = values.shape[-2:]
    if values.ndim == 3:
        dataset.NumberOfFrames = values.shape[0]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = values.dtype.itemsize * 8
    dataset.BitsStored = bits_stored or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    dataset.PixelData = values.tobytes() if frames is None else frames
    dataset["PixelData"].VR = "OB" if frames is not None or values.dtype.itemsize == 1 else "OW"
    if frames is not None:
        dataset["PixelData"].is_undefined_length = True
    for name, value in attributes.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return dataset


def dicom_bytes(dataset: Dataset) -> bytes:
    """What `dataset` looks like as a file."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def jpeg_bytes(values: np.ndarray) -> bytes:
    """A grey or colour JPEG Baseline stream of uint8 values."""
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def png_bytes(values: np.ndarray) -> bytes:
    """A PNG file of an array that Pillow knows."""
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def png_header(rows: int, columns: int) -> bytes:
    """A grey 8-bit PNG file that claims any size, and holds nearly nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def nifti_bytes(voxels: np.ndarray, affine: np.ndarray | None = None) -> bytes:
    """An uncompressed NIfTI-1 file."""
    return nib.Nifti1Image(voxels, np.eye(4) if affine is None else affine).to_bytes()


def volume(shape: tuple[int, ...] = (20, 24, 6)) -> np.ndarray:
    """float32 noise of any shape."""
    return np.random.default_rng(7).normal(100, 20, shape).astype(np.float32)


def _broken_dicom() -> dict[str, tuple[bytes, str]]:
    pixels = picture().astype(np.uint8)
    whole = dicom_bytes(dicom(picture(top=4095).astype(np.uint16), 12))
    jpeg = jpeg_bytes(pixels)
    in_jpeg = dicom_bytes(dicom(pixels, syntax=JPEGBaseline8Bit, frames=encapsulate([jpeg])))
    jpeg_2000 = dicom(pixels)
    jpeg_2000.compress(JPEG2000Lossless)
    stream = next(generate_frames(jpeg_2000.PixelData, number_of_frames=1))
    report = dicom(pixels, PixelData=None, Rows=None, Modality="SR", SOPClassUID=BasicTextSRStorage)
    floats = dicom(
        np.full((8, 8), np.nan, np.float32),
        PixelData=None,
        FloatPixelData=np.full(64, np.nan, "<f4").tobytes(),
    )
    colour = dicom(
        np.zeros((8, 24), np.uint8),
        Columns=8,
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation="RGB",
    )
    return {
        "empty.dcm": (b"", "is empty (0 bytes)"),
        "text.dcm": (b"this is not an image\n" * 20, "is not a DICOM file"),
        "truncated.dcm": (whole[:-200], "is truncated"),
        "truncated_jpeg.dcm": (in_jpeg[:-200], "ends within its pixel data"),
        "damaged_jpeg.dcm": (
            dicom_bytes(dicom(pixels, syntax=JPEGBaseline8Bit, frames=encapsulate([jpeg[: len(jpeg) // 2]]))),
            "is truncated: its JPEG stream",
        ),
        "damaged_jpeg_2000.dcm": (
            dicom_bytes(
                dicom(pixels, syntax=JPEG2000Lossless, frames=encapsulate([stream[: len(stream) // 2]]))
            ),
            "is truncated: its JPEG 2000 stream",
        ),
        "damaged_rle.dcm": (
            dicom_bytes(dicom(pixels, syntax=RLELossless, frames=encapsulate([bytes(64)]))),
            "is truncated or damaged",
        ),
        "too_few_frames.dcm": (dicom_bytes(dicom(pixels, NumberOfFrames=3)), "make 5,760"),
        "no_pixels.dcm": (dicom_bytes(dicom(pixels, PixelData=None)), "holds no pixel data"),
        "report.dcm": (dicom_bytes(report), "is a structured report"),
        "colour.dcm": (dicom_bytes(colour), "is a colour image (RGB)"),
        "jpeg_lossless.dcm": (
            dicom_bytes(dicom(pixels, syntax=JPEGLosslessSV1, frames=encapsulate([jpeg]))),
            "is compressed as JPEG Lossless",
        ),
        "huge.dcm": (
            dicom_bytes(dicom(pixels, Rows=65535, Columns=65535, NumberOfFrames=900)),
            "is too large",
        ),
        "no_rows.dcm": (dicom_bytes(dicom(pixels, Rows=0)), "has the size 1 x 0 x 40"),
        "nan.dcm": (dicom_bytes(floats), "holds no number"),
        "damaged_header.dcm": (
            whole.replace(b"\x08\x00\x60\x00CS", b"\x08\x00\x60\x00C\x00"),
            "its Modality",
        ),
        "no_number.dcm": (
            dicom_bytes(dicom(pixels, RescaleSlope="2.25")).replace(b"2.25", b"2x25"),
            "its RescaleSlope is no number",
        ),
        "beyond_numbers.dcm": (
            dicom_bytes(dicom(pixels, RescaleSlope="1e308", RescaleIntercept="1e308")),
            "beyond all numbers",
        ),
        "segmentation.dcm": (dicom_bytes(dicom(pixels, Modality="SEG")), "is a segmentation"),
        "three_samples.dcm": (
            dicom_bytes(
                dicom(np.zeros((8, 24), np.uint8), Columns=8, SamplesPerPixel=3, PlanarConfiguration=0)
            ),
            "has 3 samples per pixel",
        ),
        "other_size.dcm": (
            dicom_bytes(dicom(pixels, syntax=JPEG2000Lossless, frames=encapsulate([stream]), Rows=8)),
            "holds a compressed frame of 48 x 40 values",
        ),
        "bomb.dcm": (deflated_dicom(400), "which no image of a patient does"),
    }


def deflated_dicom(zeros: int) -> bytes:
    """A deflated file, and so many times 2**20 zeros behind its pixels."""
    content = dicom_bytes(dicom(picture().astype(np.uint8), syntax=DeflatedExplicitVRLittleEndian))
    start = 144 + int.from_bytes(content[140:144], "little")
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = deflater.compress(zlib.decompress(content[start:], -zlib.MAX_WBITS))
    packed += deflater.flush(zlib.Z_FULL_FLUSH)
    # What follows a full flush stands by itself, so that it can be repeated as it is.
    block = deflater.compress(bytes(2**20)) + deflater.flush(zlib.Z_FULL_FLUSH)
    return content[:start] + packed + block * zeros + deflater.flush()


def _broken_nifti() -> dict[str, tuple[bytes, str]]:
    whole = nifti_bytes(volume())
    packed = gzip.compress(whole)
    some_inf, wrong_sum = volume(), bytearray(packed)
    some_inf[3, 4, 5] = np.inf
    wrong_sum[-6] ^= 0xFF
    header = nib.Nifti1Header()
    header.set_data_shape((30000, 30000, 30000))
    header.set_data_dtype(np.int16)
    header["magic"], header["vox_offset"] = b"n+1", 352
    flat = bytearray(whole)
    flat[312:328] = bytes(16)  # srow_z, the third row of the affine
    colours = np.zeros((4, 4, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])

    def changed(place: int, *values: object) -> bytes:
        """The whole file with other bytes in its header."""
        packed = b"".join(np.asarray(value).tobytes() for value in values)
        return whole[:place] + packed + whole[place + len(packed) :]

    return {
        "empty.nii.gz": (b"", "is empty (0 bytes)"),
        "text.nii.gz": (b"this is not an image\n" * 20, "is not a NIfTI file"),
        "text.nii": (b"this is not an image\n" * 20, "is not a NIfTI file"),
        "truncated.nii": (whole[:-500], "is truncated"),
        "truncated.nii.gz": (packed[: len(packed) // 2], "its gzip stream ends early"),
        "short.nii.gz": (gzip.compress(whole[:-500]), "is truncated"),
        "checksum.nii.gz": (bytes(wrong_sum), "is damaged: its gzip stream cannot be unpacked"),
        "cut_header.nii": (whole[:200], "it ends within its header"),
        "offset.nii.gz": (gzip.compress(changed(108, np.float32(8e9))), "has the vox_offset 8000000000"),
        "offset_nan.nii": (changed(108, np.float32("nan")), "has the vox_offset nan"),
        "offset_behind.nii": (changed(108, np.float32(1e6)), "has a vox_offset of 1,000,000, beyond the end"),
        "datatype.nii": (changed(70, np.int16(77)), "has the datatype 77"),
        "dimensions.nii": (changed(40, np.int16(9)), "has 9 dimensions"),
        "negative.nii": (changed(42, np.int16(-5)), "has the size -5 x 24 x 6"),
        "long_double.nii": (changed(70, np.int16(1536)), "holds floats of 128 bits"),
        "bits.nii": (changed(70, np.int16(1)), "holds single bits"),
        "intercept.nii": (changed(112, np.float32(1), np.float32("nan")), "invalid intercept"),
        "quaternion.nii": (
            changed(252, np.int16(1), np.int16(0), np.float32(3)),
            "has a qform that is no rotation",
        ),
        "analyze.hdr": (whole[:344] + bytes(4), "is no NIfTI volume but Analyze 7.5"),
        "sizeof_hdr.nii": (changed(0, np.int32(349)), "has the sizeof_hdr 349"),
        "voxels_alone.img": (bytes(100), "without its .hdr file"),
        "expands.nii.gz": (_much_in_little(), "bytes, which no image of a patient does"),
        "nan.nii.gz": (gzip.compress(nifti_bytes(np.full((5, 5, 5), np.nan, np.float32))), "holds no number"),
        "some_inf.nii": (nifti_bytes(some_inf), "holds NaN or infinite values (1 of 2,880)"),
        "one_dimension.nii": (nifti_bytes(volume((9,))), "is 1-D"),
        "five_dimensions.nii": (nifti_bytes(volume((5, 5, 5, 2, 2))), "is 5-D"),
        "four_channels.nii": (nifti_bytes(volume((6, 6, 6, 4))), "has 4 channels (0 to 3)"),
        "colour.nii": (nifti_bytes(colours), "holds colour (RGB) voxels"),
        "complex.nii": (nifti_bytes(volume((5, 5, 5)).astype(np.complex64)), "holds complex voxels"),
        "huge.nii": (header.binaryblock + bytes(4 + 1000), "is too large"),
        "no_orientation.nii": (bytes(flat), "has an affine that cannot be inverted"),
        "half_a_pair.hdr": (
            nib.Nifti1Pair(volume((5, 5, 5)), np.eye(4)).header.binaryblock,
            "without its .img file",
        ),
    }


def _much_in_little() -> bytes:
    """A compressed file of 4 GB, of which the first part is here."""
    header = nib.Nifti1Header()
    header.set_data_shape((512, 512, 2048))
    header.set_data_dtype(np.float64)
    header["magic"], header["vox_offset"] = b"n+1", 352
    return gzip.compress(header.binaryblock + bytes(1000))


def _broken_pictures() -> dict[str, tuple[bytes, str]]:
    pixels = picture().astype(np.uint8)
    rng = np.random.default_rng(8)
    png, jpeg = png_bytes(pixels), jpeg_bytes(rng.integers(0, 256, (64, 64)).astype(np.uint8))
    colours = np.dstack([pixels, pixels.T.reshape(pixels.shape), 255 - pixels])
    see_through = np.dstack([pixels, pixels, pixels, pixels])
    damaged = bytearray(png)
    damaged[len(png) // 2] ^= 0xFF
    return {
        "empty.png": (b"", "is empty (0 bytes)"),
        "tiff.png": (b"II*\0" + bytes(200), "is a TIFF file"),
        "webp.jpg": (b"RIFF\x10\0\0\0WEBPVP8 " + bytes(200), "is a WebP file"),
        "text.png": (b"this is not an image\n" * 20, "is not a PNG or JPEG file"),
        "truncated.png": (png[: len(png) // 2], "is truncated or damaged"),
        "truncated.jpg": (jpeg[: len(jpeg) // 2], "is truncated: its JPEG stream lacks its end mark"),
        "cut_scan.jpg": (jpeg[: len(jpeg) // 2] + jpeg[-2:], "its JPEG data cannot be decoded whole"),
        "lossless.jpg": (jpeg.replace(b"\xff\xc0", b"\xff\xc3"), "is compressed as lossless JPEG"),
        "damaged.png": (bytes(damaged), "is truncated or damaged"),
        "colour.png": (png_bytes(colours), "is a colour image"),
        "colour.jpg": (jpeg_bytes(colours), "is a colour image"),
        "see_through.png": (png_bytes(see_through), "has transparent pixels"),
        "bomb.png": (png_header(60000, 60000), "is too large"),
        "large.png": (png_header(9000, 9000), "is too large"),
    }


def write_broken_files(folder: Path) -> dict[str, str]:
    """Write broken files into a folder.

    Returns:
        For each file name a part of what the error about it says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reasons = {}
    for name, (content, reason) in (_broken_dicom() | _broken_nifti() | _broken_pictures()).items():
        (folder / name).write_bytes(content)
        reasons[name] = reason
    (folder / "broken_link.dcm").symlink_to(folder / "nowhere.dcm")
    return reasons | {"broken_link.dcm": "is a link to a file that does not exist"}


def write_good_files(folder: Path) -> list[Path]:
    """Write small files of every format, with and without compression, that can be explained."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = picture().astype(np.uint8)
    jpeg = encapsulate([jpeg_bytes(pixels)])
    contents = {
        "chest.dcm": dicom_bytes(dicom(pixels, syntax=JPEGBaseline8Bit, frames=jpeg)),
        "IM0001": dicom_bytes(dicom(picture(top=4095).astype(np.uint16), 12)),
        "frames.dcm": dicom_bytes(dicom(np.stack([pixels, pixels[::-1], pixels[:, ::-1]]))),
        "head.nii.gz": gzip.compress(nifti_bytes(volume())),
        "head.nii": nifti_bytes(volume(), np.diag([-1.0, -1.0, 2.0, 1.0])),
        "slice.png": png_bytes(pixels),
        "deep.png": png_bytes(picture(top=60000).astype(np.uint16)),
        "slice.jpg": jpeg_bytes(np.dstack([pixels] * 3)),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]
