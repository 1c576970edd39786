"""A whole training: data, the stages in their order, the bundle."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfadvpath.bundle import (
    MANIFEST,
    RECIPE,
    library_versions,
    load_network,
    network_files,
    network_path,
    save_network,
    seal_bundle,
    sha256,
)
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.errors import InputError
from tfadvpath.models.precision import policy, with_policy
from tfadvpath.training.classifier import ClassifierStage
from tfadvpath.training.curves import draw_curves
from tfadvpath.training.data import fingerprint, load_part
from tfadvpath.training.data_options import Data
from tfadvpath.training.domain_generators import CyCEStage, SyCEStage
from tfadvpath.training.figures import classifier_figures, part_counts
from tfadvpath.training.fixed_point_gan import FixedPointGANStage
from tfadvpath.training.logbook import Logbook
from tfadvpath.training.loop import Listener, train_stage
from tfadvpath.training.mask_generator import MaskGeneratorStage
from tfadvpath.training.material import PARTS, Material, scores_of, with_classifier
from tfadvpath.training.model_card import model_card
from tfadvpath.training.options import ClassifierOptions, Training
from tfadvpath.training.own_classifier import load_own_classifier, own_classifier_digest
from tfadvpath.training.provenance import git_revision
from tfadvpath.training.recipe import Recipe, dump_recipe
from tfadvpath.training.reliability_diagram import draw_reliability
from tfadvpath.training.sagen import SAGenStage
from tfadvpath.training.stage import Stage
from tfadvpath.writers.atomic import remove_partials, replacing_file

# What a run needs on its way, and a bundle does not: checkpoints and what each finished stage left to say.
WORK = "stages"
LOGS = "logs"
_MEASURED = ("validation", "test")
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
STAGE_CLASSES: Mapping[str, type[Stage]] = {
    stage.name: stage
    for stage in (
        ClassifierStage,
        CyCEStage,
        SyCEStage,
        SAGenStage,
        MaskGeneratorStage,
        FixedPointGANStage,
    )
}


def train(
    recipe: Recipe,
    out: Path | str,
    stages: Sequence[str] | None = None,
    resume: bool = False,
    listener: Listener | None = None,
) -> None:
    """Trains the stages of a recipe in their order and makes a bundle of their folder.

    The same recipe gives the same networks on the same machine, whether the run was stopped and resumed or
    not. To that end the whole process is changed: Keras's session is cleared, seeds are set, and TensorFlow
    keeps to deterministic operations. Several GPUs share every batch (``tf.distribute.MirroredStrategy``).

    Args:
        recipe: What to train.
        out: The bundle's folder. Beside the bundle it gets ``logs/`` for TensorBoard and ``stages/``, which
            resuming needs.
        stages: Only these, those before them being done; None is all.
        resume: Go on with a run that was stopped, or add stages to it.
        listener: Is told how far it is.

    Raises:
        InputError: ``out`` holds something else, or a run by another recipe; the data, or a classifier of
            one's own, cannot be had; the
            generators would train on patients that figures are measured on; a loss was not a number.
    """
    out = Path(out)
    check_run_folder(out, resume)
    if not resume and not _has_results(out):
        shutil.rmtree(out / WORK, ignore_errors=True)
    remove_partials(out)
    chosen = {name: recipe.stages[name] for name in recipe.stages if stages is None or name in stages}
    _check_begun(recipe, out)  # before anything of an earlier run is touched
    images = _Images(recipe)
    if recipe.generator_data and set(chosen) - {"classifier"}:
        _check_held_out(recipe, images)  # before the classifier trains for days
    (out / WORK).mkdir(parents=True, exist_ok=True)
    with replacing_file(out / RECIPE) as partial:
        partial.write_text(dump_recipe(recipe), encoding="utf-8")
    (out / MANIFEST).unlink(missing_ok=True)  # no bundle until all files fit again
    logbook = Logbook(out / LOGS)
    for name, options in chosen.items():
        folder = out / WORK / name
        identity = _identity(recipe, name, out)
        if _started(folder, identity) and (folder / "done.json").exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        _write_json(folder / "started.json", identity)
        make_deterministic(recipe.seed)
        material = images.of("classifier" if name == "classifier" else "generators")
        if name != "classifier":
            classifier = load_network(network_path(out, "classifier", "classifier"))
            material = with_classifier(material, classifier)
            begin = {path.stem: load_network(path) for path in _networks_before(options, out)}
            material = dataclasses.replace(material, start_from=begin)
        done = _train_one(recipe, name, options, material, images, out, logbook, listener)
        _write_json(folder / "done.json", done)
        (folder / "checkpoint.npz").unlink(missing_ok=True)
    _seal(recipe, out)


def check_run_folder(out: Path, resume: bool) -> None:
    """Checks that a run may be written there, before anything is computed.

    Raises:
        InputError: It is a file, or holds something that is no run, or a run though ``resume`` is False.
    """
    if out.exists() and not out.is_dir():
        raise InputError(out, "is a file", "Name a new folder for the run")
    if not out.exists() or not any(out.iterdir()):
        return
    if not (out / WORK).is_dir():
        what = f"a bundle without its {WORK}/ folder" if (out / MANIFEST).exists() else "other files"
        raise InputError(out, f"the folder holds {what}", "Name a new folder for the run")
    if not resume and _has_results(out):
        raise InputError(out, "the folder holds a run", "Pass --resume to go on, or name a new folder")


def _has_results(out: Path) -> bool:
    """Whether a run got as far as its first checkpoint; one that failed before can begin anew."""
    return any(path.name in ("done.json", "checkpoint.npz") for path in (out / WORK).glob("*/*"))


def make_deterministic(seed: int) -> None:
    """Seeds everything for what this process trains next, and has TensorFlow choose deterministic kernels.

    Keras's counters of layer names start anew: TensorFlow orders some sums by the names in a graph.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def choose_strategy() -> tf.distribute.Strategy:
    """Returns where to train: on all visible GPUs of this machine, or on its one device."""
    gpus = tf.config.list_logical_devices("GPU")
    return tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()


class _Images:
    """The images of a recipe, read when they are first needed."""

    def __init__(self, recipe: Recipe):
        self.recipe = recipe
        self.read: dict[str, Mapping[str, LabelledImages]] = {}

    def of(self, whom: str) -> Material:
        recipe = self.recipe
        data: Data = recipe.data if whom == "classifier" else recipe.generator_data or recipe.data
        key = fingerprint(data, recipe.seed)
        if key not in self.read:
            self.read[key] = {part: load_part(data, recipe.seed, part) for part in PARTS}
        return Material(recipe.name, self.read[key])


def _check_held_out(recipe: Recipe, images: _Images) -> None:
    """Checks that the generators are trained on, and chosen by, nobody whom figures are measured on.

    Raises:
        InputError: A patient of ``generator_data`` that they are trained on is in the validation or test part
            of ``data``, or one that the best epoch is chosen by is in the test part.
    """
    seen, measured = (
        {part: set(material.patients) for part, material in images.of(whom).parts.items()}
        for whom in ("generators", "classifier")
    )
    for verb, used, part in (
        ("train on", "train", "validation"),
        ("train on", "train", "test"),
        ("are chosen by", "validation", "test"),
    ):
        common = sorted(seen[used] & measured[part])
        if common:
            raise InputError(
                f"{recipe.name}: generator_data",
                f"{len(common)} patients that the generators {verb} are in the {part} part of data, "
                f"such as {common[0]}",
                "Prepare both by lists that keep patients apart",
            )


def _train_one(
    recipe: Recipe,
    name: str,
    options: Any,
    material: Material,
    images: _Images,
    out: Path,
    logbook: Logbook,
    listener: Listener | None,
) -> dict[str, Any]:
    """Trains one stage, saves its networks in float32, and returns what is to be said of it."""
    if name == "classifier" and options.model is not None:
        return _take_classifier(options, material, out)
    precision = POLICIES[recipe.precision]
    fast = material
    if material.classifier is not None and precision != "float32":
        fast = dataclasses.replace(material, classifier=with_policy(material.classifier, precision))
    with policy(precision):
        stage = STAGE_CLASSES[name](options, fast, recipe.seed)
        strategy = choose_strategy()
        model, progress = train_stage(stage, out / WORK / name, logbook, listener or _silent, strategy)
    networks = stage.networks(model)
    for file, network in networks.items():
        exact = network if precision == "float32" else with_policy(network, "float32")
        save_network(network_path(out, name, file), exact)
    if precision != "float32":
        # The figures are of the networks that are kept: near 0.5, bfloat16 decides otherwise here and there.
        stage = STAGE_CLASSES[name](options, material, recipe.seed)
        model = stage.build()
        for file, network in stage.networks(model).items():
            network.set_weights(networks[file].get_weights())
    measured = images.of("classifier").parts
    return {
        "parameters": sum(network.count_params() for network in networks.values()),
        "best_epoch": progress.best_epoch,
        "history": progress.history,
        "train": part_counts(material.parts["train"].labels, material.parts["train"].patients),
        "figures": {part: stage.figures(model, measured[part]) for part in _MEASURED},
    }


def _take_classifier(options: ClassifierOptions, material: Material, out: Path) -> dict[str, Any]:
    """Saves a trained classifier of one's own in place of training one; returns what is to be said of it."""
    model = load_own_classifier(options, material)
    save_network(network_path(out, "classifier", "classifier"), model)
    figures = {
        part: classifier_figures(scores_of(model, images.images), images.labels, images.patients)
        for part, images in material.parts.items()
        if part in _MEASURED
    }
    return {
        "parameters": model.count_params(),
        "best_epoch": None,
        "history": [],
        "train": part_counts(material.parts["train"].labels, material.parts["train"].patients),
        "figures": figures,
    }


def _seal(recipe: Recipe, out: Path) -> None:
    done = {
        name: json.loads((out / WORK / name / "done.json").read_text(encoding="utf-8"))
        for name in recipe.stages
        if _is_done(out, name)
    }
    figures = {part: {name: stage["figures"][part] for name, stage in done.items()} for part in _MEASURED}
    histories = {name: stage["history"] for name, stage in done.items()}
    generator_data = (
        {"generator_data": fingerprint(recipe.generator_data, recipe.seed)} if recipe.generator_data else {}
    )
    provenance = {
        "seed": recipe.seed,
        "git_revision": git_revision(),
        "data": fingerprint(recipe.data, recipe.seed),
        **generator_data,
        "parameters": {name: stage["parameters"] for name, stage in done.items()},
        "train": {name: stage["train"] for name, stage in done.items()},
    }
    trained = {name: history for name, history in histories.items() if history}
    draw_curves(trained, out / "curves.png", {name: done[name]["best_epoch"] for name in trained})
    draw_reliability({part: figures[part]["classifier"] for part in _MEASURED}, out / "reliability.png")
    about = {"versions": library_versions(), **provenance, "train": done["classifier"]["train"]}
    card = model_card(recipe, figures, histories, about)
    seal_bundle(
        out,
        recipe,
        figures,
        provenance,
        {"model_card.md": card, "history.json": json.dumps(histories, indent=2) + "\n"},
        stages=list(done),
    )


def _identity(recipe: Recipe, name: str, out: Path) -> dict[str, Any]:
    """Returns all that a stage's result depends on, as JSON."""
    data = recipe.data if name == "classifier" else recipe.generator_data or recipe.data
    identity = {
        "seed": recipe.seed,
        "precision": recipe.precision,
        "data": fingerprint(data, recipe.seed),
        "options": recipe.stages[name].model_dump(mode="json"),
    }
    if name == "classifier" and recipe.classifier.model is not None:
        identity["model"] = own_classifier_digest(recipe.classifier.model)
    if name != "classifier":
        classifier = network_path(out, "classifier", "classifier")
        if not (_is_done(out, "classifier") and classifier.exists()):
            raise InputError(out, f"{name} needs a trained classifier", "Train the stage classifier first")
        identity["classifier"] = sha256(classifier)
    before = _networks_before(recipe.stages[name], out)
    return identity | {f"start_from {path.stem}": sha256(path) for path in before}


def _networks_before(options: Training, out: Path) -> list[Path]:
    """Returns the files of the networks that a stage begins with."""
    stage = getattr(options, "start_from", None)
    if stage is None:
        return []
    files = network_files(out, stage)
    if not _is_done(out, stage):
        raise InputError(out, f"a stage starts from the networks of {stage}", f"Train {stage} first")
    return files


def _is_done(out: Path, stage: str) -> bool:
    return (out / WORK / stage / "done.json").exists()


def _check_begun(recipe: Recipe, out: Path) -> None:
    """Checks every stage of the recipe that was begun, whether it is to be trained now or not.

    Raises:
        InputError: One was begun with other options or data, or with networks that are others by now or are
            to be trained anew.
    """
    begun = [name for name in recipe.stages if (out / WORK / name / "started.json").exists()]
    orphans = [
        name
        for name in begun
        for before in ("classifier", getattr(recipe.stages[name], "start_from", None))
        if before is not None and before != name and not _is_done(out, before)
    ]
    if orphans:
        names = ", ".join(dict.fromkeys(orphans))
        raise InputError(
            out / WORK,
            f"{names} began with networks that are to be trained anew",
            f"Delete the folders {names} here too, or name a new folder for the run",
        )
    for name in begun:
        _started(out / WORK / name, _identity(recipe, name, out))


def _started(folder: Path, identity: Mapping[str, Any]) -> bool:
    """Whether a stage was begun.

    Raises:
        InputError: It was begun with other options, data or another classifier.
    """
    path = folder / "started.json"
    if not path.exists():
        return False
    begun = json.loads(path.read_text(encoding="utf-8"))
    changed = [key for key in identity if begun.get(key) != json.loads(json.dumps(identity[key]))]
    if changed:
        raise InputError(
            folder,
            f"was begun with another {', '.join(changed)}",
            "Delete this folder to train the stage anew, or name a new folder for the run",
        )
    return True


def _write_json(path: Path, content: Any) -> None:
    with replacing_file(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _silent(event: Any) -> None:
    pass
