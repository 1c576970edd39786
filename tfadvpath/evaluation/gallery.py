"""Test images to show: best, median, worst, and those that the classifier gets wrong."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tfadvpath.evaluation.images import EvaluatedImages

_EACH = 3  # number of the best, of the worst, and of those around the median
_WRONG = 2  # number of misses, and of false alarms


class Example(NamedTuple):
    """One test image to show.

    Attributes:
        row: Place of the image among the test images.
        kind: Reason to show it: "best", "median", "worst", "missed" or "false alarm".
        key: Key of the map that it was chosen by; "" where no map had a part in it.
        iou: IoU of that map; None where there is none.
    """

    row: int
    kind: str
    key: str = ""
    iou: float | None = None


def choose_examples(evaluated: EvaluatedImages, key: str, iou: np.ndarray) -> list[Example]:
    """Chooses images to show; an image is shown once.

    Args:
        evaluated: Test images.
        key: Key of the map that they are chosen by.
        iou: float [M], IoU of that map in the localised images. NaN counts as 0.

    Returns:
        The best, those around the median, and the worst by IoU, of different patients as long as there are
        any; and misses and false alarms, those that the classifier is surest of. A miss that is shown as
        such is not among the worst.
    """
    patients = np.asarray(evaluated.images.patients)
    rows, values = evaluated.localised, np.nan_to_num(np.asarray(iou, np.float64))
    order = rows[np.argsort(-values, kind="stable")]
    from_median = order[np.argsort(np.abs(np.arange(len(order)) - (len(order) - 1) / 2), kind="stable")]
    found: dict[int, Example] = {}

    def by_iou(kind: str, candidates: np.ndarray) -> None:
        free = [row for row in candidates.tolist() if row not in found]
        for row in _of_different_patients(free, patients, _EACH):
            found[row] = Example(row, kind, key, float(values[np.searchsorted(rows, row)]))

    def surest(kind: str, wrong: np.ndarray, certainty: np.ndarray) -> None:
        order = np.argsort(-np.where(wrong, certainty, -np.inf), kind="stable")[: wrong.sum()]
        free = [row for row in order.tolist() if row not in found]
        for row in _of_different_patients(free, patients, _WRONG):
            found[row] = Example(row, kind)

    by_iou("best", order)
    by_iou("median", from_median)
    positive = np.asarray(evaluated.images.labels) == 1
    surest("missed", positive & ~evaluated.decisions, -evaluated.scores)
    surest("false alarm", ~positive & evaluated.decisions, evaluated.scores)
    by_iou("worst", order[::-1])
    kinds = ("best", "median", "worst", "missed", "false alarm")
    return sorted(found.values(), key=lambda example: kinds.index(example.kind))


def _of_different_patients(rows: list[int], patients: np.ndarray, count: int) -> list[int]:
    """Returns the first rows, at most ``count``; a patient's second one only where patients are too few."""
    first: dict[str, int] = {}
    for row in rows:
        first.setdefault(patients[row], row)
    chosen = list(first.values())[:count]
    return chosen + [row for row in rows if row not in chosen][: count - len(chosen)]
