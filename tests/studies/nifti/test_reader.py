"""NIfTI files: orientation, scaling, channels."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, inv_ornt_aff
from support.broken_files import nifti_bytes, volume

from tfadvpath.errors import InputError
from tfadvpath.studies.study import read_study

AXIS_CODES = [
    tuple(pair[side] for pair, side in zip(order, sides, strict=True))
    for order in itertools.permutations(("LR", "PA", "IS"))
    for sides in itertools.product((0, 1), repeat=3)
]


def stored(canonical: np.ndarray, codes: tuple[str, ...]) -> nib.Nifti1Image:
    """A RAS+ volume in other axes, with the affine that says so."""
    from_ras = nib.orientations.ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes))
    voxels = nib.orientations.apply_orientation(canonical, from_ras)
    return nib.Nifti1Image(voxels, inv_ornt_aff(from_ras, canonical.shape))


def saved(folder: Path, image: nib.Nifti1Image, name: str = "volume.nii") -> Path:
    path = folder / name
    nib.save(image, path)
    return path


@pytest.mark.parametrize("codes", AXIS_CODES, ids="".join)
def test_every_axis_code_is_shown_alike_and_goes_back_exactly(tmp_path, codes):
    assert len(set(AXIS_CODES)) == 48
    canonical = np.zeros((7, 6, 5), np.float32)  # to the right, anterior, superior
    canonical[6, 5, 4] = 1  # right, anterior, top
    canonical[0, 0, 4] = 2  # left, posterior, top
    canonical[6, 0, 0] = 4  # right, posterior, bottom
    image = stored(canonical, codes)
    assert nib.aff2axcodes(image.affine) == codes
    study = read_study(saved(tmp_path, image))
    assert study.images.shape == (5, 6, 7, 1)
    # Rows run from anterior to posterior, columns from the patient's right to left.
    assert (study.images[4, 0, 0, 0], study.images[4, 5, 6, 0], study.images[0, 5, 0, 0]) == (0.5, 1, 1)
    assert study.blank.tolist() == [False, True, True, True, False]
    unscaled = study.images * np.array([4, 0, 0, 0, 2], np.float32)[:, None, None, None]
    np.testing.assert_array_equal(study.to_grid(unscaled), np.asarray(image.dataobj))


def test_slices_are_those_of_the_written_rule(tmp_path):
    data = volume((7, 6, 5))
    study = read_study(saved(tmp_path, nib.Nifti1Image(data, np.eye(4))))
    for k in range(5):
        expected = data[::-1, ::-1, k].T.astype(np.float64)
        expected = (expected - expected.min()) / (expected.max() - expected.min())
        np.testing.assert_allclose(study.images[k, ..., 0], expected, atol=1e-7)


def test_an_oblique_volume_takes_the_nearest_axes(tmp_path):
    angle = np.deg2rad(30)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-1, 1, 3])
    data = volume((7, 6, 5))
    study = read_study(saved(tmp_path, nib.Nifti1Image(data, affine)))
    straight = read_study(saved(tmp_path, nib.Nifti1Image(data, np.diag([-1, 1, 3, 1])), "straight.nii"))
    np.testing.assert_array_equal(study.images, straight.images)
    np.testing.assert_allclose(study.grid.affine, affine, atol=1e-6)


def test_the_header_and_affine_of_the_file_are_kept(tmp_path):
    image = nib.Nifti1Image(volume(), np.diag([-2, 1, 3, 1]))
    image.header["descrip"] = b"kept"
    grid = read_study(saved(tmp_path, image)).grid
    assert grid.shape == image.shape
    assert bytes(grid.source["descrip"]).rstrip(b"\0") == b"kept"
    np.testing.assert_array_equal(grid.affine, image.affine)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint16, np.float32, np.float64])
def test_stored_types_and_negative_values_are_read(tmp_path, dtype):
    data = np.arange(60).reshape(5, 4, 3).astype(dtype)
    data = data if np.issubdtype(dtype, np.unsignedinteger) else data - data.dtype.type(30)
    study = read_study(saved(tmp_path, nib.Nifti1Image(data, np.eye(4))))
    assert (study.images.min(axis=(1, 2, 3)) == 0).all()
    assert (study.images.max(axis=(1, 2, 3)) == 1).all()
    assert study.images[0, -1, -1, 0] == 0  # the first stored voxel: left, posterior


def test_the_slope_of_the_header_counts(tmp_path):
    data = np.arange(24).reshape(4, 3, 2).astype(np.int16)
    image = nib.Nifti1Image(data, np.eye(4))
    content = bytearray(image.to_bytes())
    content[112:120] = np.array([-0.5, 3], "<f4").tobytes()  # scl_slope, scl_inter
    path = tmp_path / "slope.nii"
    path.write_bytes(content)
    plain = read_study(saved(tmp_path, image, "plain.nii"))
    np.testing.assert_allclose(read_study(path).images, 1 - plain.images, atol=1e-6)


def test_odd_headers_are_read_in_silence(tmp_path, caplog):
    content = bytearray(nifti_bytes(volume()))
    content[80:84] = np.array([-1], "<f4").tobytes()  # pixdim[1], which must not be negative
    (tmp_path / "odd.nii").write_bytes(content)
    assert read_study(tmp_path / "odd.nii").images.max() == 1
    assert not caplog.records


def test_a_channel_of_four_is_chosen(tmp_path):
    data = volume((6, 5, 4, 3))
    for name in ("four.nii", "four.nii.gz"):
        path = saved(tmp_path, nib.Nifti1Image(data, np.eye(4)), name)
        single = saved(tmp_path, nib.Nifti1Image(data[..., 2], np.eye(4)), "one.nii")
        study = read_study(path, channel=2)
        np.testing.assert_array_equal(study.images, read_study(single).images)
        assert study.to_grid(study.images).shape == (6, 5, 4)


@pytest.mark.parametrize(
    ("channel", "problem"), [(None, "has 3 channels (0 to 2)"), (3, "has no channel 3"), (-1, "-1")]
)
def test_a_channel_that_is_not_there_is_refused(tmp_path, channel, problem):
    path = saved(tmp_path, nib.Nifti1Image(volume((6, 5, 4, 3)), np.eye(4)))
    with pytest.raises(InputError) as error:
        read_study(path, channel=channel)
    assert problem in str(error.value)


@pytest.mark.parametrize("shape", [(6, 5, 4, 1), (6, 5, 4, 1, 1)])
def test_a_single_channel_needs_no_choice(tmp_path, shape):
    study = read_study(saved(tmp_path, nib.Nifti1Image(volume(shape), np.eye(4))))
    assert study.to_grid(study.images).shape == (6, 5, 4)


@pytest.mark.parametrize(
    ("shape", "images"),
    [((6, 5), (1, 5, 6, 1)), ((6, 5, 1), (1, 5, 6, 1)), ((1, 6, 5), (1, 5, 6, 1)), ((6, 1, 5), (1, 5, 6, 1))],
    ids=str,
)
def test_a_volume_of_one_slice_is_shown_in_its_plane(tmp_path, shape, images):
    study = read_study(saved(tmp_path, nib.Nifti1Image(volume(shape), np.eye(4))))
    assert study.images.shape == images
    assert study.to_grid(study.images).shape == shape


def test_a_pair_of_header_and_voxels_is_read(tmp_path):
    data = volume()
    nib.save(nib.Nifti1Pair(data, np.eye(4)), tmp_path / "pair.hdr")
    single = saved(tmp_path, nib.Nifti1Image(data, np.eye(4)))
    np.testing.assert_array_equal(read_study(tmp_path / "pair.hdr").images, read_study(single).images)


def test_nifti_2_is_read(tmp_path):
    path = tmp_path / "two.nii.gz"
    path.write_bytes(gzip.compress(nib.Nifti2Image(volume(), np.eye(4)).to_bytes()))
    assert read_study(path).images.shape == (6, 24, 20, 1)


def test_a_pair_of_the_older_analyze_format_is_refused(tmp_path):
    nib.save(nib.AnalyzeImage(volume(), np.eye(4)), tmp_path / "old.hdr")
    with pytest.raises(InputError, match="is no NIfTI volume"):
        read_study(tmp_path / "old.hdr")


def test_a_compressed_file_is_refused_wherever_it_is_cut(tmp_path):
    whole = gzip.compress(nifti_bytes(volume()))
    path = tmp_path / "cut.nii.gz"
    for length in (1, 15, 200, len(whole) // 3, len(whole) - 9, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            read_study(path)


@pytest.mark.real_data
def test_the_progression_volumes_have_four_blank_slices_each(real_data):
    paths = sorted((real_data / "brain_tumor_progression").glob("*/*_Scan_T1.nii.gz"))
    assert len(paths) == 16
    assert [int(read_study(path).blank.sum()) for path in paths] == [4] * 16


@pytest.mark.real_data
def test_decathlon_volumes_give_each_channel_and_matching_labels(real_data):
    folder = real_data / "msd_task01_patches"
    for path in sorted((folder / "imagesTr").glob("*.nii.gz")):
        labels = read_study(folder / "labelsTr" / path.name)
        for channel in range(4):
            study = read_study(path, (224, 224), channel)
            assert study.images.shape == (len(labels.images), 224, 224, 1)
            assert study.grid.shape == labels.grid.shape
