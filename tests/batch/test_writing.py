"""Results are written by processes of their own as by one alone: in order, once, and whatever ends."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support.broken_files import nifti_bytes, png_bytes
from support.explanations import NAMES, KnownExplainer, explanation_of

import tfadvpath.batch.writing
from tfadvpath.batch.outcomes import Failure, Success
from tfadvpath.batch.plan import Task, plan
from tfadvpath.batch.recording import WriteResults
from tfadvpath.batch.run import run_tasks
from tfadvpath.batch.writer_process import WriterProcess
from tfadvpath.batch.writing import Writing
from tfadvpath.errors import InputError, UnforeseenError
from tfadvpath.explanation import StudyExplanation
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.study import Study
from tfadvpath.writers import formats

# Seconds that a process may take to start on a machine that does much else.
LONG = 120


@pytest.fixture
def troubled():
    """Registers the format of support.troubled_writers for one test."""
    known = dict(formats._FORMATS)
    formats.formats()
    importlib.import_module("support.troubled_writers")
    yield
    sys.modules.pop("support.troubled_writers")
    formats._FORMATS.pop("troubled")
    assert formats._FORMATS.keys() >= known.keys() - {"troubled"}


def explained(folder: Path, name: str, images: int = 1) -> tuple[Task, StudyExplanation, float]:
    """A study of the file of that name, as it is added to Writing."""
    pixels = np.random.default_rng(0).random((images, 8, 8, 1)).astype(np.float32)
    study = Study((folder / name,), pixels, np.zeros(images, bool), Grid((images, 8, 8)))
    return Task(study.sources, Path(name)), StudyExplanation(study, explanation_of(pixels)), 0.0


def started(tmp_path: Path, names=("troubled",), processes=1, images=100) -> Writing:
    """Studies that are written into tmp_path/out; what is noted are the task's name and what became of it."""
    (tmp_path / "out").mkdir(exist_ok=True)
    write = WriteResults(tmp_path / "out", NAMES, list(names), {})
    return Writing(write, lambda task, result, done: (task.name.name, done), processes, images)


def until(is_so) -> None:
    deadline = time.monotonic() + LONG
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def tries(folder: Path, name: str) -> int:
    path = (folder / name).with_suffix(".tried")
    return path.stat().st_size if path.exists() else 0


def writer_of(out: Path, name: str) -> int:
    return int((out / name / "trouble.txt").read_text())


def leftovers(out: Path) -> list[Path]:
    return [path for path in out.rglob(".*") if path.name.startswith(".tfadvpath-")]


def test_results_and_their_order_are_those_of_one_process(tmp_path):
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    for i in range(12):
        (tmp_path / "in" / f"{i:02d}.png").write_bytes(png_bytes(rng.integers(0, 256, (20, 24)).astype("u1")))
    (tmp_path / "in" / "03.png").write_bytes(b"")
    (tmp_path / "in" / "05.nii").write_bytes(nifti_bytes(rng.normal(size=(9, 9, 5))))
    found = []
    for writers in (0, 3):
        out = tmp_path / f"out_{writers}"
        out.mkdir()
        tasks = plan([tmp_path / "in"], out).tasks
        outcomes = list(
            run_tasks(KnownExplainer(), tasks, (16, 16), out, NAMES, ("png", "npz", "nifti"), writers=writers)
        )
        assert [outcome.task for outcome in outcomes] == tasks
        assert [type(one) for one in outcomes] == [Success] * 3 + [Failure] + [Success] * 9
        assert all(len(one.result.explanation.maps) == 4 for one in outcomes if isinstance(one, Success))
        files = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
        found.append((files, [getattr(one, "record", None) for one in outcomes]))
    assert found[0] == found[1]


@pytest.mark.parametrize("writers", [0, 1])
def test_the_page_of_a_study_says_what_is_to_be_known_of_all_maps(tmp_path, writers):
    (tmp_path / "in").mkdir()
    for i in range(2):
        pixels = np.random.default_rng(i).integers(0, 256, (20, 24)).astype("u1")
        (tmp_path / "in" / f"{i}.png").write_bytes(png_bytes(pixels))
    out = tmp_path / "out"
    out.mkdir()
    said = "The adversaries of this bundle are blurred."
    tasks = plan([tmp_path / "in"], out).tasks
    options = {"writers": writers, "remarks": [said]}
    outcomes = list(run_tasks(KnownExplainer(), tasks, (16, 16), out, NAMES, ("html",), **options))
    assert len(outcomes) == 2
    for outcome in outcomes:
        [page] = (out / outcome.task.name).glob("*.html")
        assert said in page.read_text(encoding="utf-8")


def test_a_slow_study_keeps_the_order(troubled, tmp_path):
    names = ["a_slow.png", *(f"{i}.png" for i in range(8))]
    with started(tmp_path, processes=2) as writing:
        noted = [each for name in names for each in writing.add(*explained(tmp_path, name))]
        until(lambda: tries(tmp_path, "a_slow.png"))
        noted += writing.rest()
    assert [name for name, _ in noted] == names
    assert writer_of(tmp_path / "out", "a_slow.png") != os.getpid()


def test_a_study_over_which_a_process_ends_is_tried_again_by_a_new_one(troubled, tmp_path):
    names = ["dies_once.png", "dies.png", "good.png"]
    with started(tmp_path) as writing:
        assert not [each for name in names for each in writing.add(*explained(tmp_path, name))]
        until(lambda: tries(tmp_path, "good.png"))
        noted = dict(writing.rest())
    assert [tries(tmp_path, name) for name in names] == [2, 2, 1]
    assert str(noted.pop("dies.png")) == (
        f"{tmp_path / 'dies.png'}: was written 2 times when the process that draws and writes ended "
        "(SIGKILL), as for want of memory. Lower `workers`, or crop or shrink it; if that does not help, "
        "please report it."
    )
    assert all(isinstance(done, tuple) for done in noted.values())
    assert {writer_of(tmp_path / "out", name) for name in noted}.isdisjoint({os.getpid()})
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["dies_once.png", "good.png"]


def test_an_error_that_nobody_foresaw_costs_its_study(troubled, tmp_path):
    with started(tmp_path) as writing:
        for name in ("faulty.png", "good.png"):
            list(writing.add(*explained(tmp_path, name)))
        until(lambda: tries(tmp_path, "good.png"))
        noted = dict(writing.rest())
    error = noted["faulty.png"]
    assert isinstance(error, UnforeseenError)
    assert str(error) == (
        f"{tmp_path / 'out' / 'faulty.png'}: led to an unforeseen error (KeyError), which is a fault of "
        "tfadvpath. Please report it."
    )
    assert "write_troubled" in error.trace
    assert "FAULTY" not in error.trace  # the text of an exception may quote a header
    assert isinstance(noted["good.png"], tuple)


@pytest.mark.parametrize("processes", [0, 1, 2])
def test_no_more_images_are_held_than_may_be(troubled, tmp_path, processes):
    counts = [1, 3, 8, 1, 1, 20, 1, 5, 4, 2, 2, 2, 8]
    held, noted = [], 0
    with started(tmp_path, processes=processes, images=8) as writing:
        for number, count in enumerate(counts):
            noted += len(list(writing.add(*explained(tmp_path, f"{number}.png", count))))
            held.append(sum(counts[noted : number + 1]))
        noted += len(list(writing.rest()))
    assert noted == len(counts)
    assert max(held) <= (20 if processes else 0)
    assert all(images <= 8 or images == 20 for images in held)


def test_an_end_waits_for_what_is_being_written_and_drops_the_rest(troubled, tmp_path):
    noted = []
    writing = started(tmp_path)
    writing._note = lambda task, result, done: noted.append(task.name.name)
    with writing:
        for name in ("slow.png", "never.png"):
            list(writing.add(*explained(tmp_path, name)))
        until(lambda: tries(tmp_path, "slow.png"))
    assert noted == ["slow.png"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["slow.png"]
    assert not [thread for thread in writing._threads if thread.is_alive()]


def test_what_does_not_come_to_its_end_is_discarded_whole(troubled, tmp_path, monkeypatch):
    monkeypatch.setattr(tfadvpath.batch.writing, "_STOP_LIMIT", 0.1)
    with started(tmp_path) as writing:
        list(writing.add(*explained(tmp_path, "endless.png")))
        until(lambda: tries(tmp_path, "endless.png"))
        assert leftovers(tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_process_heeds_no_signal_of_the_terminal(troubled, tmp_path):
    (tmp_path / "out").mkdir()
    process = WriterProcess(WriteResults(tmp_path / "out", NAMES, ["troubled"], {}))
    assert process.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        process._process.send_signal(number)
    task, result, _ = explained(tmp_path, "good.png")
    assert isinstance(process.write(result, task, 0.0), tuple)
    process.close()
    assert process._process.poll() == -signal.SIGKILL


def test_a_process_ends_with_the_one_that_started_it_however_that_ends(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from tfadvpath.batch.recording import WriteResults\n"
        "from tfadvpath.batch.writer_process import WriterProcess\n"
        "process = WriterProcess(WriteResults(Path(sys.argv[1]), [], ['npz'], {}))\n"
        "assert process.start(); print(process._process.pid, flush=True); time.sleep(3600)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        parent.kill()
    until(lambda: not Path(f"/proc/{pid}").exists() or " Z " in Path(f"/proc/{pid}/stat").read_text())


def test_a_format_that_a_process_does_not_know_is_written_here(tmp_path, monkeypatch):
    def write(folder, result):
        (folder / "mine.txt").write_text(str(os.getpid()))

    formats.formats()
    monkeypatch.setitem(formats._FORMATS, "mine", formats.Format("mine", write, lambda study: True))
    with started(tmp_path, names=["mine"]) as writing:
        list(writing.add(*explained(tmp_path, "a.png")))
        for thread in writing._threads:
            thread.join(LONG)  # its process cannot help
        [(_, done)] = writing.rest()
    assert isinstance(done, tuple)
    assert (tmp_path / "out" / "a.png" / "mine.txt").read_text() == str(os.getpid())


def test_an_explanation_of_a_class_that_a_process_does_not_know_is_written_here(troubled, tmp_path):
    class Mine(type(explanation_of(np.ones((1, 8, 8, 1), np.float32)))):
        pass

    task, result, seconds = explained(tmp_path, "a.png")
    mine = StudyExplanation(result.study, Mine(**vars(result.explanation)))
    with started(tmp_path) as writing:
        list(writing.add(task, mine, seconds))
        for thread in writing._threads:
            thread.join(LONG)
        [(_, done)] = writing.rest()
    assert isinstance(done, tuple)
    assert writer_of(tmp_path / "out", "a.png") == os.getpid()


@pytest.mark.parametrize("program", ["/bin/false", "/no/program"])
def test_where_no_process_starts_all_is_written_here(troubled, tmp_path, monkeypatch, program):
    monkeypatch.setattr(sys, "executable", program)
    with started(tmp_path, processes=2) as writing:
        noted = [each for name in "ab" for each in writing.add(*explained(tmp_path, name))]
        noted += writing.rest()
    assert [isinstance(done, tuple) for _, done in noted] == [True, True]


def test_a_study_alone_starts_no_process(tmp_path, monkeypatch):
    monkeypatch.setattr(tfadvpath.batch.writing, "WriterProcess", pytest.fail)
    (tmp_path / "a.png").write_bytes(png_bytes(np.arange(64, dtype=np.uint8).reshape(8, 8)))
    (tmp_path / "out").mkdir()
    tasks = plan([tmp_path / "a.png"], tmp_path / "out").tasks
    [outcome] = run_tasks(KnownExplainer(), tasks, (8, 8), tmp_path / "out", NAMES, ("npz",), writers=4)
    assert isinstance(outcome, Success)


def test_what_was_explained_before_an_error_that_ends_the_run_is_written(tmp_path):
    class Full(KnownExplainer):
        def explain(self, images, on_batch=None):
            if len(self.batches) == 1:
                raise InputError("`batch_size`", "4 images do not fit into memory", "Give a smaller number")
            return super().explain(images, on_batch)

    (tmp_path / "in").mkdir()
    for i in range(8):
        (tmp_path / "in" / f"{i}.png").write_bytes(png_bytes(np.arange(64, dtype=np.uint8).reshape(8, 8)))
    (tmp_path / "out").mkdir()
    tasks = plan([tmp_path / "in"], tmp_path / "out").tasks
    outcomes = run_tasks(Full(), tasks, (8, 8), tmp_path / "out", NAMES, ("npz",), writers=1)
    noted = []
    with pytest.raises(InputError, match="do not fit into memory"):
        noted.extend(outcomes)  # a list keeps what came before the error
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{i}.png" for i in range(4)]


def test_a_process_that_writes_needs_no_tensorflow():
    code = (
        "import sys, tfadvpath.batch.writer_worker as w; w.formats(); sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
