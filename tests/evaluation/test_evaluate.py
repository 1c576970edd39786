"""``tfadvpath.evaluate`` from Python: a bundle in, a summary and a report out."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal

import numpy as np
import pydantic
import pytest
from support import tiny
from support.evaluations import Run, bright_square_classifier, labelled_images, without_annotation

import tfadvpath
from tfadvpath import explainers
from tfadvpath.bundle.bundle import Bundle
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.errors import InputError
from tfadvpath.evaluation.compared_maps import METHODS
from tfadvpath.evaluation.options import EvaluationOptions
from tfadvpath.explainers import registry
from tfadvpath.path.classifier import probability_function
from tfadvpath.recipes.data import DataSet

OPTIONS = EvaluationOptions(images=4, steps=3, region_steps=4, subset=4, perturbation="zero")


class Squares(DataSet):
    """Images that a test made."""

    task: Literal["squares"] = "squares"
    image_size: int = 32
    _images: LabelledImages = pydantic.PrivateAttr()

    def __init__(self, images):
        super().__init__()
        self._images = images

    def _read(self, part, seed):
        assert part in ("train", "test")  # the former for the mean annotation
        return self._images


def squares(images=None):
    """A bundle without generators, whose classifier sees every bright square; its test images."""
    data = Squares(images or labelled_images(size=32))
    recipe = tiny.RECIPE.model_copy(update={"name": "squares", "data": data})
    return Bundle(bright_square_classifier(32), {}, recipe, {}, {})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two methods."""
    out = tmp_path_factory.mktemp("evaluated") / "out"
    return Run(squares(), out, OPTIONS, methods=["grad_cam", "gradient"], command="my script")


@pytest.mark.slow
def test_a_bundle_in_memory_is_measured(run):
    assert isinstance(run.summary, tfadvpath.Summary)
    assert list(run.summary.maps) == ["gradient", "grad_cam", "gradient_smooth"]  # as in the tables
    assert run.summary.options.percentiles == (90.0, 95.0, 98.0, 99.0)
    assert run.summary.counts["images"] == 24
    assert run.summary.claims == ()  # it has neither CyCE nor SyCE
    assert list(run.summary.references) == ["best_possible", "average_mask", "random_order"]
    assert "where a length of the paper" in run.report["facts"]["Lengths"]


def test_the_report_is_written(run):
    assert list(run.report["maps"]) == ["gradient", "grad_cam", "gradient_smooth"]
    assert run.report["missing"] == [m for m in METHODS if m not in ("gradient", "grad_cam")]
    assert run.report["origin"]["Command"] == "my script"
    assert re.fullmatch(r"\d+ (seconds|minutes) to measure the methods", run.report["origin"]["Time"])
    assert "1.000" in run.report["facts"]["Classifier"]  # its AUC
    assert "squares" in (run.out / "report.html").read_text(encoding="utf-8")


def test_the_listener_hears_a_line_a_method_and_how_far_it_is(run):
    names = [line.partition(": measured in ")[0] for line in run.lines]
    assert names == ["random", "gradient", "grad_cam"]
    measuring = [(event.step, event.steps) for event in run.heard if event.task == "Measuring"]
    assert measuring == sorted(measuring)
    assert measuring[-1][0] == measuring[-1][1] > 0
    examples = [(event.step, event.steps) for event in run.heard if event.task == "Explaining examples"]
    assert examples == [(1, 2), (2, 2)]


@pytest.mark.slow
def test_a_second_call_reads_what_was_measured(run, monkeypatch):
    monkeypatch.setattr(explainers, "get", None)  # whoever explained would fail
    before = run.report["maps"]
    again = Run(squares(), run.out, OPTIONS, methods=["gradient", "grad_cam"])
    assert again.lines == [f"{name}: measured before" for name in ("random", "gradient", "grad_cam")]
    assert again.report["maps"] == before
    for key, measured in run.summary.maps.items():
        for name, estimate in measured.estimates.items():
            np.testing.assert_array_equal(again.summary.maps[key].estimates[name].value, estimate.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"images": 6}, r"was measured with options\.images 4, not 6"),
        ({"sigma": 2.0}, r"was measured with options\.sigma None, not 2\.0"),
        ({"kernel_size": 9}, r"was measured with options\.kernel_size None, not 9"),
    ],
)
def test_other_options_are_refused_in_the_same_folder(run, changes, says):
    with pytest.raises(InputError, match=says):
        Run(squares(), run.out, dataclasses.replace(OPTIONS, **changes), methods=["gradient"])


@pytest.mark.slow
def test_without_names_all_methods_are_measured_that_need_no_network(tmp_path, monkeypatch):
    monkeypatch.setattr(explainers, "get", lambda name, models, **options: Known(name))
    run = Run(squares(), tmp_path / "out", dataclasses.replace(OPTIONS, subset=0))
    own = [key for key, measured in run.summary.maps.items() if not measured.compared.is_control]
    assert own == ["gradient", "integrated_gradients", "grad_cam", "mask_perturbation"]


class Known(explainers.Explainer):
    """Its map is the image; it never asks the classifier."""

    def __init__(self, name):
        super().__init__((name,), 16)

    def explain_batch(self, images, count):
        return {"maps": {self.map_names[0]: images}, "score": images[:, 0, 0, 0]}


class Brightness(explainers.Explainer):
    """The method that docs/how_to/choose_a_method.md writes."""

    def __init__(self, classifier, *, batch_size=16, jit_compile="auto"):
        super().__init__(("brightness",), batch_size, jit_compile)
        self.probability = probability_function(classifier)

    def explain_batch(self, images, count):
        return {"maps": {"brightness": images}, "score": self.probability(images)}


class Broken(Brightness):
    """Fails as a method may."""

    def explain_batch(self, images, count):
        raise RuntimeError("no brightness\nin these images")


@pytest.fixture
def register(monkeypatch):
    """Gives a method its name, for one test."""
    explainers.names()  # every module of the package has registered its own
    monkeypatch.setattr(registry, "_MAKERS", dict(registry._MAKERS))
    return registry.register


@pytest.mark.slow
def test_a_method_of_your_own_is_measured_beside_the_papers(register, tmp_path):
    register("brightness")(Brightness)
    run = Run(squares(), tmp_path / "out", OPTIONS, methods=["brightness", "gradient"])
    assert list(run.summary.maps) == ["gradient", "brightness", "gradient_smooth"]
    assert run.summary.maps["brightness"].compared.title == "Brightness"
    np.testing.assert_allclose(run.summary.maps["brightness"].estimates["randomised"].value, 1)
    assert run.summary.maps["brightness"].estimates["pointing"].value == 1  # the square is the brightest


@pytest.mark.slow
def test_a_method_that_fails_stops_no_other(register, tmp_path):
    register("broken")(Broken)
    run = Run(squares(), tmp_path / "out", OPTIONS, methods=["gradient", "broken"])
    assert list(run.summary.maps) == ["gradient", "gradient_smooth"]
    [(method, reason)] = run.summary.failed.items()
    assert method == "broken"
    assert reason.startswith("RuntimeError: ")
    assert "no brightness in these images" in reason
    assert f"broken failed: {reason}" in run.lines
    assert run.report["failed"] == run.summary.failed


def test_a_run_without_any_measured_method_is_refused(register, tmp_path):
    register("broken")(Broken)
    with pytest.raises(InputError, match=r"out: no method could be measured \(broken: RuntimeError: "):
        Run(squares(), tmp_path / "out", OPTIONS, methods=["broken"])
    assert not (tmp_path / "out/report.html").exists()


@pytest.mark.slow
def test_nothing_to_show_is_a_report_without_examples(tmp_path):
    run = Run(squares(without_annotation(size=32)), tmp_path / "out", OPTIONS, methods=["gradient"])
    assert run.lines[0] == (
        "Warning: no test image of class 1 of squares has an annotation: localisation is left out."
    )
    assert "iou" not in run.summary.maps["gradient"].estimates
    assert "Examples" not in (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert not list((tmp_path / "out/gallery").iterdir())


@pytest.mark.slow
def test_images_without_annotation_are_said_to_be_left_out(tmp_path):
    images = labelled_images(size=32)
    images.masks[[0, 4]] = False
    run = Run(squares(images), tmp_path / "out", OPTIONS, methods=["gradient"])
    assert run.lines[0] == "2 test images of class 1 without annotation take no part in localisation."
    assert run.summary.counts["localised"] == 10


@pytest.mark.parametrize(
    ("methods", "changes", "says"),
    [
        (["magic"], {}, r"^`methods`: 'magic' is not known\. Choose from gradient, integrated_gradients"),
        (
            ["cyce"],
            {},
            r"^`methods`: the bundle has no network for 'cyce'\. Train that stage, or choose",
        ),
        ([], {}, r"^`methods`: nothing is named\. Choose from gradient, "),
        (["gradient"], {"subset": 1}, r"^`subset`: 1 image is not one of each class\. Pass 2 or more, or 0"),
        (
            ["gradient"],
            {"method_options": {"magic": {"steps": 2}}},
            r"^`method_options`: 'magic' is no method\. Choose from",
        ),
        (
            ["gradient"],
            {"method_options": {"gradient": {"speed": 2}}},
            r"^`method_options`: gradient has no option 'speed'\. Choose from",
        ),
        (
            ["gradient"],
            {"method_options": {"syce": {"sigma": 2.0}}},
            r"^`method_options`: syce\.sigma would smooth its maps by another kernel than those beside them"
            r"\. Give `sigma`, which smooths all alike\.$",
        ),
        (["gradient"], {"sigma": -1.0}, r"^`sigma`, `kernel_size`: do not fit these images: `sigma` and `"),
        (["gradient"], {"kernel_size": 64}, r"^`sigma`, `kernel_size`: do not fit these images: A kernel"),
        (["gradient"], {"perturbation": "magic"}, r"^`perturbation`: 'magic' is not known\. Choose from fix"),
        (
            ["gradient"],
            {"perturbation": "fixed_point_gan"},
            r"^`perturbation`: the bundle squares has no f",
        ),
    ],
)
def test_what_the_bundle_cannot_do_is_refused_before_a_folder_is_made(tmp_path, methods, changes, says):
    with pytest.raises(InputError, match=says):
        Run(squares(), tmp_path / "out", dataclasses.replace(OPTIONS, **changes), methods=methods)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_options_of_a_method_reach_it(monkeypatch, tmp_path):
    given = []
    get = explainers.get

    def noting(name, models, **options):
        given.append((name, options))
        return get(name, models, **options)

    monkeypatch.setattr(explainers, "get", noting)
    options = dataclasses.replace(OPTIONS, subset=0, method_options={"integrated_gradients": {"steps": 3}})
    Run(squares(), tmp_path / "out", options, methods=["gradient", "integrated_gradients"])
    steps = {name: options.get("steps") for name, options in given}
    assert steps == {"gradient": None, "integrated_gradients": 3}


def test_a_folder_with_other_files_is_not_written_to(tmp_path):
    (tmp_path / "table.csv").write_text("file,patient,label\n")
    with pytest.raises(InputError, match=r"holds other files than an evaluation's\. Name a new folder"):
        Run(squares(), tmp_path, OPTIONS, methods=["gradient"])
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_test_images_of_one_class_are_refused(tmp_path):
    images = labelled_images(size=32)
    images.labels[:] = 0
    with pytest.raises(InputError, match="squares: all test images are of class 0"):
        Run(squares(images), tmp_path / "out", OPTIONS, methods=["gradient"])


def test_a_second_classifier_that_cannot_be_loaded_is_refused_before_anything_is_measured(tmp_path):
    with pytest.raises(InputError, match=r"`second_classifier`: none\.keras: cannot be loaded"):
        Run(squares(), tmp_path / "out", OPTIONS, methods=["gradient"], second_classifier="none.keras")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("pairs", [True, False])
def test_pairs_are_recorded_in_a_bundles_folder_or_not_at_all(tmp_path, pairs):
    says = "Pass the folder in place of a Bundle" if pairs else "Measure `pairs`"
    with pytest.raises(InputError, match=re.escape(says)):
        tfadvpath.evaluate(squares(), tmp_path / "out", OPTIONS, pairs=pairs, record=True)
    assert not (tmp_path / "out").exists()
