"""The system, its memory and its temporary folder."""

from __future__ import annotations

import errno
import shutil
from collections import namedtuple

import pytest

import tfadvpath
from tfadvpath.doctor.machine import _platform_row, _python_row, memory_rows, room_rows, system_rows

GIB = 2**30
MEMINFO = "MemTotal:       16777216 kB\nMemFree:  100 kB\nMemAvailable:    {} kB\n"


@pytest.fixture
def meminfo(tmp_path):
    def write(available):
        (tmp_path / "meminfo").write_text(MEMINFO.format(available))
        return tmp_path / "meminfo"

    return write


def test_the_memory_is_in_gib(meminfo):
    rows = memory_rows(None, meminfo(8 * 1024**2))
    assert [(row.name, row.value, row.fault) for row in rows] == [
        ("total", 16.0, None),
        ("available", 8.0, None),
    ]


@pytest.mark.parametrize(("available", "limit"), [(1024**2, None), (8 * 1024**2, GIB)])
def test_little_memory_is_said_whoever_limits_it(meminfo, available, limit):
    fault = memory_rows(limit, meminfo(available))[1].fault
    assert fault.what == "1.0 GiB of memory can be used"
    assert not fault.is_needed


def test_a_system_that_does_not_say_is_no_fault(tmp_path):
    assert [row.shown for row in memory_rows(None, tmp_path / "none")] == ["unknown", "unknown"]


def test_a_full_temporary_folder_is_named(tmp_path, monkeypatch):
    assert room_rows(tmp_path)[0].value > 0
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("Use", "free")(5 * 2**20))
    [row] = room_rows(tmp_path)
    assert row.fault.what == f"{tmp_path} has 5 MiB left"


def test_no_temporary_folder_is_a_fault(monkeypatch):
    def fail():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", fail)
    [row] = room_rows()
    assert row.fault.is_needed


def test_the_system_is_this_one():
    rows = {row.name: row for row in system_rows()}
    assert rows["tfadvpath"].value == tfadvpath.__version__
    assert not any(row.fault for row in rows.values())


@pytest.mark.parametrize(("version", "wrong"), [((3, 10), True), ((3, 11), False), ((3, 14), True)])
def test_a_python_that_is_not_supported_is_a_fault(version, wrong):
    assert (_python_row("system", version).fault is not None) is wrong


def test_another_system_than_linux_is_a_fault():
    assert _platform_row("system", "Windows").fault.what == "the system is Windows"
