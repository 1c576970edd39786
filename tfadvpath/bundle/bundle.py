"""A bundle in memory, and how it is loaded and saved."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import keras

from tfadvpath.bundle.manifest import (
    FIGURES_FILE,
    RECIPE,
    check_bundle_folder,
    checked_manifest,
    seal_bundle,
)
from tfadvpath.bundle.networks import Networks, load_network, network_path, save_network
from tfadvpath.errors import InputError
from tfadvpath.files import put_in_place
from tfadvpath.generators.registry import GENERATORS
from tfadvpath.recipes.recipe import Recipe, load_recipe
from tfadvpath.recipes.stages import CLASSIFIER

if TYPE_CHECKING:
    from tfadvpath.generators.base import AgainstClassifier

DEMONSTRATION = Path(__file__).parents[1] / "assets" / "phantom_brain"


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
        """SHA-256, in hexadecimal, of the manifest's content: another bundle has another."""
        return hashlib.sha256(json.dumps(self.manifest, sort_keys=True).encode()).hexdigest()


def load_bundle(folder: Path | str) -> Bundle:
    """Loads a bundle and checks every file against the manifest.

    Keras files are loaded in safe mode only: they cannot bring code of their own.

    Args:
        folder: Folder that ``tfadvpath train`` wrote.

    Raises:
        InputError: The folder is no bundle, a file is missing or changed, or the format is a later one.

    Example:
        >>> bundle = load_bundle(DEMONSTRATION)
        >>> "syce" in bundle.generators
        True
    """
    folder = Path(folder)
    manifest = checked_manifest(folder)
    recipe = load_recipe(folder / RECIPE)
    files = [PurePosixPath(name) for name in manifest["sha256"] if name.endswith(".keras")]
    try:
        classifier = load_network(network_path(folder, CLASSIFIER, CLASSIFIER))
        generators = {}
        for name in GENERATORS:
            inside = [file for file in files if file.parent.name == name]
            if inside:
                networks = {file.stem: load_network(folder / file) for file in inside}
                generators[name] = _generator(name, classifier, networks, recipe)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise InputError(
            folder, f"a network cannot be loaded ({error})", "Train or copy the bundle again"
        ) from error
    return Bundle(
        classifier=classifier,
        generators=generators,
        recipe=recipe,
        figures=json.loads((folder / FIGURES_FILE).read_text(encoding="utf-8")),
        manifest=manifest,
    )


def _generator(name: str, classifier: keras.Model, networks: Networks, recipe: Recipe) -> AgainstClassifier:
    row = GENERATORS[name]
    made_of: Any = tuple(networks[part] for part in row.networks)
    options = recipe.stages.get(name)
    given = {} if options is None else options.model_arguments()
    return row.load_class()(
        classifier, made_of if len(made_of) > 1 else made_of[0], seed=recipe.seed, **given
    )


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
        InputError: The folder holds something that is no bundle.
    """
    folder = Path(folder)
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
