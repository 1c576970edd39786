"""Studies: scaling, sizes, the way back, finding files, and one clear line for each broken one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support.broken_files import (
    dicom,
    dicom_bytes,
    nifti_bytes,
    picture,
    png_bytes,
    volume,
    write_broken_files,
    write_good_files,
)

from tfadvpath.errors import InputError
from tfadvpath.studies.find import find_studies
from tfadvpath.studies.limits import MAX_FILE_BYTES
from tfadvpath.studies.sizes import at_size
from tfadvpath.studies.study import read_study


def found(inputs):
    """The files of the studies, each of one file, and what is ignored."""
    studies = find_studies(inputs)
    assert studies.remarks == []
    return [path for study in studies.studies for path in study.sources], studies.ignored


def test_each_broken_file_has_its_own_line_that_names_it(tmp_path, capfd, recwarn):
    reasons = write_broken_files(tmp_path)
    assert len(reasons) >= 20
    capfd.readouterr()
    recwarn.clear()
    for name, reason in reasons.items():
        with pytest.raises(InputError) as error:
            read_study(tmp_path / name)
        line = str(error.value)
        assert line.startswith(f"{tmp_path / name}: ")
        assert reason in line
        assert "\n" not in line
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")  # the libraries below say nothing of their own


def test_good_files_beside_broken_ones_are_found_and_read(tmp_path):
    reasons = write_broken_files(tmp_path / "scans")
    good = write_good_files(tmp_path / "scans" / "good")
    studies, ignored = found(tmp_path)
    assert sorted(studies) == sorted([*good, *(tmp_path / "scans" / name for name in reasons)])
    assert ignored == []
    for path in good:
        study = read_study(path, (32, 32))
        assert study.images.shape[1:] == (32, 32, 1)
        assert study.images.dtype == np.float32
        assert not study.blank.any()
        assert study.to_grid(study.images).shape == study.grid.shape


@pytest.mark.slow
@example(np.array([[1e308, -1e308]]), (3, 5))
@example(np.array([[5e-324, 0.0]]), (1, 1))
@example(np.array([[5e-324, 0.0]]), None)
@given(
    hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
        elements=st.floats(allow_nan=False, allow_infinity=False),
    ),
    st.one_of(st.none(), st.tuples(st.integers(1, 20), st.integers(1, 20))),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_scaling_fills_zero_to_one_or_is_zero(values, size):
    scaled = at_size(values, size).astype(np.float32)
    assert scaled.shape == (size or values.shape)
    assert scaled.min() == 0
    assert scaled.max() in (0, 1)
    if values.min() == values.max():
        assert scaled.max() == 0


@pytest.mark.parametrize("size", [None, (16, 20)])
def test_a_constant_image_is_zero_and_blank(tmp_path, size):
    (tmp_path / "flat.png").write_bytes(png_bytes(np.full((30, 30), 77, np.uint8)))
    study = read_study(tmp_path / "flat.png", size)
    assert study.blank.tolist() == [True]
    assert not study.images.any()


def test_shrinking_averages_and_growing_interpolates(tmp_path):
    board = np.kron(np.array([[0, 255], [255, 0]]), np.ones((20, 20), int)).astype(np.uint8)
    board[:5, :20] = 200  # 50 on average over the first square
    (tmp_path / "a.png").write_bytes(png_bytes(board))
    small = read_study(tmp_path / "a.png", (2, 2)).images[0, ..., 0]
    np.testing.assert_allclose(small, [[50 / 255, 1], [1, 0]], atol=1e-6)
    (tmp_path / "b.png").write_bytes(png_bytes(np.array([[0, 200]], np.uint8)))
    large = read_study(tmp_path / "b.png", (1, 4)).images[0, ..., 0]
    np.testing.assert_allclose(large, [[0, 0.25, 0.75, 1]], atol=1e-6)


def test_maps_of_the_models_size_land_on_the_files_grid(tmp_path):
    values = np.zeros((40, 20, 3), np.float32)
    values[30:, :5, 2] = 1  # right and posterior in RAS+, on the last slice
    (tmp_path / "a.nii").write_bytes(nifti_bytes(values))
    study = read_study(tmp_path / "a.nii", (64, 64))
    back = study.to_grid(study.images)
    assert back.dtype == np.float32
    assert back.shape == values.shape
    np.testing.assert_allclose(back[32:, :4, 2], 1)
    np.testing.assert_allclose(back[:28], 0)
    np.testing.assert_array_equal(back, study.to_grid(study.images[..., 0]))


def test_maps_of_another_number_are_refused(tmp_path):
    (tmp_path / "a.nii").write_bytes(nifti_bytes(volume((6, 5, 4))))
    study = read_study(tmp_path / "a.nii")
    with pytest.raises(ValueError, match=r"must be \[4, h, w\].*Received: \[3, 5, 6\]"):
        study.to_grid(np.zeros((3, 5, 6)))


def test_folders_are_walked_in_order_without_hidden_files(tmp_path):
    for name in ("b/2.png", "b/1.PNG", "a/z.dcm", ".hidden/x.png", "a/.x.png", "a/notes.txt", "a/DICOMDIR"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"text")
    (tmp_path / "b" / "IM7").write_bytes(dicom_bytes(dicom(picture().astype(np.uint8))))
    studies, ignored = found([tmp_path, tmp_path / "b" / "2.png"])
    assert [str(path.relative_to(tmp_path)) for path in studies] == ["a/z.dcm", "b/1.PNG", "b/2.png", "b/IM7"]
    assert ignored == [
        (tmp_path / "a" / "DICOMDIR", "is an index of the files beside it"),
        (tmp_path / "a" / "notes.txt", "is of no format that is read"),
    ]
    assert read_study(studies[-1]).images.shape == (1, 48, 40, 1)


def test_the_voxels_of_a_pair_are_no_study_of_their_own(tmp_path):
    (tmp_path / "a.hdr").write_bytes(b"x")
    (tmp_path / "a.img").write_bytes(b"x")
    assert found(tmp_path) == ([tmp_path / "a.hdr"], [(tmp_path / "a.img", "is read with a.hdr")])


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    (tmp_path / "a" / "1.png").write_bytes(b"x")
    studies, _ = found(tmp_path)
    assert studies == [tmp_path / "a" / "1.png", tmp_path / "a" / "self"]
    with pytest.raises(InputError, match="is a link that leads back to itself"):
        read_study(tmp_path / "a" / "self")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("missing.dcm", "does not exist"),
        ("folder", "is a folder that holds no studies"),
        ("notes.txt", "is of no format that is read"),
        ("pipe.png", "is not a regular"),
    ],
)
def test_what_is_no_image_file_has_its_own_line(tmp_path, name, problem):
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("notes")
    os.mkfifo(tmp_path / "pipe.png")
    assert found([tmp_path / "missing.dcm"]) == ([tmp_path / "missing.dcm"], [])
    with pytest.raises(InputError, match=problem):
        read_study(tmp_path / name)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # without an ending: its first bytes would tell, and never come
    assert found([tmp_path / "pipe"]) == ([tmp_path / "pipe"], [])
    with pytest.raises(InputError, match="is not a regular file"):
        read_study(tmp_path / "pipe")


def test_a_file_that_may_not_be_read_has_its_own_line(tmp_path, monkeypatch):
    for name in ("a.dcm", "a.nii", "a.png", "unknown"):
        (tmp_path / name).write_bytes(b"x" * 200)

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    for name in ("a.dcm", "a.nii", "a.png", "unknown"):
        with pytest.raises(InputError, match="Permission denied"):
            read_study(tmp_path / name)
    assert found(tmp_path) == (sorted(tmp_path.iterdir()), [])


def test_an_enormous_file_is_refused_unread(tmp_path):
    path = tmp_path / "a.dcm"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)  # takes no room on the disk
    with pytest.raises(InputError, match="is too large"):
        read_study(path)


@pytest.mark.slow
@pytest.mark.real_data
def test_every_real_image_is_read(real_data):
    studies = [study.sources[0] for study in find_studies(real_data).studies]
    slices = [path for path in studies if "lgg" in path.parts]
    chosen = slices[::100] + [path for path in studies if "lgg" not in path.parts]
    assert len(chosen) > 250
    for path in chosen:
        study = read_study(path, (64, 64), channel=2)
        assert np.isfinite(study.images).all()
        assert study.images.min() >= 0
        assert study.images.max() <= 1
