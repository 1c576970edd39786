"""The seal of a folder: a manifest with the SHA-256 of every file in it and of itself.

It finds damage, half copies and edits, not malice: who can change a file can compute its digest too.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from tfadvpath.errors import InputError, quoted
from tfadvpath.files import sha256

_OWN_DIGEST = "manifest_sha256"


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a manifest's content with a digest of itself.

    Args:
        content: Anything that JSON holds; the digest of an earlier seal is left out.
    """
    content = {key: value for key, value in content.items() if key != _OWN_DIGEST}
    return {**content, _OWN_DIGEST: _digest(content)}


def check_own_digest(path: Path, manifest: Mapping[str, Any], remedy: str) -> None:
    """Checks a manifest against the digest of itself. The order of its keys and its spaces mean nothing.

    Args:
        path: File of the manifest, for the message.
        manifest: Content of the file.
        remedy: Action that helps.

    Raises:
        InputError: It has no such digest, or another one.
    """
    if manifest.get(_OWN_DIGEST) != sealed(manifest)[_OWN_DIGEST]:
        raise InputError(path, "the file is edited", remedy)


def check_files(manifest: Path, listed: Mapping[str, Any], found: Iterable[str], remedy: str) -> None:
    """Checks a folder's files against those of its manifest: no fewer, no more, and none that is changed.

    Args:
        manifest: File of the manifest, in the folder.
        listed: Digests by the files' paths in the folder, as the manifest has them.
        found: Paths of the files that are in the folder and belong to what is sealed.
        remedy: Action that helps.

    Raises:
        InputError: A file is missing, changed, not listed or cannot be read, or a path leads out of the
            folder.
    """
    folder = manifest.parent
    for name in sorted(listed):
        try:
            _check_file(manifest, name, listed[name], remedy)
        except (OSError, ValueError) as error:  # ValueError of a name that no file system has
            if isinstance(error, InputError):
                raise
            raise InputError(
                manifest, f"names a file that cannot be read ({quoted(error)})", remedy
            ) from error
    for name in sorted(set(found) - listed.keys()):
        raise InputError(folder / name, "the file is not in the manifest", f"{remedy}, or move the file away")


def _check_file(manifest: Path, name: str, digest: Any, remedy: str) -> None:
    path = manifest.parent / name
    if _leads_out(manifest.parent, name):
        raise InputError(
            manifest,
            f"names {quoted(name)}, which is outside the folder",
            "Take the whole folder from where it was made",
        )
    if not path.is_file():
        raise InputError(path, "the file is missing", remedy)
    if sha256(path) != digest:
        raise InputError(path, "the file is changed", remedy)


def _leads_out(folder: Path, name: str) -> bool:
    """Returns whether a path leaves the folder, by its parts or by links in the folder."""
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts:
        return True
    whole = os.path.realpath(folder)
    return os.path.commonpath([whole, os.path.realpath(folder / name)]) != whole


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
