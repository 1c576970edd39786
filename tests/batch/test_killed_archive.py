"""Runs that are killed, and runs that are ended: the ledger and the results are as of one that was not."""

from __future__ import annotations

import json
import random
import signal

import pytest
from support.killed_runs import contents, rows_in, run, write_studies

from tfadvpath.cli.exit_codes import TERMINATED

STUDIES, BROKEN = 100, 5
# Rows as the table of a ledger has them, but for the time that each took.
TIMES = {"seconds"}


def rows(out):
    found = [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in TIMES} for row in found]


@pytest.mark.slow
def test_a_run_that_is_killed_and_ended_again_and_again_leaves_what_an_undisturbed_one_does(tmp_path):
    write_studies(tmp_path / "in", STUDIES, BROKEN)
    whole, out, log = tmp_path / "whole", tmp_path / "out", tmp_path / "out.log"
    assert run(tmp_path / "in", whole) == 0
    assert len(rows(whole)) == STUDIES
    rng = random.Random(1)
    for ending in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
        log.unlink(missing_ok=True)
        code = run(tmp_path / "in", out, ending, after=rng.randrange(1, 8))
        assert code == (-signal.SIGKILL if ending == signal.SIGKILL else TERMINATED)
        if ending != signal.SIGKILL:
            summary = json.loads((out / "summary.json").read_text())
            [line] = log.read_text().splitlines()
            assert line == (
                f"Interrupted: {summary['explained']} of {STUDIES} studies are explained in {out}, "
                f"{summary['failed']} failed"
            )
            assert summary["explained"] + summary["failed"] == rows_in(out / "ledger.jsonl")
            assert not [path for path in out.rglob(".*") if path.is_dir()]
    assert rows_in(out / "ledger.jsonl") < STUDIES
    assert run(tmp_path / "in", out) == 0
    assert contents(out) == contents(whole)
    assert rows(out) == rows(whole)
    assert [row["error"] is None for row in rows(out)].count(False) == BROKEN
    # The summary says of itself where it lies, and how many studies are of earlier runs.
    summaries = [json.loads((place / "summary.json").read_text()) for place in (out, whole)]
    assert summaries[0].pop("resumed") > 0
    assert summaries[1].pop("resumed") == 0
    assert summaries[0].pop("out") != summaries[1].pop("out")
    assert summaries[0] == summaries[1]
