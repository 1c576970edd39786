"""Folders that test processes share: made once, whatever the number of processes that ask at once."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import shared
from support.shared import made_once, shared_folder

PROGRAM = """
import sys, time
from pathlib import Path
from support.shared import made_once

def make(folder):
    with Path(sys.argv[2]).open("a") as log:
        log.write("made\\n")
    time.sleep(0.5)
    (folder / "content").write_text("whole")

print((made_once(Path(sys.argv[1]), make) / "content").read_text())
"""


def test_processes_that_ask_at_once_get_one_folder_when_it_is_whole(tmp_path):
    command = [sys.executable, "-c", PROGRAM, tmp_path / "shared", tmp_path / "log"]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent)
        for _ in range(4)
    ]
    assert [process.communicate(timeout=60)[0] for process in running] == ["whole\n"] * 4
    assert (tmp_path / "log").read_text() == "made\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "shared", "shared.done"]


def test_a_failed_attempt_leaves_the_next_a_clean_start(tmp_path):
    def fail(folder):
        (folder / "half").touch()
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        made_once(tmp_path / "shared", fail)
    folder = made_once(tmp_path / "shared", lambda folder: (folder / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]


def test_a_lock_of_a_dead_process_ends_the_wait(tmp_path, monkeypatch):
    (tmp_path / "shared.lock").touch()
    monkeypatch.setattr(shared, "_LONGEST_WAIT", 0.1)
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match="did another process die"):
        made_once(tmp_path / "shared", lambda folder: None)
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize(("worker", "shares_parent"), [(None, False), ("gw1", True)])
def test_only_workers_share_what_lies_above_their_own_folder(
    tmp_path_factory, monkeypatch, worker, shares_parent
):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    if worker:
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
    base = tmp_path_factory.getbasetemp()
    assert shared_folder(tmp_path_factory) == (base.parent if shares_parent else base)
