"""Generated studies to try the page with."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from tfadvpath.bundle.bundle import Bundle
from tfadvpath.datasets.phantoms import write_brain_phantoms, write_chest_phantoms
from tfadvpath.datasets.phantoms.brain_slices import phantom_shape
from tfadvpath.recipes.data import PhantomData
from tfadvpath.studies.find import find_studies

COUNT = 3


def phantom_seeds(bundle: Bundle) -> Sequence[int]:
    """Returns the seeds of the phantoms that are offered, none of which the bundle's training saw."""
    data = bundle.recipe.data
    seeds = data.patient_seeds("test", bundle.recipe.seed) if isinstance(data, PhantomData) else range(COUNT)
    return seeds[:COUNT]


def write_phantom(bundle: Bundle, number: int, folder: Path) -> Path:
    """Writes a phantom as `tfadvpath demo` does: a brain for a bundle of volumes, else a chest X-ray.

    Args:
        bundle: Bundle that explains it.
        number: Number of the phantom, from 0.
        folder: Folder that gets it.

    Returns:
        Its file.
    """
    data = bundle.recipe.data
    seeds = [phantom_seeds(bundle)[number]]
    made = folder / "made"
    if data.volume_channel is None:
        write_chest_phantoms(made, seeds)
    else:
        write_brain_phantoms(made, seeds, phantom_shape(data.image_size))
    [*_, image] = [study.sources[0] for study in find_studies(_images(made)).studies]
    file = folder / f"phantom{''.join(image.suffixes)}"
    shutil.move(image, file)
    shutil.rmtree(made)
    return file


def _images(made: Path) -> Path:
    return next(made / name for name in ("imagesTr", "stage_2_train_images") if (made / name).is_dir())
