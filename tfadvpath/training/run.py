"""A whole training: data, the stages in their order, the bundle."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfadvpath.bundle.figures import part_counts
from tfadvpath.bundle.manifest import (
    HISTORY_FILE,
    MODEL_CARD,
    git_revision,
    library_versions,
    seal_bundle,
)
from tfadvpath.bundle.model_card import model_card
from tfadvpath.bundle.networks import load_network, network_path, save_network
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.errors import InputError
from tfadvpath.models.precision import policy, with_policy
from tfadvpath.recipes.data import DataSet
from tfadvpath.recipes.recipe import Recipe, load_recipe
from tfadvpath.recipes.stages import CLASSIFIER
from tfadvpath.training.checkpoint import Progress
from tfadvpath.training.curves import training_chart
from tfadvpath.training.logbook import Logbook
from tfadvpath.training.loop import Event, Listener, train_stage
from tfadvpath.training.reliability_diagram import reliability_chart
from tfadvpath.training.run_folder import RunFolder
from tfadvpath.training.stage import Stage
from tfadvpath.training.stage_data import StageData, with_classifier
from tfadvpath.training.stages.registry import stage_class
from tfadvpath.writers.charts import write_chart

LOGS = "logs"
_MEASURED = ("validation", "test")
# Sentence in the manifest and the model card of a bundle whose classifier shall have learned nothing.
CONTROL = (
    "This is a control, never for use: the classifier was trained on labels that were shuffled among the "
    "training images. Its answers and every map of them mean nothing."
)
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


@dataclass(frozen=True)
class TrainedBundle:
    """The bundle that a training leaves.

    Attributes:
        folder: Folder of the bundle; ``tfadvpath.load_bundle`` loads it.
        figures: Measurements of the networks, by part ("validation", "test") and stage, as in figures.json.
    """

    folder: Path
    figures: Mapping[str, Mapping[str, Mapping[str, Any]]]


def train(
    recipe: Recipe | Path | str,
    out: Path | str,
    stages: Sequence[str] | None = None,
    resume: bool = False,
    listener: Listener | None = None,
    until: float | None = None,
) -> TrainedBundle:
    """Trains the stages of a recipe in their order and makes a bundle of their folder.

    The same recipe gives the same networks on the same machine, whether the run was stopped and resumed or
    not. To that end the whole process is changed: Keras's session is cleared, seeds are set, and TensorFlow
    keeps to deterministic operations. Several GPUs share every batch (``tf.distribute.MirroredStrategy``).

    Args:
        recipe: Recipe, or its YAML file.
        out: Folder of the bundle. Beside the bundle it gets ``logs/`` for TensorBoard and ``stages/``, which
            resuming needs.
        stages: Names of the stages to train, those before them being done; None is all.
        resume: Whether to go on with a run that was stopped, or to add stages to it.
        listener: Function that is told how far the training is.
        until: Time of ``time.monotonic`` after which no stage begins a further epoch; each has one at least.
            What is trained then depends on the machine's speed. None trains all epochs of the recipe.

    Raises:
        InputError: The recipe has no such stage; ``out`` holds something else, or a run by another recipe;
            another process trains there; the data or your own classifier cannot be loaded; the generators
            would train on patients that the networks are measured on; a loss was not a number.
    """
    recipe, out = recipe if isinstance(recipe, Recipe) else load_recipe(recipe), Path(out)
    recipe.check_stages(stages)
    chosen = [name for name in recipe.stages if stages is None or name in stages]
    run = RunFolder(recipe, out)
    with run.alone():
        run.open(resume)
        return _train_all(run, chosen, listener or _silent, until)


def _train_all(
    run: RunFolder, chosen: Sequence[str], listener: Listener, until: float | None
) -> TrainedBundle:
    recipe = run.recipe
    images = _Images(recipe.seed)
    if recipe.generator_data and set(chosen) - {CLASSIFIER}:
        _check_held_out(recipe, images)  # before the classifier trains for days
    run.write_recipe()
    logbook = Logbook(run.out / LOGS)
    for name in chosen:
        if run.begin(name):
            make_deterministic(recipe.seed)
            run.finish(name, _train_one(run, name, images, logbook, listener, until))
    return _seal(run)


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
    """The parts of data sets, each read when it is first needed and then kept."""

    def __init__(self, seed: int):
        self.seed = seed
        self._read: dict[str, dict[str, LabelledImages]] = {}

    def parts(self, data: DataSet) -> Mapping[str, LabelledImages]:
        key = data.fingerprint(self.seed)
        if key not in self._read:
            self._read[key] = data.load_parts(self.seed)
        return self._read[key]


def _check_held_out(recipe: Recipe, images: _Images) -> None:
    """Checks that generators are trained on, and chosen by, no patient whom they are measured on.

    Raises:
        InputError: A patient of ``generator_data`` that they are trained on is in the validation or test part
            of ``data``, or one that the best epoch is chosen by is in the test part.
    """
    seen, measured = (
        {part: set(labelled.patients) for part, labelled in images.parts(data).items()}
        for data in (recipe.generator_data or recipe.data, recipe.data)
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
    run: RunFolder,
    name: str,
    images: _Images,
    logbook: Logbook,
    listener: Listener,
    until: float | None,
) -> dict[str, Any]:
    """Trains one stage, saves its networks in float32, and returns its entry in the bundle, as JSON."""
    recipe, options = run.recipe, run.recipe.stages[name]
    make = stage_class(name, options)
    data = StageData(recipe.name, images.parts(recipe.data_of(name)))
    if make.NEEDS_CLASSIFIER:
        data = with_classifier(data, load_network(network_path(run.out, CLASSIFIER, CLASSIFIER)))
        before = {file: load_network(path) for file, path in run.networks_before(name).items()}
        data = dataclasses.replace(data, start_from=before)
    stage = make(options, data, recipe.seed)
    if make.TRAINS:
        model, progress = _train_in_precision(run, stage, logbook, listener, until)
    else:
        model, progress = stage.build(), Progress()
    stage.finish(model)
    networks = stage.networks(model)
    for file, network in networks.items():
        save_network(network_path(run.out, name, file), network)
    train, measured = data.parts["train"], images.parts(recipe.data)
    return {
        "parameters": sum(network.count_params() for network in networks.values()),
        "best_epoch": progress.best_epoch if make.TRAINS else None,
        "history": progress.history,
        "train": part_counts(train.known_labels, train.patients),
        "figures": {part: stage.figures(model, measured[part]) for part in _MEASURED},
    }


def _train_in_precision(
    run: RunFolder, stage: Stage, logbook: Logbook, listener: Listener, until: float | None
) -> tuple[keras.Model, Progress]:
    """Trains a stage in the recipe's precision; returns a model that computes in float32.

    The networks are measured as they are kept: near 0.5, bfloat16 decides otherwise here and there.
    """
    precision = POLICIES[run.recipe.precision]
    fast = stage
    if precision != "float32":
        data = stage.data
        if data.classifier is not None:
            data = dataclasses.replace(data, classifier=with_policy(data.classifier, precision))
        fast = type(stage)(stage.options, data, stage.seed)
    with policy(precision):
        folder = run.of_stage(stage.name)
        model, progress = train_stage(fast, folder, logbook, listener, choose_strategy(), until)
    if precision == "float32":
        return model, progress
    exact = stage.build()
    trained = fast.networks(model)
    for file, network in stage.networks(exact).items():
        network.set_weights(trained[file].get_weights())
    return exact, progress


def _seal(run: RunFolder) -> TrainedBundle:
    """Makes a bundle of the run's folder: measurements, manifest, model card and charts."""
    recipe, done = run.recipe, run.done()
    figures = {part: {name: stage["figures"][part] for name, stage in done.items()} for part in _MEASURED}
    histories = {name: stage["history"] for name, stage in done.items()}
    provenance = {
        "seed": recipe.seed,
        "git_revision": git_revision(),
        "data": recipe.data.fingerprint(recipe.seed),
        "parameters": {name: stage["parameters"] for name, stage in done.items()},
        "train": {name: stage["train"] for name, stage in done.items()},
    }
    if recipe.classifier.shuffle_labels:
        provenance["control"] = CONTROL
    if recipe.generator_data:
        provenance["generator_data"] = recipe.generator_data.fingerprint(recipe.seed)
    trained = {name: history for name, history in histories.items() if history}
    chart = training_chart(trained, {name: done[name]["best_epoch"] for name in trained})
    write_chart(run.out / "curves.png", chart)
    classifier = {part: figures[part][CLASSIFIER] for part in _MEASURED}
    write_chart(run.out / "reliability.png", reliability_chart(classifier))
    about = {"versions": library_versions(), **provenance, "train": done[CLASSIFIER]["train"]}
    others = {
        MODEL_CARD: model_card(recipe, figures, histories, about, run.out),
        HISTORY_FILE: json.dumps(histories, indent=2) + "\n",
    }
    seal_bundle(run.out, recipe, figures, provenance, others, stages=list(done))
    return TrainedBundle(run.out, figures)


def _silent(event: Event) -> None:
    pass
