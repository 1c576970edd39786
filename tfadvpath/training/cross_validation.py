"""Cross-validation: a recipe's classifier trained once for each fold, and scores of the held-out patients."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfadvpath import metrics
from tfadvpath.bundle.figures import classifier_figures
from tfadvpath.bundle.networks import load_network, network_path, scores_of
from tfadvpath.errors import InputError
from tfadvpath.files import LOCK, finite, is_partial, make_folder, only_writer, write_json, write_text
from tfadvpath.metrics.classification import operating_threshold
from tfadvpath.recipes.data import DataSet
from tfadvpath.recipes.recipe import Recipe, load_recipe
from tfadvpath.recipes.stages import CLASSIFIER
from tfadvpath.training.loop import Event, Listener
from tfadvpath.training.run import CONTROL, train
from tfadvpath.training.run_folder import RunFolder

SCORES_FILE, FIGURES_FILE = "out_of_fold.csv", "cross_validation.json"
_FOLD = "fold_"
_COLUMNS = ("patient", "case", "label", "fold", "score")


@dataclass(frozen=True, eq=False)
class OutOfFoldScores:
    """Images, each with the answer of the classifier that was trained without its patient.

    Attributes:
        patients: str [N], patients of the images.
        cases: str [N], names of the images in their data set.
        labels: float32 [N], 1.0 for class 1.
        folds: int64 [N], the fold that each image's patient is in, from 0.
        scores: float32 [N] in [0, 1], probabilities of class 1.
    """

    patients: np.ndarray
    cases: np.ndarray
    labels: np.ndarray
    folds: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What a cross-validation measured.

    Attributes:
        folder: Folder with a run for each fold, ``fold_0`` and so on, ``out_of_fold.csv`` and
            ``cross_validation.json``.
        scores: Images of all folds with the answers of classifiers that did not train on their patients.
        figures: Measurements, the content of ``cross_validation.json``: see ``cross_validation_figures``.
    """

    folder: Path
    scores: OutOfFoldScores
    figures: Mapping[str, Any]


def cross_validate(
    recipe: Recipe | Path | str,
    out: Path | str,
    folds: int,
    resume: bool = False,
    listener: Listener | None = None,
) -> CrossValidation:
    """Trains a recipe's classifier once for each fold, and measures it on the patients of that fold.

    The patients of the training and validation parts are dealt into folds as ``data.folds`` says. Fold i is
    the validation part of run i, the others are what it trains on; the test part stays out of the scores. The
    threshold of an operating point is chosen by all scores together: within the folds it is 0.5.

    Args:
        recipe: Recipe, or its YAML file. The stages of generators are left out.
        out: Folder that gets a run for each fold, the scores and the measurements.
        folds: Number of folds, from 2 on.
        resume: Whether to go on with a cross-validation that was stopped.
        listener: Function that is told how far the training is. Its stages are "classifier, fold 0" and so
            on.

    Raises:
        InputError: There are fewer than two folds, or a fold would be without a class; the classifier is your
            own and is not trained; ``out`` holds something else, or another process writes there; or what
            ``train`` raises.
    """
    recipe, out = recipe if isinstance(recipe, Recipe) else load_recipe(recipe), Path(out)
    if folds < 2:
        raise InputError("`folds`", f"{folds} cannot be trained and validated on", "Name 2 or more")
    if recipe.classifier.model is not None:
        raise InputError(
            f"{recipe.name}: classifier.model",
            "is taken as it is, where a cross-validation trains a classifier for each fold",
            "Measure it by a training without folds",
        )
    recipe = recipe.model_copy(update={"data": _in_folds(recipe.data)})
    runs = {out / f"{_FOLD}{fold}": _of_fold(recipe, folds, fold) for fold in range(folds)}
    _check_place(out)
    make_folder(out)
    with only_writer(out):
        for path in filter(is_partial, list(out.iterdir())):  # of a killed process
            path.unlink()
        for folder, one in runs.items():  # before the first one trains for hours
            RunFolder(one, folder).check(resume)
        parts = []
        for fold, (folder, one) in enumerate(runs.items()):
            train(one, folder, [CLASSIFIER], resume, None if listener is None else _of(listener, fold))
            parts.append(_scores(one, folder, fold))
        fields = [field.name for field in dataclasses.fields(OutOfFoldScores)]
        scores = OutOfFoldScores(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in fields)
        )
        figures = cross_validation_figures(scores, recipe)
        write_text(out / SCORES_FILE, _as_csv(scores))
        write_json(out / FIGURES_FILE, figures)
    return CrossValidation(out, scores, figures)


def cross_validation_figures(scores: OutOfFoldScores, recipe: Recipe) -> dict[str, Any]:
    """Returns how well the classifiers of a cross-validation separate patients whom they did not train on.

    Args:
        scores: Scores of all folds.
        recipe: Recipe that they were trained by.

    Returns:
        Measurements as JSON holds them. "name", "seed", "folds" (their number) and "data" (the fingerprint of
        all images). "by_fold": for each fold ``classifier_figures`` of its images, "auc" and "auc_interval"
        among them. "all": the same of all images, whose scores are of several classifiers.
        "mean_auc_of_folds" with "mean_auc_of_folds_interval": the mean of the folds' areas, in which no two
        classifiers' scores are compared. "operating_point": "point", the recipe's or "youden", "threshold"
        by all scores, and "sensitivity" and "specificity" there, with intervals; the images that choose the
        threshold are those that it is measured on. "epochs_chosen_by": "held-out images" where a fold's own
        images chose its classifier's epoch, which flatters its scores, or "none". "control", a sentence,
        where the labels were shuffled. Intervals are of 95 % by bootstrap over patients.
    """
    is_of = [scores.folds == fold for fold in range(int(scores.folds.max()) + 1)]
    by_fold = [
        {
            "fold": fold,
            **classifier_figures(scores.scores[rows], scores.labels[rows], scores.patients[rows]),
        }
        for fold, rows in enumerate(is_of)
    ]
    watched = recipe.classifier.monitor != "none"
    figures = {
        "name": recipe.name,
        "seed": recipe.seed,
        "folds": len(is_of),
        "data": recipe.data.fingerprint(recipe.seed),
        "epochs_chosen_by": "held-out images" if watched else "none",
        "by_fold": by_fold,
        "all": classifier_figures(scores.scores, scores.labels, scores.patients),
        **_with_interval("mean_auc_of_folds", _mean_auc, scores, scores.scores, scores.folds),
        "operating_point": _operating_point(scores, recipe.classifier.operating_point),
    }
    return figures | ({"control": CONTROL} if recipe.classifier.shuffle_labels else {})


def _in_folds(data: DataSet, folds: int | None = None, fold: int | None = None) -> DataSet:
    return data.model_copy(update={"folds": folds, "fold": fold})


def _of_fold(recipe: Recipe, folds: int, fold: int) -> Recipe:
    """Returns the recipe of one fold's run: its classifier alone, whose decision no held-out label moves."""
    others = dict.fromkeys(set(recipe.stages) - {CLASSIFIER})
    return recipe.model_copy(
        update={
            **others,
            "name": f"{recipe.name}, fold {fold} of {folds}",
            "data": _in_folds(recipe.data, folds, fold),
            "generator_data": None,
            "classifier": recipe.classifier.model_copy(update={"operating_point": "half"}),
        }
    )


def _check_place(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(out, "is a file", "Name a new folder for the cross-validation")
    others = [
        path
        for path in (out.iterdir() if out.exists() else ())
        if path.name not in (LOCK, SCORES_FILE, FIGURES_FILE)
        and not path.name.startswith(_FOLD)
        and not is_partial(path)
    ]
    if others:
        raise InputError(
            out, "holds other files than a cross-validation's", "Name a new folder for the cross-validation"
        )


def _of(listener: Listener, fold: int) -> Listener:
    def listen(event: Event) -> None:
        listener(dataclasses.replace(event, stage=f"{event.stage}, fold {fold}"))

    return listen


def _scores(recipe: Recipe, folder: Path, fold: int) -> OutOfFoldScores:
    part = recipe.data.load("validation", recipe.seed)
    classifier = load_network(network_path(folder, CLASSIFIER, CLASSIFIER))
    scores = scores_of(classifier, part.images)
    return OutOfFoldScores(part.patients, part.cases, part.labels, np.full(len(scores), fold), scores)


def _mean_auc(labels: np.ndarray, scores: np.ndarray, folds: np.ndarray) -> float:
    """Returns the mean of the folds' areas under the ROC curve; NaN where one of them lacks a class."""
    return float(
        np.mean([metrics.auc(labels[folds == fold], scores[folds == fold]) for fold in np.unique(folds)])
    )


def _operating_point(scores: OutOfFoldScores, wanted: str | float) -> dict[str, Any]:
    point = "youden" if wanted == "half" else wanted
    threshold = operating_threshold(scores.labels, scores.scores, point)
    decided = (scores.scores >= threshold).astype(np.float64)
    return {
        "point": point,
        "threshold": threshold,
        **_with_interval("sensitivity", metrics.sensitivity, scores, decided),
        **_with_interval("specificity", metrics.specificity, scores, decided),
    }


def _with_interval(name: str, statistic: Any, scores: OutOfFoldScores, *arrays: np.ndarray) -> dict[str, Any]:
    """Returns a statistic of the labels and some arrays, with its interval by bootstrap over patients."""
    rows = (scores.labels, *arrays)
    interval = metrics.bootstrap_interval(statistic, rows, scores.patients.tolist())
    return {name: finite(statistic(*rows)), f"{name}_interval": [finite(value) for value in interval]}


def _as_csv(scores: OutOfFoldScores) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    columns = scores.patients, scores.cases, scores.labels, scores.folds, scores.scores
    for patient, case, label, fold, score in zip(*columns, strict=True):
        # Nine digits tell every float32 from every other.
        writer.writerow([patient, case, int(label), fold, f"{score:.9g}"])
    return text.getvalue()
