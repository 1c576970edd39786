"""Places where a classifier may find a short cut: the image's border, its corners, and small bright marks.

Side markers, wires, devices and a film's frame tell of the hospital or the bed, and a classifier learns them
where they go with the class. A true map shows them, so two things are measured: how much of each map lies
there, beside the share of the area, and what the classifier can still do when these places are hidden.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from scipy import ndimage

from tfadvpath import metrics
from tfadvpath.files import finite
from tfadvpath.path.lengths import scaled_pixels

PLACES = ("border", "corners", "marks")
_BORDER = 0.08  # width of the border, and
_CORNER = 0.2  # side of a corner, as shares of the image's side
# Marks are thinner than this, in pixels of 224, and stand out by this part of the grey values.
_MARK, _CONTRAST = 9, 0.15
_BATCH = 64


def places(images: np.ndarray, masks: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the pixels of each of ``PLACES``, bool [N, H, W], by name.

    The border is a frame of 8 % of the image's side, the corners are squares of 20 %. Marks are what a white
    top-hat finds: brighter than their surroundings by 0.15 or more and thinner than 9 pixels of 224, with the
    pixels next to them. Letters, wires and clips are such, and so are sharp edges of bones. A finding is no
    short cut: what is annotated, and what lies nearer to it than a mark is thin, belongs to no place.

    Args:
        images: float [N, H, W, C] in [0, 1]; the mean of the channels is looked at.
        masks: bool [N, H, W], the annotated pixels.
    """
    count, height, width, _ = images.shape
    frame = np.ones((height, width), bool)
    high, wide = round(_BORDER * height), round(_BORDER * width)
    frame[high : height - high, wide : width - wide] = False
    corners = np.zeros((height, width), bool)
    high, wide = round(_CORNER * height), round(_CORNER * width)
    for rows in (slice(high), slice(height - high, None)):
        for columns in (slice(wide), slice(width - wide, None)):
            corners[rows, columns] = True
    side = scaled_pixels(_MARK, height, width, least=3)
    marks = np.stack([_marks(image.mean(axis=2), side) for image in images])
    apart = np.stack([~ndimage.maximum_filter(np.asarray(mask, bool), 2 * side + 1) for mask in masks])
    found = {"border": frame, "corners": corners, "marks": marks}
    return {name: np.broadcast_to(where, (count, height, width)) & apart for name, where in found.items()}


def _marks(image: np.ndarray, side: int) -> np.ndarray:
    above = ndimage.white_tophat(np.asarray(image, np.float32), size=(side, side))
    return np.asarray(ndimage.binary_dilation(above >= _CONTRAST))


def share_within(maps: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Returns how much of each map lies within some pixels, float64 [N] in [0, 1]; NaN of a map of zeros.

    Args:
        maps: float [N, H, W], not negative.
        where: bool [N, H, W].
    """
    values = np.asarray(maps, np.float64)
    total = values.sum(axis=(1, 2))
    return np.asarray((values * where).sum(axis=(1, 2)) / np.where(total > 0, total, np.nan))


def without(images: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Returns images whose pixels at some places are interpolated from the others, float32 [N, H, W, C].

    Args:
        images: float32 [N, H, W, C] in [0, 1].
        where: bool [N, H, W].
    """
    parts = []
    for begin in range(0, len(images), _BATCH):
        at = slice(begin, begin + _BATCH)
        hidden = tf.constant(np.asarray(where[at])[..., np.newaxis])
        parts.append(metrics.inpaint(tf.constant(np.asarray(images[at], np.float32)), hidden).numpy())
    return np.concatenate(parts)


def hidden_figures(
    scores_of: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    masks: np.ndarray,
    patients: np.ndarray,
) -> dict[str, dict[str, Any]]:
    """Measures a classifier while places are hidden.

    Args:
        scores_of: Function of images that returns their probabilities of class 1, float [N].
        images: float32 [N, H, W, C] in [0, 1].
        labels: int [N], 0 or 1.
        masks: bool [N, H, W], the annotated pixels, which are not hidden.
        patients: Patients of the images, [N].

    Returns:
        Figures by the place's name: "area" (share of the image), "auc" with the place hidden, "loss" (the AUC
        without hiding it, less that) with "loss_interval" over patients, paired, and "changed" (share of the
        decisions that hiding changes).
    """
    whole = scores_of(images)
    groups = np.asarray(patients).tolist()
    positive = np.asarray(labels) == 1
    found = {}
    for name, where in places(images, masks).items():
        hidden = scores_of(without(images, where))
        interval = metrics.bootstrap_interval(_loss, [positive, whole, hidden], groups)
        found[name] = {
            "area": float(where.mean()),
            "auc": finite(metrics.auc(positive, hidden)),
            "loss": finite(_loss(positive, whole, hidden)),
            "loss_interval": [finite(bound) for bound in interval],
            "changed": float(((whole >= 0.5) != (hidden >= 0.5)).mean()),
        }
    return found


def _loss(positive: np.ndarray, whole: np.ndarray, hidden: np.ndarray) -> float:
    return metrics.auc(positive, whole) - metrics.auc(positive, hidden)
