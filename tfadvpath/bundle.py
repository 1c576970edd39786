"""The folder that training leaves: networks, recipe, figures, and a manifest to trust them by."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import pathlib
import platform
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

import tfadvpath
from tfadvpath.errors import InputError
from tfadvpath.generators.base import AgainstClassifier
from tfadvpath.generators.cyce import CyCE
from tfadvpath.generators.fixed_point_gan import FixedPointGAN
from tfadvpath.generators.mask_generator import MaskGenerator
from tfadvpath.generators.sagen import SAGen
from tfadvpath.generators.syce import SyCE
from tfadvpath.training.recipe import Recipe, dump_recipe, load_recipe
from tfadvpath.writers.atomic import is_partial, put_in_place, replacing_file

MANIFEST = "manifest.json"
RECIPE = "recipe.yaml"
FIGURES = "figures.json"
_FORMAT = 2
DEMONSTRATION = pathlib.Path(__file__).parent / "assets" / "phantom_brain"

Networks = Mapping[str, keras.Model]
# Each stage's model, and the names of the networks in its folder that it is made of beside the classifier.
_GENERATORS: Mapping[str, tuple[type[AgainstClassifier], tuple[str, ...]]] = {
    "cyce": (CyCE, ("generator_0", "generator_1")),
    "syce": (SyCE, ("generator_0", "generator_1")),
    "sagen": (SAGen, ("network",)),
    "mask_generator": (MaskGenerator, ("decoder",)),
    "fixed_point_gan": (FixedPointGAN, ("translator",)),
}


@dataclass(frozen=True, eq=False)
class Bundle:
    """A trained classifier and what was trained against it.

    Attributes:
        classifier: Keras model, float32 [N, H, W, C] in [0, 1] -> [N, 1] probability of class 1.
        generators: By name ("cyce", "syce", "sagen", "mask_generator", "fixed_point_gan"), those that the
            folder holds, with the recipe's loss weights, options and seed.
        recipe: What the run was made by.
        figures: What was measured on the validation and test images.
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


def load_bundle(folder: pathlib.Path | str) -> Bundle:
    """Loads a bundle and checks every file against the manifest.

    Keras files are loaded in safe mode only: they cannot bring code of their own.

    Args:
        folder: What ``tfadvpath train`` wrote.

    Raises:
        InputError: The folder is no bundle, a file is missing or changed, or the format is a later one.

    Example:
        >>> bundle = load_bundle(DEMONSTRATION)
        >>> "syce" in bundle.generators
        True
    """
    folder = pathlib.Path(folder)
    manifest = _checked_manifest(folder)
    recipe = load_recipe(folder / RECIPE)
    files = [pathlib.PurePosixPath(name) for name in manifest["sha256"] if name.endswith(".keras")]
    try:
        classifier = load_network(network_path(folder, "classifier", "classifier"))
        generators = {}
        for name in _GENERATORS:
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
        figures=json.loads((folder / FIGURES).read_text(encoding="utf-8")),
        manifest=manifest,
    )


def _generator(name: str, classifier: keras.Model, networks: Networks, recipe: Recipe) -> AgainstClassifier:
    make, parts = _GENERATORS[name]
    made_of: Any = tuple(networks[part] for part in parts)
    options = recipe.stages.get(name)
    given = {} if options is None else options.model_arguments()
    return make(classifier, made_of if len(parts) > 1 else made_of[0], seed=recipe.seed, **given)


def save_bundle(
    folder: pathlib.Path | str,
    classifier: keras.Model,
    generators: Mapping[str, Networks],
    recipe: Recipe,
    figures: Mapping[str, Any],
) -> None:
    """Writes a bundle of networks that are there already under a temporary name and then renames it.

    Args:
        folder: Where to; an earlier bundle there is replaced.
        classifier: The trained classifier.
        generators: The networks of each method, by its name and theirs:
            {"syce": {"generator_0": …, "generator_1": …}}.
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
        for stage, networks in {"classifier": {"classifier": classifier}, **generators}.items():
            for name, network in networks.items():
                save_network(network_path(partial, stage, name), network)
        seal_bundle(partial, recipe, figures)
        partial.chmod(0o755)
        put_in_place(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def network_path(folder: pathlib.Path, stage: str, name: str) -> pathlib.Path:
    """Returns where a bundle keeps a network: the classifier at the top, others in their stage's folder."""
    return folder / f"{name}.keras" if stage == "classifier" else folder / stage / f"{name}.keras"


def network_files(folder: pathlib.Path, stage: str) -> list[pathlib.Path]:
    """Returns the files of a stage's networks that a bundle's folder holds, whole ones, in their order."""
    return sorted(path for path in (folder / stage).glob("*.keras") if not is_partial(path))


def save_network(path: pathlib.Path, network: keras.Model) -> None:
    """Writes a network without its optimizer, whose state would triple the file; whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    copy = network.__class__.from_config(network.get_config())
    copy.set_weights(network.get_weights())
    with replacing_file(path) as partial:
        copy.save(partial)


def load_network(path: pathlib.Path) -> keras.Model:
    """Loads a network in safe mode."""
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def seal_bundle(
    folder: pathlib.Path,
    recipe: Recipe,
    figures: Mapping[str, Any],
    provenance: Mapping[str, Any] | None = None,
    others: Mapping[str, str] | None = None,
    stages: Sequence[str] | None = None,
) -> None:
    """Makes a bundle of a folder that holds its networks; the manifest comes last.

    Args:
        folder: Has the files of ``network_path``.
        recipe: What they were trained by.
        figures: Measurements, as JSON can hold them.
        provenance: Goes into the manifest beside the versions: seed, revision of the code, and so on.
        others: Texts to write as well, by file name. PNG files in the folder belong to the bundle too.
        stages: Whose networks belong to the bundle; None is all that the folder holds.
    """
    texts = {RECIPE: dump_recipe(recipe), FIGURES: json.dumps(figures, indent=2) + "\n", **(others or {})}
    for name, text in texts.items():
        with replacing_file(folder / name) as partial:
            partial.write_text(text, encoding="utf-8")
    manifest = {
        "format": _FORMAT,
        "name": recipe.name,
        "versions": library_versions(),
        **(provenance or {}),
        "sha256": _digests(folder, set(texts), _GENERATORS if stages is None else stages),
    }
    with replacing_file(folder / MANIFEST) as partial:
        partial.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def check_bundle_folder(folder: pathlib.Path) -> None:
    """Checks that a bundle may be written there.

    Raises:
        InputError: It is a file, or a folder that holds something that is no bundle.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "is a file", "Name a new folder for the bundle")
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
        raise InputError(folder, "the folder holds other files", "Name a new folder for the bundle")


def library_versions() -> dict[str, str]:
    """Returns the versions of what computes: Python, this package, TensorFlow, Keras, NumPy."""
    others = {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy")}
    return {"python": platform.python_version(), "tfadvpath": tfadvpath.__version__, **others}


def sha256(path: pathlib.Path) -> str:
    """Returns a file's digest in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digests(folder: pathlib.Path, texts: set[str], stages: Iterable[str]) -> dict[str, str]:
    files = [folder / "classifier.keras", *(folder / name for name in texts), *folder.glob("*.png")]
    files += [path for stage in stages for path in network_files(folder, stage)]
    whole = sorted(path for path in files if path.is_file() and not is_partial(path))
    return {path.relative_to(folder).as_posix(): sha256(path) for path in whole}


def _checked_manifest(folder: pathlib.Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        expected, version = dict(manifest["sha256"]), manifest["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        unfinished = (folder / RECIPE).exists()
        raise InputError(
            folder,
            f"no bundle: {MANIFEST} is missing or damaged",
            "Finish the training by `tfadvpath train … --resume`"
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
