"""Files of measurements, which say what they depend on."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.files import replacing_file

_HEADER = "header"


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> None:
    """Writes arrays as .npz, whole or not at all.

    Args:
        path: File to write; its folder is made.
        arrays: Arrays by name.
        header: Entries that JSON can hold. They stand as text under "header".
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(path) as partial:
        content: dict[str, Any] = {_HEADER: np.array(json.dumps(header)), **arrays}
        np.savez_compressed(partial, **content)


def read_header(path: Path) -> dict[str, Any]:
    """Returns the header that ``write_arrays`` wrote; empty where there is no such file.

    Args:
        path: File to read.
    """
    try:
        with np.load(path) as file:
            return dict(json.loads(str(file[_HEADER])))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return {}


def read_arrays(
    path: Path, identity: Mapping[str, Any], passing: Mapping[str, Any] | None = None
) -> dict[str, np.ndarray] | None:
    """Returns the arrays of a file that was made under the same identity.

    Args:
        path: File that ``write_arrays`` wrote.
        identity: Entries that must stand in its header; it may hold more.
        passing: Entries that must stand there as well, but where they do not, it may be measured anew.

    Returns:
        None where there is no such file, none that can be read, or one with another ``passing``.

    Raises:
        InputError: It was made under another identity.
    """
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(str(arrays.pop(_HEADER)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None  # damaged: measured again
    different = _differences(header, identity)
    if different:
        raise InputError(
            path,
            f"was measured with {'; '.join(different)}",
            "Name another folder in `out`, or delete this one",
        )
    return None if _differences(header, passing or {}) else arrays


def _differences(header: Mapping[str, Any], identity: Mapping[str, Any], prefix: str = "") -> list[str]:
    lines = []
    for name, wanted in identity.items():
        found = header.get(name)
        if isinstance(wanted, Mapping) and isinstance(found, Mapping):
            lines += _differences(found, wanted, f"{prefix}{name}.")
        elif found != wanted:
            lines.append(f"{prefix}{name} {_short(found)}, not {_short(wanted)}")
    return lines


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else f"{text[:12]}…"
