"""Labels beside their study."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from tfadvpath.errors import InputError
from tfadvpath.studies.label_volume import read_labels
from tfadvpath.studies.study import read_study

AFFINE = np.diag([-1.0, 2.0, 3.0, 1.0])


@pytest.fixture
def study(tmp_path):
    values = np.zeros((8, 9, 4))
    values[1, 2, 3] = values[5, 6, 0] = 1
    nib.save(nib.Nifti1Image(values, AFFINE), tmp_path / "scan.nii.gz")
    return read_study(tmp_path / "scan.nii.gz")


def test_labels_lie_where_the_study_shows_them(tmp_path, study):
    labels = np.zeros((8, 9, 4), np.uint8)
    labels[1, 2, 3], labels[5, 6, 0] = 3, 2
    nib.save(nib.Nifti1Image(labels, AFFINE), tmp_path / "labels.nii.gz")
    slices = read_labels(tmp_path / "labels.nii.gz", study.grid)
    np.testing.assert_array_equal(slices > 0, study.images[..., 0] > 0)
    assert slices[3].max() == 3


@pytest.mark.parametrize("make", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("shape", [(8, 9, 4), (8, 9, 4, 1)])
def test_labels_are_read_in_both_versions_and_with_axes_of_one(tmp_path, study, make, shape):
    labels = np.zeros((8, 9, 4), np.uint8)
    labels[1, 2, 3] = 3
    nib.save(make(labels.reshape(shape), AFFINE), tmp_path / "labels.nii.gz")
    slices = read_labels(tmp_path / "labels.nii.gz", study.grid)
    assert slices.sum() == slices[3].max() == 3


def test_labels_of_another_grid_are_refused(tmp_path, study):
    nib.save(nib.Nifti1Image(np.zeros((8, 9, 4), np.uint8), np.eye(4)), tmp_path / "labels.nii.gz")
    with pytest.raises(InputError, match="lies on another grid than its study"):
        read_labels(tmp_path / "labels.nii.gz", study.grid)


def test_missing_labels_are_named(tmp_path, study):
    with pytest.raises(InputError, match=r"labels\.nii\.gz: does not exist"):
        read_labels(tmp_path / "labels.nii.gz", study.grid)


def written(folder, values, dtype=None, slope=None):
    content = bytearray(nib.Nifti1Image(values, AFFINE, dtype=dtype).to_bytes())
    if slope is not None:
        content[112:120] = np.array(slope, "<f4").tobytes()
    (folder / "labels.nii").write_bytes(content)
    return folder / "labels.nii"


LABELS = np.arange(8 * 9 * 4).reshape(8, 9, 4) % 4


@pytest.mark.parametrize(
    "options",
    [
        {"values": LABELS.astype(np.uint8)},
        {"values": LABELS.astype(np.int64), "dtype": np.int64},
        {"values": LABELS.astype(np.float32)},
        {"values": LABELS.astype(np.float64)[..., np.newaxis]},
        {"values": (LABELS * 10).astype(np.int16), "slope": (0.1, 0)},
        {"values": (LABELS + 5).astype(np.int16), "slope": (1, -5)},
        {"values": LABELS.astype(float), "dtype": np.int16},  # which nibabel scales
    ],
    ids=range(7),
)
def test_whole_numbers_come_back_however_they_are_stored(tmp_path, study, options):
    slices = read_labels(written(tmp_path, **options), study.grid)
    assert slices.dtype.kind in "iu"
    np.testing.assert_array_equal(slices, study.grid.to_slices(LABELS))


@pytest.mark.parametrize(
    ("values", "slope", "problem"),
    [
        (LABELS + 0.3, None, "holds values that are no whole numbers"),
        (LABELS.astype(np.int16), (0.5, 0), "holds values that are no whole numbers"),
        (np.where(LABELS == 1, np.nan, LABELS), None, "holds NaN or infinite values"),
        (LABELS * 1e12, None, "holds labels beyond 2,147,483,647"),
        (np.stack([LABELS] * 2, axis=-1).astype(np.uint8), None, "lies on another grid than its study"),
    ],
)
def test_what_is_no_label_volume_is_refused(tmp_path, study, values, slope, problem):
    with pytest.raises(InputError, match=problem):
        read_labels(written(tmp_path, values, slope=slope), study.grid)


def test_a_size_that_is_not_the_studys_takes_no_memory(tmp_path, study, monkeypatch):
    monkeypatch.setattr(np, "empty", lambda *args, **options: pytest.fail("memory is taken"))
    header = nib.Nifti1Header()
    header.set_data_shape((500, 500, 500))
    header.set_data_dtype(np.uint8)
    header["magic"], header["vox_offset"] = b"n+1", 352
    (tmp_path / "labels.nii").write_bytes(header.binaryblock + bytes(500))
    with pytest.raises(InputError, match="lies on another grid than its study"):
        read_labels(tmp_path / "labels.nii", study.grid)


def test_a_picture_holds_no_labels(tmp_path, study):
    (tmp_path / "labels.nii").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    with pytest.raises(InputError, match="is not a NIfTI file"):
        read_labels(tmp_path / "labels.nii", study.grid)
