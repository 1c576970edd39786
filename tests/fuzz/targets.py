"""Targets that read images, masks and label volumes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fuzz import seeds
from fuzz.byte_mutator import change_bytes
from fuzz.dicom_mutator import change_dicom
from fuzz.nifti_mutator import change_nifti, change_nifti_gz
from fuzz.picture_mutator import change_jpeg, change_png
from fuzz.promises import check_images, check_line, check_text
from fuzz.target import Target

from tfadvpath.errors import InputError


def read_image(data: bytes, folder: Path, name: str = "image") -> None:
    """Reads a study as ``explain`` and the clients do, and brings its images back to its grid."""
    from tfadvpath.studies.study import read_study

    path = folder / name
    path.write_bytes(data)
    channel = data[-1] % 2 if data else None  # files of one channel ignore it
    try:
        study = read_study(path, size=(16, 16), channel=channel)
    except InputError as error:
        check_line(error, path, *path.parents)
        return
    check_images(study.images, study.blank)
    for remark in study.remarks:
        check_text(remark, path)
    maps = study.to_grid(study.images)
    assert maps.shape == tuple(study.grid.shape), maps.shape
    assert np.isfinite(maps).all()


def read_pair(data: bytes, folder: Path) -> None:
    (folder / "pair.img").write_bytes(bytes(1000))
    read_image(data, folder, "pair.hdr")


def find_series(data: bytes, folder: Path) -> None:
    """Looks for studies in a folder whose second file is the changed one, and reads what is found."""
    from tfadvpath.studies.find import find_studies
    from tfadvpath.studies.study import read_study

    contents = seeds.slices()
    for name, content in {"0.dcm": contents[0], "1": data, "2.dcm": contents[2]}.items():
        (folder / name).write_bytes(content)
    found = find_studies(folder)
    for path, remark in found.remarks + found.ignored:
        check_text(remark, path)
    assert found.studies, "a folder with two good slices holds no study"
    for one in found.studies:
        try:
            study = read_study(one.sources, size=(16, 16))
        except InputError as error:
            check_line(error, *(folder / name for name in ("0.dcm", "1", "2.dcm")), folder)
        else:
            check_images(study.images, study.blank)


def read_mask(data: bytes, folder: Path) -> None:
    """Reads a mask beside a good image of its format, as ``prepare image-folder`` does."""
    from tfadvpath.studies.masks import read_mask
    from tfadvpath.studies.study import open_slices

    path, image = folder / "mask", folder / "image"
    path.write_bytes(data)
    image.write_bytes(_image_beside(data))
    with open_slices(image) as reading:
        grid = reading.grid
    try:
        mask = read_mask(path, image, grid)
    except InputError as error:
        check_line(error, path, image, folder)
        return
    assert mask.dtype == bool
    assert mask.shape == grid.slices_shape


def _image_beside(mask: bytes) -> bytes:
    if mask[128:132] == b"DICM":
        return seeds.raw_dicom()[2 if b"NumberOfFrames" in mask or b"\x28\x00\x08\x00" in mask else 0]
    if mask[:1] in (b"\x89", b"\xff"):
        return seeds.png()[0]
    return seeds.nifti()[0]


def _masks() -> list[bytes]:
    """Images of every format, a segmentation among them."""
    return _any_image() + [one for one in seeds.raw_dicom() if b"1.2.840.10008.5.1.4.1.1.66.4" in one]


def read_label_volume(data: bytes, folder: Path) -> None:
    from tfadvpath.studies.grid import Grid
    from tfadvpath.studies.label_volume import read_labels

    path = folder / "labels.nii.gz"
    path.write_bytes(data)
    orientation = np.array([[0, 1], [1, 1], [2, 1]])
    try:
        read_labels(path, Grid((6, 7, 4), np.eye(4), None, orientation))
    except InputError as error:
        check_line(error, path)


def _any_image() -> list[bytes]:
    return seeds.raw_dicom()[:4] + seeds.packed_dicom()[:5] + seeds.nifti()[:4] + seeds.png() + seeds.jpeg()


_ANY_NAME = ("image.dcm", "image.nii", "image.nii.gz", "image.hdr", "image.png", "image.jpeg", "image")


def _read_under_any_name(data: bytes, folder: Path) -> None:
    read_image(data, folder, _ANY_NAME[len(data) % len(_ANY_NAME)])


def _change_any(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    if data[:1] == b"\x89":
        return change_png(data, rng, others)
    if data[:2] == b"\xff\xd8":
        return change_jpeg(data, rng, others)
    if data[128:132] == b"DICM":
        return change_dicom(data, rng, others)
    return rng.choice((change_nifti, change_nifti_gz, change_bytes))(data, rng, others)


def _named(name: str) -> Callable[[bytes, Path], None]:
    return lambda data, folder: read_image(data, folder, name)


IMAGES = [
    Target("dicom", seeds.raw_dicom, change_dicom, _named("image.dcm"), ".dcm"),
    Target("packed_dicom", seeds.packed_dicom, change_dicom, _named("image.dcm"), ".dcm"),
    Target("series", seeds.slices, change_dicom, find_series, ".dcm"),
    Target("nifti", seeds.nifti, change_nifti, _named("image.nii"), ".nii"),
    Target("nifti_gz", seeds.nifti, change_nifti_gz, _named("image.nii.gz"), ".nii.gz"),
    Target("nifti_pair", seeds.nifti_headers, change_nifti, read_pair, ".hdr"),
    Target("png", seeds.png, change_png, _named("image.png"), ".png"),
    Target("jpeg", seeds.jpeg, change_jpeg, _named("image.jpg"), ".jpg"),
    Target("any_name", _any_image, _change_any, _read_under_any_name, ".image"),
    Target("mask", _masks, _change_any, read_mask, ".mask"),
    Target("label_volume", seeds.nifti, change_nifti_gz, read_label_volume, ".labels.nii.gz"),
]
