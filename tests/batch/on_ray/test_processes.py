"""The processes of a cluster that read and explain, as objects of this one."""

from __future__ import annotations

import json
import os
import pickle
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from support.broken_files import png_bytes
from support.explanations import KnownExplainer
from support.misreaders import read as misread

import tfadvpath.batch.on_ray.place
from tfadvpath.batch.job import Job
from tfadvpath.batch.on_ray.explaining import Explaining, Given
from tfadvpath.batch.on_ray.place import Place
from tfadvpath.batch.on_ray.reading import Reading
from tfadvpath.batch.plan import plan
from tfadvpath.batch.reading import Earlier, request_of
from tfadvpath.errors import InputError
from tfadvpath.studies.study import read_study

SIZE = (16, 16)
JOB = Job(SIZE, None, 4, ["fi_v1"], ["npz"], {"method": "syce"}, ())


def prepared():
    return KnownExplainer(4), JOB


def refused():
    raise InputError("`method`", "is none of this bundle", "Choose another")


@pytest.fixture
def place(tmp_path):
    (tmp_path / "out").mkdir()
    mark = tmp_path / "out" / ".mark"
    mark.touch()
    return Place(Path.cwd(), tuple(sys.path), mark, 2**33, 60.0)


@pytest.fixture
def given(tmp_path):
    """Three images."""
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    for name in "abc":
        values = rng.integers(0, 256, (20, 24)).astype(np.uint8)
        (tmp_path / "in" / f"{name}.png").write_bytes(png_bytes(values))
    tasks = plan([tmp_path / "in"], tmp_path / "out").tasks
    return [Given(task, request_of(task, SIZE, None, tmp_path / "out", None), None) for task in tasks]


def started(place, monkeypatch, prepare=prepared):
    # Pickle knows a function by its module, and a test's has no name that can be imported.
    monkeypatch.setattr("tfadvpath.batch.on_ray.explaining.pickle.loads", lambda _: prepare)
    process = Explaining(place, b"")
    return process, process.start()


def results(out):
    return {path.relative_to(out): path.read_bytes() for path in out.rglob("*.npz")}


def test_a_second_try_reads_the_studies_itself(place, given, monkeypatch):
    process, job = started(place, monkeypatch)
    assert job is JOB
    studies = [read_study(each.task.sources, SIZE) for each in given]
    answer = process.explain(1, given, *studies)
    first = results(place.out)
    assert (answer.group, answer.ended, len(first)) == (1, None, 3)
    assert [row["folder"] for row in answer.done] == ["a.png", "b.png", "c.png"]
    given[1].task.sources[0].unlink()
    second = process.explain(2, given)
    assert [isinstance(each, InputError) for each in second.done] == [False, True, False]
    assert results(place.out) == first


def test_nothing_is_written_after_a_stop(place, given, monkeypatch):
    process, _ = started(place, monkeypatch)
    assert process.stop().group == -1
    answer = process.explain(1, given, *(read_study(each.task.sources, SIZE) for each in given))
    assert answer.done == []
    assert results(place.out) == {}


def test_a_stop_waits_for_the_study_that_is_written_and_says_what_is_done(place, given, monkeypatch):
    process, _ = started(place, monkeypatch)
    begun, go_on, answers = threading.Event(), threading.Event(), []
    write = tfadvpath.batch.on_ray.explaining.write_results

    def slowly(result, task, *rest):
        begun.set()
        go_on.wait(60)
        return write(result, task, *rest)

    monkeypatch.setattr("tfadvpath.batch.on_ray.explaining.write_results", slowly)
    studies = [read_study(each.task.sources, SIZE) for each in given]
    explaining = threading.Thread(target=process.explain, args=(5, given, *studies))
    stopping = threading.Thread(target=lambda: answers.append(process.stop()))
    explaining.start()
    assert begun.wait(60)
    stopping.start()
    stopping.join(0.2)
    assert stopping.is_alive()
    go_on.set()
    for thread in (stopping, explaining):
        thread.join(60)
    [answer] = answers
    assert answer.group == 5
    assert [row["folder"] for row in answer.done] in (
        ["a.png"],
        ["a.png", "b.png"],
        ["a.png", "b.png", "c.png"],
    )
    assert len(results(place.out)) == len(answer.done)


def test_an_error_of_the_whole_run_is_an_answer(place, given, monkeypatch):
    _, answer = started(place, monkeypatch, prepare=refused)
    assert isinstance(answer, InputError)
    process, _ = started(place, monkeypatch)
    monkeypatch.setattr(process._explainer, "explain", lambda *_: refused())
    answer = process.explain(1, given)
    assert "is none of this bundle" in str(answer.ended)
    assert answer.done == []


def test_a_machine_that_does_not_share_the_folder_is_refused(place, monkeypatch):
    monkeypatch.setattr(tfadvpath.batch.on_ray.place, "_SEEN_LATE", 1)
    place.mark.unlink()
    _, answer = started(place, monkeypatch)
    assert str(answer).startswith(f"{place.out}: is another folder on ")


def test_a_study_is_read_or_known_or_wrong(place, given):
    process = Reading(place)
    process.start()
    images, study = process.read(given[0].request)
    assert (images, study.images.shape) == (1, (1, *SIZE, 1))
    (place.out / "a.png").mkdir()
    record = {"source": "x", "folder": "a.png", "remarks": [], "slices": 1, "blank": 0, "files": []}
    record |= {"made_with": JOB.made_with, "sha256": study.digest}
    (place.out / "a.png" / "study.json").write_text(json.dumps(record))
    request = request_of(given[0].task, SIZE, None, place.out, JOB.made_with)
    found, nothing = process.read(request)
    assert isinstance(found, Earlier)
    assert nothing is None
    (place.out / "word").write_text("exit")
    found, nothing = process.read(((place.out / "word",), misread, (place.out / "word",)))
    assert "ended the process that read it (exit code 7)" in str(found)
    process.stop()


def test_relative_paths_and_modules_are_those_of_the_process_that_runs_the_whole(
    place, tmp_path, monkeypatch
):
    monkeypatch.setattr(sys, "path", ["/nowhere"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    given = pickle.loads(pickle.dumps(Place(tmp_path / "there", ("/nowhere", "/a"), place.mark, 1, 1.0)))
    given.enter()
    assert Path.cwd() == tmp_path / "there"
    assert sys.path == ["/nowhere", "/a"]
    Place(tmp_path / "gone", (), place.mark, 1, 1.0).enter()
    assert os.getcwd() == str(tmp_path / "there")  # noqa: PTH109
