"""Images that ``tfadvpath.fit`` was given, split into parts, as arrays that need not fit into memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfadvpath.datasets.labelled_images import LabelledImages, UnlabelledImages
from tfadvpath.errors import InputError
from tfadvpath.files import replacing_folder, write_json

SUMMARY = "summary.json"
_ARRAYS = ("images", "labels", "patients", "cases")
_AGAIN = "Fit the classifier anew in another folder"


def write_own_images(folder: Path, parts: Mapping[str, LabelledImages]) -> None:
    """Writes the parts of a data set as .npy files, whole or not at all.

    Args:
        folder: Folder that gets a folder a part and summary.json; an earlier one is replaced.
        parts: Images by part, all of them labelled or all unlabelled.
    """
    with replacing_folder(folder) as partial:
        counts = {}
        for part, images in parts.items():
            (partial / part).mkdir()
            digest = hashlib.sha256()
            for name in _ARRAYS:
                values = np.ascontiguousarray(getattr(images, name))
                np.save(partial / part / f"{name}.npy", values)
                digest.update(f"{name} {values.dtype.str} {values.shape}".encode() + values.tobytes())
            counts[part] = {"images": len(images.images), "sha256": digest.hexdigest()}
        first = next(iter(parts.values()))
        summary = {"image_size": first.images.shape[1], "labelled": not isinstance(first, UnlabelledImages)}
        write_json(partial / SUMMARY, {**summary, "parts": counts})


def load_own_images(folder: Path, part: str, image_size: int) -> LabelledImages:
    """Returns the images of one part as memory maps; no finding is known of them.

    Args:
        folder: Folder that ``write_own_images`` filled.
        part: Name of the part.
        image_size: Height and width in pixels, those of the files.

    Raises:
        InputError: The folder is missing or damaged, has no such part, or images of another size.
    """
    summary = _summary(folder)
    if part not in summary["parts"]:
        raise InputError(folder, f"holds no part {part}", _AGAIN)
    if summary["image_size"] != image_size:
        problem = f"holds images of {summary['image_size']} pixels, not {image_size}"
        raise InputError(folder, problem, "Set data.image_size of the recipe to theirs")
    try:
        arrays = {name: np.load(folder / part / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
    except (OSError, ValueError) as error:
        raise InputError(folder / part, f"is damaged ({error})", _AGAIN) from None
    masks = np.broadcast_to(np.False_, arrays["images"].shape[:3])
    return (LabelledImages if summary["labelled"] else UnlabelledImages)(masks=masks, **arrays)


def own_digests(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of the images, labels, patients and names of each part.

    Args:
        folder: Folder that ``write_own_images`` filled.

    Raises:
        InputError: The folder is missing or damaged.
    """
    return {part: count["sha256"] for part, count in _summary(folder)["parts"].items()}


def _summary(folder: Path) -> dict[str, Any]:
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        whole = all(isinstance(count["sha256"], str) for count in summary["parts"].values())
        whole = whole and isinstance(summary["image_size"], int) and isinstance(summary["labelled"], bool)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        whole = False
    if not whole:
        problem = f"holds no images of a fitted classifier (no readable {SUMMARY})"
        raise InputError(folder, problem, "Name the folder of such images, or fit the classifier anew")
    return dict(summary)
