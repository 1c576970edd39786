"""The manifest of a bundle: format, versions, revision of the code, and the SHA-256 of every file."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from tfadvpath._version import __version__
from tfadvpath.bundle.networks import network_files
from tfadvpath.errors import InputError, quoted
from tfadvpath.files import is_partial, sha256, write_json, write_text
from tfadvpath.recipes.recipe import Recipe, dump_recipe
from tfadvpath.recipes.stages import CLASSIFIER

MANIFEST = "manifest.json"
RECIPE = "recipe.yaml"
FIGURES_FILE = "figures.json"
COPY_AGAIN = "Copy the bundle again"
_FORMAT = 2
# Bytes of a manifest, or of figures: those of real bundles have some thousand.
_MOST_JSON = 2**22


def seal_bundle(
    folder: Path,
    recipe: Recipe,
    figures: Mapping[str, Any],
    provenance: Mapping[str, Any] | None = None,
    others: Mapping[str, str] | None = None,
    *,
    stages: Sequence[str],
) -> None:
    """Makes a bundle of a folder that holds its networks; the manifest is written last.

    Args:
        folder: Folder with the files of ``networks.network_path``.
        recipe: Recipe that the networks were trained by.
        figures: Measurements of the networks, as JSON can hold them.
        provenance: Entries of the manifest beside the versions: seed, revision of the code, and so on.
        others: Further texts to write, by file name. PNG files in the folder belong to the bundle too.
        stages: Names of the stages whose networks belong to the bundle.
    """
    texts = {
        RECIPE: dump_recipe(recipe),
        FIGURES_FILE: json.dumps(figures, indent=2) + "\n",
        **(others or {}),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    manifest = {
        "format": _FORMAT,
        "name": recipe.name,
        "versions": library_versions(),
        **(provenance or {}),
        "sha256": _digests(folder, set(texts), stages),
    }
    write_json(folder / MANIFEST, manifest)


def check_bundle_folder(folder: Path) -> None:
    """Checks that a bundle may be written to a folder.

    Raises:
        InputError: It is a file, or a folder that holds something that is no bundle.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "is a file", "Name a new folder for the bundle")
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
        raise InputError(folder, "the folder holds other files", "Name a new folder for the bundle")


def checked_manifest(folder: Path) -> dict[str, Any]:
    """Reads a bundle's manifest and checks every file that it names against it.

    It finds damage and half copies, not malice: who can change a file can change the manifest too.

    Args:
        folder: Folder of the bundle.

    Raises:
        InputError: The folder is no bundle, the format is a later one, the manifest names no file of a bundle
            or one outside it, or a file is missing or changed.
    """
    path = folder / MANIFEST
    if not path.is_file():
        unfinished = (folder / RECIPE).exists()
        raise InputError(
            folder,
            f"no bundle: {MANIFEST} is missing",
            "Finish the training of its recipe with `resume`"
            if unfinished
            else "Name a folder that `tfadvpath train` wrote",
        )
    manifest = read_object(path)
    version, files = manifest.get("format"), manifest.get("sha256")
    if not isinstance(files, dict):
        raise InputError(
            folder, f"no bundle: {MANIFEST} has no digests", "Name a folder that `tfadvpath train` wrote"
        )
    if version != _FORMAT:
        raise InputError(
            folder,
            f"bundle of format {quoted(version)}, this version reads {_FORMAT}",
            "Train it by this version",
        )
    if not (isinstance(manifest.get("name"), str) and isinstance(manifest.get("versions"), dict)):
        raise InputError(path, "lacks the name or the versions of a bundle", COPY_AGAIN)
    for name in (f"{CLASSIFIER}.keras", RECIPE, FIGURES_FILE):
        if name not in files:
            raise InputError(path, f"has no digest of {name}", COPY_AGAIN)
    for name, digest in files.items():
        _check_file(folder, name, digest)
    return manifest


def _check_file(folder: Path, name: str, digest: Any) -> None:
    path = folder / name
    inside = PurePosixPath(name)
    try:
        leaves = inside.is_absolute() or ".." in inside.parts or not _is_below(path, folder)
        if not leaves and not path.is_file():
            raise InputError(path, "the file is missing", COPY_AGAIN)
        changed = not leaves and sha256(path) != digest
    except (OSError, ValueError) as error:  # ValueError of a name that no file system has
        if isinstance(error, InputError):
            raise
        raise InputError(
            folder / MANIFEST, f"names a file that cannot be read ({quoted(error)})", COPY_AGAIN
        ) from error
    if leaves:
        raise InputError(
            folder / MANIFEST,
            f"names {quoted(name)}, which is outside the bundle",
            "Take the bundle from where it was trained",
        )
    if changed:
        raise InputError(path, "the file is changed", COPY_AGAIN)


def _is_below(path: Path, folder: Path) -> bool:
    """Returns whether a file lies in a folder, wherever links in it lead."""
    whole = os.path.realpath(folder)
    return os.path.commonpath([whole, os.path.realpath(path)]) == whole


def read_object(path: Path) -> dict[str, Any]:
    """Reads a JSON file that holds an object.

    Args:
        path: File of the bundle.

    Raises:
        InputError: It is missing, too large, no JSON, or holds something else.
    """
    try:
        size = path.stat().st_size
        if size > _MOST_JSON:
            raise InputError(
                path, f"is too large: {size:,} bytes, where it may have {_MOST_JSON:,}", COPY_AGAIN
            )
        content = json.loads(path.read_text(encoding="utf-8"))
    except InputError:
        raise
    except (OSError, ValueError, RecursionError) as error:  # ValueError of numbers of thousands of digits too
        raise InputError(path, f"cannot be read ({quoted(error)})", COPY_AGAIN) from error
    if not isinstance(content, dict):
        raise InputError(path, "holds no JSON object", COPY_AGAIN)
    return content


def library_versions() -> dict[str, str]:
    """Returns the versions of what computes: Python, this package, TensorFlow, Keras, NumPy."""
    others = {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy")}
    return {"python": platform.python_version(), "tfadvpath": __version__, **others}


def git_revision() -> str | None:
    """Returns the commit of the work tree that this package runs from, "-modified" behind it if files differ.

    None where it was installed from elsewhere, or there is no git.
    """
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None

    def git(*words: str) -> str:
        command = ["git", "-C", str(root), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    try:
        revision = git("rev-parse", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "tfadvpath")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{revision}-modified" if changed else revision


def _digests(folder: Path, texts: set[str], stages: Iterable[str]) -> dict[str, str]:
    files = [folder / "classifier.keras", *(folder / name for name in texts), *folder.glob("*.png")]
    files += [path for stage in stages for path in network_files(folder, stage)]
    whole = sorted(path for path in files if path.is_file() and not is_partial(path))
    return {path.relative_to(folder).as_posix(): sha256(path) for path in whole}
