"""X-rays of the RSNA Pneumonia Detection Challenge, by the paper's rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tfadvpath.datasets.boxes import filled_boxes
from tfadvpath.datasets.builder import LabelledImageBuilder, Record
from tfadvpath.datasets.csv_tables import BOX_COLUMNS, Box, are_fractions, box_of, read_table, shown
from tfadvpath.datasets.source_files import inside, readable_name
from tfadvpath.datasets.splits import Case
from tfadvpath.errors import InputError
from tfadvpath.studies.files import check_file
from tfadvpath.studies.study import Study, read_study

NORMAL, OPACITY = "Normal", "Lung Opacity"
IMAGES = "stage_2_train_images"
BOXES = "stage_2_train_labels.csv"
KINDS = "stage_2_detailed_class_info.csv"


class Pneumonia(LabelledImageBuilder):
    """Chest X-rays that are normal or show lung opacities. The challenge's third class is left out.

    An X-ray is read and resized as ``read_study`` does: by the averages of areas, scaled to [0, 1] by its
    smallest and largest value. The boxes around opacities, filled, make the mask.
    """

    CLASSES = (NORMAL, OPACITY)
    DESCRIPTION = "Chest X-rays of the RSNA Pneumonia Detection Challenge: normal, or with lung opacities."
    HOMEPAGE = "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge"
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get the data of the RSNA Pneumonia Detection Challenge and unpack them. The folder with "
        f"{IMAGES}/*.dcm, {BOXES} and {KINDS} is the manual folder."
    )

    def _cases(self) -> list[Case]:
        labels = read_rsna_labels(self._source)
        folder = self._source / IMAGES
        if not folder.is_dir():
            raise InputError(
                self._source, f"holds no folder {IMAGES}", "Name the folder of the challenge's files"
            )
        self._opacities, self._unusable = labels.opacities, dict(labels.unusable)
        self._fractions = are_fractions(box for boxes in labels.opacities.values() for box in boxes)
        for path in sorted(folder.iterdir()):
            name = readable_name(path).removesuffix(path.suffix)
            known = name in labels.opacities or name in labels.unusable
            if not known and not path.name.startswith("."):
                self._unusable[name] = "is in no table"
        return [Case(patient, patient) for patient in labels.opacities]

    def _images(self, case: str, wanted: frozenset[int] | None, part: str) -> Iterator[Record]:
        if wanted is not None and 0 not in wanted:
            return
        path = inside(self._source, self._source / IMAGES / f"{case}.dcm")
        size = (self.builder_config.size, self.builder_config.size)
        check_file(path)  # of a folder ``read_study`` would take the one study in it
        study: Study = self.read([path], read_study, path, size)
        count, rows, columns = study.grid.slices_shape
        if count != 1:
            raise InputError(path, f"holds {count} frames, where an X-ray has one", "Pass single X-rays")
        if study.blank[0]:
            raise InputError(path, "is blank: all its pixels are the same", "Copy or export it again")
        boxes = self._opacities[case]
        mask = filled_boxes(boxes, (1, 1) if self._fractions else (rows, columns), size)
        yield Record(0, study.images[0, ..., 0], mask, bool(boxes))


class RsnaLabels(NamedTuple):
    """Content of the challenge's tables.

    Attributes:
        opacities: Boxes of each patient of the classes "Normal" (none) and "Lung Opacity" (some).
        unusable: Other patients, with the reason.
    """

    opacities: dict[str, list[Box]]
    unusable: dict[str, str]


def read_rsna_labels(folder: Path | str) -> RsnaLabels:
    """Reads the challenge's two tables.

    Args:
        folder: Folder of the challenge's files.

    Raises:
        InputError: A table is missing or is none.
    """
    folder = Path(folder)
    kinds: dict[str, set[str]] = {}
    for _, row in read_table(inside(folder, folder / KINDS), ("patientId", "class")):
        kinds.setdefault(row["patientId"], set()).add(row["class"])
    opacities: dict[str, list[Box]] = {}
    unusable: dict[str, str] = {}
    for line, row in read_table(inside(folder, folder / BOXES), ("patientId", *BOX_COLUMNS, "Target")):
        patient = row["patientId"]
        boxes = opacities.setdefault(patient, [])
        try:
            box = box_of(row)
        except ValueError as error:
            unusable.setdefault(patient, f"{BOXES}, line {line}: {error}")
            continue
        if (box is not None) != (row["Target"] == "1"):
            unusable.setdefault(patient, f"{BOXES}, line {line}: Target and box do not go together")
        if box is not None:
            boxes.append(box)
    for patient in kinds.keys() | opacities.keys():
        reason = _why_not(kinds.get(patient, set()), opacities.get(patient))
        if reason is not None:
            unusable.setdefault(patient, reason)
    kept = {patient: boxes for patient, boxes in opacities.items() if patient not in unusable}
    return RsnaLabels(kept, dict(sorted(unusable.items())))


def _why_not(kinds: set[str], boxes: list[Box] | None) -> str | None:
    """Returns why a patient is not among the images; None if it is."""
    if len(kinds) != 1:
        return f"has {len(kinds)} classes in {KINDS}"
    (kind,) = kinds
    if kind not in (NORMAL, OPACITY):
        return f"is of the class {shown(kind)}"
    if boxes is None:
        return f"has no row in {BOXES}"
    if (kind == OPACITY) != bool(boxes):
        return f"is of the class {kind} and has {len(boxes)} boxes"
    return None
