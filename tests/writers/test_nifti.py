"""Maps on the grid of the volume that was explained."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from tfadvpath.studies.grid import Grid
from tfadvpath.studies.study import read_study
from tfadvpath.writers.nifti import write_nifti

# Left to right, posterior to anterior, inferior to superior turned round, oblique, anisotropic.
AFFINE = np.array([[0, 0, 2.5, -20], [-0.9, 0.1, 0, 30], [0.1, 0.9, 0, -7], [0, 0, 0, 1]])


def written(path, image, values=None):
    nib.save(image, path)
    study = read_study(path, (16, 16), channel=0)
    volume = study.to_grid(study.images) if values is None else values
    write_nifti(path.with_name("map.nii.gz"), volume, study.grid, "tfadvpath fi_v2")
    return nib.load(path.with_name("map.nii.gz"))


def ramp(*shape):
    return np.arange(np.prod(shape), dtype=np.float64).reshape(shape)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_the_map_lies_on_the_inputs_grid(tmp_path, kind):
    image = kind(ramp(12, 10, 5), AFFINE)
    image.header.set_xyzt_units("mm", "sec")
    image.set_sform(AFFINE, code=1)
    image.set_qform(AFFINE, code=2)
    values = np.random.default_rng(0).random((12, 10, 5)).astype(np.float32)
    result = written(tmp_path / "scan.nii.gz", image, values)
    assert type(result) is kind
    assert result.get_data_dtype() == np.float32
    np.testing.assert_array_equal(np.asarray(result.dataobj), values)
    np.testing.assert_allclose(result.affine, AFFINE, atol=1e-5)
    np.testing.assert_allclose(result.get_qform(), image.get_qform(), atol=1e-5)
    assert [int(result.header[code]) for code in ("sform_code", "qform_code")] == [1, 2]
    assert result.header.get_xyzt_units() == ("mm", "sec")
    np.testing.assert_allclose(result.header.get_zooms(), image.header.get_zooms())


def test_scaling_of_the_input_is_not_applied_to_the_map(tmp_path):
    image = nib.Nifti1Image(ramp(12, 10, 5).astype(np.int16), AFFINE)
    image.header.set_slope_inter(100, -50)
    result = written(tmp_path / "scan.nii", image)
    assert 0 <= np.asarray(result.dataobj).min() <= np.asarray(result.dataobj).max() <= 1


def test_a_map_of_a_4d_file_has_three_dimensions(tmp_path):
    result = written(tmp_path / "scan.nii.gz", nib.Nifti1Image(ramp(12, 10, 5, 4), AFFINE))
    assert result.shape == (12, 10, 5)
    np.testing.assert_allclose(result.affine, AFFINE, atol=1e-5)


def test_texts_of_the_input_stay_behind(tmp_path):
    image = nib.Nifti1Image(ramp(12, 10, 5), AFFINE)
    image.header["descrip"] = b"Jane Doe"
    image.header["db_name"] = b"Jane Doe"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Jane Doe"))
    result = written(tmp_path / "scan.nii.gz", image)
    assert result.header["descrip"] == b"tfadvpath fi_v2"
    assert result.header["db_name"] == b""
    assert not result.header.extensions


def test_another_shape_is_refused(tmp_path):
    with pytest.raises(ValueError, match="grid's shape"):
        written(tmp_path / "scan.nii.gz", nib.Nifti1Image(ramp(12, 10, 5), AFFINE), np.zeros((12, 10, 4)))


def test_a_grid_that_lies_nowhere_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`grid` must lie in space"):
        write_nifti(tmp_path / "a.nii", np.zeros((4, 4)), Grid((4, 4)), "")
    assert not (tmp_path / "a.nii").exists()
