"""What is inherited has a form that the standard allows, or is left out."""

from __future__ import annotations

import pytest
from support.archive import STUDY, a_series, an_xray

from tfadvpath.errors import InputError
from tfadvpath.studies.study import read_study
from tfadvpath.writers.dicom.header import names_its_study, read_source


def source(paths):
    return read_source(read_study(paths, (16, 16)))


@pytest.mark.parametrize(
    ("name", "stored", "kept"),
    [
        ("PatientAge", "062Y", "062Y"),
        ("PatientAge", "62", None),
        ("PatientSex", "male", ""),
        ("PatientBirthDate", "19700101", "19700101"),
        ("PatientBirthDate", "1970.01.01", "19700101"),
        ("PatientBirthDate", "19701301", ""),
        ("StudyTime", "10:11:12", "101112"),
        ("StudyTime", "2500", ""),
        ("AccessionNumber", "x" * 17, ""),
        ("BodyPartExamined", "LEFT HAND", "LEFT HAND"),
        ("BodyPartExamined", "Thorax, frontal view", None),
        ("Laterality", "left", None),
        ("PatientOrientation", ["L", "F"], ["L", "F"]),
        ("PatientOrientation", ["LL", "F"], None),
        ("PatientOrientation", "L", None),
        ("PatientSize", "1.8", "1.8"),
        ("PatientName", "no caret", "no caret"),
    ],
)
def test_a_value_is_kept_mended_or_left_out(name, stored, kept, tmp_path):
    first = source(an_xray(tmp_path, **{name: stored})).first
    value = first.get(name)
    assert (value if value is None or isinstance(kept, list) else str(value)) == kept


@pytest.mark.parametrize(
    ("name", "characters"),
    [
        ("Müller^Jürgen", "ISO_IR 100"),
        ("Yamada^Tarou=山田^太郎", ["", "ISO 2022 IR 87"]),
        ("Иванов", "ISO_IR 192"),
    ],
)
def test_a_name_keeps_its_letters(name, characters, tmp_path):
    first = source(an_xray(tmp_path, SpecificCharacterSet=characters, PatientName=name)).first
    assert str(first.PatientName) == name


def test_nothing_else_is_inherited(tmp_path):
    first = source(
        an_xray(tmp_path, ImageComments="call 0151", OperatorsName="Roe^R", RequestedProcedureID="1")
    ).first
    assert "call" not in str(first)
    assert "Roe" not in str(first)


def test_slices_are_in_space_where_each_has_its_place(tmp_path):
    assert source(a_series(tmp_path / "1")).in_space
    assert not source(a_series(tmp_path / "2", FrameOfReferenceUID=None)).in_space
    assert not source(a_series(tmp_path / "3", step=0.0)).in_space
    assert not source(an_xray(tmp_path / "4", FrameOfReferenceUID="1.2.3")).in_space


def test_a_thickness_that_is_not_said_is_the_distance_of_slices(tmp_path):
    images = source(a_series(tmp_path, SliceThickness=None, step=2.5)).images
    assert [float(image.SliceThickness) for image in images] == pytest.approx([2.5] * 5)


def test_a_loss_without_a_ratio_gets_that_of_the_file(tmp_path):
    first = source(an_xray(tmp_path, LossyImageCompression="01")).first
    assert float(first.LossyImageCompressionRatio) == pytest.approx(1, abs=0.1)


def test_a_file_without_identifiers_is_said_by_its_name(tmp_path):
    paths = an_xray(tmp_path, StudyInstanceUID=None)
    assert not names_its_study(paths[0])
    with pytest.raises(InputError, match=r"xray\.dcm: lacks the DICOM attribute StudyInstanceUID"):
        source(paths)


def test_the_date_is_the_sources(tmp_path):
    found = source(an_xray(tmp_path / "1"))
    assert (found.date, found.time) == (STUDY["StudyDate"], STUDY["StudyTime"])
    undated = source(an_xray(tmp_path / "2", StudyDate=None))
    assert undated.date == "19000101"
