"""Folders of images with a table, as ``prepare image-folder`` takes them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from tfadvpath.datasets.image_folder import ImageFolderConfig
from tfadvpath.datasets.splits import Shares

SHAPE = (40, 60)


def config(**options: object) -> ImageFolderConfig:
    """One part, of small images."""
    return ImageFolderConfig(size=32, shares=Shares(1, 0, 0), **options)


def write(
    folder: Path, table: Sequence[Mapping[str, object]], images: str = "images", masks: str | None = None
) -> None:
    """Writes a table and its images; the masks' pixels are 255 from the image's middle row on."""
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, table[0].keys())
        writer.writeheader()
        writer.writerows(table)
    random = np.random.default_rng(0)
    for row in table:
        path = folder / images / str(row["file"])
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), random.integers(0, 255, SHAPE, np.uint8))
        if masks is not None:
            drawn = np.zeros(SHAPE, np.uint8)
            drawn[SHAPE[0] // 2 :] = 255
            (folder / masks).mkdir(exist_ok=True)
            cv2.imwrite(str(folder / masks / str(row["file"])), drawn)
