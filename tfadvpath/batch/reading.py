"""Studies of a run, read ahead in a process of their own; those that an earlier run explained are not."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfadvpath.batch.plan import Task
from tfadvpath.errors import InputError, unforeseen
from tfadvpath.files import json_text, sha256
from tfadvpath.studies.find import STUDY_FILE
from tfadvpath.studies.reader_process import ReaderProcess, Request
from tfadvpath.studies.series import SliceHeader, read_slice_header
from tfadvpath.studies.study import Study, read_study


@dataclass(frozen=True, eq=False)
class Earlier:
    """A study that an earlier run explained in the same way, from the same files.

    Attributes:
        record: Content of its study.json.
        sources: The study's file, or the files of its series.
    """

    record: dict[str, Any]
    sources: tuple[Path, ...]

    @property
    def explained_slices(self) -> int:
        """Number of its slices that are not blank."""
        return self.record["slices"] - self.record["blank"]


def images_of(study: Study | Earlier | InputError) -> int:
    """Returns the number of images of a study that are explained."""
    if isinstance(study, Study):
        return int((~study.blank).sum())
    return study.explained_slices if isinstance(study, Earlier) else 0


def read_studies(
    tasks: Sequence[Task],
    size: tuple[int, int],
    channel: int | None,
    out: Path,
    *,
    reader: ReaderProcess | None = None,
    made_with: Mapping[str, Any] | None = None,
    images: int = 0,
) -> Iterator[Study | Earlier | InputError]:
    """Yields each task's study, or what an earlier run has of it, or the error that says why it has none.

    Args:
        tasks: Tasks of a plan.
        size: Height and width of the images.
        channel: Index of the channel of 4-D NIfTI files.
        out: Folder of all results.
        reader: Process that reads, and reads ahead; None reads in this one.
        made_with: All that the results depend on besides the files, where results of earlier runs that were
            made with the same are to be kept; None reads every study.
        images: Number of images that may be read ahead; two studies may have more.
    """
    requests = ((task, request_of(task, size, channel, out, made_with)) for task in tasks)
    if reader is not None:
        yield from reader.map((request for _, request in requests), weight=_held_images, most=images)
        return
    for task, (_, read, arguments) in requests:
        try:
            yield read(*arguments)
        except InputError as error:
            yield error
        except Exception as error:
            yield unforeseen(task.source, error)


def _held_images(answer: Study | Earlier | InputError) -> int:
    return len(answer.images) if isinstance(answer, Study) else 1


def request_of(
    task: Task, size: tuple[int, int], channel: int | None, out: Path, made_with: Mapping[str, Any] | None
) -> Request:
    """Returns the request to a reading process that reads one study, or what an earlier run has of it.

    Args:
        task: Task of the study.
        size: Height and width of the images.
        channel: Index of the channel of a 4-D NIfTI file.
        out: Folder of all results.
        made_with: Settings that results of an earlier run must have been made with to be kept; None reads the
            study.
    """
    return task.sources, read_task, (task.sources, size, channel, out / task.name, made_with)


def read_task(
    sources: Sequence[Path],
    size: tuple[int, int],
    channel: int | None,
    folder: Path,
    made_with: Mapping[str, Any] | None,
) -> Study | Earlier:
    """Reads one study, or what an earlier run has of it.

    Args:
        sources: The study's file, or the files of its series.
        size: Height and width of the images.
        channel: Index of the channel of a 4-D NIfTI file.
        folder: Folder of its results.
        made_with: Settings that results of an earlier run must have been made with to be kept; None reads the
            study.

    Raises:
        InputError: The study cannot be read.
    """
    record = None if made_with is None else _earlier_record(folder, made_with)
    if record is not None and record.get("sha256") == _digest(sources):
        return Earlier(record, tuple(sources))
    study = read_study(sources, size, channel)
    return dataclasses.replace(study, digest=_digest(sources))


def read_again(
    earlier: Earlier, size: tuple[int, int], channel: int | None, reader: ReaderProcess | None
) -> Study | None:
    """Returns a study that an earlier run explained; None where it is no more what it was.

    Args:
        earlier: The study.
        size: Height and width of the images.
        channel: Index of the channel of a 4-D NIfTI file.
        reader: Process that reads; None reads in this one.
    """
    try:
        if reader is None:
            study = read_study(earlier.sources, size, channel)
        else:
            study = reader.call(earlier.sources, read_study, earlier.sources, size, channel)
    except Exception:  # it is kept all the same, and whoever reads it next says what is wrong
        return None
    return study if int((~study.blank).sum()) == earlier.explained_slices else None


def _earlier_record(folder: Path, made_with: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the study.json of whole results that were made with the same; else None."""
    try:
        record = json.loads((folder / STUDY_FILE).read_text(encoding="utf-8"))
        json_text(record)  # refuses an infinite number, which the ledger cannot hold
        same = record["made_with"] == json.loads(json.dumps(made_with))
        whole = all((folder / name).is_file() for name in record["files"])
        # What the summary of a run takes from it.
        texts = [record["source"], record["folder"], *record["remarks"]]
        usable = all(isinstance(text, str) for text in texts) and all(
            isinstance(record[name], int) for name in ("slices", "blank")
        )
        return record if same and whole and usable else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _digest(sources: Sequence[Path]) -> str:
    try:
        digests = [sha256(path) for path in sources]
    except OSError:
        return ""  # reading it says what is wrong
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def read_headers(reader: ReaderProcess, paths: Iterable[Path]) -> Iterator[SliceHeader | None]:
    """Yields the header of each DICOM file, or None where it is no slice of a series or cannot be read.

    Args:
        reader: Process that reads.
        paths: DICOM files.
    """
    for header in reader.map((((path,), read_slice_header, (path,)) for path in paths), ahead=64):
        yield None if isinstance(header, InputError) else header
