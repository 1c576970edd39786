"""`tfadvpath agreement` as a person runs it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tfadvpath.cli.main import app

RUNNER = CliRunner()


@pytest.mark.slow
def test_the_table_is_printed_and_written(bundle, tmp_path):
    out = tmp_path / "out"
    command = ["agreement", str(bundle), str(bundle), "--out", str(out), "--methods", "gradient"]
    run = RUNNER.invoke(app, [*command, "--images", "4", "--percentile", "90"])
    assert run.exit_code == 0, run.output
    assert run.stderr.splitlines() == ["gradient: measured"]
    assert "| Gradient | 1, 2 | 4 | 1.000" in run.stdout
    assert run.stdout == (out / "agreement.md").read_text(encoding="utf-8")
    printed = RUNNER.invoke(app, [*command, "--images", "4", "--percentile", "90", "--json"]).stdout
    assert json.loads(printed) == json.loads((out / "agreement.json").read_text(encoding="utf-8"))
    report = json.loads((out / "agreement.json").read_text(encoding="utf-8"))
    assert report["percentile"] == 90
    assert report["command"].split()[0] == "tfadvpath"


def test_one_bundle_is_one_line(bundle, tmp_path):
    run = RUNNER.invoke(app, ["agreement", str(bundle), "--out", str(tmp_path / "out")])
    assert run.exit_code == 2
    assert run.stderr == "RUN: one bundle agrees with itself. Name two or more.\n"
    assert not (tmp_path / "out").exists()
