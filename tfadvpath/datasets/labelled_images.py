"""Images with their labels, findings and patients, for training and measuring."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images of several patients: slices of volumes, or X-rays.

    The images and masks may be read-only memory maps: the paper's brain slices take 9 GB.

    Attributes:
        images: float32 [N, H, W, 1], each in [0, 1].
        labels: float32 [N], 1.0 where there is enough of the finding.
        masks: bool [N, H, W], the finding's pixels; all False where none are known.
        patients: str [N], the patient of each image.
        cases: str [N], the name of each image in its data set: that of its file, and of a volume's slice with
            its index behind a colon. The patients' names where none are given.
    """

    images: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    patients: np.ndarray
    cases: np.ndarray = field(default_factory=lambda: np.zeros(0, np.str_))

    def __post_init__(self) -> None:
        if not len(self.cases):
            object.__setattr__(self, "cases", self.patients)

    @property
    def known_labels(self) -> np.ndarray:
        """Labels that somebody knows, float32 [N]: those of ``labels``, or NaN where nobody does."""
        return self.labels


@dataclass(frozen=True, eq=False)
class UnlabelledImages(LabelledImages):
    """Images whose labels nobody knows: ``labels`` holds the decisions of the classifier they came with."""

    @property
    def known_labels(self) -> np.ndarray:
        return np.full(len(self.labels), np.nan, np.float32)
