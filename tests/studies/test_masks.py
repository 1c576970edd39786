"""Masks by their stored values, on the grids of their images."""

from __future__ import annotations

import gzip

import cv2
import nibabel as nib
import numpy as np
import pytest
from support.broken_files import dicom, dicom_bytes, picture
from support.raw_pictures import chunk, jpeg, png

from tfadvpath.errors import InputError
from tfadvpath.studies.masks import read_mask
from tfadvpath.studies.pictures.two_levels import two_levels
from tfadvpath.studies.study import read_study

SHAPE = (48, 40)
MASK = np.zeros(SHAPE, bool)
MASK[20:30, 4:14] = MASK[40, 30] = True
INVERTED = chunk(b"PLTE", b"\xff\xff\xff\0\0\0")  # place 0 is shown white
FAINT = MASK.astype(np.int64)


def of_picture(folder, content, name="mask.png"):
    (folder / "image.png").write_bytes(png(picture(*SHAPE)))
    (folder / name).write_bytes(content)
    [mask] = read_mask(folder / name, folder / "image.png", read_study(folder / "image.png").grid)
    return mask


def coloured(red, green, blue, alpha=None):
    layers = [FAINT * level for level in (red, green, blue)]
    return np.dstack(layers if alpha is None else [*layers, alpha])


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(
    "form",
    [
        *({"samples": FAINT, "depth": depth} for depth in (1, 2, 4, 8, 16)),
        {"samples": FAINT * 65535, "depth": 16},
        *({"samples": FAINT, "depth": depth, "colour": 3, "before": INVERTED} for depth in (1, 2, 4, 8)),
        {"samples": FAINT, "depth": 8, "colour": 3, "before": INVERTED + chunk(b"tRNS", b"\0\0")},
        {"samples": FAINT * 7, "depth": 8, "colour": 3, "before": chunk(b"PLTE", bytes(30))},
        {"samples": FAINT, "depth": 8, "before": chunk(b"tRNS", b"\0\1")},
        {"samples": coloured(0, 0, 1), "depth": 8, "colour": 2},
        {"samples": coloured(1, 0, 0), "depth": 16, "colour": 2, "before": chunk(b"tRNS", bytes(6))},
        {"samples": coloured(255, 128, 0, FAINT * 0 + 255), "depth": 8, "colour": 6},
        {"samples": coloured(255, 0, 0, FAINT), "depth": 8, "colour": 6},
        {"samples": np.dstack([FAINT * 0 + 9] * 3 + [FAINT * 77]), "depth": 8, "colour": 6},
        {"samples": np.dstack([FAINT, FAINT * 0 + 65535]), "depth": 16, "colour": 4},
        {"samples": np.dstack([FAINT * 0 + 3, FAINT]), "depth": 8, "colour": 4},
    ],
    ids=lambda form: f"{form['depth']} bits, colour type {form.get('colour', 0)}",
)
def test_a_png_is_read_by_its_stored_values(tmp_path, form, interlaced):
    np.testing.assert_array_equal(of_picture(tmp_path, png(**form, interlaced=interlaced)), MASK)


def test_a_mask_without_a_finding_is_empty(tmp_path):
    for content in (png(FAINT * 0), jpeg(np.zeros(SHAPE, np.uint8))):
        assert not of_picture(tmp_path, content).any()


@pytest.mark.parametrize("quality", [50, 75, 95])
@pytest.mark.parametrize("colours", [(255,), (255, 255, 255), (0, 255, 0)])
def test_the_ringing_of_a_jpeg_does_not_count(tmp_path, quality, colours):
    drawn = cv2.ellipse(np.zeros(SHAPE, np.uint8), (22, 25), (11, 6), 30, 0, 360, 1, -1)
    values = np.dstack([drawn * np.uint8(level) for level in colours]).squeeze()
    content = jpeg(values, quality=quality)
    mask = of_picture(tmp_path, content)
    assert np.count_nonzero(mask != drawn) <= (0 if len(set(colours)) == 1 else 3)


def test_a_jpeg_mask_that_covers_all_covers_all(tmp_path):
    assert of_picture(tmp_path, jpeg(np.full(SHAPE, 200, np.uint8))).all()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (FAINT, "is a mask of values up to 1, which JPEG does not keep apart from 0"),
        (FAINT * 9, "is a mask of values up to"),
        (picture(*SHAPE), "does not hold two clear levels"),
        (255 * (picture(*SHAPE) > 60) - 90 * (picture(*SHAPE) > 120), "does not hold two clear levels"),
        (FAINT * 195 + 60, "does not hold two clear levels"),
    ],
    ids=["label 1", "label 9", "picture", "three levels", "lit background"],
)
def test_a_jpeg_without_two_clear_levels_is_no_mask(tmp_path, values, problem):
    with pytest.raises(InputError, match=problem) as error:
        of_picture(tmp_path, jpeg(values.astype(np.uint8), quality=95))
    assert "PNG" in error.value.remedy


def test_the_rim_of_a_finding_at_another_level_is_seen(tmp_path):
    for width in (3, 8, 20):
        values = np.zeros((150, 150), np.uint8)
        cv2.circle(values, (75, 75), 30 + width, 100, -1)
        cv2.circle(values, (75, 75), 30, 255, -1)
        with pytest.raises(InputError, match="does not hold two clear levels"):
            two_levels(tmp_path, values)


def test_a_mask_of_another_size_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"mask\.png: is not of its image's size"):
        of_picture(tmp_path, png(FAINT[:-1]))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("empty.png", b"", "is empty"),
        ("text.png", b"text" * 99, "is not a PNG or JPEG file"),
        ("text", b"text" * 99, "is of no format that is read"),
        ("cut.png", png(FAINT)[:-20], "is truncated or damaged"),
    ],
)
def test_what_is_no_mask_has_a_line(tmp_path, name, content, problem):
    with pytest.raises(InputError, match=problem):
        of_picture(tmp_path, content, name)


def test_what_is_not_there_has_a_line(tmp_path):
    (tmp_path / "image.png").write_bytes(png(picture(*SHAPE)))
    grid = read_study(tmp_path / "image.png").grid
    (tmp_path / "folder.png").mkdir()
    for name, problem in (("none.png", "does not exist"), ("folder.png", "is a folder")):
        with pytest.raises(InputError, match=problem):
            read_mask(tmp_path / name, tmp_path / "image.png", grid)


AFFINE = np.diag([-1.0, 2.0, 3.0, 1.0])
VOLUME = np.zeros((8, 9, 4), bool)
VOLUME[1:4, 2:5, 1] = VOLUME[6, 7, 3] = True


def of_volume(folder, content, affine=AFFINE):
    values = np.arange(VOLUME.size, dtype=np.float32).reshape(VOLUME.shape)
    nib.save(nib.Nifti1Image(values, affine), folder / "image.nii.gz")
    (folder / "mask.nii.gz").write_bytes(content)
    grid = read_study(folder / "image.nii.gz").grid
    return read_mask(folder / "mask.nii.gz", folder / "image.nii.gz", grid), grid.to_slices(VOLUME)


def nifti(values, affine=AFFINE, slope=None, dtype=None):
    image = nib.Nifti1Image(values, affine, dtype=dtype)
    content = bytearray(image.to_bytes())
    if slope is not None:
        content[112:120] = np.array(slope, "<f4").tobytes()
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        nifti(VOLUME.astype(np.uint8)),
        nifti(VOLUME.astype(np.int16) * -3),
        nifti(VOLUME.astype(np.float32) * 0.01),
        nifti(VOLUME.astype(np.float64)[..., np.newaxis]),
        nifti(VOLUME.astype(np.uint8), slope=(0.5, 0)),
        nifti(VOLUME.astype(np.uint8), slope=(0, 7)),  # a slope of 0 means none
        nifti(VOLUME.astype(np.int16) + 5, slope=(2, -10)),
        nifti(VOLUME.astype(np.float32) * 3 + 0.1, slope=(10, -1)),
        nifti(VOLUME * 0.7 + 0.0, dtype=np.int16),  # nibabel scales, and 0 comes back as 1e-17
        nifti(VOLUME * 1e-3, dtype=np.uint8),
        gzip.compress(nifti(VOLUME.astype(np.uint8))),
    ],
    ids=range(11),
)
def test_a_nifti_mask_is_other_than_zero(tmp_path, content):
    mask, expected = of_volume(tmp_path, content)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            nifti(VOLUME.astype(np.uint8), np.eye(4)),
            "lies on another grid than its image: their affines differ",
        ),
        (nifti(VOLUME.astype(np.uint8), np.diag([1.0, 2.0, 3.0, 1.0])), "their affines differ"),
        (nifti(VOLUME.astype(np.uint8)[:-1]), "is not of its image's size"),
        (nifti(np.where(VOLUME, np.nan, 0).astype(np.float32)), "holds NaN or infinite values .10 of 288"),
        (nifti(np.stack([VOLUME] * 2, -1).astype(np.uint8)), "has 2 channels, where a mask has one"),
        (png(VOLUME[..., 1]), "is no NIfTI volume as its image"),
    ],
)
def test_a_mask_off_the_grid_of_its_volume_is_refused(tmp_path, content, problem):
    with pytest.raises(InputError, match=problem):
        of_volume(tmp_path, content)


def test_a_volume_is_no_mask_of_a_picture(tmp_path):
    content = nifti(np.zeros((*SHAPE[::-1], 1), np.uint8))
    with pytest.raises(InputError, match="is a NIfTI volume and its image is none"):
        of_picture(tmp_path, content)


def test_a_png_is_the_mask_of_a_dicom_image_by_its_rows_and_columns(tmp_path):
    (tmp_path / "image.dcm").write_bytes(dicom_bytes(dicom(picture(*SHAPE).astype(np.uint8))))
    (tmp_path / "mask.png").write_bytes(png(FAINT))
    grid = read_study(tmp_path / "image.dcm").grid
    [mask] = read_mask(tmp_path / "mask.png", tmp_path / "image.dcm", grid)
    np.testing.assert_array_equal(mask, MASK)
