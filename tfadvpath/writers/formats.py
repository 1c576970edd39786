"""Formats that an explained study is written in: a writer's own module is all that names it."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import tfadvpath.writers
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
    """

    name: str
    write: Write
    applies: Callable[[Study], bool]


_FORMATS: dict[str, Format] = {}


def register(name: str, applies: Callable[[Study], bool] = lambda study: True) -> Callable[[Write], Write]:
    """Adds a format: the decorated function writes it.

    Args:
        name: Name on the command line.
        applies: Function that tells whether a study can be written in the format; without it, every study.

    Raises:
        ValueError: There is a format of that name.
    """

    def keep(write: Write) -> Write:
        if name in _FORMATS:
            raise ValueError(f"two formats are called {name!r}")
        _FORMATS[name] = Format(name, write, applies)
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
