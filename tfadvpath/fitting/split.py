"""The parts of a data set without one: patients dealt out so that every part has both decisions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tfadvpath.errors import InputError

# Shares of the images of each decision.
SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
# Fewest images of each decision in a part.
LEAST = {"train": 8, "validation": 2, "test": 2}
# Stream of random numbers within a seed, apart from the recipes'.
_DEALING, _DRAWING = 5_000, 6_000


def split_by_decision(patients: np.ndarray, one: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Deals patients into parts so that each part has its share of the images of both decisions.

    The patients come in an order that the seed draws, those with images of the rarer decision first, and each
    goes to the part that misses most of what the patient has.

    Args:
        patients: str [N], the patient of each image.
        one: bool [N]: the image is predicted class 1.
        seed: Seed of the patients' order, not negative.

    Returns:
        For each part the places of its images, int64, in ascending order.

    Raises:
        InputError: There is one patient, or a part would have too few images of a decision.

    Example:
        >>> who = np.array([f"patient {i}" for i in range(40)])
        >>> parts = split_by_decision(who, np.arange(40) % 2 == 0, seed=0)
        >>> {part: len(rows) for part, rows in parts.items()}
        {'train': 28, 'validation': 6, 'test': 6}
    """
    counts = np.array([np.sum(~one), np.sum(one)])
    least = sum(LEAST.values())
    for k in (0, 1):
        if counts[k] < least:
            raise InputError(
                "`images`",
                f"the classifier puts {counts[k]} of {len(one)} in class {k}, where {least} are needed",
                f"Add images of class {k}, or name the probability at which you decide by `threshold`",
            )
    names, patient_of = np.unique(patients, return_inverse=True)
    if len(names) < len(SHARES):
        raise InputError(
            "`patients`",
            f"all images are of {len(names)} patient{'s' * (len(names) > 1)}, where those that are measured "
            "on must be others than those that are trained on",
            f"Give images of {len(SHARES)} patients or more",
        )
    of_patient = np.stack([np.bincount(patient_of, one == k, len(names)) for k in (False, True)], axis=1)
    rarer = int(counts[1] <= counts[0])
    order = np.random.default_rng([seed, _DEALING]).permutation(len(names))
    order = order[np.argsort(of_patient[order, rarer] == 0, kind="stable")]
    wanted = np.outer(list(SHARES.values()), counts)
    have = np.zeros_like(wanted)
    part_of_patient = np.empty(len(names), np.int64)
    for patient in order:
        missing = (wanted - have) / wanted
        part = int(np.argmax(missing @ (of_patient[patient] / counts)))
        part_of_patient[patient] = part
        have[part] += of_patient[patient]
    for (name, fewest), row in zip(LEAST.items(), have, strict=True):
        for k in (0, 1):
            if row[k] < fewest:
                raise InputError(
                    "`patients`",
                    f"{int(np.sum(of_patient[:, k] > 0))} patients have images predicted {k}: the {name} "
                    f"part would get {int(row[k])} such images, where {fewest} are needed",
                    "Add patients, or try another `seed`",
                )
    part_of = part_of_patient[patient_of]
    return {part: np.flatnonzero(part_of == i) for i, part in enumerate(SHARES)}


def fewer(rows: np.ndarray, one: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Returns some places of a part, at most ``most`` of each decision, drawn by a seed, in their order.

    Args:
        rows: Places of the part's images, int64.
        one: bool [N] over all images: predicted class 1.
        most: Largest number of images of each decision.
        seed: Seed of the draw, not negative.
    """
    generator = np.random.default_rng([seed, _DRAWING])
    kinds = [rows[one[rows] == k] for k in (False, True)]
    return np.sort(np.concatenate([generator.permutation(kind)[:most] for kind in kinds]))


def counts_of(parts: Mapping[str, np.ndarray], one: np.ndarray) -> dict[str, list[int]]:
    """Returns for each part how many of its images are predicted 0 and 1.

    Args:
        parts: Places of the images of each part, int64.
        one: bool [N] over all images: predicted class 1.
    """
    return {part: [int(np.sum(~one[rows])), int(np.sum(one[rows]))] for part, rows in parts.items()}
