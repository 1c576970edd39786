"""DICOM series: which files are one study, in which order, and where in the patient they lie."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.broken_files import dicom, dicom_bytes, nifti_bytes, volume
from support.series import AXIAL, CORONAL, SAGITTAL, noise, oblique, write_series

import tfadvpath.studies.limits
import tfadvpath.studies.study
from tfadvpath.errors import InputError
from tfadvpath.studies.find import find_studies
from tfadvpath.studies.series import series_of
from tfadvpath.studies.study import read_study

PLANES = {"axial": AXIAL, "coronal": CORONAL, "sagittal": SAGITTAL, "oblique": oblique()}
every_plane = pytest.mark.parametrize("directions", PLANES.values(), ids=PLANES)


def sources(inputs):
    return [study.sources for study in find_studies(inputs).studies]


def lines(pairs):
    """Names and sentences of what was ignored or remarked."""
    return [(path.name, text) for path, text in pairs]


def millimetres(path: Path, column: int, row: int) -> np.ndarray:
    """Where a pixel lies in RAS+, by the rule of DICOM PS3.3 C.7.6.2.1.1 from the file's own header alone."""
    header = pydicom.dcmread(path)
    across, down = np.array(header.ImageOrientationPatient, np.float64).reshape(2, 3)
    between_rows, between_columns = (float(value) for value in header.PixelSpacing)
    first = np.array(header.ImagePositionPatient, np.float64)
    return (first + column * between_columns * across + row * between_rows * down) * (-1, -1, 1)


@every_plane
def test_files_are_one_study_in_the_order_of_their_positions(tmp_path, directions):
    paths = write_series(tmp_path, noise(), directions=directions)
    assert sorted(paths) != paths  # the names tell another order, and the numbers the opposite one
    found = find_studies(tmp_path)
    assert [(study.sources, study.given, study.label) for study in found.studies] == [
        (tuple(paths), tmp_path, "series_004")
    ]
    assert (found.ignored, found.remarks) == ([], [])


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    names=st.permutations(range(6)),
    numbers=st.permutations(range(1, 7)),
    angles=st.tuples(*[st.floats(-3, 3)] * 3),
    origin=st.tuples(*[st.floats(-300, 300)] * 3),
    step=st.floats(0.2, 9),
)
def test_neither_names_nor_numbers_nor_the_place_in_space_change_the_order(
    names, numbers, angles, origin, step
):
    with TemporaryDirectory() as folder:
        paths = write_series(
            Path(folder),
            noise(6, 3, 2),
            directions=oblique(angles),
            origin=origin,
            step=step,
            names=[f"{name}.dcm" for name in names],
            numbers=numbers,
        )
        found = find_studies(folder)
        assert [study.sources for study in found.studies] == [tuple(paths)]
        assert found.remarks == []
        assert series_of(sorted(paths)).affine is not None


@every_plane
@pytest.mark.parametrize("size", [None, (8, 8)])
def test_images_are_those_of_each_file_alone_to_the_last_bit(tmp_path, directions, size):
    values = noise()
    values[2] = 7  # blank
    paths = write_series(tmp_path, values, directions=directions, RescaleSlope=2, RescaleIntercept=-3)
    study = read_study(sorted(paths), size)
    assert study.sources == tuple(paths)
    assert study.source == tmp_path
    assert study.blank.tolist() == [False, False, True, False, False]
    assert study.grid.shape == values.shape
    alone = np.concatenate([read_study(path, size).images for path in paths])
    np.testing.assert_array_equal(study.images, alone)
    assert study.to_grid(study.images).shape == values.shape


@every_plane
def test_the_affine_puts_every_pixel_where_its_own_file_puts_it(tmp_path, directions):
    paths = write_series(tmp_path, noise(), directions=directions, spacing=(1.5, 0.75), step=2.5)
    affine = read_study(sorted(paths)).grid.affine
    assert affine.dtype == np.float64
    for k, path in enumerate(paths):
        for column, row in ((0, 0), (8, 0), (0, 11), (5, 3)):
            expected = millimetres(path, column, row)
            np.testing.assert_allclose((affine @ (column, row, k, 1))[:3], expected, atol=1e-9)


def test_a_tilted_gantry_shears_the_affine(tmp_path):
    """Computed tomography with a tilt: each slice is moved along its own plane as well."""
    paths = write_series(tmp_path, noise(), step=np.array([0.0, 0.4, 3.0]))
    affine = read_study(paths).grid.affine
    np.testing.assert_allclose(affine[:3, 2], [0, -0.4, 3])
    np.testing.assert_allclose((affine @ (0, 0, 4, 1))[:3], millimetres(paths[4], 0, 0), atol=1e-9)


def test_slices_that_are_shifted_within_their_plane_have_no_affine(tmp_path):
    paths = write_series(tmp_path, noise())
    header = pydicom.dcmread(paths[2])
    header.ImagePositionPatient = [value + shift for value, shift in zip(
        header.ImagePositionPatient, (5, 0, 0), strict=True)]  # fmt: skip
    header.save_as(paths[2])
    assert lines(find_studies(tmp_path).remarks) == [
        (paths[0].name, "its series has slices that are shifted against the others: it has no place in space")
    ]
    assert read_study(tmp_path).grid.affine is None


def test_localizers_beside_slices_are_left_out(tmp_path):
    paths = write_series(tmp_path, noise())
    [localizer] = write_series(
        tmp_path,
        noise(1),
        directions=SAGITTAL,
        names=["a.dcm"],
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        SOPInstanceUID="1.2.3",
    )
    assert sources(tmp_path) == [tuple(paths)]
    assert find_studies(tmp_path).ignored == [(localizer, "is a localizer beside the slices of its series")]
    assert sources(localizer) == [(localizer,)]  # alone it is what was asked for


def test_copies_are_left_out(tmp_path):
    paths = write_series(tmp_path, noise())
    shutil.copy(paths[1], tmp_path / "zz.dcm")
    assert sources(tmp_path) == [tuple(paths)]
    assert lines(find_studies(tmp_path).ignored) == [("zz.dcm", f"is a copy of {paths[1].name}")]
    assert find_studies(tmp_path).remarks == []


def test_a_file_and_its_copy_are_one_study(tmp_path):
    [path] = write_series(tmp_path, noise(1))
    shutil.copy(path, tmp_path / "zz.dcm")
    assert sources(tmp_path) == [(path,)]
    assert lines(find_studies(tmp_path).ignored) == [("zz.dcm", "is a copy of IM0000.dcm")]


def test_a_gap_is_remarked_and_leaves_no_affine(tmp_path):
    paths = write_series(tmp_path, noise())
    paths.pop(2).unlink()
    found = find_studies(tmp_path)
    assert [study.sources for study in found.studies] == [tuple(paths)]
    assert lines(found.remarks) == [(paths[0].name, "its series has gaps: slices are 3 to 6 mm apart")]
    assert read_study(tmp_path).grid.affine is None


def test_positions_that_are_taken_twice_are_remarked_and_ordered_by_number(tmp_path):
    """Two passes over the same places, such as two echoes."""
    late = write_series(tmp_path, noise(3), names=["a.dcm", "c.dcm", "e.dcm"], numbers=[4, 5, 6])
    early = []
    for index in range(3):
        early += write_series(
            tmp_path,
            noise(1),
            names=[f"z{index}.dcm"],
            numbers=[1 + index],
            origin=(-40.0, 17.5, 8.25 + 3 * index),
            SOPInstanceUID=f"1.2.{index}",
        )
    [study] = find_studies(tmp_path).studies
    assert study.sources == tuple(path for pair in zip(early, late, strict=True) for path in pair)
    assert lines(find_studies(tmp_path).remarks) == [
        (early[0].name, "its series has images at the position of another (3): ordered by InstanceNumber")
    ]
    assert read_study(tmp_path).grid.affine is None


@pytest.mark.parametrize(
    "other",
    [
        {"slices": noise(3, 8, 8)},
        {"slices": noise(3), "directions": SAGITTAL},
        {"slices": noise(3), "spacing": (2.0, 2.0)},
    ],
    ids=["size", "direction", "spacing"],
)
def test_one_series_of_several_sizes_or_directions_is_several_studies(tmp_path, other):
    paths = write_series(tmp_path, noise(4), names=[f"a{index}.dcm" for index in (2, 0, 3, 1)])
    # The same series, other images: the identifiers of its files are its own.
    others = write_series(tmp_path / "other", uid="series", **other)
    for index, path in enumerate(others):
        header = pydicom.dcmread(path)
        header.SOPInstanceUID = f"1.2.{index}"
        header.save_as(tmp_path / f"b{path.name}")
    shutil.rmtree(tmp_path / "other")
    found = find_studies(tmp_path)
    assert [study.sources for study in found.studies] == [
        tuple(paths),
        tuple(tmp_path / f"b{path.name}" for path in others),
    ]
    assert [study.label for study in found.studies] == ["series_004"] * 2
    assert lines(found.remarks) == [
        ("a0.dcm", "its series holds images of 2 sizes, directions or spacings: each is a study of its own")
    ]
    with pytest.raises(InputError, match=r"holds 2 studies\. Name a file or one series"):
        read_study(tmp_path)


def test_directions_that_differ_by_rounding_are_one_plane(tmp_path):
    """Also where they fall on both sides of a place where a rounded number changes."""
    paths = []
    for index, tilt in enumerate((0.00049, 0.00051, 0.0005)):
        turned = np.array([[1.0, 0, 0], [0, 1, tilt]])
        paths += write_series(
            tmp_path, noise(1), names=[f"{index}.dcm"], directions=turned,
            origin=(0, 0, 3.0 * index), SOPInstanceUID=f"1.2.{index}",
        )  # fmt: skip
    assert sources(tmp_path) == [tuple(paths)]
    assert read_study(tmp_path).grid.affine is not None


@pytest.mark.parametrize("modality", ["CR", "DX", "MG", "XA"])
def test_radiographs_are_never_joined(tmp_path, modality):
    paths = write_series(tmp_path, noise(3), Modality=modality)
    assert sorted(sources(tmp_path)) == sorted((path,) for path in paths)
    assert find_studies(tmp_path).remarks == []


@pytest.mark.parametrize("missing", ["ImagePositionPatient", "ImageOrientationPatient"])
def test_without_positions_the_numbers_give_the_order(tmp_path, missing):
    paths = write_series(tmp_path, noise(), **{missing: None})
    found = find_studies(tmp_path)
    assert [study.sources for study in found.studies] == [tuple(reversed(paths))]
    assert lines(found.remarks) == [
        (paths[-1].name, "its files have no positions: ordered by InstanceNumber")
    ]
    assert read_study(tmp_path).grid.affine is None


def test_one_missing_position_leaves_the_order_to_the_numbers(tmp_path):
    paths = write_series(tmp_path, noise(), numbers=range(1, 6))
    header = pydicom.dcmread(paths[2])
    del header.ImagePositionPatient
    header.save_as(paths[2])
    assert sources(tmp_path) == [tuple(paths)]
    assert read_study(tmp_path).grid.affine is None


@pytest.mark.parametrize("numbers", [[None] * 5, [1, 2, 3, 3, 4], [1, 2, 3, None, 4]])
def test_files_that_tell_no_order_are_studies_of_their_own(tmp_path, numbers):
    paths = write_series(tmp_path, noise(), numbers=numbers, ImagePositionPatient=None)
    assert sorted(sources(tmp_path)) == sorted((path,) for path in paths)
    with pytest.raises(InputError, match="tell no order"):
        read_study(paths)


def test_files_without_a_series_are_studies_of_their_own(tmp_path):
    paths = write_series(tmp_path, noise(), SeriesInstanceUID=None)
    assert sorted(sources(tmp_path)) == sorted((path,) for path in paths)


def test_series_and_folders_are_kept_apart(tmp_path):
    first = write_series(tmp_path, noise(3), uid="one")
    second = write_series(tmp_path, noise(4), uid="two", names=[f"b{index}.dcm" for index in range(4)])
    third = write_series(tmp_path / "copy", noise(3), uid="one")
    assert sorted(sources(tmp_path)) == sorted([tuple(first), tuple(second), tuple(third)])


def test_a_file_of_several_frames_is_a_study_of_its_own(tmp_path):
    paths = write_series(tmp_path, noise())
    frames = dicom(noise(3), Modality="MR", SeriesInstanceUID=pydicom.dcmread(paths[0]).SeriesInstanceUID)
    (tmp_path / "frames.dcm").write_bytes(dicom_bytes(frames))
    assert sorted(sources(tmp_path)) == sorted([tuple(paths), (tmp_path / "frames.dcm",)])


def test_a_broken_file_of_a_series_is_named_by_its_own_line(tmp_path):
    paths = write_series(tmp_path, noise())
    paths[3].write_bytes(paths[3].read_bytes()[:-50])  # its header is whole
    assert sources(tmp_path) == [tuple(paths)]
    with pytest.raises(InputError) as error:
        read_study(paths)
    assert str(error.value).startswith(f"{paths[3]}: is truncated")


def test_a_file_without_a_readable_header_is_alone_and_the_others_go_on(tmp_path):
    paths = write_series(tmp_path, noise())
    paths[4].write_bytes(b"this is not an image\n" * 20)
    assert sorted(sources(tmp_path)) == sorted([tuple(paths[:4]), (paths[4],)])
    with pytest.raises(InputError, match="is not a DICOM file"):
        read_study(paths[4])


def test_a_slice_whose_pixels_have_another_size_than_its_header_said_is_refused(tmp_path, monkeypatch):
    paths = write_series(tmp_path, noise(2))
    series = series_of(paths)
    other = dicom_bytes(dicom(noise(1, 5, 5)[0], SeriesInstanceUID=series.headers[0].series))

    def changed_meanwhile(given):
        paths[1].write_bytes(other)
        return series

    monkeypatch.setattr(tfadvpath.studies.study, "series_of", changed_meanwhile)
    with pytest.raises(InputError, match=f"{paths[1]}: has another size than the other slices"):
        read_study(paths)


def test_a_series_that_no_memory_holds_is_refused_by_its_headers(tmp_path, monkeypatch):
    paths = write_series(tmp_path, noise(5, 12, 9))
    monkeypatch.setattr(tfadvpath.studies.limits, "MAX_VALUES", 5 * 12 * 9)
    assert read_study(paths).images.shape == (5, 12, 9, 1)
    monkeypatch.setattr(tfadvpath.studies.limits, "MAX_VALUES", 5 * 12 * 9 - 1)
    for path in paths:
        assert read_study(path).images.shape == (1, 12, 9, 1)
        path.write_bytes(path.read_bytes()[:-50])  # would be an error, if it were read
    with pytest.raises(InputError, match=f"{tmp_path}: is too large: 5 x 12 x 9 values"):
        read_study(paths)


def test_files_of_two_series_are_no_study(tmp_path):
    one, other = write_series(tmp_path / "a", noise(2)), write_series(tmp_path / "b", noise(2), uid="other")
    with pytest.raises(InputError) as error:
        read_study([*one, *other])
    assert str(error.value) == (
        f"{other[0]}: is of another series, size, direction or spacing than {one[0].name}. "
        "Pass the files of one series."
    )


def test_a_file_that_is_no_slice_is_named(tmp_path):
    paths = write_series(tmp_path, noise(2))
    (tmp_path / "a.nii").write_bytes(nifti_bytes(volume((4, 4, 3))))
    with pytest.raises(InputError, match=r"a\.nii: is no slice of a DICOM series"):
        read_study([*paths, tmp_path / "a.nii"])
    with pytest.raises(InputError, match=r"nowhere\.dcm: does not exist"):
        read_study([*paths, tmp_path / "nowhere.dcm"])
    with pytest.raises(InputError, match="names no file"):
        read_study([])


def test_a_folder_with_one_study_can_be_read(tmp_path):
    paths = write_series(tmp_path / "scan", noise())
    (tmp_path / "scan" / "notes.txt").write_text("text")
    study = read_study(tmp_path / "scan", (8, 8))
    assert study.sources == tuple(paths)
    np.testing.assert_array_equal(study.images, read_study(paths, (8, 8)).images)
    assert read_study(str(tmp_path / "scan")).images.shape == (5, 12, 9, 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no studies"):
        read_study(tmp_path / "empty")


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_files_named_one_by_one_are_the_same_series(tmp_path, order):
    paths = write_series(tmp_path, noise())
    [study] = find_studies(paths[order]).studies
    assert study.sources == tuple(paths)
    assert study.given == paths[0]


def test_files_that_are_named_and_found_are_one_study_of_the_folder(tmp_path):
    paths = write_series(tmp_path, noise())
    for inputs in ([paths[3], tmp_path], [tmp_path, paths[3]]):
        [study] = find_studies(inputs).studies
        assert (study.sources, study.given) == (tuple(paths), tmp_path)


def test_numbers_in_another_form_than_the_standard_s_are_read_in_silence(tmp_path, capfd):
    paths = write_series(tmp_path, noise())
    for path in paths:
        content = path.read_bytes()
        number, odd = b"IS\x02\x004 ", b"IS\x04\x004.0 "  # SeriesNumber
        assert content.count(number) == 1 + (path == paths[1])  # whose InstanceNumber is 4 too
        path.write_bytes(content.replace(number, odd))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        [study] = find_studies(tmp_path).studies
        assert (study.sources, study.label) == (tuple(paths), "series_004")
        assert read_study(paths).images.shape == (5, 12, 9, 1)
    assert capfd.readouterr() == ("", "")


def test_a_label_holds_no_word_of_the_header(tmp_path):
    write_series(tmp_path, noise(2), SeriesNumber=None, SeriesDescription="Jane Doe")
    [study] = find_studies(tmp_path).studies
    assert study.label == "series"
