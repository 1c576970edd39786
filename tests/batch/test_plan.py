"""Every study gets a folder of its own."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tfadvpath.batch.plan import plan


def planned(inputs, out):
    """The tasks and what is ignored."""
    made = plan(inputs, out)
    assert made.remarks == []
    return made.tasks, made.ignored


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(128) + b"DICM")


def names(tasks):
    return [task.name.as_posix() for task in tasks]


def assert_apart(tasks):
    for a, b in itertools.combinations([Path(name.lower()) for name in names(tasks)], 2):
        assert a != b
        assert a not in b.parents
        assert b not in a.parents


def test_results_lie_as_the_studies_do(tmp_path):
    touch(tmp_path, "in/a/x.png", "in/b/x.png", "in/x.png", "in/x.dcm", "y.nii.gz")
    tasks, ignored = planned([tmp_path / "in", tmp_path / "y.nii.gz"], tmp_path / "out")
    assert names(tasks) == ["a/x.png", "b/x.png", "x.dcm", "x.png", "y.nii.gz"]
    assert ignored == []


def test_a_file_given_twice_is_one_study(tmp_path):
    touch(tmp_path, "in/x.png")
    tasks, _ = planned([tmp_path / "in", tmp_path / "in/x.png", tmp_path / "in"], tmp_path / "out")
    assert names(tasks) == ["x.png"]


@pytest.mark.parametrize(
    ("files", "inputs"),
    [
        (["a/x.png", "b/x.png"], ["a/x.png", "b/x.png"]),
        (["a/x.png", "b/x.png", "c/a/x.png"], ["a", "b", "c", "a/../b/x.png"]),
        (["p/s/x.png", "q/s/x.png", "r/s/x.png", "r/s/x.dcm"], ["p/s", "q/s", "r/s"]),
        (["a/x.png", "b/X.PNG"], ["a", "b"]),
        (["a/IM1", "b/IM1/x.png"], ["a", "b"]),
        (["a/IM1", "b/IM1/x.png"], ["b", "a"]),
        (["summary.json", "b/summary.json/x.png"], ["summary.json", "b"]),
    ],
)
def test_no_two_studies_share_or_nest_their_folders(tmp_path, files, inputs):
    touch(tmp_path, *files)
    tasks, _ = planned([tmp_path / name for name in inputs], tmp_path / "out")
    assert {task.source.resolve() for task in tasks} == {(tmp_path / name).resolve() for name in files}
    assert_apart(tasks)
    assert all(task.name.parts[0].lower() != "summary.json" for task in tasks)


def test_results_of_earlier_runs_are_no_studies(tmp_path):
    touch(tmp_path, "x.png", "out/x.png/input.png", "out/notes.txt")
    tasks, ignored = planned([tmp_path], tmp_path / "out")
    assert names(tasks) == ["x.png"]
    assert ignored == []


def test_other_files_are_named_with_a_reason(tmp_path):
    touch(tmp_path, "x.png")
    (tmp_path / "readme.txt").write_text("text")
    _, ignored = planned([tmp_path], tmp_path / "out")
    assert ignored == [(tmp_path / "readme.txt", "is of no format that is read")]
