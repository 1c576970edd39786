"""Files that are sent, and those that never leave: damaged ones, links, and what does not say what it is."""

from __future__ import annotations

import os

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian
from support.archives import WORDS, write_object

from tfadvpath.errors import InputError
from tfadvpath.pacs.instances import find_files, read_instance
from tfadvpath.studies.readers import quiet


def refused(path):
    with pytest.raises(InputError) as error:
        read_instance(path)
    line = str(error.value)
    assert line.startswith(f"{path}: ")
    assert len(line.splitlines()) == 1
    assert not [word for word in WORDS if word in line.lower()]
    return line


def test_a_folder_gives_its_dicom_files_and_no_other(results):
    inner = results / "inner"
    write_object(inner / "without_an_ending")
    write_object(inner / ".tfadvpath-0123456789abcdef" / "half.dcm")
    write_object(results / ".hidden.dcm")
    (results / "text.dcm").write_text("no DICOM, but it is called so")
    (results / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    os.mkfifo(results / "pipe.dcm")  # reading it would not end
    found = find_files(results)
    names = [path.relative_to(results).as_posix() for path in found.files]
    assert names == ["a.dcm", "b.dcm", "c.dcm", "text.dcm", "inner/without_an_ending"]
    assert set(found.files.values()) == {False}
    assert found.links == []


def test_no_link_in_a_folder_is_followed(results, tmp_path):
    other = write_object(tmp_path / "other" / "of_another_patient.dcm")
    (results / "link.dcm").symlink_to(other)
    (results / "folder").symlink_to(other.parent)
    (results / "circle").symlink_to(results)
    found = find_files(results)
    assert [path.name for path in found.files] == ["a.dcm", "b.dcm", "c.dcm"]
    assert sorted(path.name for path in found.links) == ["circle", "folder", "link.dcm"]
    assert find_files(results / "link.dcm").files == {results / "link.dcm": True}  # who names it means it


def test_each_file_is_there_once(results):
    found = find_files([results / "b.dcm", results, results / "c.dcm"])
    assert {path.name: named for path, named in found.files.items()} == {
        "b.dcm": True,
        "a.dcm": False,
        "c.dcm": True,
    }


def test_a_folder_that_cannot_be_listed_is_an_error(results, monkeypatch):
    (results / "inner").mkdir()
    listed = os.scandir

    def scandir(path):
        if str(path).endswith("inner"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(InputError, match=r"inner: cannot be listed \(Permission denied\)"):
        find_files(results)


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_what_an_archive_has_to_know_is_read(tmp_path, syntax):
    path = write_object(tmp_path / "a.dcm")
    wanted = pydicom.dcmread(path)
    if syntax is not None:
        wanted.file_meta.TransferSyntaxUID = syntax
        wanted.save_as(path, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    instance = read_instance(path)
    assert instance.uid == wanted.SOPInstanceUID
    assert instance.sop_class == wanted.SOPClassUID
    assert instance.syntax == wanted.file_meta.TransferSyntaxUID
    assert instance.size == path.stat().st_size
    assert not instance.is_synthetic


@pytest.mark.parametrize("name", ["SeriesDescription", "ImageComments", "DerivationDescription"])
def test_a_generated_image_is_known_by_each_of_its_descriptions(tmp_path, name):
    path = write_object(tmp_path / "a.dcm", **{name: "syce SYNTHETIC images"})
    assert read_instance(path).is_synthetic


@pytest.mark.parametrize("name", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
def test_a_file_that_does_not_say_what_it_is_is_refused(tmp_path, name):
    path = write_object(tmp_path / "a.dcm")
    dataset = pydicom.dcmread(path)
    delattr(dataset, name)
    dataset.save_as(path)
    assert f"lacks the DICOM attribute {name}" in refused(path)
    with quiet():
        setattr(dataset, name, "Zebra.1931")
        dataset.save_as(path)
    assert f"has no valid identifier in {name}" in refused(path)


def test_a_file_header_of_another_file_is_refused(tmp_path):
    path = write_object(tmp_path / "a.dcm")
    dataset = pydicom.dcmread(path)
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.save_as(path)
    assert "MediaStorageSOPInstanceUID is not that of its data set" in refused(path)


def test_hostile_and_broken_files_are_one_line(tmp_path):
    whole = write_object(tmp_path / "whole.dcm").read_bytes()
    broken = {
        "empty.dcm": (b"", "is empty (0 bytes)"),
        "text.dcm": (b"Zebra^Quagga" * 100, "is not a DICOM file"),
        "magic_alone.dcm": (bytes(128) + b"DICM", "lacks the DICOM attribute"),
        "no_header.dcm": (whole[whole.index(b"\x08\x00\x16\x00") :], "has no DICOM file header"),
        "cut_in_header.dcm": (whole[:300], "is truncated or damaged"),
        "cut_in_pixels.dcm": (whole[:-100], "is truncated: its PixelData lacks 100 bytes"),
        "noise.dcm": (whole[:132] + bytes(range(256)) * 40, ""),
    }
    for name, (content, reason) in broken.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert reason in refused(path), name
    assert "does not exist" in refused(tmp_path / "missing.dcm")
    os.mkfifo(tmp_path / "pipe")
    assert "is no file" in refused(tmp_path / "pipe")
