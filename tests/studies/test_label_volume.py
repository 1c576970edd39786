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
    with pytest.raises(InputError, match=r"labels\.nii\.gz: cannot be read as labels"):
        read_labels(tmp_path / "labels.nii.gz", study.grid)
