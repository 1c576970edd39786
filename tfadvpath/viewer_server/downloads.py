"""Results of a study as files to download."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tfadvpath.errors import InputError
from tfadvpath.explanation import StudyExplanation
from tfadvpath.files import replacing_file
from tfadvpath.studies.study import Study
from tfadvpath.writers.formats import formats

FORMATS = ("html", "png", "npz", "nifti", "dicom")


@dataclass(frozen=True)
class Offer:
    """A format in which a study's results can be downloaded, or the reason why not.

    Attributes:
        name: Name of the format.
        reason: Sentence on what is missing; "" where nothing is.
    """

    name: str
    reason: str = ""


def offers(study: Study) -> Sequence[Offer]:
    """Returns the formats that apply to a study."""
    known = formats()
    found = []
    for name in FORMATS:
        if known[name].applies(study):
            try:
                known[name].check_installed()
                found.append(Offer(name))
            except InputError as error:
                found.append(Offer(name, str(error)))
    return found


def download(result: StudyExplanation, name: str, folder: Path) -> Path:
    """Writes results as `tfadvpath explain` does, once, and returns the file to download.

    Args:
        result: Study and explanation.
        name: Name of the format.
        folder: Folder of the study's results.

    Returns:
        The format's only file, or all of them in one zip file.

    Raises:
        InputError: There is no such format for the study, or it cannot be written.
    """
    if name not in [offer.name for offer in offers(result.study)]:
        raise InputError(f"`{name}`", "is no format of this study", f"Choose from {', '.join(FORMATS)}")
    form = formats()[name]
    form.check_installed()
    place = folder / name
    if not place.exists():
        partial = folder / f"{name}.partial"
        partial.mkdir(parents=True)
        form.write(partial, result)
        partial.rename(place)
    files = sorted(path for path in place.iterdir())
    if len(files) == 1:
        return files[0]
    packed = folder / f"explanation_{name}.zip"
    if not packed.exists():
        with replacing_file(packed) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            for path in files:
                archive.write(path, path.name)
    return packed
