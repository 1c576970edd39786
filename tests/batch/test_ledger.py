"""The ledger: a row a study, on the disk when its results are, and the same as a table."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess

import numpy as np
import pytest
from pyarrow import parquet
from support.broken_files import nifti_bytes, png_bytes
from support.killed_runs import OPTIONS, use_the_explainer_of_batches

import tfadvpath.batch.run
from tfadvpath import explain_studies
from tfadvpath.batch.ledger import COLUMNS, Ledger, differences, read_rows, results_digest
from tfadvpath.batch.outcomes import Resumed
from tfadvpath.errors import InputError
from tfadvpath.files import only_writer


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    for name in ("load_bundle", "get_explainer", "chosen_method"):  # put back afterwards
        monkeypatch.setattr(tfadvpath.batch.run, name, getattr(tfadvpath.batch.run, name))
    use_the_explainer_of_batches()


@pytest.fixture
def folder(tmp_path):
    """Five studies: an image, a volume with a blank slice, a broken file, two images."""
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "d", "e"):
        (folder / f"{name}.png").write_bytes(png_bytes(rng.integers(0, 256, (20, 24)).astype(np.uint8)))
    values = rng.normal(size=(20, 24, 3))
    values[..., 1] = 5
    (folder / "b.nii").write_bytes(nifti_bytes(values))
    (folder / "c.png").write_bytes(b"")
    return folder


def lines(out):
    return [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]


def test_a_row_says_of_what_by_what_and_what_came_of_it(folder, tmp_path):
    out = tmp_path / "out"
    summary = explain_studies("bundle", folder, out, OPTIONS)
    rows = lines(out)
    assert [row["folder"] for row in rows] == ["a.png", "b.nii", "c.png", "d.png", "e.png"]
    assert all(tuple(row) == COLUMNS for row in rows)
    image, volume, broken = rows[:3]
    assert image["sources"] == [str(folder / "a.png")]
    assert image["sources_sha256"] == hashlib.sha256((folder / "a.png").read_bytes()).hexdigest()
    assert (image["method"], image["steps"], image["bundle"]) == ("syce", 50, "0" * 64)
    assert image["tfadvpath"] == tfadvpath.__version__
    assert image["maps"] == ["fi_v2_smooth", "fi_v2", "fi_v1", "difference"]
    assert image["error"] is None
    assert image["seconds"] > 0
    assert (volume["slices"], volume["blank"]) == (3, 1)
    assert [score is None for score in volume["score"]] == [False, True, False]
    assert [type(flag) for flag in volume["crossed"]] == [bool, type(None), bool]
    assert broken["error"] == str(summary.failures[0].error)
    assert (broken["results_sha256"], broken["score"]) == (None, None)
    assert broken["method"] == "syce"
    assert [study["folder"] for study in summary.studies] == ["a.png", "b.nii", "d.png", "e.png"]
    for study in summary.studies:
        assert study == json.loads((out / study["folder"] / "study.json").read_text())


def test_the_digest_of_results_is_what_a_shell_finds(folder, tmp_path):
    out = tmp_path / "out"
    explain_studies("bundle", folder, out, OPTIONS)
    shell = subprocess.run(
        "sha256sum * | sha256sum",
        shell=True,
        cwd=out / "a.png",
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert lines(out)[0]["results_sha256"] == shell.stdout.split()[0] == results_digest(out / "a.png")


def test_the_table_holds_the_same_with_types(folder, tmp_path):
    out = tmp_path / "out"
    explain_studies("bundle", folder, out, OPTIONS)
    table = parquet.read_table(out / "ledger.parquet")
    assert tuple(table.column_names) == COLUMNS
    found = [row | {"lengths": dict(row["lengths"])} for row in table.to_pylist()]
    assert found == lines(out)
    kinds = {name: str(table.schema.field(name).type) for name in ("steps", "seconds", "score", "crossed")}
    assert kinds == {
        "steps": "int64",
        "seconds": "double",
        "score": "list<element: double>",
        "crossed": "list<element: bool>",
    }


def test_a_row_is_there_when_the_study_is_told_of_and_the_table_of_before_is_not(folder, tmp_path):
    out, seen = tmp_path / "out", []
    explain_studies("bundle", folder, out, OPTIONS)

    def look(outcome):
        seen.append(len(lines(out)))
        assert not (out / "ledger.parquet").exists()
        assert not (out / "summary.json").exists()

    explain_studies("bundle", folder, out, replace_all(), listener=look)
    assert seen == [1, 2, 3, 4, 5]


def replace_all():
    return tfadvpath.ExplainOptions(**{**OPTIONS.__dict__, "resume": False})


def test_a_study_whose_row_was_not_written_is_neither_lost_nor_doubled(folder, tmp_path):
    out, outcomes = tmp_path / "out", []
    explain_studies("bundle", folder, out, OPTIONS)
    whole = lines(out)
    # A process that was killed after the results were in their place, or while it wrote the row.
    text = (out / "ledger.jsonl").read_text().splitlines(keepends=True)
    (out / "ledger.jsonl").write_text("".join(text[:-2]) + text[-2][:100])
    explain_studies("bundle", folder, out, OPTIONS, listener=outcomes.append)
    assert sum(isinstance(outcome, Resumed) for outcome in outcomes) == 4
    again = lines(out)
    assert [row["seconds"] is None for row in again if row["error"] is None] == [False, False, True, True]
    for row in (*whole, *again):
        del row["seconds"]
    assert again == whole


def test_a_study_that_failed_is_tried_again_and_has_one_row(folder, tmp_path):
    out = tmp_path / "out"
    explain_studies("bundle", folder, out, OPTIONS)
    (folder / "c.png").write_bytes((folder / "a.png").read_bytes())
    summary = explain_studies("bundle", folder, out, OPTIONS)
    assert (len(summary.studies), summary.resumed, summary.failures) == (5, 4, [])
    assert [row["error"] for row in lines(out)] == [None] * 5
    # A study that changed.
    (folder / "d.png").write_bytes(b"")
    summary = explain_studies("bundle", folder, out, OPTIONS)
    assert [row["error"] is None for row in lines(out)] == [True, True, True, False, True]
    assert len(summary.failures) == 1


def test_studies_of_other_inputs_stay_in_the_ledger(folder, tmp_path):
    out = tmp_path / "out"
    explain_studies("bundle", folder / "e.png", out, OPTIONS)
    summary = explain_studies("bundle", folder / "a.png", out, OPTIONS)
    assert [row["folder"] for row in lines(out)] == ["a.png", "e.png"]
    assert [study["folder"] for study in summary.studies] == ["a.png"]


def test_a_second_run_on_the_same_folder_is_refused(folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with only_writer(out), pytest.raises(InputError, match=f"another run \\(process {os.getpid()} on "):
        explain_studies("bundle", folder, out, OPTIONS)
    assert list(out.iterdir()) == []


INFINITE = json.dumps(dict.fromkeys(COLUMNS) | {"folder": "a", "slices": 7}).replace("7", "1e400").encode()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]\n",
        b'{"folder": "x"}\n',
        b"\xff\n",
        b"[" * 100_000 + b"\n",
        b'{"folder": 5}\n',
        INFINITE,
    ],
)
def test_what_is_no_row_is_passed_over(tmp_path, line):
    row = dict.fromkeys(COLUMNS) | {"folder": "a"}
    (tmp_path / "ledger.jsonl").write_bytes(json.dumps(row).encode() + b"\n" + line)
    assert read_rows(tmp_path / "ledger.jsonl") == {"a": row}
    assert read_rows(tmp_path / "none.jsonl") == {}


def test_a_disk_that_is_full_leaves_no_half_row(tmp_path, monkeypatch):
    settings = {"method": "syce"}
    ledger = Ledger(tmp_path, settings, resume=False)
    ledger.start()
    row = dict.fromkeys(COLUMNS) | {"folder": "a"}
    ledger.append(row)
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:10]))
    with pytest.raises(InputError, match=os.strerror(errno.ENOSPC)):
        ledger.append(row | {"folder": "b"})
    monkeypatch.undo()
    ledger.append(row | {"folder": "c"})
    assert [each["folder"] for each in lines(tmp_path)] == ["a", "c"]


def test_differences_are_named_in_the_order_of_the_columns():
    row = dict.fromkeys(COLUMNS) | {"method": "gradient", "steps": None, "bundle": "a", "maps": ["x"] * 50}
    wanted = {name: row[name] for name in tfadvpath.batch.ledger.SETTINGS}
    assert differences([row], wanted) == []
    other = wanted | {"method": "syce", "steps": 50, "bundle": "b", "maps": ("y",)}
    assert differences([row, row], other) == [
        "another bundle",
        "method gradient for syce",
        "steps None for 50",
        f"maps {'x,' * 19}x… for y",
    ]
