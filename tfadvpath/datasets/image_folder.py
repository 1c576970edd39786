"""Images that a table lists, with masks or boxes."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from tfadvpath.datasets.boxes import filled_boxes
from tfadvpath.datasets.builder import LabelledImageBuilder, PrepareConfig, Record
from tfadvpath.datasets.csv_tables import Box, are_fractions, box_of, read_table, shown
from tfadvpath.datasets.source_files import inside, readable_name
from tfadvpath.datasets.splits import Case
from tfadvpath.errors import InputError
from tfadvpath.studies.files import check_file
from tfadvpath.studies.masks import read_mask
from tfadvpath.studies.sizes import nearest
from tfadvpath.studies.study import Study, read_study

MIN_TUMOUR_PIXELS = 10
MASK_FOLDERS = ("mask", "masks")
MOST_SOUGHT = 100  # files of the table that are looked for, to find the folder of the images


@dataclasses.dataclass(kw_only=True, eq=False)
class ImageFolderConfig(PrepareConfig):
    """Configuration of an image folder: all that the stored images depend on besides their source.

    Attributes:
        images: Folder, inside the source, where the table's files are; None looks for it.
        masks: Folder of the masks, of the same file names; None takes "mask" or "masks" if there is one.
    """

    images: str | None = None
    masks: str | None = None


@dataclasses.dataclass
class _Row:
    patient: str
    positive: bool
    boxes: list[Box]


class ImageFolder(LabelledImageBuilder):
    """Images of a folder with one CSV table.

    The table's columns: ``file``; ``patient``; ``label`` (0 or 1), or ``tumour_pixels``, of which 10 make
    class 1; and, where boxes are known, ``x``, ``y``, ``width``, ``height`` in pixels of the image or in
    fractions of it. An image with several boxes has several rows. Other columns are passed over. In lists an
    image is [file, 0].

    Images are grey PNG, JPEG, DICOM or NIfTI files of one slice, read and resized as ``read_study`` does.
    Masks are of the images' size, their stored values other than 0 where the finding is; they take the
    nearest pixel. Those of NIfTI images are NIfTI with the same affine.
    """

    CONFIG: ClassVar = ImageFolderConfig
    BUILDER_CONFIGS: ClassVar[list[PrepareConfig]] = [ImageFolderConfig()]
    CLASSES = ("0", "1")
    DESCRIPTION = "Images of two classes that a table lists."
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "The manual folder holds one CSV table with the columns file, patient, and label or tumour_pixels; a "
        "folder of images; and a folder of masks, if there are any."
    )

    def _cases(self) -> list[Case]:
        self._rows = self._read_rows()
        if not self._rows:
            raise InputError(self._source, "has a table without a usable row", "Mend the table")
        config = self.builder_config
        self._masks = self._folder(config.masks) if config.masks is not None else self._find_masks()
        self._folder_of_images = (
            self._folder(config.images) if config.images is not None else self._find_images()
        )
        self._fractions = are_fractions(box for row in self._rows.values() for box in row.boxes)
        return [Case(file, row.patient) for file, row in self._rows.items()]

    def _images(self, case: str, wanted: frozenset[int] | None, part: str) -> Iterator[Record]:
        if wanted is not None and 0 not in wanted:
            return
        path, row = inside(self._source, self._folder_of_images / case), self._rows[case]
        size = (self.builder_config.size, self.builder_config.size)
        check_file(path)  # of a folder ``read_study`` would take the one study in it
        study: Study = self.read([path], read_study, path, size, 0)
        count, *shape = study.grid.slices_shape
        if count != 1:
            raise InputError(path, f"holds {count} slices, where an image has one", "Save them one by one")
        if study.blank[0]:
            blank = "is blank: all its pixels are the same"
            if wanted is not None:
                raise InputError(path, blank, "Leave it out of the list")
            self.leave_out(case, blank, part, {0})
            return
        mask = filled_boxes(row.boxes, (1, 1) if self._fractions else (shape[0], shape[1]), size)
        if self._masks is not None:
            drawn = inside(self._source, self._masks / case)
            if os.path.lexists(drawn) or row.positive:
                [marked] = self.read([drawn], read_mask, drawn, path, study.grid)
                mask |= nearest(marked, size)
        yield Record(0, study.images[0, ..., 0], mask, row.positive)

    def _read_rows(self) -> dict[str, _Row]:
        tables = sorted(path for path in self._source.glob("*.csv") if not path.name.startswith("."))
        if len(tables) != 1:
            raise InputError(self._source, f"holds {len(tables)} CSV tables", "Leave one, with all images")
        inside(self._source, tables[0])
        rows: dict[str, _Row] = {}
        wrong: dict[str, list[int]] = {}  # lines, by what is wrong with them
        for line, values in read_table(tables[0], ("file", "patient")):
            if not {"label", "tumour_pixels"} & values.keys():
                raise InputError(tables[0], "lacks the column label or tumour_pixels", "Add one of them")
            file = values["file"]
            try:
                row = _row(values)
                known = rows.setdefault(file, row)
                if known is not row:
                    if (known.patient, known.positive) != (row.patient, row.positive) or not row.boxes:
                        raise ValueError("repeats a file with other values")
                    known.boxes += row.boxes
            except ValueError as error:
                self._unusable.setdefault(file, f"{readable_name(tables[0])} {error}")
                wrong.setdefault(str(error), []).append(line)
        for problem, lines in wrong.items():
            how_many = "1 row" if len(lines) == 1 else f"{len(lines)} rows"
            self.on_error(
                InputError(f"{tables[0]}, line {lines[0]}", f"{how_many}: {problem}", "Mend the table")
            )
        return {file: row for file, row in rows.items() if file not in self._unusable}

    def _folder(self, name: str) -> Path:
        folder = inside(self._source, self._source / name)
        if not folder.is_dir():
            raise InputError(folder, "is no folder", "Name a folder inside the source")
        return folder

    def _find_masks(self) -> Path | None:
        found = [path for path in sorted(self._source.iterdir()) if path.name.lower() in MASK_FOLDERS]
        if len(found) > 1:
            raise InputError(self._source, "holds several folders of masks", "Name one in `masks`")
        return found[0] if found else None

    def _find_images(self) -> Path:
        """Returns the folder of the first of the table's files that there is."""
        folders = [self._source, *(path for path in sorted(self._source.iterdir()) if path != self._masks)]
        # Names that go their own way tell nothing of the folder.
        names = [file for file in self._rows if not Path(file).is_absolute() and ".." not in Path(file).parts]
        if not names:
            return self._source
        places = {
            file: [path for path in folders if os.path.lexists(path / file)] for file in names[:MOST_SOUGHT]
        }
        file = next((file for file in places if places[file]), names[0])
        if len(places[file]) != 1:
            raise InputError(
                self._source,
                f"holds {shown(file)} of its table in {len(places[file])} folders",
                "Name the folder of the images in `images`, and that of the masks in `masks`",
            )
        return places[file][0]


def _row(values: dict[str, str]) -> _Row:
    if not values["file"] or not values["patient"]:
        raise ValueError("names no file or no patient")
    column = "label" if "label" in values else "tumour_pixels"
    try:
        number = float(values[column])
    except ValueError:
        raise ValueError(f"has the {column} {shown(values[column])!r}") from None
    if column == "label" and number not in (0, 1):
        raise ValueError(f"has the label {shown(values[column])}, where 0 or 1 is meant")
    if not number >= 0:
        raise ValueError(f"has the {column} {shown(values[column])}")
    box = box_of(values)
    positive = number == 1 if column == "label" else number >= MIN_TUMOUR_PIXELS
    return _Row(values["patient"], positive, [] if box is None else [box])
