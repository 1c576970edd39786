"""From a recipe's ``data`` section to labelled images."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.datasets.prepared import Prepared
from tfadvpath.datasets.slices import phantom_brain_slices
from tfadvpath.datasets.xrays import phantom_chest_xrays
from tfadvpath.training.data_options import Data, PhantomBrain, PhantomChest, Phantoms

PartName = Literal["train", "validation", "test"]
# Phantom seeds: a million for each seed of a recipe.
_SEEDS_PER_RECIPE = 1_000_000


def load_part(data: Data, seed: int, part: PartName) -> LabelledImages:
    """Returns the labelled images of one part.

    Args:
        data: Which images.
        seed: The recipe's: chooses the phantoms, and the images that ``max_images`` leaves.
        part: "train", "validation" or "test".

    Raises:
        InputError: The folder of prepared data is missing or damaged, or the part is empty.
    """
    if isinstance(data, PhantomBrain):
        return phantom_brain_slices(
            patient_seeds(data, seed, part),
            data.image_size,
            data.channel,
            data.min_tumour_pixels,
            data.min_body_fraction,
            data.twins,
        )
    if isinstance(data, PhantomChest):
        return phantom_chest_xrays(patient_seeds(data, seed, part), data.image_size, data.twins)
    prepared = Prepared(data.path, data.task)
    if data.max_images is None:
        return prepared.load(part, data.image_size)
    return prepared.sample(part, data.image_size, data.max_images, seed)


def patient_seeds(data: Phantoms, seed: int, part: PartName) -> range:
    """Returns the phantoms' seeds of one part. The parts are disjoint, and so are recipes of other seeds."""
    patients = data.patients
    first = {"train": 0, "validation": patients.train, "test": patients.train + patients.validation}[part]
    first += seed * _SEEDS_PER_RECIPE
    return range(first, first + getattr(patients, part))


def fingerprint(data: Data, seed: int) -> str:
    """Returns the SHA-256, in hexadecimal, of all that the images depend on.

    Of phantoms the options and the seed; of prepared images their content, wherever they lie.

    Raises:
        InputError: The folder of prepared images is missing or incomplete.
    """
    content = {"seed": seed, **data.model_dump(mode="json", exclude={"path"})}
    if not isinstance(data, PhantomBrain | PhantomChest):
        content["parts"] = Prepared(data.path, data.task).digests()
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
