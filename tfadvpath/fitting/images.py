"""The images that a person gives with a classifier, an array or files, with their patients and labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfadvpath.datasets.csv_tables import read_table
from tfadvpath.errors import InputError, quoted
from tfadvpath.fitting.input_range import UNIT, Range, range_of_values
from tfadvpath.studies.find import find_studies
from tfadvpath.studies.limits import MEMORY_LIMIT, TIME_LIMIT
from tfadvpath.studies.reader_process import ReaderProcess
from tfadvpath.studies.stored import read_stored
from tfadvpath.studies.study import read_study, source_name

_PARAMETER = "`images`"
_MOST_BYTES = 4 * 2**30  # of all images in memory
_STORED = 64  # pictures that are looked at as they are stored
_PICTURES = (".png", ".jpg", ".jpeg")
OnProgress = Callable[[str, float, float], None]


@dataclass(frozen=True, eq=False)
class GivenImages:
    """Images of one size.

    Attributes:
        images: float32 [N, S, S, 1] in [0, 1]; none is blank.
        patients: str [N], the patient of each image.
        cases: str [N], the name of each image.
        labels: int64 [N], classes as a person knows them; None where none are given.
        value_range: Range of an array's own values; None of files.
        notes: Sentences on what was left out and assumed.
        as_stored: Places of some images that are pictures, int64 [M], and these images with their stored
            values over the largest that such a file can hold, float32 [M, S, S, 1]: without the scaling of
            every image by its own smallest and largest value. None of an array.
    """

    images: np.ndarray
    patients: np.ndarray
    cases: np.ndarray
    labels: np.ndarray | None
    value_range: Range | None
    notes: tuple[str, ...] = ()
    as_stored: tuple[np.ndarray, np.ndarray] | None = None

    def take(self, rows: np.ndarray) -> GivenImages:
        """Returns some of the images, by bool [N] or their places."""
        return dataclasses.replace(
            self,
            images=self.images[rows],
            patients=self.patients[rows],
            cases=self.cases[rows],
            labels=None if self.labels is None else self.labels[rows],
            as_stored=None,
        )


def is_files(images: Any) -> bool:
    """Returns whether images are given by paths: one, or several."""
    if isinstance(images, (str, Path)):
        return True
    return isinstance(images, (list, tuple)) and bool(images) and isinstance(images[0], (str, Path))


def size_of_array(images: Any) -> tuple[int, int] | None:
    """Returns height and width of images that are given as an array; None of files.

    Raises:
        InputError: They are no array of images.
    """
    return None if is_files(images) else tuple(_as_array(images).shape[1:3])


def scaled_array(images: Any, value_range: Range | None = None) -> tuple[np.ndarray, Range]:
    """Returns images that are given as an array in [0, 1], and the range of their own values.

    Args:
        images: Numbers [N, H, W] or [N, H, W, C], C being 1, or 3 of the same values. Bytes are in [0, 255];
            other numbers that are all in [0, 1] stay as they are.
        value_range: Values of black and white of other numbers; None finds them.

    Returns:
        float32 [N, H, W, 1], and the values of black and white.

    Raises:
        InputError: They are no such array, colour images, or of values of no known range.
    """
    values = _as_array(images)
    low, high = float(values.min()), float(values.max())
    found = range_of_values(values)
    if found != UNIT and value_range is not None and values.dtype != np.uint8:
        found = value_range
    if found is None or low < found[0] or high > found[1]:
        raise InputError(
            _PARAMETER,
            f"hold values from {low:.4g} to {high:.4g}, of no range that is known",
            "Name the values of black and white by `value_range`",
        )
    black, white = found
    scaled = ((values.astype(np.float64) - black) / (white - black)).astype(np.float32)
    return np.clip(scaled, 0.0, 1.0), found


def array_of_images(
    images: Any,
    patients: Sequence[Any] | None = None,
    labels: Sequence[Any] | None = None,
    value_range: Range | None = None,
) -> GivenImages:
    """Returns images that are given as an array; those that are of one value each are left out.

    Args:
        images: Numbers, as ``scaled_array`` takes them.
        patients: Patient of each image; None takes each image for a patient.
        labels: Class of each image, a whole number; None where none is known.
        value_range: Values of black and white in the array, where it is not in [0, 1]; None finds them.

    Raises:
        InputError: They are no such array; patients or labels are others in number, or labels are no whole
            numbers; or no image shows anything.
    """
    scaled, found = scaled_array(images, value_range)
    count = len(scaled)
    names = np.array([f"image_{i}" for i in range(count)])
    who, notes = names, []
    if patients is not None:
        who = np.array([str(one) for one in patients])
        _check_count("patients", len(who), count)
    else:
        notes.append(_NO_PATIENTS.format(what="image"))
    shows = scaled.max(axis=(1, 2, 3)) > scaled.min(axis=(1, 2, 3))
    if not shows.any():
        raise InputError(_PARAMETER, "are all of one value each", "Give images that show something")
    if not shows.all():
        notes.append(f"{int((~shows).sum())} images are left out: all pixels of each have one value.")
    given = GivenImages(scaled, who, names, _as_labels(labels, count), found, tuple(notes))
    return given if shows.all() else given.take(shows)


_NO_PATIENTS = (
    "No patients are named: each {what} is taken for a patient. If a patient has several, name them by "
    "`patients`, or what is measured looks too good."
)


def files_of_images(
    paths: Any,
    size: int,
    table: Path | str | None = None,
    channel: int | None = None,
    seed: int = 0,
    on_progress: OnProgress = lambda title, done, total: None,
) -> GivenImages:
    """Reads files of images, each slice scaled to [0, 1] by its own smallest and largest value.

    Args:
        paths: File or folder, or several: DICOM files and series, NIfTI, PNG, JPEG.
        size: Height and width that the images get.
        table: CSV table with the columns ``file`` and ``patient``, and ``label`` where it is known; None
            takes each file, or series, for a patient.
        channel: Index of the channel of 4-D NIfTI files.
        seed: Seed of the draw where there are more images than memory may hold.
        on_progress: Function that is called with a title, what got done since, and the total.

    Raises:
        InputError: A path is missing, nothing can be read, or the table lacks a file, patient or label.
    """
    given = [Path(one) for one in ([paths] if isinstance(paths, (str, Path)) else paths)]
    for path in given:
        if not path.exists():
            raise InputError(path, "is no file or folder", "Name the images")
    studies = find_studies(given).studies
    if not studies:
        raise InputError(given[0], "holds no image that can be read", "Name image files or a folder of them")
    rows = None if table is None else _Table(Path(table), given)
    notes = []
    most = max(1, _MOST_BYTES // (4 * size * size))
    order = np.arange(len(studies))
    if len(studies) > most:
        order = np.sort(np.random.default_rng(seed).permutation(len(studies))[:most])
        notes.append(f"{len(studies) - most} of {len(studies)} files are left out: memory holds no more.")
    images: list[np.ndarray] = []
    patients, cases, labels, errors, pictures = [], [], [], [], []
    with ReaderProcess(MEMORY_LIMIT, TIME_LIMIT) as reader:
        chosen = [studies[i].sources for i in order]
        sources = [one for one in chosen if rows is None or rows.has(one)]
        unlisted = len(chosen) - len(sources)
        requests = ((one, read_study, (_argument(one), (size, size), channel)) for one in sources)
        for one, study in zip(sources, reader.map(requests), strict=True):
            on_progress("Reading images", 1, len(sources))
            if isinstance(study, InputError):
                errors.append(study)
                continue
            name = source_name(one)
            patient, label = (str(name), None) if rows is None else rows.of(one)
            if len(study.images) == 1 and not study.blank[0] and name.suffix.lower() in _PICTURES:
                pictures.append((len(images), name))
            for index in np.flatnonzero(~study.blank):
                images.append(study.images[index])
                patients.append(patient)
                cases.append(f"{name}:{index}" if len(study.images) > 1 else str(name))
                labels.append(label)
        looked_at = [
            pictures[i] for i in np.linspace(0, len(pictures) - 1, min(_STORED, len(pictures))).astype(int)
        ]
        stored = [reader.call([path], read_stored, path, size) for _, path in looked_at]
    if not images:
        raise (
            errors[0]
            if errors
            else InputError(
                given[0] if rows is None else rows.path,
                "leaves no image: "
                + ("all are of one value" if rows is None else "it lists none of the files"),
                "Name others",
            )
        )
    if errors:
        notes.append(f"{len(errors)} of {len(sources)} files are left out, such as: {errors[0]}")
    if unlisted:
        notes.append(f"{unlisted} files are left out: the table does not list them.")
    if rows is None:
        notes.append(_NO_PATIENTS.format(what="file or series"))
    known = None if rows is None or not rows.labelled else np.array(labels, np.int64)
    as_stored = (np.array([place for place, _ in looked_at]), np.stack(stored)) if stored else None
    return GivenImages(
        np.stack(images), np.array(patients), np.array(cases), known, None, tuple(notes), as_stored
    )


def _argument(sources: Sequence[Path]) -> Any:
    return sources[0] if len(sources) == 1 else list(sources)


class _Table:
    """A table of files with their patients and perhaps labels."""

    def __init__(self, path: Path, folders: Iterable[Path]):
        self.path = path
        self._folders = [folder for folder in folders if folder.is_dir()]
        self._rows: dict[str, tuple[str, int | None]] = {}
        for line, row in read_table(path, ("file", "patient")):
            source = f"{path}, line {line}"
            if not row["file"] or not row["patient"]:
                raise InputError(source, "names no file or no patient", "Fill it in")
            label = row.get("label", "")
            try:
                found = (row["patient"], None if label == "" else _whole(label))
            except ValueError:
                problem = f"has the label {quoted(label)}, which is no whole number"
                raise InputError(source, problem, "Number the classes from 0") from None
            self._rows.setdefault(row["file"], found)
        if not self._rows:
            raise InputError(path, "has no row", "List the files and their patients")
        missing = sum(label is None for _, label in self._rows.values())
        if 0 < missing < len(self._rows):
            problem = f"has no label in {missing} of {len(self._rows)} rows"
            raise InputError(path, problem, "Fill them in, or leave the column out")
        self.labelled = not missing

    def _key(self, sources: Sequence[Path]) -> str | None:
        """Returns the name by which the table lists a study: its path in the folder, or a file's name."""
        for one in sources:
            names = [str(one), one.name]
            names += [
                one.relative_to(folder).as_posix() for folder in self._folders if one.is_relative_to(folder)
            ]
            for name in names:
                if name in self._rows:
                    return name
        return None

    def has(self, sources: Sequence[Path]) -> bool:
        return self._key(sources) is not None

    def of(self, sources: Sequence[Path]) -> tuple[str, int | None]:
        key = self._key(sources)
        assert key is not None
        return self._rows[key]


def _whole(text: str) -> int:
    number = float(text)
    if number != int(number):
        raise ValueError(text)
    return int(number)


def _as_array(images: Any) -> np.ndarray:
    remedy = "Give an array [N, H, W] or [N, H, W, 1], or paths of files, which are brought to one size"
    if isinstance(images, (list, tuple)):
        shapes = sorted({np.shape(one) for one in images})
        if len(shapes) > 1:
            raise InputError(
                _PARAMETER, f"are of different sizes, such as {shapes[0]} and {shapes[1]}", remedy
            )
    values = np.asarray(images)
    if values.ndim == 3:
        values = values[..., np.newaxis]
    if values.ndim != 4 or not values.size or values.dtype.kind not in "uif":
        raise InputError(_PARAMETER, f"are of shape {values.shape} and type {values.dtype}", remedy)
    if not np.isfinite(values).all():
        raise InputError(_PARAMETER, "hold NaN or infinite values", "Replace them by the background's value")
    if values.shape[3] == 3 and (values == values[..., :1]).all():
        values = values[..., :1]
    if values.shape[3] != 1:
        what = "colour images" if values.shape[3] == 3 else f"images of {values.shape[3]} channels"
        raise InputError(
            _PARAMETER,
            f"are {what}, where bundles are of grey ones",
            "Give grey images; a classifier of three channels gets each of them three times",
        )
    return values


def _as_labels(labels: Any, count: int) -> np.ndarray | None:
    if labels is None:
        return None
    values = np.asarray(labels)
    _check_count("labels", len(values), count)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "biuf" or (values != np.floor(values)).any():
        raise InputError("`labels`", "are no whole numbers [N]", "Number the classes from 0")
    return values.astype(np.int64)


def _check_count(name: str, number: int, images: int) -> None:
    if number != images:
        raise InputError(f"`{name}`", f"has {number} entries for {images} images", "Give one for each")
