"""Maps on the grid of the volume that was explained."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from support.explanations import explanation_of
from support.series import noise, write_series

from tfadvpath.explanation import StudyExplanation
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.study import read_study
from tfadvpath.writers.formats import formats
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


@pytest.mark.parametrize(("sform", "qform"), [(0, 1), (1, 0), (2, 3)])
def test_qform_and_sform_stay_as_they_are_where_they_differ(tmp_path, sform, qform):
    image = nib.Nifti1Image(ramp(12, 10, 5), None)
    image.set_qform(np.diag([-2.0, 1, 3, 1]), qform)
    image.set_sform(AFFINE, sform)
    nib.save(image, tmp_path / "scan.nii")
    source = nib.load(tmp_path / "scan.nii")
    study = read_study(tmp_path / "scan.nii", (16, 16))
    volume = study.to_grid(study.images)
    for values in (volume, np.stack([volume, 2 * volume], axis=-1)):
        write_nifti(tmp_path / "map.nii", values, study.grid, "map")
        result = nib.load(tmp_path / "map.nii")
        assert result.shape == values.shape
        np.testing.assert_array_equal(np.asarray(result.dataobj), values)
        np.testing.assert_allclose(result.get_qform(), source.get_qform())
        np.testing.assert_allclose(result.get_sform(), source.get_sform())
        for field in ("qform_code", "sform_code"):
            assert result.header[field] == source.header[field]


@pytest.mark.parametrize("shape", [(12, 10, 5), (12, 10)])
def test_several_maps_are_volumes_of_one_file_in_their_order(tmp_path, shape):
    nib.save(nib.Nifti1Image(ramp(*shape), AFFINE), tmp_path / "scan.nii")
    check_together(tmp_path / "scan.nii", tmp_path, (*shape, 1)[:3])


def test_several_maps_of_a_dicom_series_are_one_file(tmp_path):
    check_together(write_series(tmp_path / "series", noise(4, 12, 9)), tmp_path, (9, 12, 4))


def check_together(source, folder, shape):
    study = read_study(source, (16, 16))
    result = StudyExplanation(study, explanation_of(study.images).only(["difference", "fi_v1"]))
    for name in ("nifti", "nifti-4d"):
        formats()[name].write(folder, result)
    together = nib.load(folder / "maps.nii.gz")
    assert together.shape == (*shape, 2)
    for index, name in enumerate(result.explanation.maps):
        alone = nib.load(folder / f"{name}.nii.gz")
        volume = np.asarray(together.dataobj)[..., index]
        np.testing.assert_array_equal(volume, np.asarray(alone.dataobj).reshape(shape))
        np.testing.assert_allclose(together.affine, alone.affine)
        assert together.header.get_xyzt_units()[0] == alone.header.get_xyzt_units()[0]
    assert together.header["descrip"] == b"tfadvpath difference,fi_v1"


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
