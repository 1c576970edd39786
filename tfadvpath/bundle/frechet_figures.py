"""Fréchet distance of changed images from real ones, beside the floor that it can be compared with."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfadvpath.files import finite
from tfadvpath.metrics.frechet import frechet_distance

# Which images change, and the class whose real images they should then resemble.
DIRECTIONS = {"zero_to_one": (0, 1), "one_to_zero": (1, 0)}
_SPLITS = 5  # random halves of the patients that a distance is averaged over


def frechet_figures(
    made: np.ndarray, real: np.ndarray, decision: np.ndarray, patients: Any, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Returns the Fréchet distance of changed images to real ones of the class they cross to, and its floor.

    The patients are cut into two halves. What is made of the first half and what is real of it are both
    compared with what is real of the second, in sets of one size: the distance grows with fewer images, and
    images of one patient resemble each other.

    Args:
        made: Features of the changed images, float [N, D], a row an image.
        real: Features of the images that they were made of, float [N, D].
        decision: Whether the classifier puts the image into class 1, bool [N].
        patients: Names of the images' patients, [N].
        seed: Seed of the halves, not negative.

    Returns:
        "frechet_distance" and "frechet_floor" (of real images of this class to others of them), each by
        direction ("zero_to_one", "one_to_zero") and the "mean" of both, means over five cuts; None where a
        class has too few images or patients. "frechet_images": the number of images in each set, by
        direction, of the cut with the fewest.
    """
    generator = np.random.default_rng(seed)
    patients, real_class = np.asarray(patients), np.asarray(decision).astype(np.int64)
    names = np.unique(patients)
    distances: dict[str, list[float]] = {name: [] for name in DIRECTIONS}
    floors: dict[str, list[float]] = {name: [] for name in DIRECTIONS}
    sizes: dict[str, list[int]] = {name: [] for name in DIRECTIONS}
    for _ in range(_SPLITS):
        first = np.isin(patients, generator.permutation(names)[: len(names) // 2])
        for name, (source, target) in DIRECTIONS.items():
            sets = [
                made[first & (real_class == source)],
                real[first & (real_class == target)],
                real[~first & (real_class == target)],
            ]
            size = min(map(len, sets))
            of_made, of_real, others = (one[generator.permutation(len(one))[:size]] for one in sets)
            distances[name].append(frechet_distance(of_made, others))
            floors[name].append(frechet_distance(of_real, others))
            sizes[name].append(size)
    figures: dict[str, dict[str, Any]] = {}
    for name, found in (("frechet_distance", distances), ("frechet_floor", floors)):
        means = {direction: _mean_of_defined(values) for direction, values in found.items()}
        means["mean"] = float(np.mean(list(means.values())))
        figures[name] = {direction: finite(value) for direction, value in means.items()}
    return figures | {"frechet_images": {direction: min(found) for direction, found in sizes.items()}}


def _mean_of_defined(values: list[float]) -> float:
    known = np.array(values)[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
