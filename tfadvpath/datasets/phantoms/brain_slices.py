"""Labelled axial slices of brain volumes, by the paper's rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.datasets.phantoms.brain import BrainPhantom, brain_phantom
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.sizes import min_max

_RAS = np.array([[0, 1], [1, 1], [2, 1]])  # the phantoms' axes, as nibabel writes an orientation
# Non-enhancing and enhancing tumour. Oedema (1) is background in the paper's masks.
TUMOUR_LABELS = (2, 3)


def phantom_brain_slices(
    seeds: Iterable[int],
    image_size: int,
    channel: int = 2,
    min_tumour_pixels: int = 10,
    min_body_fraction: float = 0.05,
    twins: bool = False,
) -> LabelledImages:
    """Generates brain phantoms and returns their slices as ``read_study`` would of their NIfTI files.

    Args:
        seeds: Seeds, one per patient.
        image_size: Height and width in pixels; the number of slices follows, 155 at 240 pixels.
        channel: Index of the channel: FLAIR 0, T1w 1, T1gd 2, T2w 3.
        min_tumour_pixels: Number of tumour pixels from which a slice is of class 1.
        min_body_fraction: Share of body in the image below which a slice is left out.
        twins: Whether to keep the slices of class 1 alone, and give each the same slice of the same patient
            without the tumour as class 0. Then nothing but the tumour tells the class; otherwise the slice's
            height does too.
    """
    parts = []
    for seed in seeds:
        patient = _patient_slices(brain_phantom(seed, phantom_shape(image_size)), channel)
        kept = patient.body >= min_body_fraction
        positive = patient.masks.sum(axis=(1, 2)) >= min_tumour_pixels
        name = f"phantom_{seed}"
        sources = [(name, patient, kept & positive if twins else kept)]
        if twins:
            twin = _patient_slices(brain_phantom(seed, phantom_shape(image_size), tumour=False), channel)
            sources.append((f"{name} without tumour", twin, kept & positive & (twin.body > 0)))
        for case, source, chosen in sources:
            masks = source.masks[chosen]
            labels = (masks.sum(axis=(1, 2)) >= min_tumour_pixels).astype(np.float32)
            cases = np.array([f"{case}:{index}" for index in np.flatnonzero(chosen)], np.str_)
            parts.append((source.images[chosen], labels, masks, np.full(len(labels), name), cases))
    return LabelledImages(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


class _Patient(NamedTuple):
    images: np.ndarray  # float32 [Z, H, W, 1] in [0, 1]
    masks: np.ndarray  # bool [Z, H, W]
    body: np.ndarray  # float [Z], the body's share of the image


def _patient_slices(phantom: BrainPhantom, channel: int) -> _Patient:
    grid = Grid(phantom.labels.shape, orientation=_RAS)
    slices = grid.to_slices(phantom.image[..., channel])
    images = np.stack([min_max(values) for values in slices])[..., np.newaxis]
    masks = np.isin(grid.to_slices(phantom.labels), TUMOUR_LABELS)
    return _Patient(images.astype(np.float32), masks, (slices > 0).mean(axis=(1, 2)))


def phantom_shape(image_size: int) -> tuple[int, int, int]:
    """Returns the shape of a brain volume of that many pixels in a slice's row: the voxels stay cubes."""
    return image_size, image_size, round(image_size * 155 / 240)
