"""`tfadvpath evaluate` as a person runs it."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
from support import evaluations
from typer.testing import CliRunner

from tfadvpath import explainers
from tfadvpath.cli.evaluate import _lines
from tfadvpath.cli.main import app
from tfadvpath.evaluation.summary import summarise

RUNNER = CliRunner()
SMALL = ["--images", "4", "--steps", "3", "--subset", "4", "--perturbation", "blur", "--no-segmentation"]
METHODS = ["--methods", "grad_cam, gradient"]
MAPS = ["gradient", "grad_cam", "gradient_smooth"]  # as in the tables, the control last


def evaluate(bundle, out, *options):
    return RUNNER.invoke(app, ["evaluate", str(bundle), "--out", str(out), *SMALL, *options])


@pytest.fixture(scope="module")
def evaluated(bundle, tmp_path_factory):
    """The folder of a run, and what it printed."""
    out = tmp_path_factory.mktemp("evaluated") / "out"
    return out, evaluate(bundle, out, *METHODS, "--json")


@pytest.fixture
def report(evaluated):
    return json.loads((evaluated[0] / "report.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_report_is_printed_as_json(evaluated, report):
    _, run = evaluated
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout) == report
    assert list(report["maps"]) == MAPS
    assert report["options"]["perturbation"] == "blur"
    assert report["counts"]["relevance"] == report["counts"]["subset"] == 4
    assert report["failed"] == {}


def test_the_report_names_the_command(report):
    assert report["origin"]["Command"].split()[0] == "tfadvpath"  # not the function's name


@pytest.mark.slow
def test_a_second_run_measures_nothing_again_and_prints_a_table(evaluated, bundle, report, monkeypatch):
    out, _ = evaluated
    monkeypatch.setattr(explainers, "get", None)  # whoever explained would fail
    run = evaluate(bundle, out, *METHODS)
    assert run.exit_code == 0, run.output
    assert run.stderr.splitlines() == [f"{name}: measured before" for name in ("random", *MAPS[:2])]
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["maps"] == report["maps"]
    head, *rows, charts, page = run.stdout.splitlines()
    titles = ["IoU 98", "FNR 98", "IoU 99", "FNR 99", "R", "R class 0", "R class 1", "AOPC 16 %"]
    assert re.split(r"\s{2,}", head.strip()) == titles
    width = len(head) - len(head.lstrip()) - 2
    assert [row[:width].strip() for row in rows] == [report["maps"][key]["title"] for key in MAPS]
    for key, row in zip(MAPS, rows, strict=True):
        numbers = {(n["metric"], n["part"]): n["value"] for n in report["maps"][key]["numbers"]}
        parts = [("iou", "98 paper"), ("fnr", "98 paper"), ("iou", "99 paper"), ("fnr", "99 paper")]
        parts += [("relevance", group) for group in ("all", "class_0", "class_1")] + [("aopc", "all 16 %")]
        assert row[width:].split() == [
            "nan" if numbers[part] is None else f"{numbers[part]:.3f}" for part in parts
        ]
    assert report["claims"] == []  # it has neither CyCE nor SyCE
    assert charts == f"AOPC relative to random orders, by the share replaced: {out / 'aopc.png'}"
    assert page == f"The report is {out / 'report.html'}"


def test_other_options_in_the_same_folder_are_refused(evaluated, bundle):
    run = evaluate(bundle, evaluated[0], *METHODS, "--images", "6")
    assert run.exit_code == 2
    assert len(run.stderr.splitlines()) == 1
    assert "was measured with options.images 4, not 6. Name another folder in --out" in run.stderr


@pytest.fixture
def without_grad_cam(monkeypatch):
    get = explainers.get

    def fail(name, *arguments, **options):
        if name == "grad_cam":
            raise ValueError("no convolution\nin this model")
        return get(name, *arguments, **options)

    monkeypatch.setattr(explainers, "get", fail)


@pytest.mark.slow
def test_a_failing_method_is_named_and_exits_1(bundle, tmp_path, without_grad_cam):
    run = evaluate(bundle, tmp_path / "out", "--methods", "gradient,grad_cam")
    assert run.exit_code == 1
    assert "grad_cam failed: ValueError: no convolution in this model" in run.stderr.splitlines()
    report = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert list(report["maps"]) == ["gradient", "gradient_smooth"]
    assert report["failed"] == {"grad_cam": "ValueError: no convolution in this model"}


@pytest.mark.slow
def test_a_run_without_any_measured_method_exits_2(bundle, tmp_path, without_grad_cam):
    run = evaluate(bundle, tmp_path / "out", "--methods", "grad_cam")
    assert run.exit_code == 2
    assert "no method could be measured (grad_cam: ValueError: no convolution" in run.stderr.splitlines()[-1]
    assert run.stderr.endswith("Choose others in --methods.\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--methods", "magic"], "--methods: 'magic' is not known. Choose from gradient, integrated_grad"),
        (
            ["--methods", "cyce"],
            "--methods: the bundle has no network for 'cyce'. Train that stage, or choose",
        ),
        (["--methods", ","], "--methods: nothing is named."),
        (["--subset", "1"], "--subset: 1 image is not one of each class. Pass 2 or more, or 0"),
        (
            ["--perturbation", "fixed_point_gan"],
            "--perturbation: the bundle tiny has no fixed_point_gan. Train that stage, or let --pert",
        ),
        (["--set", "steps=3"], "--set: 'steps=3' is no METHOD.OPTION=VALUE. Name an option so"),
        (["--set", "gradient.speed=3"], "--set: gradient has no option 'speed'. Choose from"),
        (
            ["--set", "cyce.kernel_size=9"],
            "--set: cyce.kernel_size would smooth its maps by another kernel than those beside them. "
            "Give --kernel-size, which smooths all alike.",
        ),
        (["--kernel-size", "64"], "--sigma, --kernel-size: do not fit these images: A kernel of 64 taps"),
        (["--perturbation", "magic"], "--perturbation: 'magic' is not known. Choose from fixed_point_gan"),
    ],
)
def test_what_the_bundle_cannot_do_is_one_line(bundle, tmp_path, options, says):
    run = evaluate(bundle, tmp_path / "out", *options)
    assert run.exit_code == 2
    assert run.stderr.startswith(says)
    assert len(run.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_folder_with_other_files_is_not_written_to(bundle, tmp_path):
    (tmp_path / "table.csv").write_text("file,patient,label\n")
    run = evaluate(bundle, tmp_path)
    assert run.exit_code == 2
    assert run.stderr == f"{tmp_path}: holds other files than an evaluation's. Name a new folder.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_folder_without_bundle_is_one_line(tmp_path):
    run = evaluate(tmp_path, tmp_path / "out")
    assert run.exit_code == 2
    assert "no bundle: manifest.json is missing" in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_a_third_perturbation_is_refused(bundle, tmp_path):
    run = evaluate(bundle, tmp_path / "out", "--perturbation", "blur,noise,zero")
    assert run.exit_code == 2
    assert run.stderr == "--perturbation: names 3 of them. Name one or two.\n"


def test_the_same_perturbation_twice_is_refused(bundle, tmp_path):
    run = evaluate(bundle, tmp_path / "out", "--perturbation", "blur,blur")
    assert run.exit_code == 2
    assert "--perturbation: names blur twice" in run.stderr


@pytest.mark.slow
def test_two_perturbations_are_measured_and_controls_can_be_left_out(bundle, tmp_path):
    options = ["--methods", "gradient", "--perturbation", "blur,noise", "--no-controls", "--subset", "0"]
    options += ["--sigma", "1.5", "--kernel-size", "9"]
    run = evaluate(bundle, tmp_path / "out", *options)
    assert run.exit_code == 0, run.output
    report = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert list(report["maps"]) == ["gradient"]
    assert report["options"]["second_perturbation"] == "noise"
    assert (report["options"]["sigma"], report["options"]["kernel_size"]) == (1.5, 9)
    metrics = {number["metric"] for number in report["maps"]["gradient"]["numbers"]}
    assert {"relevance", "relevance_2", "aopc", "aopc_2"} <= metrics
    assert (tmp_path / "out/table_2b.md").exists()


def test_what_the_pairs_are_worth_is_printed_in_words(tmp_path):
    images = evaluations.evaluated_images(evaluations.labelled_images())
    summary = summarise(
        evaluations.every_method(images),
        evaluations.random_orders(images),
        images,
        evaluations.OPTIONS,
        repeats=2,
    )
    pairs = {"cyce": {"flip_rate": 0.9}, "syce": {"flip_rate": 0.25}}
    lines = _lines(dataclasses.replace(summary, pairs=pairs), tmp_path).splitlines()
    assert "Pairs of cyce: They reach every limit that was measured." in lines
    [line] = [line for line in lines if line.startswith("Pairs of syce")]
    assert "75 % of the adversaries do not cross the decision" in line
