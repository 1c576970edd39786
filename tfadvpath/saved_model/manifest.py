"""Manifest of an exported version: what it is, with the sha256 of every file in it and of itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfadvpath.errors import InputError, quoted
from tfadvpath.files import sha256, write_json

MANIFEST = "manifest.json"
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
    content = {"format": _FORMAT, **about, "sha256": _digests(folder)}
    manifest = {**content, "manifest_sha256": _own_digest(content)}
    write_json(folder / MANIFEST, manifest)


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
        version, listed = manifest["format"], dict(manifest["sha256"])
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
    content = {key: value for key, value in manifest.items() if key != "manifest_sha256"}
    if manifest.get("manifest_sha256") != _own_digest(content):
        raise InputError(folder / MANIFEST, "the file is edited", _COPY_AGAIN)
    found = _digests(folder)
    for name in sorted(listed.keys() | found.keys()):
        if name not in found:
            raise InputError(folder / name, "the file is missing", _COPY_AGAIN)
        if name not in listed:
            raise InputError(folder / name, "the file is not in the manifest", _COPY_AGAIN)
        if found[name] != listed[name]:
            raise InputError(folder / name, "the file is changed", _COPY_AGAIN)
    return manifest


def _digests(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    return {path.relative_to(folder).as_posix(): sha256(path) for path in paths}


def _own_digest(content: Mapping[str, Any]) -> str:
    """Returns the sha256 of a manifest without this digest, whatever its keys' order and its spaces."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
