"""What every format of an explained study promises. A new format needs no line here."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.archive import IN_SPACE, STUDY
from support.broken_files import dicom, dicom_bytes, picture, png_bytes
from support.explanations import NAMES, explanation_of
from support.series import noise, write_series

from tfadvpath.batch.plan import Task
from tfadvpath.batch.results import write_study
from tfadvpath.errors import InputError
from tfadvpath.explanation import PathExplanation, StudyExplanation
from tfadvpath.studies.study import read_study
from tfadvpath.writers.formats import formats, register

SIZE = (16, 16)
PATIENT = b"Doe^Jane"


def a_picture(folder):
    (folder / "a.png").write_bytes(png_bytes(picture().astype(np.uint8)))
    return folder / "a.png"


def frames(folder):
    values = np.stack([picture(), np.full((48, 40), 7), picture()[::-1]]).astype(np.uint8)
    header = {**STUDY, "SeriesInstanceUID": "1.2.3", "PatientName": PATIENT.decode()}
    (folder / "a.dcm").write_bytes(dicom_bytes(dicom(values, **header)))
    return folder / "a.dcm"


def a_volume(folder, values=None):
    values = np.random.default_rng(0).normal(size=(20, 24, 4)) if values is None else values
    values[..., 1] = 3.0  # blank
    image = nib.Nifti1Image(values, np.diag([-2.0, 1, 3, 1]))
    image.header["descrip"] = PATIENT
    nib.save(image, folder / "a.nii.gz")
    return folder / "a.nii.gz"


def a_blank_volume(folder):
    return a_volume(folder, np.full((20, 24, 2), 3.0))


def a_series(folder):
    values = noise(4, 20, 24)
    values[2] = 7  # blank
    return write_series(folder, values, **{**STUDY, **IN_SPACE, "PatientName": PATIENT.decode()})


def a_series_with_a_gap(folder):
    paths = a_series(folder)
    paths.pop(1).unlink()
    return paths


def a_dicom_file_without_a_study(folder):
    (folder / "a.dcm").write_bytes(dicom_bytes(dicom(picture().astype(np.uint8))))
    return folder / "a.dcm"


KINDS = [
    a_picture,
    a_dicom_file_without_a_study,
    frames,
    a_volume,
    a_blank_volume,
    a_series,
    a_series_with_a_gap,
]


@pytest.fixture(params=KINDS, ids=lambda make: make.__name__)
def result(request, tmp_path):
    """A study of each kind, with an explanation of the slices that are not blank."""
    (tmp_path / "in").mkdir()
    study = read_study(request.param(tmp_path / "in"), SIZE)
    images = study.images[~study.blank]
    if not len(images):
        return StudyExplanation(study, PathExplanation.of_nothing((*SIZE, 1), NAMES))
    return StudyExplanation(study, explanation_of(images))


def applying(result):
    """The formats that the study can be written in, by name."""
    return {name: form for name, form in formats().items() if form.applies(result.study)}


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def unpacked(path):
    """A file's bytes without compression."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            return b"".join(archive.read(name) for name in archive.namelist())
    return path.read_bytes()


def test_a_format_that_applies_writes_whole_files_into_the_folder_and_no_other(result, tmp_path):
    for name, form in applying(result).items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "mine.txt").write_text("mine")
        before = contents(tmp_path)
        form.write(folder, result)
        after = contents(tmp_path)
        added = {path: after.pop(path) for path in after.keys() - before.keys()}
        assert after == before
        assert added, name
        assert all(path.startswith(f"{name}/") and not path.startswith(f"{name}/.") for path in added)
        assert all(added.values()), name


def test_blank_slices_have_a_place_and_nothing_in_it(result, tmp_path):
    for form in applying(result).values():
        form.write(tmp_path, result)
    explained = (~result.study.blank).tolist()
    for path in tmp_path.glob("*.nii.gz"):
        values = np.asarray(nib.load(path).dataobj)
        maps = values.reshape(*values.shape[:3], -1)  # of the only map, or of several
        assert maps.any(axis=(0, 1)).T.tolist() == [explained] * maps.shape[3]
    with np.load(tmp_path / "explanation.npz") as arrays:
        for map_name in NAMES:
            assert arrays[map_name].any(axis=(1, 2, 3)).tolist() == explained
    shown = {path.stem for path in tmp_path.glob("*.png")}
    if any(explained):
        assert shown >= {"input", *NAMES}
    else:
        assert shown == {"input"}


def test_a_format_that_does_not_apply_is_passed_over_and_alone_it_is_refused(result, tmp_path):
    task = Task(result.study.sources, Path("a"))
    for name in formats().keys() - applying(result).keys():
        with pytest.raises(InputError, match=rf"cannot be written as {name}\b[^.]*\. Choose others of"):
            write_study(result, task, tmp_path / name, [name])
        assert not (tmp_path / name / "a").exists()
        assert write_study(result, task, tmp_path / name, [name, "npz"])["files"] == ["explanation.npz"]


def test_a_study_of_each_kind_can_be_written(result):
    assert applying(result).keys() >= {"npz", "png"}


def test_volumes_are_written_of_what_lies_in_space_alone(result):
    for name in ("nifti", "nifti-4d"):
        assert formats()[name].applies(result.study) == (result.study.grid.affine is not None)


def test_no_two_formats_write_a_file_of_the_same_name_and_no_word_of_the_input_goes_along(result, tmp_path):
    written = []
    for name, form in applying(result).items():
        (tmp_path / name).mkdir()
        form.write(tmp_path / name, result)
        for path in (tmp_path / name).iterdir():
            written.append(path.name)
            assert form.names_patient or PATIENT not in unpacked(path)
    assert len(set(written)) == len(written)


def test_the_words_that_must_stay_behind_are_there_to_be_found(tmp_path):
    """Without this the test above could not fail."""
    for make in (a_volume, frames, a_series):
        (tmp_path / make.__name__).mkdir()
        made = make(tmp_path / make.__name__)
        path = made[0] if isinstance(made, list) else made
        assert PATIENT in unpacked(path)


def test_a_name_is_taken_once():
    with pytest.raises(ValueError, match="two formats are called 'npz'"):
        register("npz")(lambda folder, result: None)
