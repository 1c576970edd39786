"""Parts of a job array: each study in one of them, and one ledger of all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.killed_runs import OPTIONS, contents, use_the_explainer_of_batches, write_studies
from typer.testing import CliRunner

import tfadvpath.batch.run
from tfadvpath import ExplainOptions, explain_studies, merge_ledgers
from tfadvpath.batch.plan import Plan, Task
from tfadvpath.cli.main import app
from tfadvpath.errors import InputError

PARTS, STUDIES, BROKEN = 3, 16, 2


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    for name in ("load_bundle", "get_explainer", "chosen_method"):  # put back afterwards
        monkeypatch.setattr(tfadvpath.batch.run, name, getattr(tfadvpath.batch.run, name))
    use_the_explainer_of_batches()


def explain_part(folder, out, number, parts=PARTS, **changes):
    options = {**OPTIONS.__dict__, "num_parts": parts, "part_id": number, **changes}
    return explain_studies("bundle", folder, out, ExplainOptions(**options))


@pytest.fixture
def archive(tmp_path):
    write_studies(tmp_path / "in", STUDIES, BROKEN)
    (tmp_path / "in" / "notes.txt").write_text("text")
    return tmp_path / "in"


def names(summary):
    return {study["folder"] for study in summary.studies}


def planned(count):
    return Plan([Task((Path(f"/in/{i}.png"),), Path(f"{i}.png")) for i in range(count)], [], [])


def test_each_study_is_in_one_part_whatever_other_studies_there_are():
    def parts_of(count):
        return {task.name: part for part in range(8) for task in planned(count).part(part, 8).tasks}

    few, many = parts_of(500), parts_of(4000)
    assert len(few) == 500
    assert len(many) == 4000
    assert few.items() <= many.items()
    sizes = np.bincount(list(many.values()))
    # 4000 draws with probability 1/8: four standard deviations of a binomial number.
    assert np.abs(sizes - 500).max() < 4 * np.sqrt(4000 * 7 / 64)
    assert planned(10).part(0, 1) == planned(10)


def test_the_parts_merge_to_what_one_run_finds(archive, tmp_path):
    whole = explain_studies("bundle", archive, tmp_path / "whole", OPTIONS)
    out = tmp_path / "out"
    parts = [explain_part(archive, out, number) for number in range(PARTS)]
    assert sum(len(part.studies) for part in parts) == len(whole.studies) == STUDIES - BROKEN
    assert set().union(*map(names, parts)) == names(whole)
    merged = merge_ledgers(out)
    assert (merged.parts, merged.explained, merged.failed) == (PARTS, STUDIES - BROKEN, BROKEN)
    rows = [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]
    folders = [row["folder"] for row in rows]
    assert len(set(folders)) == STUDIES
    assert {name.partition("/")[2] for name in folders if (out / name).is_dir()} == names(whole)
    summary = json.loads((out / "summary.json").read_text())
    expected = whole.as_json()
    for name in ("version", "bundle", "method", "steps", "maps", "explained", "failed", "waiting", "pair"):
        assert summary[name] == expected[name]
    assert summary["ignored"] == expected["ignored"]
    assert len(summary["studies"]) == STUDIES - BROKEN
    assert {each["source"] for each in summary["errors"]} == {each["source"] for each in expected["errors"]}
    assert (out / "ledger.parquet").exists()
    # Again: the same, and the parts go on by the same command.
    before = contents(out / "part_1_of_3")
    assert merge_ledgers(out) == merged
    assert explain_part(archive, out, 1).resumed == len(parts[1].studies)
    assert contents(out / "part_1_of_3") == before


def test_a_part_of_no_study_is_a_part(tmp_path, archive):
    one = next(archive.rglob("*.png"))
    explained = [len(explain_part(one, tmp_path / "out", number).studies) for number in range(PARTS)]
    assert sorted(explained) == [0, 0, 1]
    assert merge_ledgers(tmp_path / "out").explained == 1


def test_what_cannot_be_merged_is_one_line(archive, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(InputError, match="holds no part of a job array"):
        merge_ledgers(out)
    explain_part(archive, out, 1)
    with pytest.raises(InputError, match="lacks parts 0, 2 of 3, or they were not finished"):
        merge_ledgers(out)
    explain_part(archive, out, 0)
    explain_part(archive, out, 2, seed=1)
    with pytest.raises(InputError, match="made in several ways: seed 1 for 0"):
        merge_ledgers(out)
    (out / "part_2_of_3" / "summary.json").unlink()  # as where the run was killed
    with pytest.raises(InputError, match="lacks part 2 of 3"):
        merge_ledgers(out)
    explain_part(archive, out, 0, parts=2)
    with pytest.raises(InputError, match="holds parts of 2 and parts of 3"):
        merge_ledgers(out)


def test_a_run_without_parts_does_not_mix_with_parts(archive, tmp_path):
    explain_part(archive, tmp_path / "out", 0)
    with pytest.raises(InputError, match="holds the parts of a job array"):
        explain_studies("bundle", archive, tmp_path / "out", OPTIONS)


@pytest.mark.parametrize(
    ("number", "parts", "says"),
    [
        (3, 3, "`part_id`: 3 is none of the 3 parts. Give 0 to 2."),
        (-1, 3, "`part_id`: -1 is none of the 3 parts."),
        (0, 0, "`num_parts`: 0 is no number of parts."),
    ],
)
def test_a_part_that_is_none_is_refused(archive, tmp_path, number, parts, says):
    with pytest.raises(InputError) as error:
        explain_part(archive, tmp_path / "out", number, parts)
    assert str(error.value).startswith(says)


def test_the_command_shares_studies_and_merges(archive, tmp_path):
    out = str(tmp_path / "out")

    def command(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    for number in range(2):
        run = command(
            "explain", archive, "--bundle", "b", "--out", out, "--format", "npz", "--num-parts", 2,
            "--part-id", number,
        )  # fmt: skip
        assert run.exit_code in (0, 1), run.output
    run = command("ledger", "merge", out)
    assert run.stdout == f"{STUDIES - BROKEN} studies of 2 parts explained, {BROKEN} failed: {out}\n"
    assert run.exit_code == 1
    run = command("ledger", "merge", out, "--json")
    assert json.loads(run.stdout) == {
        "out": out, "parts": 2, "explained": STUDIES - BROKEN, "failed": BROKEN
    }  # fmt: skip
    shutil.rmtree(tmp_path / "out" / "part_1_of_2")
    run = command("ledger", "merge", out)
    assert run.exit_code == 2
    assert run.stderr == f"{out}: lacks part 1 of 2, or they were not finished. Run them again.\n"
    assert command("ledger", "split", out).exit_code == 2
