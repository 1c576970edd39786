"""A folder of 240 studies and of 60 or more files that are broken in every way that is known."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.hostile_folder import GOOD, write_hostile_folder
from support.tiny import write_tiny_bundle

# Between runs of 48 and 300 studies: rows of the ledger are kept, images are not. The end of a run takes
# 50 MB, since what writes the ledger's table is imported there: both runs have it.
_GROWTH = 64 * 2**20


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def run(place):
    """The command's exit code, lines and results, and the most memory that it had."""
    write_tiny_bundle(place / "tiny")
    reasons = write_hostile_folder(place / "in")
    code, peak = _explain(place, place / "in", "out")
    lines = (place / "out.stderr").read_bytes().decode(errors="surrogateescape").splitlines()
    return code, lines, place, reasons, peak


def _explain(place: Path, source: Path, out: str) -> tuple[int, int]:
    """Runs the command, and gives its exit code and the most memory that it had, in bytes."""
    command = [sys.executable, "-m", "tfadvpath", "explain", str(source), "--out", str(place / out)]
    command += ["--bundle", str(place / "tiny"), "--method", "gradient", "--format", "npz", "--json"]
    peak = 0
    with (place / f"{out}.stdout").open("wb") as stdout, (place / f"{out}.stderr").open("wb") as stderr:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
        while process.poll() is None:
            peak = max(peak, _resident(process.pid))
            time.sleep(0.02)
    return process.returncode, peak


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


@pytest.mark.slow
def test_all_that_can_be_explained_is_explained(run):
    code, _, place, reasons, _ = run
    summary = json.loads((place / "out.stdout").read_text())
    assert (summary["explained"], summary["failed"], summary["waiting"]) == (GOOD, len(reasons), 0)
    assert code == 1
    found = {path.parent.relative_to(place / "out").as_posix() for path in place.glob("out/**/study.json")}
    assert found == {study["folder"] for study in summary["studies"]}
    assert len(found) == GOOD
    assert not [path for path in place.glob("out/**/.*") if path.is_dir()]


@pytest.mark.slow
def test_each_broken_file_gets_one_line_that_says_what_is_wrong(run):
    _, lines, place, reasons, _ = run
    for name, reason in reasons.items():
        shown = f"{place / 'in' / name}: ".encode(errors="replace").decode()  # a name may be no UTF-8
        of_this = [line for line in lines if line.startswith(shown)]
        assert len(of_this) == 1, (name, of_this)
        assert reason in of_this[0]
        assert re.fullmatch(r".*[^.]\. [A-Z].*\.", of_this[0]), of_this[0]
    assert not [line for line in lines if "Traceback" in line or "fault of tfadvpath" in line]
    summary = json.loads((place / "out" / "summary.json").read_text())
    named = {name.encode(errors="surrogateescape").decode(errors="backslashreplace") for name in reasons}
    assert {error["source"] for error in summary["errors"]} == {str(place / "in" / name) for name in named}


@pytest.mark.slow
def test_memory_does_not_grow_with_the_studies(run):
    *_, place, _, peak = run
    code, peak_of_one_ward = _explain(place, place / "in" / "ward_0", "out_of_one_ward")
    assert code == 0
    assert peak - peak_of_one_ward < _GROWTH
