"""Files and folders are there whole or not at all."""

from __future__ import annotations

import shutil

import pytest

from tfadvpath.files import is_partial, remove_partials, replacing_file, replacing_folder


def test_a_file_appears_when_its_block_ends(tmp_path):
    path = tmp_path / "map.nii.gz"
    with replacing_file(path) as partial:
        assert partial.name.endswith(".nii.gz")
        partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_block_leaves_the_old_file(tmp_path):
    path = tmp_path / "map.png"
    path.write_text("old")

    def write_half():
        with replacing_file(path) as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_replaces_an_earlier_one_whole(tmp_path):
    folder = tmp_path / "a" / "study"
    for name in ("first", "second"):
        with replacing_folder(folder) as partial:
            (partial / name).touch()
    assert [path.name for path in folder.iterdir()] == ["second"]
    assert [path.name for path in folder.parent.iterdir()] == ["study"]
    assert folder.stat().st_mode & 0o555 == 0o555  # others may read it


def test_a_failed_block_leaves_the_old_folder(tmp_path):
    folder = tmp_path / "study"
    with replacing_folder(folder) as partial:
        (partial / "first").touch()

    def write_half():
        with replacing_folder(folder) as partial:
            (partial / "second").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert [path.name for path in folder.iterdir()] == ["first"]
    assert list(tmp_path.iterdir()) == [folder]


def test_an_interruption_while_the_earlier_folder_is_deleted_leaves_the_new_one(tmp_path, monkeypatch):
    folder = tmp_path / "study"
    with replacing_folder(folder) as partial:
        (partial / "first").touch()
    delete, calls = shutil.rmtree, []

    def interrupted(path, **options):
        calls.append(path)
        if len(calls) == 1:
            raise KeyboardInterrupt
        delete(path, **options)

    monkeypatch.setattr(shutil, "rmtree", interrupted)

    def replace():
        with replacing_folder(folder) as partial:
            (partial / "second").touch()

    with pytest.raises(KeyboardInterrupt):
        replace()
    assert [path.name for path in folder.iterdir()] == ["second"]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    kept = [tmp_path / name for name in (".hidden", ".12", "7.file.keras", "a/.git.keras")]
    left = [tmp_path / name for name in (".4711.file.keras", "a/.1.curves.png")]
    for path in kept + left:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with replacing_file(tmp_path / "file") as partial:
        assert is_partial(partial)
        partial.touch()
        remove_partials(tmp_path / "a")
        assert partial.exists()
    remove_partials(tmp_path)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in left)
