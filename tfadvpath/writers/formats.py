"""Formats that an explained study is written in: a writer's own module is all that names it."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import tfadvpath.writers
from tfadvpath.errors import InputError
from tfadvpath.explanation import StudyExplanation
from tfadvpath.studies.study import Study

Write = Callable[[Path, StudyExplanation], None]


@dataclass(frozen=True)
class Format:
    """One format of a study's results.

    Attributes:
        name: Name on the command line, such as "npz".
        write: Function that writes files of the format into a folder that exists.
        applies: Function that tells whether a study can be written in the format.
        takes: Words for the studies that can be, for a message; "" of a format for all.
        on_request: Whether the format is written where it is asked for by its name alone.
        names_patient: Whether files of the format hold words of the source's header, such as the patient's
            name.
        needs: Name of an optional package that writing needs, as it is imported; "" needs none.
        extra: Name of the extra that installs it.
    """

    name: str
    write: Write
    applies: Callable[[Study], bool]
    takes: str = ""
    on_request: bool = False
    names_patient: bool = False
    needs: str = ""
    extra: str = ""

    def check_installed(self) -> None:
        """Refuses to go on where the package that writing needs is not there.

        Raises:
            InputError: It is not installed.
        """
        if self.needs and importlib.util.find_spec(self.needs) is None:
            raise InputError(self.needs, "is not installed", f"Run: pip install 'tfadvpath[{self.extra}]'")


_FORMATS: dict[str, Format] = {}


def register(
    name: str,
    applies: Callable[[Study], bool] = lambda study: True,
    *,
    takes: str = "",
    on_request: bool = False,
    names_patient: bool = False,
    needs: str = "",
    extra: str = "",
) -> Callable[[Write], Write]:
    """Adds a format: the decorated function writes it.

    Args:
        name: Name on the command line.
        applies: Function that tells whether a study can be written in the format; without it, every study.
        takes: Words for the studies that can be, for a message.
        on_request: Whether the format is written where it is asked for by its name alone.
        names_patient: Whether files of the format hold words of the source's header.
        needs: Name of an optional package that writing needs, as it is imported.
        extra: Name of the extra that installs it.

    Raises:
        ValueError: There is a format of that name.
    """

    def keep(write: Write) -> Write:
        if name in _FORMATS:
            raise ValueError(f"two formats are called {name!r}")
        _FORMATS[name] = Format(name, write, applies, takes, on_request, names_patient, needs, extra)
        return write

    return keep


def formats() -> Mapping[str, Format]:
    """Returns all formats by name, in the names' order."""
    _load_all()
    return dict(sorted(_FORMATS.items()))


@functools.cache
def _load_all() -> None:
    for module in pkgutil.iter_modules(tfadvpath.writers.__path__):
        importlib.import_module(f"tfadvpath.writers.{module.name}")
