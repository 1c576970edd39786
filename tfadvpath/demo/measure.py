"""Explained phantoms, measured against their truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfadvpath import metrics
from tfadvpath.datasets.phantoms.brain_slices import TUMOUR_LABELS
from tfadvpath.errors import InputError
from tfadvpath.explanation import PathExplanation, StudyExplanation
from tfadvpath.files import finite
from tfadvpath.recipes.data import PhantomBrain
from tfadvpath.studies.label_volume import read_labels

# The paper's percentile for the brain: 2 % of the pixels are taken as the most important.
PERCENTILE = 98


@dataclass(frozen=True, eq=False)
class Patient:
    """One phantom's slices that count: those with enough body in them, as in training.

    Attributes:
        name: Name of the study's file.
        slices: int [B], places of the slices in the volume.
        masks: bool [B, H, W], tumour pixels.
        labels: bool [B], whether the slice has enough of them for class 1.
        explanation: Explanation of the B slices.
    """

    name: str
    slices: np.ndarray
    masks: np.ndarray
    labels: np.ndarray
    explanation: PathExplanation


@dataclass(frozen=True)
class MeasuredMap:
    """How well a map finds the tumour, over the slices of class 1.

    Attributes:
        in_tumour: Share of the 2 % most important pixels that lie in the tumour.
        iou: Intersection over union of these pixels and the tumour.
    """

    in_tumour: float
    iou: float


@dataclass(frozen=True)
class Measurements:
    """Measurements of a demonstration over all counted slices. None is a number that cannot be given.

    Attributes:
        patients: Number of phantoms.
        slices: Number of slices.
        tumour_slices: Number of slices of class 1.
        auc: Area under the classifier's ROC curve.
        sensitivity: Share of slices of class 1 that the classifier decides so.
        specificity: Share of slices of class 0 that the classifier decides so.
        crossing_rate: Share of adversaries with the other decision.
        keep_rate: Share of stable images with the same decision.
        median_residual: Median of the completeness residual.
        area: Share of the tumour in the slices of class 1: what pixels drawn at random reach.
        maps: Measurements by map.
    """

    patients: int
    slices: int
    tumour_slices: int
    auc: float | None
    sensitivity: float | None
    specificity: float | None
    crossing_rate: float
    keep_rate: float
    median_residual: float | None
    area: float | None
    maps: Mapping[str, MeasuredMap]


def choose_seeds(data: PhantomBrain, recipe_seed: int, patients: int, seed: int) -> list[int]:
    """Draws phantoms among a recipe's test patients, which its training never saw.

    Raises:
        InputError: There are fewer of them.
    """
    held_out = data.patient_seeds("test", recipe_seed)
    if patients > len(held_out):
        raise InputError("`patients`", f"{patients} asked for, {len(held_out)} are held out", "Ask for fewer")
    return sorted(np.random.default_rng(seed).choice(held_out, patients, replace=False).tolist())


def patient_of(result: StudyExplanation, labels_file: Path, data: PhantomBrain) -> Patient:
    """Puts a phantom's truth beside its explanation.

    Args:
        result: Explanation of the phantom's volume at its own size.
        labels_file: Labels of the phantom.
        data: Rules of the recipe: which slices count, and which are class 1.

    Raises:
        InputError: The labels cannot be read.
    """
    study, explanation = result.study, result.explanation
    if not isinstance(explanation, PathExplanation):
        raise TypeError("the demonstration shows paths across the decision")
    masks = np.isin(read_labels(labels_file, study.grid), TUMOUR_LABELS)
    body = (study.images[..., 0] > 0).mean(axis=(1, 2)) >= data.min_body_fraction
    counted = np.flatnonzero(body & ~study.blank)
    return Patient(
        study.source.name,
        counted,
        masks[counted],
        masks[counted].sum(axis=(1, 2)) >= data.min_tumour_pixels,
        explanation.take(body[~study.blank]),
    )


def measure(patients: Sequence[Patient]) -> Measurements:
    """Measures the explanations of phantoms over all counted slices."""
    explanations = [patient.explanation for patient in patients]

    def over(arrays: Iterable[np.ndarray]) -> np.ndarray:
        return np.concatenate(list(arrays))

    labels = over(patient.labels for patient in patients)
    score = over(explanation.score for explanation in explanations)
    masks = over(patient.masks for patient in patients)[labels]
    maps = {}
    for name in explanations[0].maps if labels.any() else ():
        values = over(explanation.maps[name] for explanation in explanations)[labels]
        maps[name] = MeasuredMap(
            in_tumour=float(1 - metrics.false_negative_rate(values, masks, PERCENTILE).mean()),
            iou=float(metrics.iou(values, masks, PERCENTILE).mean()),
        )
    return Measurements(
        patients=len(patients),
        slices=len(labels),
        tumour_slices=int(labels.sum()),
        auc=finite(metrics.auc(labels, score)),
        sensitivity=finite(metrics.sensitivity(labels, score)),
        specificity=finite(metrics.specificity(labels, score)),
        crossing_rate=float(over(explanation.crossed for explanation in explanations).mean()),
        keep_rate=float(over(explanation.kept for explanation in explanations).mean()),
        median_residual=finite(
            np.median(over(explanation.completeness_residual for explanation in explanations))
        ),
        area=float(masks.mean()) if labels.any() else None,
        maps=maps,
    )


def slices_to_show(
    patients: Sequence[Patient], tumour: int = 6, healthy: int = 2
) -> list[tuple[Patient, int]]:
    """Chooses slices for the report: patients with the index of a counted slice.

    Of the first patients the slice with most tumour; then, from other patients where there are any, the slice
    without tumour that shows most of the brain.
    """
    shown = [(patient, int(patient.masks.sum(axis=(1, 2)).argmax())) for patient in patients[:tumour]]
    for patient in [*patients[tumour:], *patients[:tumour]][:healthy]:
        free = ~patient.masks.any(axis=(1, 2))
        body = (patient.explanation.images > 0).sum(axis=(1, 2, 3)) * free
        if free.any():
            shown.append((patient, int(body.argmax())))
    return shown
