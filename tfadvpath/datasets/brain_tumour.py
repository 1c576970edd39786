"""Slices of the Medical Segmentation Decathlon's Task01_BrainTumour, by the paper's rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfadvpath.datasets.builder import LabelledImageBuilder, Record
from tfadvpath.datasets.phantoms.brain_slices import TUMOUR_LABELS
from tfadvpath.datasets.splits import Case
from tfadvpath.errors import InputError
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.label_volume import read_labels
from tfadvpath.studies.sizes import at_size, nearest, resized
from tfadvpath.studies.study import open_slices

CHANNEL = 2  # T1 with gadolinium
MIN_TUMOUR_PIXELS = 10
COUNTED_AT = 224  # pixels: the paper's image size
# The paper's volumes of 155 mm become 145 slices.
SLICES_PER_MM = 145 / 155
ENDINGS = (".nii.gz", ".nii")


class BrainTumour(LabelledImageBuilder):
    """Axial T1gd slices with and without tumour.

    A volume is resized along its three axes as ``read_study`` resizes images: the values of areas are
    averaged along axes that shrink, and interpolated linearly along axes that grow. Its 155 mm become 145
    slices; a volume that covers less becomes as many in proportion. Masks take the nearest voxel.

    Non-enhancing and enhancing tumour make the mask. A slice is class 1 if at least 10 pixels of the mask are
    tumour on 224 x 224, whatever the stored size. Without a list, slices without a voxel other than 0 are
    left out: they lie outside the body. Each slice is scaled to [0, 1] by its own smallest and largest value.
    """

    CLASSES = ("no tumour", "tumour")
    DESCRIPTION = "Axial T1gd slices of the Medical Segmentation Decathlon's Task01_BrainTumour."
    HOMEPAGE = "http://medicaldecathlon.com"
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get Task01_BrainTumour.tar from medicaldecathlon.com and unpack it. The folder Task01_BrainTumour, "
        "with imagesTr/*.nii.gz and labelsTr/*.nii.gz, is the manual folder."
    )

    def _cases(self) -> list[Case]:
        images = self._source / "imagesTr"
        if not images.is_dir():
            raise InputError(
                self._source, "holds no folder imagesTr", "Name the unpacked folder Task01_BrainTumour"
            )
        self._files: dict[str, Path] = {}
        for path in sorted(images.iterdir()):
            ending = next((ending for ending in ENDINGS if path.name.lower().endswith(ending)), None)
            # The Decathlon's archive holds hidden files of macOS.
            if path.name.startswith("."):
                continue
            if ending is None:
                self._unusable[path.name] = "is no NIfTI file"
            else:
                self._files[path.name[: -len(ending)]] = path
        if not self._files:
            raise InputError(images, "holds no NIfTI file", "Name the unpacked folder Task01_BrainTumour")
        return [Case(name, name) for name in self._files]

    def _images(self, case: str, wanted: frozenset[int] | None, part: str) -> Iterator[Record]:
        path = self._files[case]
        volume, tumour = read_brain(path, self._source / "labelsTr" / path.name)
        inside = {index for index, values in enumerate(volume) if values.any()}
        if wanted is None:
            self.leave_out(case, "outside the body", part, set(range(len(volume))) - inside)
        size = (self.builder_config.size, self.builder_config.size)
        for index in sorted(inside if wanted is None else wanted & set(range(len(volume)))):
            counted = nearest(tumour[index], (COUNTED_AT, COUNTED_AT)).sum()
            yield Record(
                index,
                at_size(volume[index], size),
                nearest(tumour[index], size),
                counted >= MIN_TUMOUR_PIXELS,
            )


def read_brain(path: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads a volume and brings its slices to the paper's distance.

    Args:
        path: NIfTI file with the channels FLAIR, T1w, T1gd, T2w.
        labels: NIfTI file of its labels.

    Returns:
        The T1gd slices, float32 [N, rows, columns], inferior ones first, rows from anterior to posterior; and
        the tumour, bool of that shape.

    Raises:
        InputError: A file is missing or damaged, has no channel 2, or the two lie on different grids.
    """
    if not labels.exists():
        raise InputError(path, "has no labels in labelsTr", f"Put {labels.name} there")
    with open_slices(path, CHANNEL) as reading:
        grid = reading.grid
        if grid.source is None or len(grid.source.get_data_shape()) < 4:
            raise InputError(path, "has no channels", "Pass volumes with FLAIR, T1w, T1gd and T2w")
        volume = np.asarray(reading.slices, np.float32)
    tumour = np.isin(read_labels(labels, grid), TUMOUR_LABELS)
    count = max(1, round(len(volume) * _slice_distance(grid) * SLICES_PER_MM))
    _, rows, columns = volume.shape
    if count != len(volume):
        volume = np.stack([resized(volume[:, row], (count, columns)) for row in range(rows)], axis=1)
    return volume, nearest(tumour, (count, rows, columns))


def _slice_distance(grid: Grid) -> float:
    """Returns the millimetres between the slices."""
    if grid.affine is None or grid.orientation is None:
        raise ValueError("`grid` must be of a NIfTI file. Received: one that lies nowhere")
    axis = int(np.flatnonzero(grid.orientation[:, 0] == grid.slice_axis)[0])
    return float(np.linalg.norm(grid.affine[:3, axis]))
