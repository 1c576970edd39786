"""Labelled X-rays of chest phantoms."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tfadvpath.datasets.boxes import filled_boxes
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.datasets.phantoms.chest import chest_phantom
from tfadvpath.studies.sizes import at_size

# The phantoms are drawn at this size or the images', whichever is larger. Their texture is made for large
# images, and drawing time grows with the size.
_DRAWN = 256


def phantom_chest_xrays(seeds: Iterable[int], image_size: int, twins: bool = False) -> LabelledImages:
    """Generates chest phantoms and returns them as ``read_study`` would their DICOM files.

    Args:
        seeds: Seeds, one per patient.
        image_size: Height and width in pixels.
        twins: Whether to give each patient twice, with the opacity as class 1 and without it as class 0.
            Otherwise patients of odd seeds have one.
    """
    drawn = max(_DRAWN, image_size)
    size = (image_size, image_size)
    images, labels, masks, patients, cases = [], [], [], [], []
    for seed in seeds:
        for opacity in (True, False) if twins else (seed % 2 == 1,):
            xray = chest_phantom(seed, drawn, opacity)
            images.append(at_size(xray.pixels, size).astype(np.float32))
            masks.append(filled_boxes(xray.boxes, xray.pixels.shape, size))
            labels.append(xray.target)
            patients.append(f"phantom_{seed}")
            cases.append(f"phantom_{seed}{'' if opacity or not twins else ' without opacity'}")
    return LabelledImages(
        np.stack(images)[..., np.newaxis],
        np.array(labels, np.float32),
        np.stack(masks),
        np.array(patients),
        np.array(cases),
    )
