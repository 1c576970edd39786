"""Contract of the preprocessing: what is done to an image, in words and by an example that can be checked."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tfadvpath.errors import InputError
from tfadvpath.studies.study import read_study

FOLDER = Path("assets.extra") / "preprocessing"
_TOLERANCE = 1e-5
_STEPS = [
    "DICOM: rescale, then VOI LUT or window; MONOCHROME1 is inverted.",
    "NIfTI: axial slices, anterior on top, the patient's right on the left.",
    "Each slice is scaled to [0, 1] by its own smallest and largest value.",
    "It is resized: axes that shrink are averaged over areas, then axes that grow are interpolated linearly "
    "between pixel centres.",
    "It is scaled again. A slice of one value is 0 everywhere.",
]


def write_contract(
    folder: Path, image_shape: tuple[int, int, int], files: Mapping[str, Any] | None = None
) -> None:
    """Writes contract.json, example.png (16 bits) and example.npy: the image that the example must become.

    Args:
        folder: Folder ``FOLDER`` of a version; it is made.
        image_shape: Height, width and channels of the networks' images.
        files: Formats and limits of the files that ``explain_bytes`` takes; None where there is no such
            signature.
    """
    folder.mkdir(parents=True)
    height, width, _ = image_shape
    Image.fromarray(_example((height * 3 // 2, width * 3 // 4))).save(folder / "example.png")
    image = read_study(folder / "example.png", (height, width)).images[0]
    np.save(folder / "example.npy", image)
    contract = {
        "dtype": "float32",
        "shape": [-1, *image_shape],
        "range": [0, 1],
        "steps": _STEPS,
        "files": files,
        "example": {"file": "example.png", "image": "example.npy", "tolerance": _TOLERANCE},
    }
    (folder / "contract.json").write_text(json.dumps(contract, indent=2) + "\n", encoding="utf-8")


def check_contract(folder: Path) -> None:
    """Checks that this installation prepares the example as the exporting one did.

    Args:
        folder: Folder ``FOLDER`` of a version.

    Raises:
        InputError: It does not: what a client of this version sends is not what the networks know. Or the
            contract is missing or damaged.
    """
    try:
        expected = np.load(io.BytesIO((folder / "example.npy").read_bytes()), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            folder,
            f"has no contract of the preprocessing ({error})",
            "Copy the version again or export it anew",
        ) from error
    image = read_study(folder / "example.png", expected.shape[:2]).images[0]
    apart = float(np.abs(image - expected).max())
    if not apart <= _TOLERANCE:
        raise InputError(
            folder,
            f"images are prepared otherwise by this version of tfadvpath (example apart by {apart:.2g})",
            "Export anew, or send images from the version in the manifest",
        )


def _example(size: tuple[int, int]) -> np.ndarray:
    """Returns uint16 [rows, columns]: waves and noise, so that every step changes it."""
    rows, columns = np.mgrid[: size[0], : size[1]] / max(size)
    waves = 1 + np.sin(17 * rows + 5 * columns**2) * np.cos(11 * columns)
    noise = np.random.default_rng(0).random(size)
    return (5000 + 20000 * waves + 3000 * noise).astype(np.uint16)
