"""The commands' own: options, what they print, exit codes. tests/saved_model has what they do."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tfadvpath.cli.main import app

RUNNER = CliRunner()
pytestmark = pytest.mark.slow  # each works on an export


def run(*arguments):
    return RUNNER.invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def exported(bundle, tmp_path_factory):
    models = tmp_path_factory.mktemp("models")
    files = ("--files", "png+jpeg", "--max-pixels", 10**6)
    result = run(
        "export", bundle, "--out", models, "--steps", 2, "--sizes", "2,1", "--map", "fi_v1", "--json", *files
    )
    assert result.exit_code == 0, result.stderr
    return models, json.loads(result.stdout)


def test_the_manifest_is_all_of_stdout(exported):
    models, manifest = exported
    assert manifest["folder"] == str(models / "tiny" / "1")
    assert (manifest["steps"], manifest["batch_sizes"], manifest["map"]) == (2, [1, 2], "fi_v1")
    assert manifest["smoothing"] is None
    assert manifest["files"] == {"formats": ["png", "jpeg"], "max_pixels": 10**6}


def test_a_good_version_may_be_served(exported):
    models, _ = exported
    result = run("serve-check", models / "tiny" / "1")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["signature", "images", "seconds", "difference"]
    assert [line.split()[:2] for line in lines[3:5]] == [["serving_default", "1"], ["serving_default", "2"]]
    assert lines[-1].endswith("answers as recorded")


def test_a_damaged_version_is_refused_in_one_line(exported):
    models, _ = exported
    (models / "tiny" / "1" / "model_card.md").write_text("other")
    result = run("serve-check", models / "tiny" / "1")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert "model_card.md: the file is changed" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sizes", "1;2"), "--sizes: '1;2' is no list of numbers"),
        (("--method", "gradient"), "--method: 'gradient' is no path across the decision in this bundle"),
        (("--map", "heat"), "--map: 'heat' is no map"),
        (("--path", "curly"), "--path: 'curly' is no path. Choose straight or manifold."),
        (("--map", "fi_v1", "--sigma", "2"), "--sigma, --kernel-size: the map 'fi_v1' is not smoothed."),
        (("--kernel-size", "99"), "--sigma, --kernel-size: do not fit these images: A kernel of 99 taps"),
    ],
)
def test_a_wrong_option_is_said_in_one_line(bundle, tmp_path, arguments, said):
    result = run("export", bundle, "--out", tmp_path / "models", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "models").exists()
