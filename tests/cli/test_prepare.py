"""The command's own: options, what it prints, exit codes. What is prepared is tested beside the data sets."""

import json

import cv2
import numpy as np
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


def test_wrong_rows_are_one_line_a_kind_and_the_end_says_that_some_were_left_out(tmp_path):
    rows = [f"{i}.png,{i},{'yes' if i % 3 else i % 2}" for i in range(12)]
    (tmp_path / "table.csv").write_text("\n".join(["file,patient,label", *rows]) + "\n")
    (tmp_path / "images").mkdir()
    for i in range(12):
        image = np.random.default_rng(i).integers(0, 255, (40, 40), np.uint8)
        cv2.imwrite(str(tmp_path / "images" / f"{i}.png"), image)
    result = run("image-folder", "--source", tmp_path, "--out", tmp_path / "out", "--shares", 1, 0, 0)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{tmp_path / 'table.csv'}, line 3: 8 rows: has the label 'yes'. Mend the table."
    ]
    assert "4 images of 4 patients, 2 of class 1 (50.0%), 0 of these annotated" in result.stdout
    assert "left out: 8 cases: table.csv has the label 'yes'" in result.stdout


def test_a_part_of_one_class_is_said(tmp_path):
    (tmp_path / "table.csv").write_text("file,patient,label\na.png,p,0\n")
    cv2.imwrite(str(tmp_path / "a.png"), np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8))
    result = run("image-folder", "--source", tmp_path, "--out", tmp_path / "out", "--shares", 1, 0, 0)
    assert result.exit_code == 0
    assert result.stderr == "Warning: all images of train are of class 0.\n"


@pytest.mark.parametrize("task", ["brain-tumour", "pneumonia", "image-folder"])
def test_an_empty_folder_is_one_line(tmp_path, task):
    (tmp_path / "empty").mkdir()
    result = run(task, "--source", tmp_path / "empty", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr == f"{tmp_path / 'empty'}: is an empty folder. Name the folder of the images.\n"


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
