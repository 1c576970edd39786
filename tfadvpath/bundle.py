"""The folder that training leaves: networks, recipe, figures, and a manifest to trust them by."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

import tfadvpath
from tfadvpath.errors import InputError
from tfadvpath.generators.syce import SyCE
from tfadvpath.models.unet import UNet
from tfadvpath.training.recipe import Recipe, dump_recipe, load_recipe

_MANIFEST = "manifest.json"
_RECIPE = "recipe.yaml"
_FIGURES = "figures.json"
_FORMAT = 1
DEMONSTRATION = pathlib.Path(__file__).parent / "assets" / "phantom_brain"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A trained classifier and its generators.

    Attributes:
        classifier: Keras model, float32 [N, H, W, C] in [0, 1] -> [N, 1] probability of class 1.
        generators: By name ("syce"), ready to ``generate``.
        recipe: What the run was made by.
        figures: What was measured on the validation and test images.
        manifest: Format, versions of the libraries, sha256 of every file.
    """

    classifier: keras.Model
    generators: Mapping[str, SyCE]
    recipe: Recipe
    figures: Mapping[str, Any]
    manifest: Mapping[str, Any]

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels of the images that the networks take."""
        return tuple(self.classifier.input_shape[1:3])


def load_bundle(folder: pathlib.Path | str) -> Bundle:
    """Loads a bundle and checks every file against the manifest.

    Keras files are loaded in safe mode only: they cannot bring code of their own.

    Args:
        folder: What ``tfadvpath train`` wrote.

    Raises:
        InputError: The folder is no bundle, a file is missing or changed, or the format is a later one.

    Example:
        >>> bundle = load_bundle(DEMONSTRATION)
        >>> sorted(bundle.generators)
        ['syce']
    """
    folder = pathlib.Path(folder)
    manifest = _checked_manifest(folder)
    try:
        classifier = keras.saving.load_model(folder / "classifier.keras", compile=False)
        unets = tuple(
            keras.saving.load_model(folder / "syce" / f"generator_{k}.keras", compile=False) for k in (0, 1)
        )
    except (ValueError, TypeError, OSError) as error:
        raise InputError(
            folder, f"a network cannot be loaded ({error})", "Train or copy the bundle again"
        ) from error
    return Bundle(
        classifier=classifier,
        generators={"syce": SyCE(classifier, unets)},
        recipe=load_recipe(folder / _RECIPE),
        figures=json.loads((folder / _FIGURES).read_text(encoding="utf-8")),
        manifest=manifest,
    )


def save_bundle(
    folder: pathlib.Path | str,
    classifier: keras.Model,
    syce: tuple[UNet, UNet],
    recipe: Recipe,
    figures: Mapping[str, Any],
) -> None:
    """Writes a bundle under a temporary name and then renames it.

    Args:
        folder: Where to; an earlier bundle there is replaced.
        classifier: The trained classifier.
        syce: The trained U-Nets (g_0, g_1).
        recipe: What they were trained by.
        figures: Measurements, as JSON can hold them.

    Raises:
        InputError: The folder holds something that is no bundle.
    """
    folder = pathlib.Path(folder)
    check_bundle_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = pathlib.Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        (partial / "syce").mkdir()
        _without_optimizer(classifier).save(partial / "classifier.keras")
        for k, unet in enumerate(syce):
            _without_optimizer(unet).save(partial / "syce" / f"generator_{k}.keras")
        (partial / _RECIPE).write_text(dump_recipe(recipe), encoding="utf-8")
        (partial / _FIGURES).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        manifest = {
            "format": _FORMAT,
            "name": recipe.name,
            "versions": library_versions(),
            "sha256": _digests(partial),
        }
        (partial / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        partial.chmod(0o755)
        _put_in_place(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _without_optimizer(model: keras.Model) -> keras.Model:
    """Returns a copy that was never compiled: an optimizer's state would triple the file."""
    copy = model.__class__.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    return copy


def _put_in_place(partial: pathlib.Path, folder: pathlib.Path) -> None:
    """Renames a whole bundle to its name; an earlier one is deleted only after that."""
    earlier = None
    if folder.exists():
        earlier = pathlib.Path(tempfile.mkdtemp(prefix=f".{folder.name}-earlier-", dir=folder.parent))
        os.replace(folder, earlier)
    os.replace(partial, folder)
    if earlier:
        shutil.rmtree(earlier, ignore_errors=True)


def check_bundle_folder(folder: pathlib.Path) -> None:
    """Checks that a bundle may be written there, so that a training does not end in vain.

    Raises:
        InputError: It is a file, or a folder that holds something that is no bundle.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "is a file", "Name a new folder for the bundle")
    if folder.exists() and any(folder.iterdir()) and not (folder / _MANIFEST).exists():
        raise InputError(folder, "the folder holds other files", "Name a new folder for the bundle")


def library_versions() -> dict[str, str]:
    """Returns the versions of what computes: Python, this package, TensorFlow, Keras, NumPy."""
    others = {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy")}
    return {"python": platform.python_version(), "tfadvpath": tfadvpath.__version__, **others}


def _digests(folder: pathlib.Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def _checked_manifest(folder: pathlib.Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        expected, version = manifest["sha256"], manifest["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            folder,
            f"no bundle: {_MANIFEST} is missing or damaged",
            "Name a folder that `tfadvpath train` wrote",
        ) from error
    if version != _FORMAT:
        raise InputError(
            folder, f"bundle of format {version}, this version reads {_FORMAT}", "Update tfadvpath"
        )
    present = _digests(folder)
    for name, digest in expected.items():
        if present.get(name) != digest:
            state = "changed" if name in present else "missing"
            raise InputError(folder / name, f"the file is {state}", "Copy the bundle again")
    return manifest
