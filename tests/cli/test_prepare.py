"""The command's own: options, what it prints, exit codes. What is prepared is tested beside the data sets."""

import json

import pytest
from typer.testing import CliRunner

from tfadvpath.cli.main import app
from tfadvpath.datasets.phantoms import write_chest_phantoms

RUNNER = CliRunner()


def run(*arguments):
    return RUNNER.invoke(app, ["prepare", *map(str, arguments)])


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rsna")
    write_chest_phantoms(folder, [1, 2, 4, 5, 7, 9], 48)
    return folder


def test_it_prints_what_each_part_holds(source, tmp_path):
    result = run("pneumonia", "--source", source, "--out", tmp_path, "--size", 32, "--shares", 1, 0, 1)
    assert result.exit_code == 0, result.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["shares"] == {"train": 1, "validation": 0, "test": 1}
    assert list(summary["parts"]) == ["train", "test"]
    train = summary["parts"]["train"]
    assert f"train: {train['images']} images of {train['patients']} patients" in result.stdout
    assert result.stdout.endswith(f"The images are in {tmp_path}\n")


def test_json_is_all_of_stdout(source, tmp_path):
    options = ("--source", source, "--out", tmp_path, "--size", 32, "--shares", 1, 0, 0, "--json")
    result = run("pneumonia", *options)
    assert json.loads(result.stdout) == json.loads((tmp_path / "summary.json").read_text())


def test_each_broken_file_and_the_end_get_one_line(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"x")
    (tmp_path / "table.csv").write_text("file,patient,label\nbroken.png,p,1\n")
    result = run("image-folder", "--source", tmp_path, "--out", tmp_path / "out", "--shares", 1, 0, 0)
    assert result.exit_code == 2  # no image is left
    assert [line.split(": ")[0] for line in result.stderr.splitlines()] == [
        str(tmp_path / "broken.png"),
        str(tmp_path),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pneumonia"], "pneumonia: needs --source"),
        (["pneumonia", "--source", "none"], "none: is no folder"),
        (["pneumonia", "--source", ".", "--masks", "m"], "--masks: does not go with pneumonia"),
        (["brain-tumour", "--source", ".", "--patients", 3], "--patients: does not go with brain-tumour"),
        (["phantom-chest", "--source", "."], "--source: does not go with phantom-chest"),
        (
            ["image-folder", "--source", ".", "--split", "f", "--shares", 1, 1, 1],
            "--shares: does not go with",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(tmp_path, arguments, message):
    result = run(*arguments, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
