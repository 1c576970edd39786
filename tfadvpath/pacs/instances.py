"""DICOM instances in files: which there are, and what an archive has to know of each before it gets it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.attributes import Attributes
from tfadvpath.studies.dicom.file import COPY_AGAIN, DicomFile, open_header
from tfadvpath.studies.dicom.parse import BoundedStream, Elements, parse_elements
from tfadvpath.studies.dicom.start import MAGIC, looks_like_dicom
from tfadvpath.studies.readers import quiet

_ENDING = ".dcm"
_HEAD = 1024
_PREAMBLE = 128  # bytes before the magic
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")
_LONGEST_UID = 64
_DEFLATED = "1.2.840.10008.1.2.1.99"
# What the writer of generated images says in each of them, in capital letters.
_SYNTHETIC = "SYNTHETIC"
_DESCRIPTIONS = ("SeriesDescription", "ImageComments", "DerivationDescription")


@dataclass(frozen=True)
class Instance:
    """File that can be sent.

    Attributes:
        path: The file.
        size: Bytes of it.
        sop_class: Identifier of its class.
        uid: Identifier of the instance.
        syntax: Identifier of its transfer syntax.
        is_synthetic: Whether it says that it is a generated image.
    """

    path: Path
    size: int
    sop_class: str
    uid: str
    syntax: str
    is_synthetic: bool


@dataclass(frozen=True)
class FoundFiles:
    """Files that are to be sent.

    Attributes:
        files: Files, each with whether it was named itself, and not found in a folder.
        links: Links in folders, which are not followed.
    """

    files: dict[Path, bool]
    links: list[Path]


def find_files(results: Iterable[Path | str] | Path | str) -> FoundFiles:
    """Expands folders to the DICOM files in them.

    Folders are walked in sorted order, without hidden entries. What is neither DICOM by its first bytes nor
    named so is passed over: folders of results hold pictures and arrays too.

    Args:
        results: Files and folders, or one of them. A file is taken as it is.

    Raises:
        InputError: A folder cannot be listed.
    """
    files: dict[Path, bool] = {}
    links: list[Path] = []
    for given in [results] if isinstance(results, (str, Path)) else results:
        path = Path(given)
        if not path.is_dir():
            files[path] = True
            continue
        for file in _walk(path):
            if file.is_symlink():
                links.append(file)
            elif file.is_file() and (file.suffix.lower() == _ENDING or _starts_like_dicom(file)):
                files.setdefault(file, False)
    return FoundFiles(files, links)


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        problem = f"cannot be listed ({error.strerror or error})"
        raise InputError(str(error.filename or folder), problem, "Check its permissions") from error

    for where, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = Path(where)
        yield from (inside / name for name in folders if (inside / name).is_symlink())
        yield from (inside / name for name in sorted(names) if not name.startswith("."))


def _starts_like_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return looks_like_dicom(file.read(_HEAD))
    except OSError:
        return True  # which is said when it is read


def read_instance(path: Path) -> Instance:
    """Reads what an archive has to know of a file, and looks whether the file is whole.

    Args:
        path: File to read.

    Raises:
        InputError: It cannot be read, is no DICOM file, is damaged, or does not say what it is.
    """
    try:
        if not path.exists():
            raise InputError(path, "does not exist", "Check the path")
        if not path.is_file():
            raise InputError(path, "is no file", "Name a DICOM file or a folder of results")
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if not head:
            raise InputError(path, "is empty (0 bytes)", COPY_AGAIN)
        with quiet():
            header = open_header(path)
            if head[_PREAMBLE : _PREAMBLE + 4] != MAGIC:
                problem = "has no DICOM file header (128 bytes and DICM), without which no archive takes it"
                raise InputError(path, problem, "Export it again")
            return _instance(header, _meta(path))
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
        raise InputError(path, problem, "Check its permissions") from error


def _instance(header: DicomFile, meta: Attributes) -> Instance:
    path, attributes = header.path, header.attributes
    sop_class = _uid(path, attributes, "SOPClassUID")
    uid = _uid(path, attributes, "SOPInstanceUID")
    for name in ("StudyInstanceUID", "SeriesInstanceUID"):
        _uid(path, attributes, name)
    syntax = _uid(path, meta, "TransferSyntaxUID")
    for name, value in (("MediaStorageSOPClassUID", sop_class), ("MediaStorageSOPInstanceUID", uid)):
        if _uid(path, meta, name) != value:
            problem = f"is another thing by its file header: {name} is not that of its data set"
            raise InputError(path, problem, "Export it again")
    pixels = header.pixels
    if pixels is not None and pixels.length is not None and syntax != _DEFLATED:
        beyond = pixels.start + pixels.length - header.stored
        if beyond > 0:
            raise InputError(path, f"is truncated: its {pixels.name} lacks {beyond:,} bytes", COPY_AGAIN)
    is_synthetic = any(_SYNTHETIC in attributes.text(name) for name in _DESCRIPTIONS)
    return Instance(path, header.stored, sop_class, uid, syntax, is_synthetic)


def _uid(path: Path, attributes: Attributes, name: str) -> str:
    value = attributes.text(name)
    if not value:
        raise InputError(path, f"lacks the DICOM attribute {name}", "Export it again")
    # The value is not shown: who put something else there may have put a name.
    if len(value) > _LONGEST_UID or not _UID.fullmatch(value):
        raise InputError(path, f"has no valid identifier in {name}", "Export it again")
    return value


def _meta(path: Path) -> Attributes:
    """Returns the attributes of the file header, which ``open_header`` has parsed before."""
    elements: Elements = {}
    size = path.stat().st_size
    with path.open("rb") as file:
        stream = BoundedStream(file, size, size)
        stream.seek(_PREAMBLE + len(MAGIC))
        parse_elements(stream, False, True, lambda tag, *_: tag >> 16 != 0x0002, elements)
    return Attributes(path, elements)
