"""`tfadvpath explain` as a person runs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import nibabel as nib
import numpy as np
import pytest
from support.broken_files import (
    dicom,
    dicom_bytes,
    nifti_bytes,
    picture,
    png_bytes,
    volume,
    write_broken_files,
    write_good_files,
)
from support.explanations import KnownExplainer
from support.series import noise, write_series
from typer.testing import CliRunner

import tfadvpath.batch.run
import tfadvpath.bundle.bundle
from tfadvpath import explainers
from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.cli.main import app
from tfadvpath.studies.study import read_study

COMMAND = [sys.executable, "-m", "tfadvpath", "explain"]
# As a person has it: the tests' own log level is not passed on.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}


@pytest.fixture
def explain(bundle, tmp_path, monkeypatch):
    """Runs the command in this process, with an explainer that needs no compilation."""
    monkeypatch.setattr(tfadvpath.batch.run, "get_explainer", lambda *_, **__: KnownExplainer())

    def run(*arguments):
        given = [str(argument) for argument in arguments]
        return CliRunner().invoke(
            app, ["explain", "--bundle", str(bundle), "--out", str(tmp_path / "out"), *given]
        )

    return run


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "slice.png"
    path.write_bytes(png_bytes(picture().astype(np.uint8)))
    return path


@pytest.mark.slow
def test_broken_files_next_to_good_ones_get_a_line_each(tmp_path, bundle):
    mixed = tmp_path / "mixed"
    reasons = write_broken_files(mixed)
    good = [*write_good_files(mixed), mixed / "four_channels.nii"]
    reasons.pop("four_channels.nii")  # the bundle says which one to take
    (mixed / "notes.txt").write_text("text")
    out = tmp_path / "out"
    run = subprocess.run(
        [*COMMAND, mixed, "--bundle", bundle, "--out", out, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, run.stderr
    lines = run.stderr.splitlines()
    for name, reason in reasons.items():
        assert (
            len([line for line in lines if line.startswith(f"{mixed / name}: ") and reason in line]) == 1
        ), name
    assert [line for line in lines if "notes.txt" in line] == [
        f"{mixed / 'notes.txt'}: ignored, it is of no format that is read."
    ]
    assert [line for line in lines if not line.startswith(str(mixed))] == []  # nothing of TensorFlow's
    summary = json.loads(run.stdout)
    assert json.loads((out / "summary.json").read_text()) == summary
    assert summary["bundle"] == str(bundle)
    assert sorted(study["source"] for study in summary["studies"]) == sorted(map(str, good))
    assert len(summary["errors"]) == summary["failed"] == len(reasons)
    # chest.dcm, slice.png, slice.jpg, head.nii, head.nii.gz: the ending keeps them apart
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*(path.name for path in good), "ledger.jsonl", "ledger.parquet", "summary.json"]
    )
    for study in summary["studies"]:
        folder = out / study["folder"]
        assert sorted(path.name for path in folder.iterdir()) == sorted([*study["files"], "study.json"])
        for score in (value for value in study["score"] if value is not None):
            assert 0 <= score <= 1
    head, values = nib.load(mixed / "head.nii"), nib.load(out / "head.nii" / "fi_v2_smooth.nii.gz")
    assert values.shape == head.shape
    np.testing.assert_allclose(values.affine, head.affine)
    assert np.asarray(values.dataobj).max() > 0


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_whole_results(tmp_path, bundle, ending):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for i in range(120):
        (folder / f"{i}.nii").write_bytes(nifti_bytes(volume((24, 24, 3))))
    run = subprocess.Popen(
        [*COMMAND, folder, "--bundle", bundle, "--out", out, "--batch-size", "3"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        # Where the tests run in the background of a shell, it has them ignore the interrupt.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 120
    while len(list(out.glob("*.nii"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    run.send_signal(ending)
    stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[ending]
    finished = [path for path in out.glob("[!.]*") if path.is_dir()]
    assert 3 <= len(finished) < 120
    if ending != signal.SIGKILL:
        summary = json.loads((out / "summary.json").read_text())
        assert summary["explained"] == len(finished)
        assert summary["waiting"] == 120 - summary["explained"]
        assert stderr == (
            f"Interrupted: {summary['explained']} of 120 studies are explained in {out}, 0 failed. "
            "Go on by the same command.\n"
        )
        assert sorted(path.name for path in out.glob(".*")) == []
    else:
        assert stderr == ""
    assert stdout == ""
    for study in finished:
        files = json.loads((study / "study.json").read_text())["files"]
        assert all((study / name).stat().st_size for name in files)
        assert nib.load(study / "fi_v1.nii.gz").shape == (24, 24, 3)
        np.load(study / "explanation.npz")["images"]


def test_all_well_exits_0(explain, image):
    run = explain(image)
    assert run.exit_code == 0
    assert "1 study explained" in run.stdout
    assert run.stderr == ""


@pytest.mark.parametrize("arguments", [["nowhere.png"], ["."]])
def test_nothing_explained_exits_2(explain, tmp_path, monkeypatch, arguments):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    run = explain(*arguments)
    assert run.exit_code == 2
    assert len(run.stderr.splitlines()) == 1
    assert arguments[0] in run.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            ["--format", "png,gif"],
            "--format: 'gif' is not known. Choose from dicom, dicom-synthetic, html, nifti, nifti-4d",
        ),
        (["--maps", "fi_v9"], "--maps: 'fi_v9' is not known. Choose from fi_v2_smooth"),
        (["--maps", ","], "--maps: nothing is named."),
        (["--bundle", "no_bundle"], "no_bundle: no bundle: manifest.json is missing"),
        (["--out", "slice.png"], "slice.png: cannot be made (File exists)"),
    ],
)
def test_a_wrong_option_is_one_line_and_exits_2(explain, image, monkeypatch, options, says):
    monkeypatch.chdir(image.parent)
    run = explain(image, *options)
    assert run.exit_code == 2
    assert run.stderr.startswith(says)
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.slow
def test_an_unknown_method_is_one_line(bundle, image, tmp_path):
    options = ["--bundle", str(bundle), "--out", str(tmp_path / "out"), "--method", "magic"]
    run = CliRunner().invoke(app, ["explain", str(image), *options])
    assert run.exit_code == 2
    known = ", ".join(explainers.names(load_bundle(bundle)))
    assert run.stderr == f"--method: 'magic' is no method of this bundle. Choose one of {known}.\n"
    assert known.endswith("syce")


@pytest.mark.parametrize(
    "options", [["--steps", "0"], ["--batch-size", "many"], ["--channel", "-1"], ["--shiny"]]
)
def test_usage_errors_exit_2(explain, image, options):
    run = explain(image, *options)
    assert run.exit_code == 2
    assert options[0] in run.stderr


@pytest.mark.slow
def test_the_bundles_channel_is_taken_where_none_is_named(explain, tmp_path):
    values = np.random.default_rng(0).normal(size=(20, 20, 3, 4))
    for name, stored in (("four.nii", values), ("one.nii", values[..., :1])):
        (tmp_path / name).write_bytes(nifti_bytes(stored))
    for options, channel in (([], 2), (["--channel", "3"], 3)):
        run = explain(tmp_path / "four.nii", tmp_path / "one.nii", "--format", "npz", "--no-resume", *options)
        assert run.exit_code == 0, run.output
        with np.load(tmp_path / "out/four.nii/explanation.npz") as arrays:
            stored = read_study(tmp_path / "four.nii", (32, 32), channel)
            np.testing.assert_array_equal(arrays["images"], stored.images)


def test_a_missing_channel_is_named_with_the_option(explain, tmp_path):
    (tmp_path / "two.nii").write_bytes(nifti_bytes(np.random.default_rng(0).normal(size=(20, 20, 3, 2))))
    run = explain(tmp_path / "two.nii")
    assert run.exit_code == 2
    assert "has no channel 2. Choose one of 0 to 1 by --channel" in run.stderr


def test_what_is_unusual_about_a_series_is_said_in_a_line_each(explain, tmp_path):
    paths = write_series(tmp_path / "in", noise(4, 20, 24))
    paths.pop(1).unlink()
    shutil.copy(paths[0], tmp_path / "in" / "zz.dcm")
    run = explain(tmp_path / "in")
    assert run.exit_code == 0
    assert run.stderr.splitlines() == [
        f"{tmp_path / 'in' / 'zz.dcm'}: ignored, it is a copy of {paths[0].name}.",
        f"{paths[0]}: its series has gaps: slices are 3 to 6 mm apart.",
    ]
    assert "1 study explained" in run.stdout
    assert "3 slices" in run.stdout


def test_without_a_bundle_the_demonstrations_is_taken_with_a_warning(bundle, image, tmp_path, monkeypatch):
    monkeypatch.setattr(tfadvpath.bundle.bundle, "DEMONSTRATION", bundle)
    monkeypatch.setattr(tfadvpath.batch.run, "get_explainer", lambda *_, **__: KnownExplainer())
    run = CliRunner().invoke(app, ["explain", str(image), "--out", str(tmp_path / "out")])
    assert run.exit_code == 0
    assert "trained on generated phantoms: its maps mean nothing for real patients" in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_control_characters_of_a_file_name_do_not_reach_the_terminal(explain, tmp_path):
    name = "a\x1b[31m\nb.png"
    (tmp_path / name).write_bytes(b"")
    run = explain(tmp_path / name)
    assert run.exit_code == 2
    assert "\x1b" not in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_a_folder_that_cannot_be_written_to_is_one_line(explain, image, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "out").mkdir(mode=0o555)
    run = explain(image)
    assert run.exit_code == 2
    assert "cannot be written to" in run.stderr


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("pattern", "maps"),
    [
        ("lgg/flair/TCGA_CS_4941_19960909_010.png", False),
        ("rsna_mini/stage_2_train_images/*.dcm", False),
        ("cxr_dicom/*.dcm", False),
        ("brain_tumor_progression/01/Pre_Scan_T1.nii.gz", True),
        ("msd_task01_patches/**/imagesTr/*.nii.gz", True),
    ],
)
def test_real_files_of_every_kind_are_explained(explain, real_data, tmp_path, pattern, maps):
    path = sorted(real_data.glob(pattern))[0]
    run = explain(path)
    assert run.exit_code == 0, run.stderr
    folder = tmp_path / "out" / path.name
    assert (folder / "fi_v2_smooth.png").exists()
    assert (folder / "fi_v2_smooth.nii.gz").exists() == maps
    if maps:
        source = nib.load(path)
        assert nib.load(folder / "fi_v2_smooth.nii.gz").shape == source.shape[:3]
        np.testing.assert_allclose(nib.load(folder / "fi_v2_smooth.nii.gz").affine, source.affine, atol=1e-4)


def test_resume_and_the_limits_are_options_of_the_command(explain, image, tmp_path):
    run = explain(image, "--memory-limit", "0.5", "--time-limit", "5")
    assert (run.exit_code, run.stderr) == (0, "")
    run = explain(image, "--json")
    assert json.loads(run.stdout)["resumed"] == 1
    run = explain(image, "--resume")
    assert run.stdout.endswith("0 blank slices. 1 study of an earlier run.\n")
    run = explain(image, "--no-resume", "--json")
    assert json.loads(run.stdout)["resumed"] == 0
    run = explain(image, "--seed", "1")
    assert run.exit_code == 2
    assert run.stderr == (
        f"{tmp_path / 'out'}: holds results that were made otherwise: seed 0 for 1. Name another folder, "
        "give the same options, or replace them by --no-resume.\n"
    )
    run = explain(image, "--memory-limit", "0")
    assert run.exit_code == 2
    assert "--memory-limit" in run.stderr


def test_what_was_passed_over_in_a_file_is_said_and_kept(explain, tmp_path):
    values = picture(top=4095).astype(np.uint16)
    path = tmp_path / "narrow.dcm"
    path.write_bytes(dicom_bytes(dicom(values, 12, WindowCenter="0", WindowWidth="1")))
    run = explain(path)
    assert run.exit_code == 0
    [line] = run.stderr.splitlines()
    assert line.startswith(f"{path}: its window")
    study = json.loads((tmp_path / "out" / "narrow.dcm" / "study.json").read_text())
    assert study["blank"] == 0
    assert [f"{path}: {remark}." for remark in study["remarks"]] == [line]
