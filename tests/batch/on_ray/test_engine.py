"""Studies that the processes of a Ray cluster explain."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from support.broken_files import nifti_bytes, png_bytes, volume
from support.in_a_cluster import prepared_fatally, prepared_to_be_killed_once
from support.killed_runs import OPTIONS, contents, use_the_explainer_of_batches, write_studies
from support.misreaders import read_or_crash
from support.tiny import write_tiny_bundle

import tfadvpath.batch.reading
import tfadvpath.batch.run
from tfadvpath import ExplainOptions, explain_studies
from tfadvpath.batch.run import prepared as really_prepared

pytestmark = pytest.mark.slow
ON_RAY = dataclasses.replace(OPTIONS, engine="ray", ray_address="local")


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    for name in ("load_bundle", "get_explainer", "chosen_method"):  # put back afterwards
        monkeypatch.setattr(tfadvpath.batch.run, name, getattr(tfadvpath.batch.run, name))


def rows(out):
    found = [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]
    return {row["folder"]: {name: value for name, value in row.items() if name != "seconds"} for row in found}


def test_results_and_ledger_are_those_of_one_process_whatever_is_killed(
    started, tmp_path, monkeypatch, capfd
):
    """The explainer's maps depend on the batch: the files are the same since the batches are."""
    monkeypatch.setattr(tfadvpath.batch.reading, "read_task", read_or_crash)
    write_studies(tmp_path / "in", studies=40, broken=3)
    (tmp_path / "in" / "ward_1" / "3.png").write_bytes((tmp_path / "in/ward_0/00000.png").read_bytes())
    use_the_explainer_of_batches()
    local, out, mark = tmp_path / "local", tmp_path / "out", tmp_path / "mark"
    explain_studies("bundle", tmp_path / "in", local, OPTIONS)
    monkeypatch.setattr(tfadvpath.batch.run, "prepared", prepared_to_be_killed_once)
    mark.touch()
    capfd.readouterr()
    outcomes = []
    summary = explain_studies(mark, tmp_path / "in", out, ON_RAY, listener=outcomes.append)
    assert capfd.readouterr().out == ""  # Ray would say there which process was killed
    assert not mark.exists()
    assert contents(out) == contents(local)
    assert rows(out) == rows(local)
    assert [row["error"] is None for row in rows(out).values()].count(False) == 4
    assert "ended the process that read it (SIGSEGV)" in rows(out)["ward_1/3.png"]["error"]
    assert len(outcomes) == 41
    assert (len(summary.studies), summary.resumed, len(summary.failures)) == (37, 0, 4)
    # A study that is new shares a batch with others, which are not explained again, whoever explained them.
    before = contents(out)
    new = png_bytes(np.random.default_rng(7).integers(0, 256, (16, 16)).astype(np.uint8))
    (tmp_path / "in" / "ward_1" / "00021.png").write_bytes(new)
    summary = explain_studies(mark, tmp_path / "in", local, ON_RAY)
    assert (len(summary.studies), summary.resumed) == (38, 37)
    monkeypatch.setattr(tfadvpath.batch.run, "prepared", really_prepared)
    explain_studies("bundle", tmp_path / "in", out, OPTIONS)
    assert contents(out) == contents(local)
    assert before.items() < contents(out).items()


def test_a_study_that_ends_every_process_over_it_costs_one_row(started, tmp_path, monkeypatch):
    write_studies(tmp_path / "in", studies=12, broken=0)
    bright = np.full((16, 16), 250, np.uint8)
    bright[0, 0] = 0
    poison = tmp_path / "in" / "ward_1" / "00004.png"
    poison.write_bytes(png_bytes(bright))
    monkeypatch.setattr(tfadvpath.batch.run, "prepared", prepared_fatally)
    out = tmp_path / "out"
    summary = explain_studies("bundle", tmp_path / "in", out, ON_RAY)
    assert len(summary.studies) == 11
    assert [str(failure.error) for failure in summary.failures] == [
        f"{poison}: was explained alone 2 times when the process ended, as for want of memory. Lower "
        "`batch_size`, or crop or shrink it; if that does not help, please report it."
    ]
    assert [name for name, row in rows(out).items() if row["error"]] == ["ward_1/00004.png"]
    assert not list(out.rglob(".tfadvpath-*"))


def test_the_command_ends_by_a_signal_with_one_line_and_its_maps_are_those_of_one_process(tmp_path):
    pytest.importorskip("ray", reason="the extra ray is not installed")
    folder, out, whole = tmp_path / "in", tmp_path / "out", tmp_path / "whole"
    folder.mkdir()
    for number in range(24):
        (folder / f"{number}.nii").write_bytes(nifti_bytes(volume((24, 24, 3))))
    bundle = write_tiny_bundle(tmp_path / "bundle")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "TF_CPP"))
    }
    environment["TMPDIR"] = "/tmp"
    command = f"-m tfadvpath explain in --bundle {bundle} --batch-size 3 --out out --format npz --engine ray"
    run = subprocess.Popen(
        [sys.executable, *command.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    deadline = time.monotonic() + 300
    while len(list(out.glob("*.nii"))) < 3 and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    run.send_signal(signal.SIGTERM)
    stdout, stderr = run.communicate(timeout=120)
    summary = json.loads((out / "summary.json").read_text())
    assert stderr == (
        f"Interrupted: {summary['explained']} of 24 studies are explained in out, 0 failed. "
        "Go on by the same command.\n"
    )
    assert (run.returncode, stdout) == (143, "")
    assert summary["explained"] == len(rows(out)) == len(list(out.glob("[!.]*.nii"))) >= 3
    assert summary["waiting"] == 24 - summary["explained"]
    assert not list(out.glob(".*"))
    explain_studies(bundle, folder, whole, ExplainOptions(formats=["npz"], batch_size=3))
    for name, row in rows(out).items():
        with (
            np.load(out / name / "explanation.npz") as found,
            np.load(whole / name / "explanation.npz") as made,
        ):
            for each in row["maps"]:
                # TensorFlow does not compute the same in two processes, see decision 34.
                np.testing.assert_allclose(found[each], made[each], atol=1e-5 * made[each].max(), rtol=0)
