"""A bundle in memory, and how it is loaded and saved."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import keras

from tfadvpath.bundle.classifier_check import check_classifier
from tfadvpath.bundle.manifest import (
    FIGURES_FILE,
    RECIPE,
    check_bundle_folder,
    checked_manifest,
    read_object,
    seal_bundle,
)
from tfadvpath.bundle.networks import Networks, load_network, network_path, save_network
from tfadvpath.bundle.seal import sealed
from tfadvpath.errors import InputError, quoted
from tfadvpath.files import put_in_place
from tfadvpath.generators.registry import GENERATORS
from tfadvpath.recipes.recipe import Recipe, load_recipe
from tfadvpath.recipes.stages import CLASSIFIER

if TYPE_CHECKING:
    from tfadvpath.generators.base import AgainstClassifier

DEMONSTRATION = Path(__file__).parents[1] / "assets" / "phantom_brain_128"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A trained classifier and what was trained against it.

    Attributes:
        classifier: Keras model, float32 [N, H, W, C] in [0, 1] -> [N, 1] probability of class 1.
        generators: Generators that the folder holds, by name ("cyce", "syce", "sagen", "mask_generator",
            "fixed_point_gan"), with the recipe's loss weights, options and seed.
        recipe: Recipe that the networks were trained by.
        figures: Measurements on the validation and test images, as figures.json holds them.
        manifest: Format, versions of the libraries, revision of the code, fingerprint of the data, sha256 of
            every file.
    """

    classifier: keras.Model
    generators: Mapping[str, AgainstClassifier]
    recipe: Recipe
    figures: Mapping[str, Any]
    manifest: Mapping[str, Any]

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels of the images that the networks take."""
        return tuple(self.classifier.input_shape[1:3])

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of the networks, the recipe and their origin.

        Figures, charts and cards play no part, so it stays the same where an evaluation is recorded.
        """
        files = self.manifest.get("sha256", {})
        computing = {name: own for name, own in files.items() if name == RECIPE or name.endswith(".keras")}
        content = sealed({**self.manifest, "sha256": computing})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load_bundle(folder: Path | str, generators: Collection[str] | None = None) -> Bundle:
    """Loads a bundle and checks every file against the manifest.

    Keras files are loaded in safe mode only: they cannot bring code of their own.

    Args:
        folder: Folder that ``tfadvpath train`` wrote.
        generators: Names of the generators to load, among those that the folder holds; None is all. Every
            file is checked all the same.

    Raises:
        InputError: The folder is no bundle, a file is missing, changed, damaged or outside the folder, the
            format is a later one, or the classifier takes or returns something else than a bundle's.

    Example:
        >>> bundle = load_bundle(DEMONSTRATION)
        >>> "syce" in bundle.generators
        True
    """
    folder = Path(folder)
    manifest = checked_manifest(folder)
    recipe = load_recipe(folder / RECIPE)
    figures = read_object(folder / FIGURES_FILE)
    path = network_path(folder, CLASSIFIER, CLASSIFIER)
    classifier = _load(path)
    check_classifier(path, classifier)
    return Bundle(
        classifier=classifier,
        generators={
            name: _generator(folder, name, classifier, manifest["sha256"], recipe)
            for name in GENERATORS
            if (generators is None or name in generators)
            and any(PurePosixPath(file).parts[:-1] == (name,) for file in manifest["sha256"])
        },
        recipe=recipe,
        figures=figures,
        manifest=manifest,
    )


def _load(path: Path) -> keras.Model:
    try:
        return load_network(path)
    except Exception as error:  # whatever a file that is no Keras model leads to
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            path, f"cannot be loaded ({quoted(first)})", "Train or copy the bundle again"
        ) from error


def _generator(
    folder: Path, name: str, classifier: keras.Model, files: Mapping[str, str], recipe: Recipe
) -> AgainstClassifier:
    row = GENERATORS[name]
    missing = [part for part in row.networks if f"{name}/{part}.keras" not in files]
    if missing:
        raise InputError(folder / name, f"lacks the network {missing[0]}", "Train or copy the bundle again")
    made_of: Any = tuple(_load(network_path(folder, name, part)) for part in row.networks)
    options = recipe.stages.get(name)
    given = {} if options is None else options.model_arguments()
    try:
        return row.load_class()(
            classifier, made_of if len(made_of) > 1 else made_of[0], seed=recipe.seed, **given
        )
    except (ValueError, TypeError) as error:
        raise InputError(
            folder / name,
            f"its networks do not fit together ({quoted(error)})",
            "Train or copy the bundle again",
        ) from error


def save_bundle(
    folder: Path | str,
    classifier: keras.Model,
    generators: Mapping[str, Networks],
    recipe: Recipe,
    figures: Mapping[str, Any],
) -> None:
    """Writes a bundle of networks that are there already under a temporary name and then renames it.

    Args:
        folder: Folder of the bundle; an earlier bundle there is replaced.
        classifier: Trained classifier.
        generators: Networks of each generator, by its name and theirs:
            {"syce": {"generator_0": …, "generator_1": …}}.
        recipe: Recipe that they were trained by.
        figures: Measurements of the networks, as JSON can hold them.

    Raises:
        InputError: The folder holds something that is no bundle, the classifier is not of fixed size with one
            input and one output, or a generator is unknown or lacks a network.
    """
    folder = Path(folder)
    check_classifier("`classifier`", classifier, recipe.data.image_size)
    for name, networks in generators.items():
        if name not in GENERATORS or set(networks) != set(GENERATORS[name].networks):
            parts = f"{name} of {', '.join(networks) or 'nothing'}"
            known = "; ".join(f"{each} of {', '.join(row.networks)}" for each, row in GENERATORS.items())
            raise InputError("`generators`", f"no command knows {quoted(parts)}", f"Give those of {known}")
    check_bundle_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for stage, networks in {CLASSIFIER: {CLASSIFIER: classifier}, **generators}.items():
            for name, network in networks.items():
                save_network(network_path(partial, stage, name), network)
        seal_bundle(partial, recipe, figures, stages=[CLASSIFIER, *generators])
        partial.chmod(0o755)
        put_in_place(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
