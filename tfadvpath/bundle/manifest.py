"""The manifest of a bundle: format, versions, revision of the code, and the SHA-256 of every file."""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from tfadvpath._version import __version__
from tfadvpath.bundle.networks import network_files
from tfadvpath.bundle.seal import check_files, check_own_digest, sealed
from tfadvpath.errors import InputError, quoted
from tfadvpath.files import LOCK, is_partial, sha256, write_json, write_text
from tfadvpath.recipes.recipe import Recipe, dump_recipe
from tfadvpath.recipes.stages import CLASSIFIER

MANIFEST = "manifest.json"
RECIPE = "recipe.yaml"
FIGURES_FILE = "figures.json"
HISTORY_FILE = "history.json"
MODEL_CARD = "model_card.md"
# Report of ``tfadvpath.fit`` on the bundle that it made.
FIT_REPORT = "fit.json"
COPY_AGAIN = "Copy the bundle again"
_FORMAT = 3
# Manifests of this format, which earlier versions wrote, have no digest of themselves.
_WITHOUT_OWN_DIGEST = 2
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
        RECIPE: dump_recipe(recipe, folder),
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
    write_json(folder / MANIFEST, sealed(manifest))


def add_to_bundle(folder: Path, texts: Mapping[str, str]) -> None:
    """Adds texts to a bundle that is sealed, and seals it anew.

    Args:
        folder: Folder of the bundle.
        texts: Contents of the files by their name, beside the manifest; earlier ones are replaced.

    Raises:
        InputError: The folder is no bundle, or its manifest does not fit its files.
    """
    manifest = read_object(folder / MANIFEST)
    for name, text in texts.items():
        write_text(folder / name, text)
    files = {**manifest["sha256"], **{name: sha256(folder / name) for name in texts}}
    write_json(folder / MANIFEST, sealed({**manifest, "sha256": dict(sorted(files.items()))}))


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
    """Reads a bundle's manifest, and checks it against its own digest and every file against it.

    The files are those beside the manifest and those in the folders of the bundle's networks. Other folders
    of a run, such as ``logs/`` and ``stages/``, and hidden files are no part of the bundle: nothing in them
    is read.

    Args:
        folder: Folder of the bundle.

    Raises:
        InputError: The folder is no bundle, or none yet; the format is another one; the manifest is edited,
            lacks a file of every bundle, or names one outside it; or a file is missing, changed or not
            listed.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise _unsealed(folder)
    manifest = read_object(path)
    version, files = manifest.get("format"), manifest.get("sha256")
    if not isinstance(files, dict):
        raise InputError(
            folder, f"no bundle: {MANIFEST} has no digests", "Name a folder that `tfadvpath train` wrote"
        )
    if version not in (_FORMAT, _WITHOUT_OWN_DIGEST):
        raise InputError(
            folder,
            f"bundle of format {quoted(version)}, this version reads {_WITHOUT_OWN_DIGEST} and {_FORMAT}",
            "Train it by this version",
        )
    if version == _FORMAT:
        check_own_digest(path, manifest, COPY_AGAIN)
    if not (isinstance(manifest.get("name"), str) and isinstance(manifest.get("versions"), dict)):
        raise InputError(path, "lacks the name or the versions of a bundle", COPY_AGAIN)
    for name in (f"{CLASSIFIER}.keras", RECIPE, FIGURES_FILE):
        if name not in files:
            raise InputError(path, f"has no digest of {name}", COPY_AGAIN)
    check_files(path, files, _files_of_bundle(folder, files), COPY_AGAIN)
    return manifest


def _unsealed(folder: Path) -> InputError:
    """Returns the error of a folder without a manifest."""
    if not (folder / RECIPE).exists():
        return InputError(
            folder, f"no bundle: {MANIFEST} is missing", "Name a folder that `tfadvpath train` wrote"
        )
    if _is_being_written(folder):
        return InputError(
            folder,
            f"no bundle yet: a training writes to it, and {MANIFEST} comes last",
            "Wait until the training ends",
        )
    return InputError(
        folder,
        f"no bundle: {MANIFEST} is missing, since its training was not finished",
        "Finish the training of its recipe with `resume`",
    )


def _is_being_written(folder: Path) -> bool:
    """Returns whether a process of this machine holds the lock of ``files.only_writer``."""
    try:
        with (folder / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no lock, or a file system without locks
        pass
    return False


def _files_of_bundle(folder: Path, listed: Iterable[str]) -> set[str]:
    """Returns the files that lie where a bundle's files do, hidden ones and the manifest left out."""
    folders = {".", *(PurePosixPath(name).parent.as_posix() for name in listed)}
    return {
        path.relative_to(folder).as_posix()
        for name in folders
        if not (PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts)
        for path in _entries(folder / name)
        if path.name != MANIFEST and not path.name.startswith(".") and not path.is_dir()
    }


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (OSError, ValueError):  # what is not there is said of the file that is listed
        return []


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
