"""Slices of the Medical Segmentation Decathlon's Task01_BrainTumour, by the paper's rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tfadvpath.datasets.brain_volume import read_brain
from tfadvpath.datasets.builder import LabelledImageBuilder, Record
from tfadvpath.datasets.source_files import inside, readable_name
from tfadvpath.datasets.splits import Case
from tfadvpath.errors import InputError
from tfadvpath.studies.sizes import at_size, nearest

MIN_TUMOUR_PIXELS = 10
COUNTED_AT = 224  # pixels: the paper's image size
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
            name = readable_name(path)
            if ending is None:
                self._unusable[name] = "is no NIfTI file"
            elif name != path.name:
                self._unusable[name] = "has a name that is not in UTF-8"
            elif name[: -len(ending)] in self._files:
                self._unusable[name] = "has the name of another case, but for the ending"
            else:
                self._files[name[: -len(ending)]] = path
        if not self._files:
            raise InputError(images, "holds no NIfTI file", "Name the unpacked folder Task01_BrainTumour")
        return [Case(name, name) for name in self._files]

    def _images(self, case: str, wanted: frozenset[int] | None, part: str) -> Iterator[Record]:
        path = inside(self._source, self._files[case])
        labels = inside(self._source, self._source / "labelsTr" / path.name)
        volume, tumour = self.read([path, labels], read_brain, path, labels)
        in_body = {index for index, values in enumerate(volume) if values.any()}
        if wanted is None:
            self.leave_out(case, "outside the body", part, set(range(len(volume))) - in_body)
        size = (self.builder_config.size, self.builder_config.size)
        for index in sorted(in_body if wanted is None else wanted & set(range(len(volume)))):
            counted = nearest(tumour[index], (COUNTED_AT, COUNTED_AT)).sum()
            yield Record(
                index,
                at_size(volume[index], size),
                nearest(tumour[index], size),
                counted >= MIN_TUMOUR_PIXELS,
            )
