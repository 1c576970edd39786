"""`tfadvpath evaluate` as a person runs it."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest
from support.evaluations import write_whole_bundle
from typer.testing import CliRunner

from tfadvpath import explainers
from tfadvpath.cli.main import app
from tfadvpath.evaluation import images as evaluated
from tfadvpath.evaluation.compared_maps import COMPARED_MAPS, METHODS
from tfadvpath.evaluation.images import choose_images, load_evaluated_images
from tfadvpath.explainers import registry
from tfadvpath.path.classifier import probability_function

RUNNER = CliRunner()
SMALL = ["--images", "4", "--steps", "3", "--subset", "4"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_whole_bundle(tmp_path_factory.mktemp("whole") / "bundle")


@pytest.fixture(scope="module")
def evaluated(whole, tmp_path_factory):
    """The folder of a run of every method, each with few steps, and what it printed."""
    out = tmp_path_factory.mktemp("evaluated") / "out"
    get = explainers.get

    def quick(name, models, **options):
        few = {"steps": 2, "iterations": 2}
        options |= {key: value for key, value in few.items() if key in explainers.options(name)}
        return get(name, models, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explainers, "get", quick)
        run = RUNNER.invoke(app, ["evaluate", str(whole), "--out", str(out), *SMALL, "--json"])
    return out, run


def evaluate(bundle, out, *options):
    return RUNNER.invoke(app, ["evaluate", str(bundle), "--out", str(out), *SMALL, *options])


def test_every_column_of_the_paper_is_measured(evaluated):
    out, run = evaluated
    assert run.exit_code == 0, run.output
    content = json.loads(run.stdout)
    assert content == json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert list(content["columns"]) == [column.key for column in COMPARED_MAPS]
    assert content["missing"] == []
    assert content["failed"] == {}
    assert content["counts"]["relevance"] == 4
    assert content["columns"]["syce_difference"]["survives_randomisation"] is not None
    with (out / "table_1.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["map"] for row in rows] == [column.title for column in COMPARED_MAPS]
    for row in rows:
        assert 0 <= float(row["IoU 98"]) <= 1
    stored = {path.name for path in (out / "methods").iterdir()}
    assert stored == {"images.npz", "random.npz"} | {
        f"{m}{end}" for m in METHODS for end in (".npz", ".maps.npz")
    }
    assert (out / "report.html").stat().st_size > 100_000


def test_the_difference_is_the_same_for_a_random_classifier(evaluated):
    with np.load(evaluated[0] / "methods/syce.npz") as arrays:
        np.testing.assert_allclose(arrays["difference.randomised"], 1)
        assert (arrays["fi_v1.randomised"] < 1).any()
        header = json.loads(str(arrays["header"]))
    assert {"bundle", "options", "tfadvpath", "versions", "method", "seconds"} <= set(header)


def test_a_second_run_measures_nothing_again(evaluated, whole, monkeypatch):
    out, first = evaluated
    before = json.loads(first.stdout)
    monkeypatch.setattr(explainers, "get", None)  # whoever explained would fail
    run = evaluate(whole, out)
    assert run.exit_code == 0, run.output
    lines = run.stderr.splitlines()
    assert lines == [f"{method}: measured before" for method in ("random", *METHODS)]
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["columns"] == before["columns"]
    assert run.stdout.splitlines()[-1] == f"The report is {out / 'report.html'}"
    assert sum(line.startswith("Claim") for line in run.stdout.splitlines()) == 3


class Brightness(explainers.Explainer):
    """The method that docs/how_to/choose_a_method.md writes."""

    def __init__(self, classifier, *, batch_size=16, jit_compile="auto"):
        super().__init__(("brightness",), batch_size, jit_compile)
        self.probability = probability_function(classifier)

    def explain_batch(self, images, count):
        return {"maps": {"brightness": images}, "score": self.probability(images)}


def test_a_method_of_ones_own_is_measured_beside_the_papers(evaluated, whole, tmp_path, monkeypatch):
    shutil.copytree(evaluated[0] / "methods", tmp_path / "out/methods")
    monkeypatch.setitem(registry._MAKERS, "brightness", Brightness)
    run = evaluate(whole, tmp_path / "out", "--methods", "brightness,gradient")
    assert run.exit_code == 0, run.output
    content = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert list(content["columns"]) == ["gradient", "brightness"]
    with np.load(tmp_path / "out/methods/brightness.npz") as arrays:  # it never asks the classifier
        np.testing.assert_allclose(arrays["brightness.randomised"], 1)
    assert run.stdout.splitlines()[2].startswith("Brightness ")


def test_nothing_to_show_is_a_report_without_examples(evaluated, whole, tmp_path, monkeypatch):
    def without_annotation(bundle, options):
        held = load_evaluated_images(bundle, options)
        images = dataclasses.replace(held.images, masks=np.zeros_like(held.images.masks))
        scores = np.asarray(images.labels, np.float32)
        return choose_images(images, scores, options, "right")

    monkeypatch.setattr(evaluated, "load_evaluated_images", without_annotation)
    run = evaluate(whole, tmp_path / "out", "--methods", "gradient")
    assert run.exit_code == 0, run.output
    assert "Examples" not in (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert not list((tmp_path / "out/gallery").iterdir())


def test_other_options_in_the_same_folder_are_refused(evaluated, whole):
    run = RUNNER.invoke(app, ["evaluate", str(whole), "--out", str(evaluated[0]), "--images", "6"])
    assert run.exit_code == 2
    assert len(run.stderr.splitlines()) == 1
    assert "was measured with options.images 4, not 6" in run.stderr


def test_a_failing_method_is_named_and_exits_1(evaluated, whole, tmp_path, monkeypatch):
    shutil.copytree(evaluated[0] / "methods", tmp_path / "out/methods")
    (tmp_path / "out/methods/grad_cam.npz").unlink()

    get = explainers.get

    def fail(name, *arguments, **options):
        if name == "grad_cam":
            raise ValueError("no convolution\nin this model")
        return get(name, *arguments, **options)

    monkeypatch.setattr(explainers, "get", fail)
    run = evaluate(whole, tmp_path / "out", "--methods", "gradient, grad_cam")
    assert run.exit_code == 1
    assert "grad_cam failed: ValueError: no convolution in this model" in run.stderr.splitlines()
    content = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert list(content["columns"]) == ["gradient"]
    assert content["failed"] == {"grad_cam": "ValueError: no convolution in this model"}
    run = evaluate(whole, tmp_path / "out", "--methods", "grad_cam")
    assert run.exit_code == 2


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
        ([], "--perturbation: the bundle tiny has no fixed_point_gan. Train that stage, or pass --pert"),
        (["--perturbation", "magic"], "--perturbation: 'magic' is not known. Choose from fixed_point_gan"),
    ],
)
def test_what_the_bundle_cannot_do_is_one_line(bundle, tmp_path, options, says):
    run = evaluate(bundle, tmp_path / "out", *options)
    assert run.exit_code == 2
    assert run.stderr.startswith(says)
    assert len(run.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_files_is_not_written_to(whole, tmp_path):
    (tmp_path / "table.csv").write_text("file,patient,label\n")
    run = evaluate(whole, tmp_path)
    assert run.exit_code == 2
    assert run.stderr == f"{tmp_path}: holds other files than an evaluation's. Name a new folder.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_folder_without_bundle_is_one_line(tmp_path):
    run = evaluate(tmp_path, tmp_path / "out")
    assert run.exit_code == 2
    assert "no bundle: manifest.json is missing" in run.stderr
    assert len(run.stderr.splitlines()) == 1
