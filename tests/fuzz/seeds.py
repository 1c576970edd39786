"""Contents to start from: small genuine files of pydicom and nibabel, and generated ones.

A patient who never was stands in the header of each DICOM and NIfTI file, so that a line that repeats a
header's values is seen.
"""

from __future__ import annotations

import functools
import io
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
from fuzz.promises import PATIENT
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)
from support.broken_files import dicom, jpeg_bytes, nifti_bytes, picture, png_bytes, volume

_GENUINE_RAW = ("CT_small", "MR_small", "MR_small_implicit", "MR_small_bigendian", "rtdose_1frame", "no_meta")
_GENUINE_RAW += ("MR_small_padded", "liver_1frame", "ExplVR_BigEnd")
_GENUINE_PACKED = ("MR_small_RLE", "MR_small_jp2klossless", "MR_small_jpeg_ls_lossless", "image_dfl")
_GENUINE_PACKED += ("JPEG2000", "JPEGLSNearLossless_16", "JPEG-lossy", "rtdose_rle_1frame")
_GENUINE_NIFTI = ("example_nifti2.nii.gz", "standard.nii.gz", "resampled_anat_moved.nii")


def _small() -> np.ndarray:
    return picture(24, 20).astype(np.uint8)


def _with_patient(dataset: pydicom.Dataset) -> bytes:
    for name, value in PATIENT.items():
        setattr(dataset, name, value)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=False)
    return buffer.getvalue()


def _genuine(names: tuple[str, ...]) -> list[bytes]:
    folder = Path(pydicom.data.__file__).parent / "test_files"
    paths = [folder / f"{name}.dcm" for name in names]
    return [_with_patient(pydicom.dcmread(path, force=True)) for path in paths if path.is_file()]


@functools.cache
def raw_dicom() -> list[bytes]:
    deep = picture(24, 20, 4095).astype(np.uint16)
    frames = np.stack([_small(), _small()[::-1]])
    window = {"WindowCenter": "2048", "WindowWidth": "4096", "RescaleSlope": "1", "RescaleIntercept": "-1024"}
    floats = dicom(deep, PixelData=None, FloatPixelData=deep.astype("<f4").tobytes(), BitsAllocated=32)
    made = [
        dicom(deep, 12, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0, **window),
        dicom((deep.astype(np.int16) - 2048), 12, syntax=ImplicitVRLittleEndian),
        dicom(frames),
        floats,
    ]
    return [_with_patient(dataset) for dataset in made] + _genuine(_GENUINE_RAW)


@functools.cache
def packed_dicom() -> list[bytes]:
    datasets = []
    for syntax in (RLELossless, JPEG2000Lossless, JPEGLSLossless):
        pixels = picture().astype(np.uint8)  # JPEG 2000 packs nothing smaller
        dataset = dicom(np.stack([pixels, pixels[::-1]]))
        dataset.compress(syntax)
        datasets.append(dataset)
    jpeg = encapsulate([jpeg_bytes(_small())])
    datasets.append(dicom(_small(), syntax=JPEGBaseline8Bit, frames=jpeg))
    datasets.append(dicom(_small(), syntax=DeflatedExplicitVRLittleEndian))
    return [_with_patient(dataset) for dataset in datasets] + _genuine(_GENUINE_PACKED)


@functools.cache
def slices() -> list[bytes]:
    """One-slice files of one CT series."""
    made = []
    for place in range(3):
        dataset = dicom(
            _small(),
            SOPClassUID=CTImageStorage,
            Modality="CT",
            SeriesInstanceUID="1.2.3.4",
            ImagePositionPatient=[0, 0, 2.5 * place],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            PixelSpacing=[0.5, 0.5],
            InstanceNumber=place + 1,
        )
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{place}"
        made.append(_with_patient(dataset))
    return made


@functools.cache
def nifti() -> list[bytes]:
    """Uncompressed files of NIfTI-1 and NIfTI-2."""
    voxels = volume((6, 7, 4))
    made = [
        nifti_bytes(voxels),
        nifti_bytes((voxels * 10).astype(np.int16), np.diag([-2.0, 2.0, 3.0, 1.0])),
        nifti_bytes(volume((6, 7, 3, 2))),
        nib.Nifti2Image(voxels.astype(np.uint8), np.eye(4)).to_bytes(),
        nib.Nifti1Image(voxels[:, :, :1], np.eye(4), nib.Nifti1Header(endianness=">")).to_bytes(),
    ]
    scaled = nib.Nifti1Image((voxels * 10).astype(np.int16), np.eye(4))
    scaled.header.set_slope_inter(0.5, -3)
    made.append(scaled.to_bytes())
    folder = Path(nib.__file__).parent / "tests" / "data"
    for name in _GENUINE_NIFTI:
        if (folder / name).is_file():
            image = nib.load(folder / name)
            small = image.slicer[:12, :12, :6] if image.ndim == 3 else image.slicer[:12, :12, :6, :2]
            made.append(small.to_bytes())
    for image in made:
        assert len(image) < 2**16
    named = [bytearray(image) for image in made]
    for image in named[:3]:  # descrip of NIfTI-1
        image[148:174] = b"ZEBRA^PATIENT PID-778899\0\0"
    return [bytes(image) for image in named]


@functools.cache
def nifti_headers() -> list[bytes]:
    """Headers of pairs, whose voxels are zeros."""
    voxels = volume((6, 7, 4)).astype(np.int16)
    pairs = (nib.Nifti1Pair(voxels, np.eye(4)), nib.Nifti2Pair(voxels, np.eye(4)))
    return [pair.header.binaryblock for pair in pairs]


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@functools.cache
def png() -> list[bytes]:
    import cv2

    grey = _small()
    opaque = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    deep = (grey.astype(np.uint16) * 257)[..., None].repeat(3, axis=2)
    palette = Image.fromarray(grey).quantize(16)
    return [
        png_bytes(grey),
        png_bytes(picture(24, 20, 60000).astype(np.uint16)),
        png_bytes(grey > 100),
        png_bytes(opaque),
        _saved(palette, "PNG"),
        _saved(palette, "PNG", transparency=3),
        cv2.imencode(".png", deep)[1].tobytes(),
    ]


@functools.cache
def jpeg() -> list[bytes]:
    grey = _small()
    return [
        jpeg_bytes(grey),
        jpeg_bytes(np.dstack([grey] * 3)),
        _saved(Image.fromarray(grey), "JPEG", progressive=True),
        _saved(Image.fromarray(grey), "JPEG", quality=70, comment=b"ZEBRA^PATIENT", optimize=True),
        _saved(Image.merge("CMYK", [Image.fromarray(grey)] * 4), "JPEG"),
    ]


def tables() -> list[bytes]:
    return [
        b"file,patient,label\na.png,p1,0\nb.png,p2,1\nc.png,p3,0\n",
        b"file,patient,label,x,y,width,height\na.png,p1,0,,,,\nb.png,p2,1,0.1,0.2,0.5,0.5\n",
        b'\xef\xbb\xbffile,patient,label\r\n"a,b.png",p1,1\r\n"c ""d"".png",p2,0\r\n',
    ]


def splits() -> list[bytes]:
    split = {"train_indexes": [["a", 0], ["a", 1]], "val_indexes": [["b", 0]], "test_indexes": [["c", 3]]}
    return [json.dumps(split).encode(), json.dumps({**split, "val_indexes": []}).encode()]


def recipes() -> list[bytes]:
    folder = Path(__file__).parents[2] / "training"
    return [path.read_bytes() for path in sorted(folder.glob("*.yaml"))]
