"""The preparation of data to train on or to try with: images on disk as records, or generated studies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfadvpath.errors import ERROR_LOG, InputError, UnforeseenError
from tfadvpath.files import make_folder, only_writer
from tfadvpath.recipes.data import DATA_SETS, PhantomData, PreparedData
from tfadvpath.studies.limits import MEMORY_LIMIT, TIME_LIMIT

# Beyond the phantoms of recipes whose seeds are below 1000: a bundle may be tried on what is generated here.
_APART = 1_000_000_000
PATIENTS_PER_SEED = 100_000
_PATIENTS = 10
_LEAST_SIZE = 32  # of the classifiers
_COMMON = ("source", "split", "shares")


@dataclass(frozen=True, eq=False)
class PrepareSummary:
    """The summary of a preparation.

    Attributes:
        task: Name of the data set.
        out: Folder that got the files.
        content: Numbers of the images or patients that were written, as JSON holds them; for images on disk
            the content of summary.json.
        errors: Errors of cases or tables that were left out.
    """

    task: str
    out: Path
    content: Mapping[str, Any]
    errors: Sequence[InputError]

    def lines(self) -> list[str]:
        """Returns the summary in lines for a person."""
        if "parts" not in self.content:
            count = self.content["patients"]
            return [f"{count} patient{' is' if count == 1 else 's are'} in {self.out}"]
        from tfadvpath.datasets.prepare import described  # imports TensorFlow

        return [*described(self.content), f"The images are in {self.out}"]

    def warnings(self) -> list[str]:
        """Returns a line for every part of the split that is of one class."""
        return [
            f"Warning: all images of {part} are of class {int(count['class_1'] > 0)}."
            for part, count in self.content.get("parts", {}).items()
            if count["class_1"] in (0, count["images"])
        ]


def prepare(
    task: str,
    out: Path | str,
    *,
    source: Path | str | None = None,
    split: Path | str | None = None,
    shares: tuple[float, float, float] | None = None,
    images: str | None = None,
    masks: str | None = None,
    patients: int | None = None,
    size: int | None = None,
    seed: int = 0,
    memory_limit: int = MEMORY_LIMIT,
    time_limit: float = TIME_LIMIT,
    on_error: Callable[[InputError], None] = lambda error: None,
    on_progress: Callable[[float], None] = lambda share: None,
) -> PrepareSummary:
    """Prepares images for training, or generates studies with known findings.

    Args:
        task: Name of the data set, such as "image-folder" or "phantom-brain".
        out: Folder that gets the files.
        source: Folder of the images on disk; not for phantoms.
        split: JSON list of the images of each part. Without it patients are split by shares and seed.
        shares: Shares of the patients for training, validation and test; 75, 10, 15 without it.
        images: Name of the folder of images inside the source, for data sets whose files name none.
        masks: Name of the folder of masks inside the source, for such data sets too.
        patients: Number of phantoms, 1 to 100 000; 10 without it.
        size: Rows and columns in pixels, at least 32; 224 without it, for phantoms 240 (brain) and 1024
            (chest).
        seed: Seed of the phantoms, or of the patients' split; not negative.
        memory_limit: Bytes of memory that reading one case may take.
        time_limit: Seconds that a case of up to 10 MB may take to be read; a larger one as many times more.
        on_error: Function that is called with each error of a case or of a table; the others go on.
        on_progress: Function that is called with the share of the work that got done.

    Raises:
        InputError: The task is unknown; an option does not go with it, is out of its range or missing; the
            source is no folder; a part of the split is left without an image; ``out`` cannot be written to.
    """
    if task not in DATA_SETS:
        raise InputError("`task`", f"{task!r} is not known", f"Choose from {', '.join(DATA_SETS)}")
    kind, out = DATA_SETS[task], Path(out)
    given: dict[str, Any] = {
        "source": source,
        "split": split,
        "shares": shares,
        "images": images,
        "masks": masks,
        "patients": patients,
    }
    _check_options(task, {name for name, value in given.items() if value is not None})
    _check_range("patients", patients, 1, PATIENTS_PER_SEED)
    _check_range("size", size, _LEAST_SIZE)
    _check_range("seed", seed, 0)
    make_folder(out)
    if issubclass(kind, PreparedData):
        with only_writer(out):
            limits = (memory_limit, time_limit)
            return _write_records(kind, task, out, given, size, seed, on_error, on_progress, limits)
    if not issubclass(kind, PhantomData):
        raise InputError("`task`", f"{task!r} can be neither generated nor prepared", "Choose another")
    count = patients or _PATIENTS
    first = _APART + seed * PATIENTS_PER_SEED

    def counted() -> Iterator[int]:
        for each in range(first, first + count):
            yield each
            on_progress(1 / count)

    kind.write_studies(out, counted(), size or kind.STUDY_SIZE)
    return PrepareSummary(task, out, {"task": task, "patients": count, "seed": seed, "out": str(out)}, [])


def _write_records(
    kind: type[PreparedData],
    task: str,
    out: Path,
    given: Mapping[str, Any],
    size: int | None,
    seed: int,
    on_error: Callable[[InputError], None],
    on_progress: Callable[[float], None],
    limits: tuple[int, float],
) -> PrepareSummary:
    # These import TensorFlow.
    from tfadvpath.datasets.prepare import prepare as write_records
    from tfadvpath.datasets.splits import Shares

    split, shares = given["split"], given["shares"]
    options: dict[str, Any] = {"seed": seed, "split": None if split is None else Path(split)}
    options |= {name: given[name] for name in kind.PREPARE_OPTIONS}
    options |= {} if size is None else {"size": size}
    options |= {} if shares is None else {"shares": Shares(*shares)}
    errors: list[InputError] = []

    (out / ERROR_LOG).unlink(missing_ok=True)  # of an earlier run

    def note(error: InputError) -> None:
        if isinstance(error, UnforeseenError):
            error = error.logged(out / ERROR_LOG)
        errors.append(error)
        on_error(error)

    builder = kind.load_builder()
    config = builder.CONFIG(**options)
    content = write_records(builder, Path(given["source"]), out, config, note, on_progress, *limits)
    return PrepareSummary(task, out, content, errors)


def _check_options(task: str, given: set[str]) -> None:
    kind = DATA_SETS[task]
    fitting = {"patients"}
    if issubclass(kind, PreparedData):
        fitting = {*_COMMON, *kind.PREPARE_OPTIONS}
    for name in sorted(given - fitting):
        raise InputError(f"`{name}`", f"does not go with {task}", "Leave it out")
    if {"split", "shares"} <= given:
        raise InputError("`shares`", "does not go with `split`, which names each image", "Leave one out")
    if issubclass(kind, PreparedData) and "source" not in given:
        raise InputError(task, "needs `source`", "Name the folder of the images")


def _check_range(name: str, value: int | None, least: int, most: int | None = None) -> None:
    if value is not None and (value < least or (most is not None and value > most)):
        bounds = f"from {least} on" if most is None else f"from {least} to {most}"
        raise InputError(f"`{name}`", f"{value} is out of range", f"Give a number {bounds}")
