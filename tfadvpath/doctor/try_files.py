"""Program that reads a sample of every format, and tells which come out right.

``tfadvpath.doctor.trials`` runs it in a process of its own: a library that is missing or broken costs the
report a line.
"""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path

from tfadvpath.doctor.program import tell
from tfadvpath.doctor.sample_files import PIXELS, SIDE, sample_files
from tfadvpath.errors import InputError, quoted

# JPEG changes the values, of which there are 256.
_TOLERANCE = 4 / 255


def main() -> None:
    """Tells of each sample {"name": …, "problem": …}, with None where it is read right.

    Where no reader can be imported, {"failure": …} is all that is told.
    """
    try:
        importlib.import_module("numpy")
        importlib.import_module("tfadvpath.studies.study")
    except Exception as error:  # whatever a broken installation leads to
        tell(failure=f"cannot begin ({type(error).__name__}: {quoted(error)})")
        return
    with tempfile.TemporaryDirectory(prefix="tfadvpath-") as folder:
        for name, (file, content) in sample_files().items():
            path = Path(folder) / file
            path.write_bytes(content)
            tell(name=name, problem=_problem(path))


def _problem(path: Path) -> str | None:
    import numpy

    from tfadvpath.studies.study import read_study

    try:
        study = read_study(path)
    except InputError as error:
        return error.problem
    except Exception as error:  # whatever a broken installation leads to
        return f"fails ({type(error).__name__}: {quoted(error)})"
    image = study.images[0, ..., 0]
    truth = numpy.frombuffer(PIXELS, numpy.uint8).reshape(SIDE, SIDE) / max(PIXELS)
    if image.shape != truth.shape or numpy.abs(image - truth).max() > _TOLERANCE:
        return "is read with other values"
    return None
