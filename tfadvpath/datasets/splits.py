"""Splits of images into training, validation and test: no patient is in two of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfadvpath.errors import InputError, quoted

# The parts' names, and their keys in a list.
PARTS = {"train": "train_indexes", "validation": "val_indexes", "test": "test_indexes"}

# For each part its cases, and for each case the wanted images; None for all of them.
Split = dict[str, dict[str, frozenset[int] | None]]


class Case(NamedTuple):
    """A file of a source: a volume, an X-ray, an image.

    Attributes:
        name: Name of the case in lists.
        patient: Name of the patient.
    """

    name: str
    patient: str


class Shares(NamedTuple):
    """Parts of the patients, in any unit. A part of share 0 is left out."""

    train: float = 75
    validation: float = 10
    test: float = 15


def split_by_shares(cases: Iterable[Case], shares: Shares, seed: int) -> Split:
    """Shuffles the patients by a seed and deals them out. Every part with a share gets one at least.

    Args:
        cases: Cases with their patients.
        shares: Shares of the patients for each part.
        seed: Seed of the patients' order.

    Raises:
        InputError: The shares are not possible, or there are fewer patients than parts.

    Example:
        >>> split_by_shares([Case("a1", "a"), Case("a2", "a"), Case("b1", "b")], Shares(1, 0, 1), seed=0)
        {'train': {'a1': None, 'a2': None}, 'test': {'b1': None}}
    """
    cases = list(cases)
    if min(shares) < 0 or not np.isfinite(sum(shares)) or sum(shares) == 0:
        raise InputError("`shares`", "are to be three numbers from 0 on, not all 0", "Pass e.g. 75 10 15")
    patients = sorted({case.patient for case in cases})
    np.random.default_rng(seed).shuffle(patients)
    wanted = {part: share for part, share in shares._asdict().items() if share}
    if len(patients) < len(wanted):
        raise InputError(
            "`shares`",
            f"{len(patients)} patients cannot be dealt out to {len(wanted)} parts",
            "Add patients, or give a part the share 0",
        )
    counts = dict.fromkeys(wanted, 1)
    for _ in range(len(patients) - len(wanted)):
        # The next patient goes where most are missing.
        missing = {part: wanted[part] / sum(shares) * len(patients) - counts[part] for part in wanted}
        counts[max(missing, key=lambda part: missing[part])] += 1
    ends = np.cumsum(list(counts.values()))
    part_of = {
        patient: part
        for part, end in zip(counts, ends, strict=True)
        for patient in patients[end - counts[part] : end]
    }
    split: Split = {part: {} for part in counts}
    for case in cases:
        split[part_of[case.patient]][case.name] = None
    return split


def split_by_list(path: Path | str, cases: Iterable[Case]) -> Split:
    """Reads a list of images: JSON, {"train_indexes": [[case, index], ...], "val_indexes", "test_indexes"}.

    An index is a slice's place in its volume, 0 for single images. Parts whose list is empty are left out.
    Cases that the source lacks stay in the result.

    Args:
        path: File of the list.
        cases: Cases of the source, with their patients.

    Raises:
        InputError: The file is no such list, names an image twice or a patient in two parts.
    """
    path = Path(path)
    split: Split = {}
    for part, items in read_list(path).items():
        indexes: dict[str, list[int]] = {}
        for case, index in items:
            indexes.setdefault(case, []).append(index)
        for case, listed in indexes.items():
            twice = len(listed) - len(set(listed))
            if twice:
                raise InputError(
                    path, f"names {twice} images of {quoted(case)} twice in {PARTS[part]}", "Mend the list"
                )
        if indexes:
            split[part] = {case: frozenset(listed) for case, listed in indexes.items()}
    if not split:
        raise InputError(path, "is an empty list", "Name images in it")
    _check_patients(path, split, {case.name: case.patient for case in cases})
    return split


def read_list(path: Path) -> dict[str, Sequence[tuple[str, int]]]:
    """Reads a list of images as ``split_by_list`` does, and returns the pairs of case and index by part.

    Args:
        path: File of the list.

    Raises:
        InputError: The file is no such list.
    """
    remedy = f"Write JSON with the keys {', '.join(PARTS.values())}, each a list of [case, index]"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(path, f"cannot be read as a list of images ({quoted(error)})", remedy) from None
    if not isinstance(content, dict) or set(content) != set(PARTS.values()):
        raise InputError(path, "is no list of images", remedy)
    for key in PARTS.values():
        if not isinstance(content[key], list):
            raise InputError(path, f"holds no list as {key}", remedy)
        for place, item in enumerate(content[key]):
            if not (
                isinstance(item, list) and list(map(type, item)) == [str, int] and item[0] and item[1] >= 0
            ):
                raise InputError(path, f"holds {json.dumps(item)[:60]} as {key}[{place}]", remedy)
    return {part: content[key] for part, key in PARTS.items()}


def _check_patients(path: Path, split: Split, patient_of: dict[str, str]) -> None:
    part_of: dict[str, str] = {}
    for part, cases in split.items():
        for case in cases:
            patient = patient_of.get(case, case)
            if part_of.setdefault(patient, part) != part:
                raise InputError(
                    path,
                    f"has the patient {quoted(patient)} in {PARTS[part_of[patient]]} and in {PARTS[part]}",
                    "Keep each patient to one part",
                )
