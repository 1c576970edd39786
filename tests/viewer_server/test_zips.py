"""A zip file is unpacked within limits, or refused with a line."""

from __future__ import annotations

import io
import stat
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tfadvpath.errors import InputError
from tfadvpath.viewer_server import zips
from tfadvpath.viewer_server.zips import is_zip, unpack


def zipped(path: Path, entries: dict[str, bytes], **options) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", **options) as archive:
        warnings.simplefilter("ignore")  # names that come twice
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder


def refused(path: Path, folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        unpack(path, folder)
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(f"{path}: ")
    return said


def test_files_come_back_under_names_that_say_nothing(tmp_path, folder):
    names = {"JANE DOE/scan.dcm": b"a", "JANE DOE/deep/image": b"b", "x.NII.GZ": b"c"}
    found = unpack(zipped(tmp_path / "a.zip", {**names, "JANE DOE/": b""}), folder)
    assert [path.name for path in found] == ["file_00001.dcm", "file_00002", "file_00003.nii.gz"]
    assert list(found.values()) == list(names)
    assert [path.read_bytes() for path in found] == list(names.values())
    assert sorted(folder.iterdir()) == sorted(found)


def test_hidden_files_stay_behind(tmp_path, folder):
    path = zipped(tmp_path / "a.zip", {"__MACOSX/._a.dcm": b"a", ".DS_Store": b"b", "a.dcm": b"c"})
    assert list(unpack(path, folder).values()) == ["a.dcm"]


@pytest.mark.parametrize("name", ["../a.dcm", "a/../../b", "/etc/a", "..\\a", "\\\\host\\a", "C:\\a", "C:/a"])
def test_a_name_that_leads_out_is_refused(tmp_path, folder, name):
    said = refused(zipped(tmp_path / "a.zip", {"a.dcm": b"a", name: b"b"}), folder)
    assert "holds a file whose name leads out of its folder" in said
    assert [path for path in tmp_path.rglob("*") if path.is_file() and folder not in path.parents] == [
        tmp_path / "a.zip"
    ]


def test_a_link_is_refused(tmp_path, folder):
    entry = zipfile.ZipInfo("a.dcm")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    assert "holds a link" in refused(tmp_path / "a.zip", folder)


@pytest.mark.parametrize("name", ["b.zip", "b.dcm"])
def test_a_zip_file_in_a_zip_file_is_refused(tmp_path, folder, name):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.dcm", b"a")
    said = refused(zipped(tmp_path / "a.zip", {name: inner.getvalue()}), folder)
    assert "holds another zip file" in said


def test_a_bomb_is_refused_before_it_is_written(tmp_path, folder):
    bomb = {f"{n}.dcm": bytes(2**26) for n in range(12)}  # 768 MiB from 0.8 MB
    path = zipped(tmp_path / "a.zip", bomb, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**20
    assert "unpacks to more than 536,870,912 bytes" in refused(path, folder)
    assert list(folder.iterdir()) == []


def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(zips, "MOST_BYTES", 2**20)
    path = zipped(tmp_path / "a.zip", {"a.dcm": bytes(2**23)}, compression=zipfile.ZIP_DEFLATED)
    content = path.read_bytes().replace((2**23).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    path.write_bytes(content)
    # zipfile stops at the size that the file says, and then the sum is wrong.
    assert "is a damaged zip file" in refused(path, folder)
    assert sum(each.stat().st_size for each in folder.iterdir()) <= 2**20


def test_bytes_are_counted_as_they_are_written(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(zips, "MOST_BYTES", 5000)
    counted = []
    monkeypatch.setattr(zips, "_check_bytes", lambda path, unpacked, most: counted.append((unpacked, most)))
    unpack(zipped(tmp_path / "a.zip", {"a": bytes(3000), "b": bytes(4000)}), folder)
    assert counted == [(7000, 5000), (3000, 5000), (7000, 5000)]


def test_too_many_files_are_refused(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(zips, "MOST_ENTRIES", 10)
    path = zipped(tmp_path / "a.zip", {f"{n}": b"a" for n in range(11)})
    assert "holds 11 files, of at most 10" in refused(path, folder)
    assert list(folder.iterdir()) == []


def test_a_password_is_refused(tmp_path, folder):
    path = zipped(tmp_path / "a.zip", {"a.dcm": b"a"})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "has a password" in refused(path, folder)


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9])
def test_a_damaged_zip_file_is_refused(tmp_path, folder, cut):
    noise = np.random.default_rng(0).integers(0, 9, 5000, np.uint8).tobytes()
    path = zipped(tmp_path / "a.zip", {"a": noise}, compression=zipfile.ZIP_DEFLATED)
    whole = path.read_bytes()
    path.write_bytes(whole[: round(cut * len(whole))])
    assert "is a damaged zip file" in refused(path, folder)
    at = len(whole) // 2
    path.write_bytes(whole[:at] + bytes(40) + whole[at + 40 :])
    assert "is a damaged zip file" in refused(path, folder)


def test_an_empty_zip_file_is_refused(tmp_path, folder):
    path = zipped(tmp_path / "a.zip", {})
    assert is_zip(path)
    assert "holds no file" in refused(path, folder)


def test_a_zip_file_is_known_by_its_first_bytes(tmp_path):
    assert is_zip(zipped(tmp_path / "a.dcm", {"a": b"a"}))
    (tmp_path / "b.zip").write_bytes(b"P")
    assert not is_zip(tmp_path / "b.zip")
