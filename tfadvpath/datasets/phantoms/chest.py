"""Chest phantoms: generated frontal X-rays with lung opacities of known place.

They follow the RSNA Pneumonia Detection Challenge: 8-bit 1024 x 1024 JPEG Baseline DICOM files, a table of
boxes and a table of classes.
"""

import csv
import io
import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEGBaseline8Bit, SecondaryCaptureImageStorage
from threadpoolctl import threadpool_limits

from tfadvpath.datasets.phantoms.chest_anatomy import body_plane, build_layers, draw_thorax
from tfadvpath.datasets.phantoms.chest_findings import Box, draw_look_alikes, draw_opacities
from tfadvpath.datasets.phantoms.noise import smooth_noise

NORMAL = "Normal"
OPACITY = "Lung Opacity"
ABNORMAL = "No Lung Opacity / Not Normal"
ORGANISATION = uuid.UUID("6e6a1f5c-2c0e-4b8e-9d42-6f0f3b7d9a51")  # names the identifiers derived from seeds


@dataclass(frozen=True)
class ChestPhantom:
    """One generated X-ray, shown as radiologists do: the patient's right side on the left, bone bright.

    Attributes:
        pixels: uint8 [size, size].
        boxes: Boxes around the opacities: x, y, width and height in pixels; empty without one.
        target: Number 1 with an opacity, else 0.
        class_name: Class "Normal", "Lung Opacity" or "No Lung Opacity / Not Normal".
        sex: Letter "F" or "M".
        age: Age in years.
        view: View "PA" or "AP".
    """

    pixels: np.ndarray
    boxes: list[Box]
    target: int
    class_name: str
    sex: str
    age: int
    view: str


# BLAS threads lose more time in waiting than they gain on such small arrays, and their number would change
# the last bits of a phantom.
@threadpool_limits.wrap(limits=1, user_api="blas")
def chest_phantom(seed: int, size: int = 1024, opacity: bool | None = None) -> ChestPhantom:
    """Generates one X-ray.

    The same seed with ``opacity`` True and False is the same patient with and without the opacity.

    Args:
        seed: Seed of the patient.
        size: Number of rows and columns.
        opacity: True for "Lung Opacity", False for "Normal", None to draw one of the three classes.
    """
    person, build, finding, extras, exposure = np.random.default_rng(seed).spawn(5)
    class_name = str(person.choice([NORMAL, OPACITY, ABNORMAL], p=[0.4, 0.4, 0.2]))
    sex, age = str(person.choice(["F", "M"])), int(person.integers(18, 90))
    view = "PA" if person.random() < 0.6 else "AP"
    if opacity is not None:
        class_name = OPACITY if opacity else NORMAL
    thorax = draw_thorax(build, sex == "F", large_heart=class_name == ABNORMAL)
    plane = body_plane(build, thorax, size)
    layers = build_layers(build, thorax, plane)
    tissue, air = layers.tissue, layers.air
    boxes: list[Box] = []
    if class_name == OPACITY:
        filled, boxes = draw_opacities(finding, layers, thorax, plane)
        air = air * (1 - filled)
    tissue = tissue + draw_look_alikes(extras, layers, thorax, plane)
    pixels = _expose(exposure, tissue, air, view)
    return ChestPhantom(pixels, boxes, int(bool(boxes)), class_name, sex, age, view)


def _expose(rng: np.random.Generator, tissue: np.ndarray, air: np.ndarray, view: str) -> np.ndarray:
    """Turns centimetres into grey values: texture, scatter, noise, window, collimator; uint8 [H, W]."""
    size = tissue.shape[0]
    axis = np.linspace(-100, 100, size)
    texture = 0.6 * smooth_noise(rng, (axis, axis), 4.0) + 0.4 * smooth_noise(rng, (axis, axis), 1.6)
    path = np.maximum(tissue - air * (1 + 0.03 * texture), 0)
    # Scattered radiation lowers the contrast, more so for a portable machine (AP).
    scatter = rng.uniform(0.2, 0.35) + (0.1 if view == "AP" else 0)
    small = cv2.resize(path, (64, 64), interpolation=cv2.INTER_AREA)
    haze = cv2.resize(cv2.GaussianBlur(small, (0, 0), 7), (size, size), interpolation=cv2.INTER_CUBIC)
    path = np.where(path > 0.3, (1 - scatter) * path + scatter * haze, path)
    path = cv2.GaussianBlur(path, (0, 0), max(size / 1024 * rng.uniform(0.6, 1.4), 0.3))
    # Fewer photons come through thick parts: their noise is stronger.
    grain = rng.standard_normal(path.shape, dtype=np.float32) * np.exp(path / 25)
    path = path + rng.uniform(0.05, 0.2) * grain
    centre, width = rng.uniform(11.0, 14.0), rng.uniform(4.4, 6.0)
    shown = 1 / (1 + np.exp((centre - path) / width))
    black = 1 / (1 + np.exp(centre / width))
    shown = np.clip((shown - black) / (1 - black), 0, 1) * rng.uniform(0.95, 1.1)
    return (255 * np.minimum(shown, 1) * _collimator(rng, size)).round().astype(np.uint8)


def _collimator(rng: np.random.Generator, size: int) -> np.ndarray | float:
    """Draws black borders outside the exposed field on some images."""
    if rng.random() > 0.3:
        return 1.0
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    turn, edge = rng.normal(0, 0.015), rng.uniform(0.93, 0.99, 2)
    columns, rows = axis[None, :] + turn * axis[:, None], axis[:, None] - turn * axis[None, :]
    inside = np.minimum(edge[0] - np.abs(columns), edge[1] - np.abs(rows))
    return np.clip(inside * size / 6 + 0.5, 0.02, 1).astype(np.float32)


def write_chest_phantoms(out: str | os.PathLike[str], seeds: Iterable[int], size: int = 1024) -> None:
    """Writes patients of all three classes as the RSNA challenge lays them out.

    Args:
        out: Folder that gets stage_2_train_images/, stage_2_train_labels.csv and
            stage_2_detailed_class_info.csv.
        seeds: Seeds, one for each patient, no two equal.
        size: Number of rows and columns of each image.
    """
    out = Path(out)
    images = out / "stage_2_train_images"
    images.mkdir(parents=True, exist_ok=True)
    labels: list[Sequence[object]] = []
    classes: list[Sequence[object]] = []
    for number in seeds:
        phantom = chest_phantom(number, size)
        patient = str(_identifier(number, "patient"))
        _write_dicom(images / f"{patient}.dcm", phantom, number)
        # A row a box; a patient without one has a row with empty fields.
        labels += [(patient, *box, 1) for box in phantom.boxes] or [(patient, "", "", "", "", 0)]
        classes += [(patient, phantom.class_name)] * max(1, len(phantom.boxes))
    _write_table(
        out / "stage_2_train_labels.csv", ("patientId", "x", "y", "width", "height", "Target"), labels
    )
    _write_table(out / "stage_2_detailed_class_info.csv", ("patientId", "class"), classes)


def _identifier(seed: int, kind: str) -> uuid.UUID:
    return uuid.uuid5(ORGANISATION, f"chest phantom {seed} {kind}")


def _write_dicom(path: Path, phantom: ChestPhantom, seed: int) -> None:
    """Writes a Secondary Capture object with one JPEG Baseline frame."""
    jpeg = io.BytesIO()
    Image.fromarray(phantom.pixels).save(jpeg, "JPEG", quality=90)
    instance = UID(f"2.25.{_identifier(seed, 'instance').int}")

    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = instance
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    # Our own name, not pydicom's with its version: the bytes depend on the seed alone.
    meta.ImplementationClassUID = UID(f"2.25.{ORGANISATION.int}")
    meta.ImplementationVersionName = "TFADVPATH"

    ds = Dataset()
    ds.file_meta = meta
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.SOPInstanceUID = instance
    ds.StudyDate = "19010101"
    ds.StudyTime = "000000.00"
    ds.AccessionNumber = ""
    ds.Modality = "CR"
    ds.ConversionType = "WSD"
    ds.ReferringPhysicianName = ""
    ds.SeriesDescription = f"view: {phantom.view}"
    ds.PatientName = str(_identifier(seed, "patient"))
    ds.PatientID = str(_identifier(seed, "patient"))
    ds.PatientBirthDate = ""
    ds.PatientSex = phantom.sex
    ds.PatientAge = f"{phantom.age:03d}Y"
    ds.BodyPartExamined = "CHEST"
    ds.ViewPosition = phantom.view
    ds.StudyInstanceUID = f"2.25.{_identifier(seed, 'study').int}"
    ds.SeriesInstanceUID = f"2.25.{_identifier(seed, 'series').int}"
    ds.StudyID = ""
    ds.SeriesNumber = 1
    ds.InstanceNumber = 1
    ds.PatientOrientation = ""
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = phantom.pixels.shape
    ds.PixelSpacing = [round(0.168 * 1024 / side, 4) for side in phantom.pixels.shape]
    ds.BitsAllocated = 8
    ds.BitsStored = 8
    ds.HighBit = 7
    ds.PixelRepresentation = 0
    ds.LossyImageCompression = "01"
    ds.LossyImageCompressionRatio = round(phantom.pixels.size / jpeg.tell(), 2)
    ds.LossyImageCompressionMethod = "ISO_10918_1"
    ds.PixelData = encapsulate([jpeg.getvalue()])
    ds["PixelData"].VR = "OB"

    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    ds.save_as(temporary, enforce_file_format=True)
    temporary.replace(path)


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    with temporary.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)
    temporary.replace(path)
