"""Versions, extras and conflicts of made-up packages."""

from __future__ import annotations

import pytest

from tfadvpath.doctor.packages import Packages, extra_rows, has_extra, package_rows

REQUIRES = (
    "numpy>=2",
    "keras>=3.15.1",
    "opencv-python-headless>=4.12",
    'highdicom>=0.28; extra == "dicom"',
    'dicomweb-client>=0.60; extra == "pacs"',
    'pynetdicom>=3.0; extra == "pacs"',
    'tensorflow[and-cuda]>=2.21; extra == "gpu"',
    'atheris>=3; (sys_platform == "plan9") and extra == "fuzz"',
)
EXTRAS = {"tfadvpath": ("gpu", "dicom", "pacs", "fuzz"), "tensorflow": ("and-cuda",)}
BASE = {"tfadvpath": ("0.1.0", REQUIRES), "numpy": "2.4.6", "opencv-python-headless": "5.0.0"}


def faults(rows):
    return [str(row.fault) for row in rows if row.fault is not None]


def named(rows):
    return {row.name: row for row in rows}


def test_a_whole_base_has_no_fault(installed):
    rows = package_rows(installed(BASE | {"keras": "3.15.1"}))
    assert faults(rows) == []
    assert [row.value for row in rows] == ["2.4.6", "3.15.1", "5.0.0", ()]


@pytest.mark.parametrize(
    ("keras", "fault"),
    [
        ({}, "keras is not installed: tfadvpath needs it. pip install 'keras>=3.15.1'"),
        (
            {"keras": "2.15.0"},
            "keras is 2.15.0: tfadvpath needs >=3.15.1. pip install 'keras>=3.15.1'",
        ),
        ({"keras": "of my own"}, "keras is of my own: tfadvpath needs >=3.15.1. pip install 'keras>=3.15.1'"),
    ],
)
def test_a_package_that_is_missing_or_too_old_is_named_with_the_command(installed, keras, fault):
    rows = package_rows(installed(BASE | keras))
    assert faults(rows) == [fault]
    assert named(rows)["keras"].fault.is_needed


def test_a_release_candidate_of_a_later_version_will_do(installed):
    assert faults(package_rows(installed(BASE | {"keras": "3.16.0rc1"}))) == []


def test_names_are_the_same_in_every_spelling(installed):
    packages = installed({"Typing_Extensions": "4.0"})
    assert packages.version("typing-extensions") == packages.version("typing.extensions") == "4.0"


def test_metadata_without_a_version_is_a_package_that_is_not_there(tmp_path):
    (tmp_path / "keras-3.dist-info").mkdir()
    (tmp_path / "keras-3.dist-info" / "METADATA").write_text("Name: keras\n")
    assert Packages([str(tmp_path)]).version("keras") is None


def test_extras_are_complete_half_there_or_not_there(installed):
    packages = installed(
        BASE | {"keras": "3.15.1", "highdicom": "0.28.2", "pynetdicom": "3.0.4", "tensorflow": "2.21"}, EXTRAS
    )
    rows = named(extra_rows(packages))
    assert rows["dicom"].value is True
    assert rows["pacs"].value == ("dicomweb-client",)
    assert rows["pacs"].shown == "lacks dicomweb-client: pip install 'tfadvpath[pacs]'"
    assert rows["fuzz"].shown == "asks for nothing on this machine"
    assert faults(rows.values()) == []
    assert has_extra(packages, "dicom")
    assert not has_extra(packages, "pacs")


def test_an_extra_asks_for_the_extras_of_its_packages(installed):
    needs = ("numpy>=1.26", 'nvidia-cudnn-cu12>=9.3; extra == "and-cuda"')
    packages = installed(BASE | {"keras": "3.15.1", "tensorflow": ("2.21.0", needs)}, EXTRAS)
    assert named(extra_rows(packages))["gpu"].value == ("nvidia-cudnn-cu12",)
    more = installed({"nvidia-cudnn-cu12": "9.4"})
    assert has_extra(more, "gpu")


def test_an_extra_with_a_package_too_old_is_a_fault_that_the_base_can_live_with(installed):
    rows = extra_rows(installed(BASE | {"keras": "3.15.1", "highdicom": "0.20"}, EXTRAS))
    assert faults(rows) == ["highdicom is 0.20: the extra dicom needs >=0.28. pip install 'tfadvpath[dicom]'"]
    assert not named(rows)["dicom"].fault.is_needed


def test_a_conflict_below_a_dependency_is_found(installed):
    needs = ("protobuf>=6.31.1,<8", "ml-dtypes>=0.5")
    rows = package_rows(
        installed(BASE | {"keras": ("3.15.1", needs), "protobuf": "5.29.0", "ml-dtypes": "0.6.0"})
    )
    assert faults(rows) == [
        "protobuf is 5.29.0: keras 3.15.1 needs <8,>=6.31.1. pip install 'protobuf<8,>=6.31.1'"
    ]


def test_a_package_that_is_none_of_tfadvpath_s_may_have_its_conflicts(installed):
    rows = package_rows(installed(BASE | {"keras": "3.15.1", "old-tool": ("1.0", ("numpy<2",))}))
    assert faults(rows) == []


def test_circles_of_requirements_end(installed):
    circle = {"keras": ("3.15.1", ("rich",)), "rich": ("1", ("keras",))}
    assert faults(package_rows(installed(BASE | circle))) == []


def test_two_builds_of_opencv_are_a_fault_that_the_base_can_live_with(installed):
    rows = package_rows(installed(BASE | {"keras": "3.15.1", "opencv-python": "5.0.0"}))
    [fault] = faults(rows)
    assert fault.startswith("opencv-python-headless and opencv-python are installed together: ")
    assert "pip uninstall --yes opencv-python-headless opencv-python" in fault
    assert not named(rows)["OpenCV"].fault.is_needed


def test_plain_opencv_alone_gives_the_same_import(installed):
    plain = {name: about for name, about in BASE.items() if name != "opencv-python-headless"}
    rows = package_rows(installed(plain | {"keras": "3.15.1", "opencv-python": "5.0.0"}))
    assert faults(rows) == []
    assert named(rows)["opencv-python-headless"].shown == (
        "5.0.0, by opencv-python, which gives the same import"
    )


def test_a_source_tree_that_nobody_installed_is_said(installed):
    assert faults(package_rows(installed({"numpy": "2.4.6"}))) == [
        "tfadvpath is not installed, only on the path: what it needs is not known. pip install tfadvpath"
    ]


def test_the_metadata_of_this_installation_names_every_extra():
    names = set(Packages().extras("tfadvpath"))
    assert {"gpu", "serving", "dicom", "pacs", "ray", "viewer", "signing", "test"} <= names
