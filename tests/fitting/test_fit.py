"""The one call: a bundle with the classifier's own probabilities, its report, and going on after an end."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from support import own_fits
from support.own_classifiers import classifier, images, probability

import tfadvpath as tap
from tfadvpath.bundle.pair_verdict import pair_verdict
from tfadvpath.errors import InputError
from tfadvpath.fitting import fit as fit_module
from tfadvpath.fitting import plan
from tfadvpath.fitting.fit import fit
from tfadvpath.fitting.images import files_of_images
from tfadvpath.training.run import train

pytestmark = pytest.mark.slow
SCRIPT = Path(own_fits.__file__)


@pytest.fixture(scope="module")
def patched():
    """Tiny networks; the machine's speed is measured, and then taken for a fast one's."""
    measure = fit_module.measured_speed

    def measured(*arguments):
        speed = measure(*arguments)
        assert 0 < speed.step < speed.tracing
        return own_fits.FAST

    with pytest.MonkeyPatch.context() as patch:
        own_fits.make_tiny(patch.setattr, speed=None)
        patch.setattr(fit_module, "measured_speed", measured)
        yield patch


@pytest.fixture(scope="module")
def of_files(tmp_path_factory, patched):
    """A classifier of colour images in [0, 255] with a logit, and PNG files with patients and labels."""
    folder = tmp_path_factory.mktemp("of_files")
    own_fits.write_pictures(folder, own_fits.spots())
    model = classifier(1, None, 3, [keras.layers.Rescaling(1 / 255)])
    model.save(folder / "own.keras")
    said = []
    fitted = fit(
        folder / "own.keras",
        folder / "pictures",
        folder / "run",
        minutes=0.02,
        method="cyce",
        patients=folder / "patients.csv",
        say=said.append,
    )
    return folder, model, fitted, said


@pytest.fixture(scope="module")
def of_classes(tmp_path_factory, patched):
    """Four classes by brightness, an array without labels, and SyCE."""
    with pytest.MonkeyPatch.context() as patch:
        own_fits.make_tiny(patch.setattr)
        folder = tmp_path_factory.mktemp("of_classes") / "run"
        values = images(120, means=(0.2, 0.8))
        yield values, fit(classifier(4, "softmax"), values, folder, minutes=0.02, say=None)


def test_the_bundle_explains_with_the_original_models_probabilities(of_files, tmp_path):
    folder, model, fitted, _ = of_files
    path = folder / "pictures" / "003.png"
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.float32)
    logit = model.predict(np.repeat(stored[np.newaxis, ..., np.newaxis], 3, axis=3), verbose=0)[0, 0]
    expected = 1 / (1 + np.exp(-logit))
    np.testing.assert_allclose(fitted.explain(path).score, expected, atol=1e-5)
    np.testing.assert_allclose(tap.explain(fitted.folder, [path]).score, expected, atol=1e-5)
    summary = tap.explain_studies(
        fitted.folder, path, tmp_path / "out", tap.ExplainOptions(method="cyce", formats=["npz"])
    )
    with np.load(next(tmp_path.glob("out/*/explanation.npz"))) as arrays:
        np.testing.assert_allclose(arrays["score"], expected, atol=1e-5)
    assert not summary.failures


def test_what_was_found_is_said_and_kept(of_files):
    _, _, fitted, said = of_files
    assert any("[0, 255], as its first layers want them" in line for line in said)
    assert any("taken for logits" in line for line in said)
    assert any("are planned" in line for line in said)
    assert set(fitted.report.notes) <= set(said)


def test_the_report_is_that_of_the_bundle(of_files):
    _, _, fitted, _ = of_files
    report = fitted.report
    assert json.loads((fitted.folder / "fit.json").read_text()) == json.loads(json.dumps(report.as_json()))
    assert report.verdict == pair_verdict(report.figures).sentences
    assert report.good == (not report.verdict)
    figures = tap.load_bundle(fitted.folder).figures["test"]["cyce"]
    assert {name: report.figures[name] for name in figures} == figures
    assert list(report.stages) == ["cyce"]
    text = str(report)
    for part in ("Verdict", "adversaries across the decision", "What was found and assumed"):
        assert part in text
    assert all(len(line) <= 110 for line in text.splitlines())


def test_no_patient_is_in_two_parts_and_labels_are_measured(of_files):
    folder, _, fitted, _ = of_files
    data = fitted.bundle.recipe.data
    parts = data.load_parts(0)
    patients = [set(part.patients.tolist()) for part in parts.values()]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 40
    table = files_of_images(folder / "pictures", 32, folder / "patients.csv")
    label_of = dict(zip(table.cases.tolist(), table.labels.tolist(), strict=True))
    for part in parts.values():
        assert part.labels.tolist() == [label_of[case] for case in part.cases.tolist()]
    assert fitted.bundle.figures["test"]["classifier"]["auc"] is not None


def test_the_same_call_is_refused_or_gone_on_with(of_files):
    folder, model, fitted, _ = of_files
    arguments = {"method": "cyce", "patients": folder / "patients.csv", "say": None}
    given = (folder / "pictures", folder / "run")
    with pytest.raises(InputError, match="the folder holds a fitted classifier"):
        fit(model, *given, **arguments)
    with pytest.raises(InputError, match="was begun with another classifier"):
        fit(classifier(), *given, resume=True, **arguments)
    with pytest.raises(InputError, match="was begun with another images, seed"):
        fit(model, folder, folder / "run", resume=True, seed=3, **arguments)
    again = fit(model, *given, resume=True, **arguments)
    assert again.report.figures == fitted.report.figures


def test_the_recipe_in_the_folder_is_one_that_train_goes_on_with(of_files):
    folder, _, _, _ = of_files
    out = folder / "run"
    trained = train(out / "recipe.yaml", out, resume=True)
    assert set(trained.figures["test"]) == {"classifier", "cyce"}
    assert not (out / "fit.json").exists()  # it was on the networks before
    tap.load_bundle(out)


def test_of_four_classes_two_are_explained(of_classes):
    values, fitted = of_classes
    answers = classifier(4, "softmax").predict(values, verbose=0).astype(np.float64)
    predicted = np.bincount(answers.argmax(axis=1), minlength=4)
    against, target = sorted(np.argsort(-predicted, kind="stable")[:2], key=lambda one: -predicted[one])
    expected = answers[:, target] / (answers[:, target] + answers[:, against])
    explained = fitted.explain(values, steps=3)
    np.testing.assert_allclose(explained.score, expected, atol=1e-5)
    assert sum(map(sum, fitted.report.images.values())) <= predicted[target] + predicted[against]
    assert 0 <= fitted.report.figures["leaves_classes"] <= 1
    assert list(fitted.report.stages) == ["cyce", "syce"]


def test_without_labels_nothing_is_said_of_how_well_the_classifier_does(of_classes):
    _, fitted = of_classes
    figures = fitted.bundle.figures["test"]["classifier"]
    assert figures["auc"] is None
    assert figures["positive_share"] is None
    assert "AUC" not in (fitted.folder / "model_card.md").read_text()
    parts = fitted.bundle.recipe.data.load_parts(0)
    scores = fitted.bundle.classifier.predict(parts["train"].images, verbose=0)[:, 0]
    np.testing.assert_array_equal(parts["train"].labels == 1, scores >= 0.5)
    assert np.isnan(parts["train"].known_labels).all()


def test_a_killed_call_goes_on_where_it_was(tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, str(SCRIPT), str(out)]
    killed = subprocess.run([*command, "killed"], capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr
    with np.load(out / "stages/sagen/checkpoint.npz") as checkpoint:
        before = json.loads(str(checkpoint["progress"]))
    resumed = subprocess.run([*command, "again"], capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr
    report = json.loads(resumed.stdout)
    history = json.loads((out / "history.json").read_text())["sagen"]
    assert history[: before["epochs"]] == before["history"]
    assert report["stages"]["sagen"]["epochs"] == len(history)
    assert "sagen" in tap.load_bundle(out).generators


WRONG = {
    "one class": (
        lambda: (classifier(), images(40, means=(0.55, 0.9))),
        r"puts all 40 images in class 1.*`threshold`",
    ),
    "another range": (
        lambda: (_of_bytes(), images(40)),
        r"puts all 40 images in class 0.*on images in \[0, 255\] it puts 20 of 40 in class 1.*`value_range`",
    ),
    "few of a class": (
        lambda: (classifier(), np.concatenate([images(40, means=(0.1, 0.4)), images(5, means=(0.6, 0.9))])),
        r"puts 5 of 45 in class 1, where 12 are needed",
    ),
    "one patient": (lambda: (classifier(), images(40), ["a"] * 40), "all images are of 1 patient"),
    "sizes": (lambda: (classifier(), [np.zeros((32, 32)), np.zeros((30, 32))]), "are of different sizes"),
    "volumes": (lambda: (_of_volumes(), images(40)), "takes volumes"),
    "no numbers": (
        lambda: (classifier(last=[keras.layers.Rescaling(float("nan"))]), images(40)),
        "NaN or infinite values to 40 of 40 images",
    ),
}


def _of_bytes():
    model = classifier()
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel / 255, bias])
    return model


def _of_volumes():
    image = keras.Input((8, 32, 32, 1))
    return keras.Model(image, keras.layers.Dense(1, "sigmoid")(keras.layers.Flatten()(image)))


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_fitted_is_said_in_one_line_before_anything_is_written(kind, tmp_path):
    make, says = WRONG[kind]
    model, values, *patients = make()
    with pytest.raises(InputError, match=says) as error:
        fit(model, values, tmp_path / "run", patients=patients[0] if patients else None, say=None)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"minutes": 0}, "`minutes`: 0 is no time"),
        ({"method": "gradient"}, "`method`: 'gradient' is not fitted. Choose one of syce, cyce, sagen"),
        ({"patients": "table.csv"}, "`patients`: is a file, where the images are an array"),
        ({"labels": [1]}, "`labels`: has 1 entries for 40 images"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, says, tmp_path):
    with pytest.raises(InputError, match=says):
        fit(classifier(), images(40), tmp_path / "run", say=None, **options)


def test_minutes_in_which_nothing_could_be_trained_are_refused(tmp_path, monkeypatch):
    """Compiling takes 4 x 120 s; all steps 1500 (1 + 1.4) 0.3 s, with networks of half the width."""
    own_fits.make_tiny(monkeypatch.setattr, plan.Speed(step=0.5, tracing=120.0))
    with pytest.raises(InputError, match=r"`minutes`: 5 are too few .* takes 8\.0\. Give 26, in which"):
        fit(classifier(), images(80), tmp_path / "run", minutes=5, say=None)
    said = []
    with pytest.raises(KeyboardInterrupt):
        fit(classifier(), images(80), tmp_path / "run", minutes=20, say=said.append, listener=_interrupt)
    assert any("20 minutes are short for this machine" in line for line in said)


def _interrupt(event):
    raise KeyboardInterrupt


def test_a_folder_of_others_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="the folder holds other files"):
        fit(classifier(), images(40), tmp_path, say=None)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_probabilities_are_those_of_the_definition():
    """The classifiers of these tests answer what ``support.own_classifiers`` says."""
    values = images(10)
    np.testing.assert_allclose(classifier().predict(values, verbose=0)[:, 0], probability(values), atol=1e-6)
