"""The objects of a study: which there are, that they are valid, in the study, and the same in every run."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage, XRayAngiographicImageStorage
from support.archive import a_series, an_xray, dciodvfy, explained, written
from support.broken_files import picture
from support.series import noise

from tfadvpath.batch.plan import Task
from tfadvpath.batch.results import write_study
from tfadvpath.errors import InputError
from tfadvpath.explanation import Explanation, PathExplanation, StudyExplanation
from tfadvpath.studies.study import read_study
from tfadvpath.writers.dicom.header import read_source
from tfadvpath.writers.dicom.made_by import MadeBy
from tfadvpath.writers.formats import formats


def frames(folder):
    values = np.stack([picture(), np.full((48, 40), 7), picture()[::-1]]).astype(np.uint8)
    return an_xray(folder, values, SOPClassUID=XRayAngiographicImageStorage, Modality="XA")


def one_slice(folder):
    return a_series(folder, noise(1, 24, 18))


def a_series_without_a_frame_of_reference(folder):
    return a_series(folder, FrameOfReferenceUID=None)


def a_series_at_one_place(folder):
    return a_series(folder, step=0.0)


def a_private_class(folder):
    return an_xray(folder, SOPClassUID="1.2.3.4.5")


def an_xray_of_a_side(folder):
    return an_xray(folder, BodyPartExamined="HAND", Laterality="L", PatientOrientation=["L", "F"])


def an_xray_of_no_side(folder):
    return an_xray(folder, BodyPartExamined="HAND")


def a_lossy_xray(folder):
    return an_xray(folder, LossyImageCompression="01", LossyImageCompressionMethod="ISO_10918_1")


def a_faulty_header(folder):
    return an_xray(
        folder,
        PatientAge="62",
        PatientSex="male",
        PatientBirthDate="1.1.1970",
        StudyDate="2025.01.02",
        StudyTime="10:11:12",
        AccessionNumber="x" * 20,
        BodyPartExamined="left hand",
        PatientOrientation=["RIGHT", "F"],
    )


MAP = ["parametric_map_difference", "parametric_map_fi_v2_smooth"]
OVERLAY = ["secondary_capture_difference", "secondary_capture_fi_v2_smooth"]
SYNTHETIC = ["synthetic_adversary", "synthetic_start"]
CASES = {
    a_series: [*MAP, "report", "segmentation", *SYNTHETIC],
    one_slice: [*MAP, "report", "segmentation", *SYNTHETIC],
    an_xray: ["report", *OVERLAY, "segmentation", *SYNTHETIC],
    an_xray_of_a_side: ["report", *OVERLAY, "segmentation", *SYNTHETIC],
    an_xray_of_no_side: ["report", *OVERLAY, "segmentation", *SYNTHETIC],
    a_lossy_xray: ["report", *OVERLAY, "segmentation", *SYNTHETIC],
    a_faulty_header: ["report", *OVERLAY, "segmentation", *SYNTHETIC],
    frames: ["report", *OVERLAY, *SYNTHETIC],
    a_series_without_a_frame_of_reference: ["report", *OVERLAY, *SYNTHETIC],
    a_series_at_one_place: ["report", *OVERLAY, *SYNTHETIC],
    a_private_class: ["report", *OVERLAY, *SYNTHETIC],
}


@pytest.mark.slow
@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_every_object_is_valid_in_the_sources_study_and_refers_to_its_series(make, tmp_path):
    result = explained(make(tmp_path / "in"))
    source = result.study.sources
    objects = written(tmp_path / "out", result)
    assert list(objects) == CASES[make]
    (series,) = {read.SeriesInstanceUID for read in _headers(source)}
    instances = {read.SOPInstanceUID for read in _headers(source)}
    for name, read in objects.items():
        assert dciodvfy(tmp_path / "out" / f"{name}.dcm") == [], name
        assert read.StudyInstanceUID == _headers(source)[0].StudyInstanceUID
        assert read.PatientID == "4711"
        assert read.SeriesInstanceUID != series
        assert "research use, not for diagnosis" in read.SeriesDescription
        if name != "report":
            assert read.ImageType[0] == "DERIVED"
            (reference,) = read.ReferencedSeriesSequence
            assert reference.SeriesInstanceUID == series
            named = {each.ReferencedSOPInstanceUID for each in reference.ReferencedInstanceSequence}
            assert named == instances
    assert len({read.SOPInstanceUID for read in objects.values()}) == len(objects)


def _headers(paths):
    return [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]


def test_dciodvfy_sees_a_fault(tmp_path):
    """Without this the test above could not fail."""
    (report,) = (read for name, read in _objects(tmp_path).items() if name == "report")
    del report.CompletionFlag
    report.PatientAge = "62"
    report.save_as(tmp_path / "broken.dcm")
    found = " ".join(dciodvfy(tmp_path / "broken.dcm"))
    assert "Completion" in found
    assert "Age" in found


def _objects(tmp_path):
    return written(tmp_path / "out", explained(an_xray(tmp_path / "in")))


@pytest.mark.slow
@pytest.mark.parametrize("make", [a_series, an_xray])
def test_a_second_run_writes_the_same_bytes(make, tmp_path):
    paths = make(tmp_path / "in")
    for out in ("first", "second"):
        written(tmp_path / out, explained(paths))
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert len(names) == 6
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name


@pytest.mark.slow
def test_an_identifier_follows_from_what_the_object_is_made_of(tmp_path):
    paths = a_series(tmp_path / "in")
    result = explained(paths)
    fewer = StudyExplanation(result.study, result.explanation.only(["difference"]), result.made_with)
    first = written(tmp_path / "1", result)
    other_bundle = written(tmp_path / "2", explained(paths, bundle="cd" * 32))
    other_formats = written(tmp_path / "3", explained(paths, formats=["dicom"]))
    one_map = written(tmp_path / "4", fewer)

    def identifier(objects, name):
        return objects[name].SOPInstanceUID

    for name in first:
        assert identifier(first, name) == identifier(other_formats, name)
        assert identifier(first, name) != identifier(other_bundle, name)
    assert identifier(first, MAP[0]) == identifier(one_map, MAP[0])
    assert identifier(first, "segmentation") != identifier(one_map, "segmentation")
    assert {read.SeriesInstanceUID for read in first.values()}.isdisjoint(
        read.SeriesInstanceUID for read in other_bundle.values()
    )


AUTO = {"steps": "auto", "tolerance": 0.05, "maps": ["fi_v2", "fi_v1"]}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"steps": 50}, {"steps": 20}, False),
        ({"precision": "float32"}, {"precision": "bfloat16"}, False),
        (AUTO, {**AUTO, "tolerance": 0.1}, False),
        (AUTO, {**AUTO, "maps": ["fi_v1", "fi_v2"]}, False),
        ({"steps": 50, "maps": ["fi_v2"]}, {"steps": 50, "maps": ["fi_v1"]}, True),
        ({"formats": ["dicom"]}, {"formats": ["dicom", "png"]}, True),
    ],
)
def test_objects_have_the_same_identifiers_where_the_settings_give_the_same_maps(one, other, same, tmp_path):
    source = read_source(explained(an_xray(tmp_path)).study)
    identifiers = [MadeBy(source, settings).uid("instance") for settings in (one, other)]
    assert (identifiers[0] == identifiers[1]) == same


def test_a_series_holds_objects_of_one_modality_and_numbers_them(tmp_path):
    by_series = {}
    for read in _objects(tmp_path).values():
        by_series.setdefault(read.SeriesInstanceUID, []).append(read)
    assert len(by_series) == 4
    for members in by_series.values():
        assert len({read.Modality for read in members}) == len({read.SeriesNumber for read in members}) == 1
        assert sorted(read.InstanceNumber for read in members) == list(range(1, len(members) + 1))


def test_the_bundle_is_named_by_what_a_run_writes(tmp_path):
    result = explained(an_xray(tmp_path / "in"))
    result = StudyExplanation(result.study, result.explanation)
    settings = {"method": "cyce", "bundle": "ef" * 32}
    record = write_study(result, Task(result.study.sources, Path("study")), tmp_path, ["dicom"], settings)
    assert record["files"] == sorted(f"{name}.dcm" for name in ["report", *OVERLAY, "segmentation"])
    (read,) = _headers([tmp_path / "study" / "segmentation.dcm"])
    (algorithm,) = read.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence
    assert algorithm.AlgorithmName == "tfadvpath cyce"
    assert "ef" * 32 in algorithm.AlgorithmParameters


def test_a_study_of_blank_slices_has_maps_of_zeros_and_no_report(tmp_path):
    study = read_study(a_series(tmp_path / "in", np.full((3, 24, 18), 7, np.int16)), (16, 16))
    nothing = PathExplanation.of_nothing((16, 16, 1), ["fi_v2_smooth"])
    objects = written(tmp_path / "out", StudyExplanation(study, nothing), "dicom")
    assert list(objects) == ["parametric_map_fi_v2_smooth", "segmentation"]
    for name, read in objects.items():
        assert not read.pixel_array.any()
        assert dciodvfy(tmp_path / "out" / f"{name}.dcm") == []


@pytest.mark.slow
def test_enhanced_multi_frame_images_have_maps_in_space(tmp_path):
    objects = written(tmp_path / "out", explained(enhanced(tmp_path / "in")))
    assert list(objects) == CASES[a_series]
    for name, read in objects.items():
        assert dciodvfy(tmp_path / "out" / f"{name}.dcm") == [], name
        assert name == "report" or read.NumberOfFrames % 3 == 0
    positions = [
        float(group.PlanePositionSequence[0].ImagePositionPatient[2])
        for group in objects[MAP[0]].PerFrameFunctionalGroupsSequence
    ]
    assert sorted(positions) == [0.0, 3.0, 6.0]


def enhanced(folder):
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [1.5, 0.75], 3
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    groups = []
    for height in (6, 3, 0):
        group, position = Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, height]
        group.PlanePositionSequence = [position]
        groups.append(group)
    return an_xray(
        folder,
        noise(3, 24, 18),
        SOPClassUID=EnhancedMRImageStorage,
        Modality="MR",
        FrameOfReferenceUID="1.2.3.4",
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=groups,
    )


def test_a_method_without_a_path_has_no_generated_images(tmp_path):
    result = explained(an_xray(tmp_path / "in"))
    plain = Explanation(result.study.images, {"map": result.study.images}, np.array([0.5], np.float32))
    result = StudyExplanation(result.study, plain, result.made_with)
    assert list(written(tmp_path, result, "dicom")) == ["report", "secondary_capture_map", "segmentation"]
    with pytest.raises(InputError, match="'dicom-synthetic' is of methods with a path"):
        formats()["dicom-synthetic"].write(tmp_path, result)


def test_what_is_no_dicom_gets_one_line(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), picture().astype(np.uint8))
    result = explained([tmp_path / "a.png"])
    with pytest.raises(InputError) as caught:
        write_study(result, Task(result.study.sources, Path("a")), tmp_path / "out", ["dicom"])
    assert "a.png: cannot be written as dicom, which takes DICOM files that name their study" in str(
        caught.value
    )


@pytest.mark.parametrize("name", ["StudyInstanceUID", "SeriesInstanceUID"])
def test_dicom_that_names_no_study_is_not_taken(name, tmp_path):
    study = read_study(an_xray(tmp_path, **{name: None}), (16, 16))
    assert not formats()["dicom"].applies(study)


def test_a_missing_package_is_said_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        formats()["dicom"].check_installed()
    assert str(caught.value) == "highdicom: is not installed. Run: pip install 'tfadvpath[dicom]'."


def test_dicom_is_written_on_request_alone():
    on_request = {name for name, form in formats().items() if form.on_request}
    assert on_request >= {"dicom", "dicom-synthetic"}


@pytest.mark.slow
def test_the_formats_are_listed_without_the_package():
    program = (
        "import sys; from tfadvpath.writers.formats import formats; formats()\n"
        "sys.exit('highdicom' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
