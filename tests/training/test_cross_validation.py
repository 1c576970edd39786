"""A cross-validation holds every patient out once, and says of their scores what NumPy says."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from support import tiny

from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.bundle.networks import scores_of
from tfadvpath.errors import InputError
from tfadvpath.files import only_writer
from tfadvpath.metrics.bootstrap import bootstrap_interval
from tfadvpath.training.cross_validation import (
    OutOfFoldScores,
    cross_validate,
    cross_validation_figures,
)
from tfadvpath.training.run_folder import RunFolder
from tfadvpath.training.stages import classifier

FOLDS = 3
# A threshold that one fold would move to its own images, if it was let.
RECIPE = tiny.RECIPE.model_copy(
    update={"classifier": tiny.RECIPE.classifier.model_copy(update={"operating_point": 0.9})}
)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(classifier, "resnet50_classifier", tiny.small_classifier)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("folds") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "resnet50_classifier", tiny.small_classifier)
        return cross_validate(RECIPE, out, FOLDS)


def area(labels, scores):
    """How often a positive scores above a negative; equal ones count one half."""
    difference = scores[labels == 1][:, np.newaxis] - scores[labels == 0]
    return np.mean((difference > 0) + 0.5 * (difference == 0))


@pytest.mark.slow
def test_every_image_but_the_test_parts_has_a_score_by_a_network_that_never_saw_its_patient(whole):
    scores = whole.scores
    parts = [RECIPE.data.load(part, RECIPE.seed) for part in ("train", "validation")]
    labels = {case: label for part in parts for case, label in zip(part.cases, part.labels, strict=True)}
    assert sorted(scores.cases) == sorted(labels)
    np.testing.assert_array_equal(scores.labels, [labels[case] for case in scores.cases])
    for fold in range(FOLDS):
        bundle = load_bundle(whole.folder / f"fold_{fold}")
        assert (bundle.recipe.data.folds, bundle.recipe.data.fold) == (FOLDS, fold)
        assert list(bundle.recipe.stages) == ["classifier"]
        rows = scores.folds == fold
        trained = bundle.recipe.data.load("train", RECIPE.seed)
        assert not set(scores.patients[rows]) & set(trained.patients)
        assert len(trained.labels) + rows.sum() == len(labels)
        held_out = bundle.recipe.data.load("validation", RECIPE.seed)
        np.testing.assert_array_equal(scores.cases[rows], held_out.cases)
        np.testing.assert_array_equal(scores.scores[rows], scores_of(bundle.classifier, held_out.images))


@pytest.mark.slow
def test_the_table_holds_the_scores_to_the_last_bit(whole):
    with (whole.folder / "out_of_fold.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["patient", "case", "label", "fold", "score"]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    np.testing.assert_array_equal(columns["patient"], whole.scores.patients)
    np.testing.assert_array_equal(columns["case"], whole.scores.cases)
    np.testing.assert_array_equal(columns["label"].astype(int), whole.scores.labels)
    np.testing.assert_array_equal(columns["fold"].astype(int), whole.scores.folds)
    np.testing.assert_array_equal(columns["score"].astype(np.float32), whole.scores.scores)


@pytest.mark.slow
def test_no_held_out_label_moves_a_folds_decision(whole):
    for fold in range(FOLDS):
        assert load_bundle(whole.folder / f"fold_{fold}").recipe.classifier.operating_point == "half"
    assert whole.figures["operating_point"]["point"] == 0.9


@pytest.mark.slow
def test_a_stopped_cross_validation_goes_on_and_ends_as_one_that_was_not(whole, tmp_path):
    out, heard = tmp_path / "out", []

    def stop(event):
        heard.append(event.stage)
        if event.stage == "classifier, fold 1":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cross_validate(RECIPE, out, FOLDS, listener=stop)
    assert not (out / "out_of_fold.csv").exists()
    assert set(heard) == {"classifier, fold 0", "classifier, fold 1"}
    with pytest.raises(InputError, match=r"fold_0: the folder holds a run\. Pass `resume` to go on"):
        cross_validate(RECIPE, out, FOLDS)
    (out / f".tfadvpath-{16 * 'a'}.csv").touch()  # of a killed process
    heard.clear()
    resumed = cross_validate(
        RECIPE, out, FOLDS, resume=True, listener=lambda event: heard.append(event.stage)
    )
    assert set(heard) == {"classifier, fold 1", "classifier, fold 2"}
    assert resumed.figures == whole.figures
    names = [f"fold_{fold}" for fold in range(FOLDS)]
    assert sorted(path.name for path in out.iterdir()) == ["cross_validation.json", *names, "out_of_fold.csv"]
    for name in ("cross_validation.json", "out_of_fold.csv"):
        assert (out / name).read_bytes() == (whole.folder / name).read_bytes()


@pytest.mark.slow
def test_folds_of_another_number_are_refused_before_anything_is_trained(whole, tmp_path):
    copy = shutil.copytree(whole.folder, tmp_path / "copy")
    shutil.rmtree(copy / "fold_0")
    with pytest.raises(InputError, match="fold_1/stages/classifier: was begun with another data"):
        cross_validate(RECIPE, copy, 2, resume=True)
    assert not (copy / "fold_0").exists()


def known(folds=3, seed=0):
    """Scores of 30 patients with two images each, the first positive, of an AUC between chance and 1."""
    random = np.random.default_rng(seed)
    patients = np.repeat([f"p{i}" for i in range(30)], 2)
    labels = np.tile([1, 0], 30).astype(np.float32)
    scores = np.clip(0.5 + 0.15 * (labels - 0.5) + 0.1 * random.normal(size=60), 0, 1).astype(np.float32)
    return OutOfFoldScores(patients, patients, labels, np.repeat(np.arange(30) % folds, 2), scores)


def test_figures_are_numpys():
    scores = known()
    figures = cross_validation_figures(scores, tiny.RECIPE)
    areas = [area(scores.labels[rows], scores.scores[rows]) for rows in scores.folds == np.arange(3)[:, None]]
    assert [one["fold"] for one in figures["by_fold"]] == [0, 1, 2]
    np.testing.assert_allclose([one["auc"] for one in figures["by_fold"]], areas, rtol=1e-12)
    assert figures["mean_auc_of_folds"] == pytest.approx(np.mean(areas), rel=1e-12)
    assert figures["all"]["auc"] == pytest.approx(area(scores.labels, scores.scores), rel=1e-12)
    assert figures["all"]["auc"] != pytest.approx(np.mean(areas), rel=1e-6)
    rows = [scores.labels, scores.scores]
    assert figures["all"]["auc_interval"] == pytest.approx(bootstrap_interval(area, rows, scores.patients))
    low, high = figures["mean_auc_of_folds_interval"]
    assert low < figures["mean_auc_of_folds"] < high

    point = figures["operating_point"]
    assert point["point"] == "youden"
    right = scores.scores >= point["threshold"]
    sensitivity, specificity = right[scores.labels == 1].mean(), 1 - right[scores.labels == 0].mean()
    assert (point["sensitivity"], point["specificity"]) == pytest.approx((sensitivity, specificity))
    sums = [
        np.mean(scores.scores[scores.labels == 1] >= t) + np.mean(scores.scores[scores.labels == 0] < t)
        for t in scores.scores
    ]
    assert sensitivity + specificity == pytest.approx(max(sums))
    json.dumps(figures, allow_nan=False)


def test_figures_say_who_chose_the_epochs_and_what_is_a_control():
    def with_classifier(**options):
        values = tiny.RECIPE.classifier.model_dump() | options
        return tiny.RECIPE.model_copy(update={"classifier": type(tiny.RECIPE.classifier)(**values)})

    figures = cross_validation_figures(known(), tiny.RECIPE)
    assert figures["epochs_chosen_by"] == "held-out images"
    assert "control" not in figures
    unwatched = with_classifier(monitor="none", schedule="cosine")
    assert cross_validation_figures(known(), unwatched)["epochs_chosen_by"] == "none"
    control = cross_validation_figures(known(), with_classifier(shuffle_labels=True))["control"]
    assert "never for use" in control


def test_what_cannot_be_cross_validated_is_said(tmp_path):
    with pytest.raises(InputError, match="`folds`: 1 cannot be trained and validated on"):
        cross_validate(RECIPE, tmp_path / "out", 1)
    own = RECIPE.model_copy(update={"classifier": type(RECIPE.classifier)(model="own.keras")})
    with pytest.raises(InputError, match=r"tiny: classifier\.model: is taken as it is"):
        cross_validate(own, tmp_path / "out", 3)
    assert not (tmp_path / "out").exists()
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(InputError, match="holds other files than a cross-validation's"):
        cross_validate(RECIPE, tmp_path, 3)
    with pytest.raises(InputError, match=r"thesis\.txt: is a file"):
        cross_validate(RECIPE, tmp_path / "thesis.txt", 3)


def test_two_cross_validations_do_not_write_to_one_folder(tmp_path):
    refused = pytest.raises(InputError, match=rf"^{tmp_path}: is written to by another run \(process ")
    with only_writer(tmp_path), refused:
        cross_validate(RECIPE, tmp_path, 3)
    assert not list(tmp_path.iterdir())


def test_a_fold_that_another_process_trains_is_refused(tmp_path):
    refused = pytest.raises(InputError, match=rf"^{tmp_path}/fold_0: is written to by another run")
    with RunFolder(RECIPE, tmp_path / "fold_0").alone(), refused:
        cross_validate(RECIPE, tmp_path, 3)
