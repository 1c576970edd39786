"""Files and folders are there whole or not at all."""

from __future__ import annotations

import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from tfadvpath.errors import InputError
from tfadvpath.files import (
    is_partial,
    only_writer,
    remove_partials,
    replacing_file,
    replacing_folder,
    write_json,
)


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
    left = [tmp_path / name for name in (f".tfadvpath-{16 * 'a'}.keras", f"a/.tfadvpath-{8 * '01'}")]
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


def test_two_runs_do_not_write_to_one_folder(tmp_path):
    with only_writer(tmp_path):
        refused = pytest.raises(InputError, match=r"is written to by another run \(process \d+ on ")
        with refused, only_writer(tmp_path):
            pass
        (tmp_path / "inside").mkdir()
        with only_writer(tmp_path / "inside"):
            pass
    assert list(tmp_path.iterdir()) == [tmp_path / "inside"]
    with only_writer(tmp_path):
        pass


def test_a_lock_names_its_process_and_ends_with_it_however_it_ends(tmp_path):
    holder = (
        "import sys, time; from pathlib import Path; from tfadvpath.files import only_writer\n"
        "with only_writer(Path(sys.argv[1])): print('locked', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", holder, str(tmp_path)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"locked\n"
            since = r"since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC"
            holds = rf"process {process.pid} on \S+, {since}"
            says = rf"^{tmp_path}: is written to by another run \({holds}\)\. Wait for it, or name another"
            with pytest.raises(InputError, match=says), only_writer(tmp_path):
                pass
        finally:
            process.send_signal(signal.SIGKILL)
    assert (tmp_path / ".tfadvpath-lock").exists()
    with only_writer(tmp_path):
        assert f"process {os.getpid()} on " in (tmp_path / ".tfadvpath-lock").read_text()
    assert not list(tmp_path.iterdir())


def test_many_writers_at_once_lose_nothing(tmp_path):
    def write(_):
        for _ in range(40):
            with replacing_file(tmp_path / "file.txt") as partial:
                partial.write_text("whole")

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert (tmp_path / "file.txt").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


@pytest.mark.parametrize(
    "name", [251 * "n" + ".png", "\N{GREEK SMALL LETTER PI}" * 120, "\udcff.png", "a" * 255]
)
def test_names_may_be_as_long_as_the_file_system_takes(tmp_path, name):
    with replacing_file(tmp_path / name) as partial:
        partial.write_text("x")
    assert os.fsencode(next(tmp_path.iterdir()).name) == os.fsencode(name)
    (tmp_path / name).unlink()
    with replacing_folder(tmp_path / name) as partial:
        (partial / "x").touch()
    with replacing_folder(tmp_path / name) as partial:
        (partial / "y").touch()
    assert [path.name for path in (tmp_path / name).iterdir()] == ["y"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("a\udcff.png", "a\\xff.png"), ("ä😀", "ä😀"), ("\\udcff", "\\udcff"), ("\ud800", "\\ud800")],
)
def test_json_holds_every_name_in_a_form_that_every_parser_takes(tmp_path, name, text):
    write_json(tmp_path / "a.json", {"files": [{name: name}], "n": 1, "none": None})
    content = (tmp_path / "a.json").read_bytes()
    values = json.loads(content.decode("ascii"))
    assert values == {"files": [{text: text}], "n": 1, "none": None}
    json.dumps(values, ensure_ascii=False).encode("utf-8")  # no half of a pair is in it


def test_what_is_written_is_on_the_disk_before_its_name_is_there(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (events.append("fsync"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda *names: (events.append("rename"), replace(*names)))
    write_json(tmp_path / "a.json", {})
    assert events == ["fsync", "rename", "fsync"]
