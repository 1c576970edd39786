"""Manifest of an exported version: what it is, with the sha256 of every file in it and of itself."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfadvpath.bundle.seal import check_files, check_own_digest, sealed
from tfadvpath.errors import InputError, quoted
from tfadvpath.files import sha256, write_json

MANIFEST = "manifest.json"
# Beside the manifest, of which it is one: it cannot be listed in it.
SIGNATURE = f"{MANIFEST}.sig"
_FORMAT = 1
_COPY_AGAIN = "Copy the version again or export it anew"


def seal(folder: Path, about: Mapping[str, Any]) -> None:
    """Writes the manifest of a version whose other files are all there.

    Args:
        folder: Folder of the version.
        about: Description of the version, as JSON can hold it.

    Raises:
        ValueError: A number of the description is NaN or infinite.
    """
    listed = {name: sha256(folder / name) for name in _files(folder)}
    write_json(folder / MANIFEST, sealed({"format": _FORMAT, **about, "sha256": listed}))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Reads the manifest of a version, and checks it against its own digest and every file against it.

    It finds damage and edits, not malice: who can change a file can compute its digest too.

    Args:
        folder: Folder of the version.

    Raises:
        InputError: There is none, it is of another format or edited, or a file is missing, changed or not
            listed.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version, listed = manifest["format"], manifest["sha256"]
        if not isinstance(listed, dict):
            raise TypeError(listed)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            folder,
            f"no exported version: {MANIFEST} is missing or damaged",
            "Name a folder MODELS/NAME/VERSION that `tfadvpath export` wrote",
        ) from error
    if "signatures" not in manifest:
        raise InputError(folder, "is no exported version but a bundle", "Export it by `tfadvpath export`")
    if version != _FORMAT:
        raise InputError(
            folder,
            f"export of format {quoted(version)}, this version checks {_FORMAT}",
            "Export it by this version",
        )
    check_own_digest(folder / MANIFEST, manifest, _COPY_AGAIN)
    check_files(folder / MANIFEST, listed, _files(folder), _COPY_AGAIN)
    return manifest


def _files(folder: Path) -> list[str]:
    """Returns the paths of all files of a version but its manifest, and of links to folders."""
    unlisted = {folder / MANIFEST, folder / SIGNATURE}
    paths: list[Path] = []
    for place, folders, files in os.walk(folder):
        here = Path(place)
        paths += [here / name for name in files if here / name not in unlisted]
        paths += [here / name for name in folders if (here / name).is_symlink()]
    return sorted(path.relative_to(folder).as_posix() for path in paths)
