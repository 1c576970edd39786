"""Files that came over the page, read as studies by a process of its own."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tfadvpath.errors import InputError
from tfadvpath.studies.find import find_studies
from tfadvpath.studies.reader_process import ReaderProcess
from tfadvpath.studies.study import Study, read_study
from tfadvpath.viewer_server.zips import ending_of, is_zip, unpack


@dataclass(frozen=True, eq=False)
class Upload:
    """A study that came over the page.

    Attributes:
        name: Name by which the person calls it.
        study: The study; its files lie in ``folder``.
        folder: Folder of its own.
    """

    name: str
    study: Study
    folder: Path


def read_upload(
    file: Path, name: str, folder: Path, size: tuple[int, int], channel: int | None, reader: ReaderProcess
) -> Upload:
    """Moves a file into a folder of its own, under a name that says nothing, and reads it.

    Args:
        file: File of any format that is read, or a zip file of one series.
        name: Name that it had, which may be a patient's: it stands in errors for the person alone.
        folder: Folder that does not exist.
        size: Height and width of the images.
        channel: Index of the channel of a 4-D NIfTI file.
        reader: Process that reads.

    Raises:
        InputError: The file cannot be read, or holds more than one study. It is called by its own name.
    """
    files = folder / "files"
    files.mkdir(parents=True, mode=0o700)
    place = folder / f"upload{ending_of(name)}"
    shutil.move(file, place)
    names = {place: name}
    try:
        if place.stat().st_size and is_zip(place):
            unpacked = reader.call([place], unpack, place, files)
            names |= {path: f"{name}, {PurePosixPath(inside).name}" for path, inside in unpacked.items()}
            place.unlink()
            names |= {files: name}
            sources = reader.call(list(unpacked), only_study, files)
        else:
            sources = [place]
        study = reader.call(sources, read_study, sources, size, channel)
    except InputError as error:
        raise named(error, names, name) from None
    return Upload(name, study, folder)


def only_study(folder: Path) -> list[Path]:
    """Returns the files of the one study in a folder.

    Raises:
        InputError: There is none, or there are several.
    """
    studies = find_studies(folder).studies
    if len(studies) != 1:
        raise InputError(
            folder, f"holds {len(studies) or 'no'} studies that can be read", "Zip the files of one series"
        )
    return list(studies[0].sources)


def named(error: InputError, names: dict[Path, str], name: str) -> InputError:
    """Returns an error that calls files as the person does.

    Args:
        error: Error that calls them by where they are kept.
        names: The person's names of files.
        name: Name of all others.
    """
    is_parameter = error.source.startswith("`")
    source = error.source if is_parameter else names.get(Path(error.source), name)
    return InputError(source, error.problem, error.remedy)


def wait_for(path: Path, seconds: float = 10.0) -> None:
    """Waits until a file is there: the server moves an upload to its place after it has answered."""
    end = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.01)
