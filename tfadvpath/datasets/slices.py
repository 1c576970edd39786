"""Labelled axial slices of brain volumes, by the paper's rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tfadvpath.datasets.phantoms.brain import brain_phantom

# Non-enhancing and enhancing tumour. Oedema (1) is background in the paper's masks.
TUMOUR_LABELS = (2, 3)


@dataclass(frozen=True, eq=False)
class SliceSet:
    """Slices of several patients.

    Attributes:
        images: float32 [N, H, W, 1], each in [0, 1].
        labels: float32 [N], 1.0 where the slice has enough tumour.
        masks: bool [N, H, W], tumour pixels.
        patients: int64 [N], the patient of each slice.
    """

    images: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    patients: np.ndarray


def phantom_brain_slices(
    seeds: Iterable[int],
    image_size: int,
    channel: int = 2,
    min_tumour_pixels: int = 10,
    min_body_fraction: float = 0.05,
) -> SliceSet:
    """Generates brain phantoms and returns their slices as ``read_study`` would of their NIfTI files.

    Args:
        seeds: One per patient.
        image_size: Height and width in pixels; the number of slices follows, 155 at 240 pixels.
        channel: FLAIR 0, T1w 1, T1gd 2, T2w 3.
        min_tumour_pixels: A slice with that many is of class 1.
        min_body_fraction: Slices where less of the image is body are left out.
    """
    parts = []
    for seed in seeds:
        phantom = brain_phantom(seed, phantom_shape(image_size))
        slices = _axial(phantom.image[..., channel])
        masks = np.isin(_axial(phantom.labels), TUMOUR_LABELS)
        body = (slices > 0).mean(axis=(1, 2)) >= min_body_fraction
        slices, masks = slices[body], masks[body]
        low, high = slices.min(axis=(1, 2), keepdims=True), slices.max(axis=(1, 2), keepdims=True)
        images = ((slices - low) / (high - low))[..., np.newaxis].astype(np.float32)
        labels = (masks.sum(axis=(1, 2)) >= min_tumour_pixels).astype(np.float32)
        parts.append((images, labels, masks, np.full(len(images), seed)))
    return SliceSet(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def phantom_shape(image_size: int) -> tuple[int, int, int]:
    """Returns the shape of a brain volume of that many pixels in a slice's row: the voxels stay cubes."""
    return image_size, image_size, round(image_size * 155 / 240)


def _axial(volume: np.ndarray) -> np.ndarray:
    """Turns RAS+ [X, Y, Z] into slices [Z, rows, columns]: anterior on top, the patient's right on the left."""
    return volume[::-1, ::-1].transpose(2, 1, 0)
