"""The command itself, and the verbs beside `explain`."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shlex
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
import typer
from PIL import Image
from support.tiny import RECIPE, write_tiny_bundle
from typer.testing import CliRunner

import tfadvpath
import tfadvpath.bundle.bundle
import tfadvpath.demo.demo
import tfadvpath.training.cross_validation
import tfadvpath.training.run
from tfadvpath.cli.console import in_flags
from tfadvpath.cli.main import app
from tfadvpath.files import only_writer
from tfadvpath.recipes.recipe import dump_recipe
from tfadvpath.training.cross_validation import CrossValidation
from tfadvpath.training.loop import Event
from tfadvpath.training.run import TrainedBundle

RUNNER = CliRunner()


VERBS = (
    "explain",
    "fit",
    "view",
    "ledger",
    "send",
    "demo",
    "train",
    "prepare",
    "evaluate",
    "agreement",
    "export",
    "serve-check",
    "doctor",
)


def test_help_names_every_verb_and_says_nothing_else():
    run = subprocess.run(
        [sys.executable, "-m", "tfadvpath", "--help"], capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("Usage: tfadvpath [OPTIONS] COMMAND")
    listed = [line.split()[0] for line in run.stdout.partition("Commands:")[2].splitlines() if line.strip()]
    assert sorted(listed) == sorted(VERBS)
    assert run.stderr == ""


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb):
    run = RUNNER.invoke(app, [verb, "--help"])
    assert run.exit_code == 0
    assert f" {verb} [OPTIONS]" in run.stdout.splitlines()[0]
    assert "--json" in run.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_help_has_an_example_that_can_be_given_and_the_exit_codes(verb):
    command = typer.main.get_command(app).commands[verb]
    paragraphs = [" ".join(part.split()) for part in command.help.split("\n\n")]
    [example] = [part for part in paragraphs if part.startswith("Example: ")]
    assert len(example) < 78  # it stays on one line
    words = shlex.split(example.removeprefix("Example: "))
    assert words[:2] == ["tfadvpath", verb]
    # A flag that is gone, or an argument too few, is a usage error.
    assert command.make_context(verb, words[2:]).params
    assert paragraphs[-1].startswith("Exit code: 0 ")


def test_the_list_of_verbs_cuts_no_sentence():
    listed = RUNNER.invoke(app, ["--help"]).stdout.partition("Commands:")[2].split("\n")
    assert all(line.endswith(".") and not line.endswith("...") for line in listed if line.strip())


def test_version_is_the_packages():
    assert RUNNER.invoke(app, ["--version"]).stdout == f"tfadvpath {tfadvpath.__version__}\n"


def test_an_unknown_verb_exits_2():
    assert RUNNER.invoke(app, ["explore"]).exit_code == 2


@pytest.fixture
def demonstration(bundle, monkeypatch):
    monkeypatch.setattr(tfadvpath.demo.demo, "DEMONSTRATION", bundle)


def embedded_pictures(page):
    """The pictures of a page, uint8 [rows, columns, 3]."""
    encoded = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB")) for text in encoded]


@pytest.mark.slow
def test_the_demo_writes_phantoms_explanations_and_a_page(demonstration, tmp_path):
    run = RUNNER.invoke(app, ["demo", str(tmp_path / "out"), "--patients", "2"])
    assert run.exit_code == 0, run.output
    out = tmp_path / "out"
    summary = json.loads((out / "explanations/summary.json").read_text())
    assert summary["seeds"] == [5, 6]  # after 3 patients for training and 2 for validation
    measured = summary["measured"]
    assert measured["patients"] == 2
    # Slices at the brain's ends are explained but do not count.
    explained = sum(study["slices"] - study["blank"] for study in summary["studies"])
    assert 0 < measured["slices"] < explained

    phantom = nib.load(out / "phantoms/imagesTr/BRATS_002.nii.gz")
    assert phantom.shape == (32, 32, 21, 4)
    values = nib.load(out / "explanations/BRATS_002.nii.gz/fi_v2_smooth.nii.gz")
    assert values.shape == (32, 32, 21)
    np.testing.assert_allclose(values.affine, phantom.affine)

    counted = f"{measured['slices']} slices of 2 phantoms"
    lines = run.stdout.splitlines()
    assert lines[0] == f"{counted}, {measured['tumour_slices']} with tumour"
    assert lines[1] == f"classifier AUC: {measured['auc']:.3f}"
    assert lines[-1] == f"The report is {out / 'report.html'}"
    page = (out / "report.html").read_text(encoding="utf-8")
    assert f"Over {counted}" in page
    command = re.search(r"<dt>Command</dt><dd>(.*?)</dd>", page)
    assert command[1].split()[0] == "tfadvpath"  # not the function's name
    steps = re.search(r"<dt>Steps of the path</dt><dd>(.*?)</dd>", page)[1]
    taken = [count for study in summary["studies"] for count in study["steps_taken"] if count]
    found = re.fullmatch(r"as many as each slice needs: (\d+) to (\d+), (\d+) in the mean", steps)
    assert min(taken) <= int(found[1]) <= int(found[3]) <= int(found[2]) <= max(taken)
    pictures = embedded_pictures(page)
    # The colour scale, and of each shown slice the input, both ends of the path and four maps.
    assert len(pictures) == 1 + 7 * page.count('<section class="case">') > 1
    inputs, differences = pictures[1::7], pictures[4::7]
    assert all(np.ptp(picture) > 0 for picture in inputs)
    for image, shown in zip(inputs, differences, strict=True):
        assert (image != shown).any()  # the map lies over it


@pytest.mark.slow
def test_the_demo_trains_the_shipped_recipe_when_asked(demonstration, tmp_path, monkeypatch):
    trained = []

    def train(recipe, out, stages, *, resume, listener):
        trained.append((recipe, tuple(stages)))
        write_tiny_bundle(out)

    monkeypatch.setattr(tfadvpath.demo.demo, "train_recipe", train)
    out = tmp_path / "out"
    run = RUNNER.invoke(app, ["demo", str(out), "--patients", "1", "--train", "--json", "--steps", "3"])
    assert run.exit_code == 0, run.output
    assert trained == [(RECIPE, ("classifier", "syce"))]
    assert (out / "bundle/manifest.json").exists()
    summary = json.loads(run.stdout)
    assert summary["measured"]["patients"] == 1
    assert "steps_taken" not in summary["studies"][0]
    assert "<dt>Steps of the path</dt><dd>3</dd>" in (tmp_path / "out/report.html").read_text(
        encoding="utf-8"
    )


def test_the_demo_has_no_more_phantoms_than_were_held_out(demonstration, tmp_path):
    run = RUNNER.invoke(app, ["demo", str(tmp_path / "out"), "--patients", "3"])
    assert run.exit_code == 2
    assert run.stderr == "--patients: 3 asked for, 2 are held out. Ask for fewer.\n"


# What the second epoch of a stage logs, the wanted digits and more.
MEASURED = {
    "epoch": 1,
    "loss": 1.25,
    "flip_rate": 0.5,
    "val_loss": 2.0,
    "val_flip_rate": 0.9375,
    "val_keep_rate": 0.875,
    "val_adversary_similarity": 0.91234,
    "val_adversary_sharpness": 0.97123,
    "val_stable_similarity": 0.96789,
    "val_stable_sharpness": 1.02123,
    "val_undoing": 0.55,
    "val_undoing_zero_to_one": 0.9,
    "val_undoing_one_to_zero": 0.2,
}


@pytest.mark.slow
def test_train_writes_a_bundle_and_prints_its_figures(tmp_path, monkeypatch):
    (tmp_path / "recipe.yaml").write_text(dump_recipe(RECIPE))
    asked = []

    def train(recipe, out, stages, resume, listener):
        asked.append((recipe.seed, recipe.syce.epochs, stages, resume))
        listener(Event("syce", 1, 4, warm_up=True, line="the copies are sharp"))
        listener(Event("syce", 1, 4))
        listener(Event("syce", 2, 4, {"epoch": 0, "loss": 1.5, "val_loss": 2.25}))
        listener(Event("syce", 4, 4, MEASURED))
        return TrainedBundle(
            write_tiny_bundle(out), {"validation": {"syce": {"flip_rate": 0.5, "bins": [1]}}}
        )

    monkeypatch.setattr(tfadvpath.training.run, "train", train)
    arguments = ["train", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "run")]
    run = RUNNER.invoke(app, arguments)
    assert run.exit_code == 0
    assert run.stderr.splitlines() == [
        "syce, warm-up: the copies are sharp",
        "syce, epoch 1: loss 1.5, val_loss 2.25",
        "syce, epoch 2: loss 1.25, val_loss 2, val_flip_rate 0.9375, val_keep_rate 0.875; "
        "x_a: similarity 0.912, sharpness 0.971; x_s: similarity 0.968, sharpness 1.021, "
        "undoing 0.550 (0.900, 0.200)",
    ]
    assert run.stdout.splitlines() == [
        "validation, syce: flip_rate 0.5",
        f"The bundle is in {tmp_path / 'run'}",
    ]
    more = ["--seed", "5", "--set", "syce.epochs=7", "--stage", "syce", "--resume", "--json"]
    run = RUNNER.invoke(app, [*arguments, *more])
    assert json.loads(run.stdout) == {"validation": {"syce": {"flip_rate": 0.5, "bins": [1]}}}
    assert asked == [(0, 1, None, False), (5, 7, ["syce"], True)]


def test_a_folder_that_another_process_trains_in_is_refused(tmp_path):
    (tmp_path / "recipe.yaml").write_text(dump_recipe(RECIPE))
    out = tmp_path / "run"
    (out / "stages").mkdir(parents=True)
    with only_writer(out):
        run = RUNNER.invoke(app, ["train", str(tmp_path / "recipe.yaml"), "--out", str(out), "--resume"])
    assert run.exit_code == 2
    assert re.fullmatch(
        rf"{out}: is written to by another run \(process {os.getpid()} on \S+, since \S+ \S+ UTC\)\. "
        r"Wait for it, or name another folder\.\n",
        run.stderr,
    )


FOLD = {"fold": 0, "patients": 3, "auc": 0.875, "auc_interval": [0.75, None]}
FIGURES = {
    "by_fold": [FOLD],
    "mean_auc_of_folds": 0.75,
    "mean_auc_of_folds_interval": [0.5, 1.0],
    "all": {**FOLD, "patients": 9},
    "operating_point": {
        "point": "youden",
        "threshold": 0.25,
        "sensitivity": 0.5,
        "sensitivity_interval": [0.25, 0.75],
        "specificity": 1.0,
        "specificity_interval": [1.0, 1.0],
    },
}


@pytest.mark.slow
def test_train_with_folds_prints_the_area_of_each_and_the_threshold_of_all(tmp_path, monkeypatch):
    (tmp_path / "recipe.yaml").write_text(dump_recipe(RECIPE))
    asked = []

    def cross_validate(recipe, out, folds, resume, listener):
        asked.append((recipe.classifier.shuffle_labels, folds, resume))
        return CrossValidation(out, None, FIGURES)

    monkeypatch.setattr(tfadvpath.training.cross_validation, "cross_validate", cross_validate)
    arguments = ["train", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "run"), "--folds", "4"]
    run = RUNNER.invoke(app, arguments)
    assert run.exit_code == 0, run.output
    assert run.stderr == ""
    assert run.stdout.splitlines() == [
        "fold 0: 3 patients, AUC 0.875 [0.750, –]",
        "mean of the folds: AUC 0.750 [0.500, 1.000]",
        "all scores: 9 patients, AUC 0.875 [0.750, –]",
        "threshold 0.25 (youden): sensitivity 0.500 [0.250, 0.750], specificity 1.000 [1.000, 1.000]",
        f"The scores are in {tmp_path / 'run' / 'out_of_fold.csv'}",
    ]
    more = ["--resume", "--json", "--stage", "classifier", "--set", "classifier.shuffle_labels=true"]
    run = RUNNER.invoke(app, [*arguments, *more])
    assert json.loads(run.stdout) == FIGURES
    assert "this classifier is a control, never for use.\n" in run.stderr
    assert asked == [(False, 4, False), (True, 4, True)]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--folds", "3", "--stage", "syce"], "--stage: does not go with --folds"),
        (["--folds", "1"], "--folds"),
    ],
)
def test_folds_that_make_no_sense_are_refused(tmp_path, options, says):
    (tmp_path / "recipe.yaml").write_text(dump_recipe(RECIPE))
    run = RUNNER.invoke(
        app, ["train", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "run"), *options]
    )
    assert run.exit_code == 2
    assert says in run.stderr
    assert not (tmp_path / "run").exists()


def test_train_refuses_a_stage_that_the_recipe_has_not(tmp_path):
    (tmp_path / "recipe.yaml").write_text(dump_recipe(RECIPE))
    arguments = ["train", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "run"), "--stage", "cyce"]
    run = RUNNER.invoke(app, arguments)
    assert run.exit_code == 2
    assert "has no stage cyce. Name one of classifier, syce" in run.stderr


@pytest.mark.parametrize(
    ("recipe", "says"),
    [(None, "the recipe cannot be read"), ("name: [", "not valid YAML"), ("name: a", "data")],
)
def test_a_wrong_recipe_is_one_line(tmp_path, recipe, says):
    if recipe:
        (tmp_path / "recipe.yaml").write_text(recipe)
    run = RUNNER.invoke(app, ["train", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "run")])
    assert run.exit_code == 2
    assert says in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_a_folder_with_other_files_is_refused_before_training(tmp_path):
    (tmp_path / "recipe.yaml").write_text(dump_recipe(RECIPE))
    run = RUNNER.invoke(app, ["train", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path)])
    assert run.exit_code == 2
    assert "the folder holds other files" in run.stderr


def test_prepare_writes_either_kind_of_phantom(tmp_path):
    for task, found in (
        ("phantom-brain", "imagesTr/*.nii.gz"),
        ("phantom-chest", "stage_2_train_images/*.dcm"),
    ):
        out = tmp_path / task
        run = RUNNER.invoke(app, ["prepare", task, "--out", str(out), "--patients", "2", "--size", "48"])
        assert run.exit_code == 0, run.output
        assert len(list(out.glob(found))) == 2


def test_prepare_refuses_another_task():
    run = RUNNER.invoke(app, ["prepare", "phantom-foot", "--out", "x"])
    assert run.exit_code == 2
    assert "phantom-chest" in run.stderr


def test_parameters_of_the_library_become_the_command_s_flags():
    commands = typer.main.get_command(app).commands
    said = "`inputs`: none. Leave out `batch_size` and `formats`, not `shiny`. Run `tfadvpath train`."
    assert in_flags(said, commands["explain"]) == (
        "INPUT: none. Leave out --batch-size and --format, not `shiny`. Run `tfadvpath train`."
    )
    assert in_flags("Give `resume=False`, no `seed=False`.", commands["explain"]) == (
        "Give --no-resume, no `seed=False`."
    )
    assert in_flags("`task`", commands["prepare"]) == "TASK"
    assert in_flags("`batch_size`", None) == "`batch_size`"
