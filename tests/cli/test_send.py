"""`tfadvpath send` as a person runs it."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from support.archives import answer, dicom_node, dicom_web, write_object
from typer.testing import CliRunner

import tfadvpath.serving.failures
from tfadvpath.cli.main import app


@pytest.fixture
def results(tmp_path):
    for name in ("a.dcm", "b.dcm", "c.dcm"):
        write_object(tmp_path / "results" / name)
    return tmp_path / "results"


def run(*arguments, **options):
    return CliRunner().invoke(app, ["send", *map(str, arguments)], **options)


def test_all_is_sent_and_said_in_one_sentence(results):
    with dicom_web(answer(200), answer(409, failure=45070)) as (root, seen):
        done = run(results, "--to", root)
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    assert done.stdout.startswith(f"3 files of 3 are in {root}: 0.0 MB in ")
    assert done.stdout.endswith(" s. 1 file had been there before.\n")
    assert len(seen) == 3


def test_what_could_not_be_sent_is_named_and_the_exit_code_is_1(results):
    write_object(results / "d.dcm", SeriesDescription="SYNTHETIC")
    with dicom_node(0xC000, 0xB000) as (address, got):
        done = run(results, results / "d.dcm", "--to", address, "--json")
    assert done.exit_code == 1
    assert len(got) == 3
    assert done.stderr.splitlines() == [
        f"{results / 'd.dcm'}: is a generated image. Send it by --synthetic, or leave it out.",
        f"{results / 'a.dcm'}: was refused: the archive cannot understand it (C000). "
        "Look at the archive's log.",
        f"{results / 'b.dcm'}: stored, but the archive changed or dropped attributes. Look at its log.",
    ]
    summary = json.loads(done.stdout)
    assert (summary["stored"], summary["changed"], summary["failed"]) == (1, 1, 2)


def test_generated_images_in_a_folder_are_left_out_with_a_line(results):
    write_object(results / "d.dcm", SeriesDescription="SYNTHETIC")
    with dicom_web() as (root, seen):
        done = run(results, "--to", root)
        assert done.exit_code == 0
        line = f"{results / 'd.dcm'}: left out, it is a generated image, and --synthetic is not given.\n"
        assert done.stderr == line
        assert run(results, "--to", root, "--synthetic").stderr == ""
    assert len(seen) == 3 + 4


def test_nobody_there_is_a_failure_with_what_to_do(results, monkeypatch):
    monkeypatch.setattr(tfadvpath.serving.failures, "time", SimpleNamespace(sleep=lambda wait: None))
    done = run(results, "--to", "http://127.0.0.1:1/dicom-web", "--attempts", 2)
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 3
    assert "0 files of 3 are in http://127.0.0.1:1/dicom-web" in done.stdout


def test_the_token_comes_from_a_file_or_a_variable(results, tmp_path):
    (tmp_path / "token").write_text("abc.def\n")
    with dicom_web() as (root, seen):
        run(results / "a.dcm", "--to", root, "--token-file", tmp_path / "token")
        run(results / "a.dcm", "--to", root, "--token-variable", "PACS", env={"PACS": "ghi"})
    assert [headers["authorization"] for _, headers, _ in seen] == ["Bearer abc.def", "Bearer ghi"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--token-variable", "s3cret.token"], "--token-variable: names no variable that is set."),
        (["--token-file", "missing"], "missing: the token cannot be read (No such file or directory)."),
        (["--token-file", "empty"], "empty: holds no token."),
        (["--token-file", "two"], "`token`: authorization has a value that no header can hold."),
        (
            ["--token-file", "two", "--token-variable", "X"],
            "--token-file: does not go with --token-variable.",
        ),
        (["--key", "a.pem"], "--key: has no certificate. Name the file of --certificate too."),
        (["--ca", "a.pem"], "http://127.0.0.1:1: is not encrypted, as the options ask for."),
    ],
)
def test_wrong_use_is_one_line_without_the_secret(results, tmp_path, monkeypatch, arguments, line):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "two").write_text("s3cret\ntoken")
    done = run(results, "--to", "http://127.0.0.1:1", *arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith(line)
    assert len(done.stderr.splitlines()) == 1
    assert "s3cret" not in done.output


def test_a_token_for_another_machine_needs_encryption(results, tmp_path):
    (tmp_path / "token").write_text("abc")
    done = run(results, "--to", "http://pacs.invalid/dicom-web", "--token-file", tmp_path / "token")
    assert done.exit_code == 2
    assert done.stderr == (
        "http://pacs.invalid/dicom-web: would get `token` unencrypted. "
        "Write it with https://, or allow it by --unencrypted-token.\n"
    )
