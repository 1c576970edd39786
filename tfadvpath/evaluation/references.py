"""Maps that no explanation made, to compare localisation with: its floor and its ceilings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tfadvpath.bundle.bundle import Bundle
from tfadvpath.errors import first_line
from tfadvpath.evaluation.images import EvaluatedImages
from tfadvpath.evaluation.measured_files import read_arrays, write_arrays
from tfadvpath.evaluation.segmentation_ceiling import segmentation_maps
from tfadvpath.explainers import computing_code

# A map that knows the finding, the maps of a network that learned from annotations, the mean annotation, and
# what the mean over all orders of the pixels reaches.
BEST_POSSIBLE, SEGMENTATION, AVERAGE_MASK = "best_possible", "segmentation", "average_mask"
RANDOM_ORDER = "random_order"
_FILE = "segmentation.maps.npz"


def reference_maps(
    bundle: Bundle,
    evaluated: EvaluatedImages,
    folder: Path,
    identity: dict[str, Any],
    seed: int,
    *,
    segmentation: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, np.ndarray]:
    """Returns the references' maps of the localised images, float32 [M, H, W], by name; none without images.

    Args:
        bundle: Bundle whose recipe names the other patients.
        evaluated: Test images.
        folder: Folder that keeps the maps of the segmentation network, whose training takes a minute.
        identity: Entries that the kept maps depend on.
        seed: Seed of the segmentation network, not negative.
        segmentation: Whether such a network is trained; it is left out, too, where the recipe's data have too
            few annotations, or where its training fails.
        say: Function that is told why it is left out, a sentence.
    """
    if not len(evaluated.localised):
        return {}
    masks = np.asarray(evaluated.images.masks[evaluated.localised], bool)
    maps = {BEST_POSSIBLE: masks.astype(np.float32)}
    if segmentation:
        try:
            learned = _segmentation(bundle, evaluated, folder / _FILE, identity, seed)
        except Exception as error:  # the methods are measured by now: their report is worth having
            say(f"the segmentation network: not trained ({type(error).__name__}: {first_line(error)})")
            learned = None
        if learned is not None:
            maps[SEGMENTATION] = learned
    average = _average_mask(bundle)
    if average.any():
        maps[AVERAGE_MASK] = np.broadcast_to(average, masks.shape)
    return maps


def _segmentation(
    bundle: Bundle, evaluated: EvaluatedImages, path: Path, identity: dict[str, Any], seed: int
) -> np.ndarray | None:
    identity = {**identity, "code": computing_code()}
    stored = read_arrays(path, {}, identity)
    if stored is not None:
        return stored.get("maps")
    images, rows = evaluated.images, evaluated.localised
    arrays = (images.images, images.labels, images.masks, images.patients, images.cases)
    wanted = type(images)(*(np.asarray(values)[rows] for values in arrays))
    maps = segmentation_maps(bundle, wanted, seed=seed)
    write_arrays(path, {} if maps is None else {"maps": maps}, identity)
    return maps


def _average_mask(bundle: Bundle) -> np.ndarray:
    """Returns the mean annotation of other patients' images, float32 [H, W]."""
    data = bundle.recipe.data
    # The training images; of phantoms, which would take minutes to generate, the fewer validation images.
    others = data.load("validation" if data.GENERATED else "train", bundle.recipe.seed)
    annotated = np.flatnonzero(np.asarray(others.masks).any(axis=(1, 2)))
    if not len(annotated):
        return np.zeros(others.images.shape[1:3], np.float32)
    masks = np.stack([np.asarray(others.masks[row]) for row in annotated])
    return np.asarray(np.mean(masks, axis=0, dtype=np.float32))
