"""A folder as archives have them: many studies, and among them every kind of file that is none."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
from fuzz.hostile_files import makers
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, RLELossless

from support.broken_files import (
    dicom,
    dicom_bytes,
    jpeg_bytes,
    nifti_bytes,
    picture,
    png_bytes,
    volume,
    write_broken_files,
)

GOOD = 240
# Of the files that ask for much, those that are small themselves, with a part of the line about each.
_ASKING = {
    "j2k_claims_40000x40000.dcm": "40000",
    "j2k_16384_components.dcm": "64 x 64 x 16384",
    "jpeg_claims_65500x65500.dcm": "65500",
    "jpeg_ls_claims_65535x65535.dcm": "65535",
    "size_65535x65535.dcm": "is too large",
    "frames_2147483647.dcm": "is too large",
    "size_30000x30000x30000.nii": "is too large",
    "claims_65500x65500.jpg": "is too large",
    "claims_65500x1024.jpg": "its JPEG",
    "8192x8192_header_alone.png": "is truncated",
    "animation_of_2147483647_frames.png": "is an animation",
}


def _varied(number: int) -> np.ndarray:
    """uint8 [24, 20], another picture for every number."""
    return np.roll(picture(24, 20).astype(np.uint8), (number % 24, number // 24), axis=(0, 1))


def _good(number: int) -> tuple[str, bytes]:
    pixels = _varied(number)
    kind = number % 8
    if kind == 0:
        return f"{number}.png", png_bytes(pixels)
    if kind == 1:
        return f"{number}.png", png_bytes(pixels.astype(np.uint16) * 200)
    if kind == 2:
        return f"{number}.jpg", jpeg_bytes(pixels)
    if kind == 3:
        return f"{number}.dcm", dicom_bytes(dicom(pixels.astype(np.uint16) * 16, 12))
    if kind == 4:
        window = {"WindowCenter": "100", "WindowWidth": "300", "PhotometricInterpretation": "MONOCHROME1"}
        return f"{number}", dicom_bytes(dicom(pixels, **window))
    if kind == 5:
        frames = encapsulate([jpeg_bytes(pixels)])
        return f"{number}.dcm", dicom_bytes(dicom(pixels, syntax=JPEGBaseline8Bit, frames=frames))
    if kind == 6:
        packed = dicom(pixels)
        packed.compress(RLELossless)
        return f"{number}.dcm", dicom_bytes(packed)
    return f"{number}.nii.gz", gzip.compress(nifti_bytes(volume((20, 24, 2)) + number), 1, mtime=0)


def _more_broken() -> dict[str, tuple[bytes, str]]:
    """What once ended a whole run, or was explained though it is no image."""
    pixels = picture(24, 20).astype(np.uint8)
    odd = dicom_bytes(dicom(pixels)).replace(b"\x08\x00\x60\x00CS", b"\x08\x00\x60\x00\x43\x08")
    steep = dicom_bytes(dicom(picture(24, 20, 4095).astype(np.uint16), 12, RescaleSlope="1e308"))
    jpeg = jpeg_bytes(np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8))
    return {
        "odd_type.dcm": (odd, "Modality"),
        "steep.dcm": (steep, "RescaleSlope"),
        "cut_scan.jpg": (jpeg[: len(jpeg) // 2] + b"\xff\xd9", "is truncated or damaged"),
    }


def write_hostile_folder(folder: Path) -> dict[str, str]:
    """Writes ``GOOD`` studies, and 60 files or more that are none, into a folder and folders in it.

    Returns:
        For each broken file, by its path in the folder, a part of the line about it.
    """
    for number in range(GOOD):
        name, content = _good(number)
        path = folder / f"ward_{number % 5}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    broken = folder / "ward_2" / "broken"
    reasons = write_broken_files(broken)
    (broken / "four_channels.nii").unlink()  # a bundle may say which channel to take
    del reasons["four_channels.nii"]
    made = {name: (makers()[name](), part) for name, part in _ASKING.items()} | _more_broken()
    for name, (content, reason) in made.items():
        (broken / name).write_bytes(content)
        reasons[name] = reason
    (broken / "circle.dcm").symlink_to(broken / "circle.dcm")
    reasons["circle.dcm"] = "is a link"
    odd_name = os.fsdecode(b"not_\xff_utf8.png")
    (broken / odd_name).write_bytes(png_bytes(np.zeros((3, 3, 4), np.uint8)))
    reasons[odd_name] = "has transparent pixels"
    assert len(reasons) >= 60
    return {f"ward_2/broken/{name}": reason for name, reason in reasons.items()}
