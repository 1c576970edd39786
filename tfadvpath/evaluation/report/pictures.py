"""Pictures of single test images with every method's map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.evaluation.compared_maps import ComparedMap
from tfadvpath.evaluation.gallery import Example
from tfadvpath.writers.pictures import display_scale, grey, labelled, montage, outline, overlay, picture_size

# Pixels of a picture's longer side.
_LEAST, _MOST = 160, 192
_ACROSS = 5
INPUT = "Input"


class Shown(NamedTuple):
    """An example with its pictures.

    Attributes:
        example: Image that is shown, and why.
        patient: Name of its patient.
        label: Class of the image, 0 or 1.
        score: Probability f(x) of class 1.
        annotated: Whether there is an outline.
        pictures: uint8 RGB by title: the input, then every map over it.
    """

    example: Example
    patient: str
    label: int
    score: float
    annotated: bool
    pictures: Mapping[str, np.ndarray]


def show(
    example: Example, place: int, images: LabelledImages, score: float, maps: Mapping[ComparedMap, np.ndarray]
) -> Shown:
    """Draws an example: the input with its annotation's outline, and every map over it.

    Each map has a scale of its own: its 99.5th percentile is shown brightest.

    Args:
        example: Image to show, and why.
        place: Row of the image in ``maps``.
        images: All test images.
        score: Probability f(x) of class 1.
        maps: Maps of all examples, float [G, H, W] each.
    """
    row = example.row
    mask = np.asarray(images.masks[row])
    image = grey(np.asarray(images.images[row]), picture_size(mask.shape, _LEAST, _MOST))
    pictures = {INPUT: outline(image, mask)}
    for compared, values in maps.items():
        one = values[place]
        pictures[compared.title] = outline(overlay(image, one, display_scale(one[np.newaxis])), mask)
    patient, label = str(images.patients[row]), int(images.labels[row])
    return Shown(example, patient, label, score, bool(mask.any()), pictures)


def sheet(shown: Shown) -> np.ndarray:
    """Returns an example's pictures in one, uint8 RGB, with their titles.

    Args:
        shown: Example with its pictures.
    """
    return montage([labelled(picture, title) for title, picture in shown.pictures.items()], across=_ACROSS)
