"""The manifest of a bundle: format, versions, revision of the code, and the SHA-256 of every file."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfadvpath._version import __version__
from tfadvpath.bundle.networks import network_files
from tfadvpath.errors import InputError
from tfadvpath.files import is_partial, sha256, write_json, write_text
from tfadvpath.recipes.recipe import Recipe, dump_recipe

MANIFEST = "manifest.json"
RECIPE = "recipe.yaml"
FIGURES_FILE = "figures.json"
_FORMAT = 2


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
    """Reads a bundle's manifest and checks every file against it.

    Raises:
        InputError: The folder is no bundle, the format is a later one, or a file is missing or changed.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        expected, version = dict(manifest["sha256"]), manifest["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        unfinished = (folder / RECIPE).exists()
        raise InputError(
            folder,
            f"no bundle: {MANIFEST} is missing or damaged",
            "Finish the training of its recipe with `resume`"
            if unfinished
            else "Name a folder that `tfadvpath train` wrote",
        ) from error
    if version != _FORMAT:
        raise InputError(
            folder, f"bundle of format {version}, this version reads {_FORMAT}", "Train it by this version"
        )
    for name, digest in expected.items():
        path = folder / name
        if not path.is_file():
            raise InputError(path, "the file is missing", "Copy the bundle again")
        if sha256(path) != digest:
            raise InputError(path, "the file is changed", "Copy the bundle again")
    return manifest


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
