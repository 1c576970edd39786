"""Images with their labels, findings and patients, for training and measuring."""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    images: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    patients: np.ndarray
