"""One call: from a classifier and images to an explainer, a bundle and a report."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfadvpath.bundle.bundle import Bundle, load_bundle
from tfadvpath.bundle.manifest import FIT_REPORT, RECIPE, add_to_bundle
from tfadvpath.bundle.networks import save_network
from tfadvpath.bundle.pair_verdict import pair_verdict
from tfadvpath.datasets.labelled_images import LabelledImages, UnlabelledImages
from tfadvpath.datasets.own_images import load_own_images, write_own_images
from tfadvpath.errors import InputError
from tfadvpath.explanation import Explanation
from tfadvpath.files import LOCK, is_partial, json_text, make_folder, only_writer, write_json, write_text
from tfadvpath.fitting.advice import ENOUGH_STEPS, Training, advice, first_stage_instead, pair_facts
from tfadvpath.fitting.classifier import (
    ExaminedClassifier,
    check_can_be_kept,
    digest_of,
    examine,
    hint_of_range,
    images_size,
    load_classifier,
)
from tfadvpath.fitting.decision import Question, fed_model
from tfadvpath.fitting.explain import explain
from tfadvpath.fitting.images import (
    GivenImages,
    array_of_images,
    files_of_images,
    is_files,
    size_of_array,
)
from tfadvpath.fitting.input_range import Range
from tfadvpath.fitting.outputs import Outputs
from tfadvpath.fitting.plan import (
    COST,
    STAGES,
    Speed,
    batch_for,
    check_method,
    has_gpu,
    lengths_for,
    measured_speed,
    narrower,
    networks_for,
    recipe_for,
    seconds_of_compiling,
    speed_of_narrower,
    step_in_history,
    too_slow,
)
from tfadvpath.fitting.report import FitReport, StageReport
from tfadvpath.fitting.split import counts_of, fewer, split_by_decision
from tfadvpath.generators.registry import GENERATORS
from tfadvpath.recipes.recipe import Recipe, dump_recipe, load_recipe
from tfadvpath.recipes.stages import CLASSIFIER
from tfadvpath.training.loop import Event, Listener
from tfadvpath.training.run import train
from tfadvpath.training.run_folder import STAGES as STAGES_FOLDER
from tfadvpath.training.stage_data import StageData, with_classifier

# Folder in the bundle's with what the training takes: the decision, the images, and how it was begun.
_FOLDER = "fit"
_CLASSIFIER_FILE, _IMAGES, _BEGUN = "classifier.keras", "images", "begun.json"
# Images of each decision that networks are measured on, for each minute and at least and at most.
_MEASURED_PER_MINUTE, _LEAST_MEASURED, _MOST_MEASURED = 4, 16, 128
# Share of the time, and at least seconds, that are kept for the measurements at the end.
_RESERVE, _LEAST_RESERVE = 0.08, 3.0
_SECONDS_BETWEEN_LINES = 15.0
# Shares of the time that compiling may take without a word, and at all.
_TOO_MUCH, _ALL_OF_IT = 0.3, 0.8
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class FittedExplainer:
    """A classifier with the generators that were trained for it.

    Attributes:
        bundle: Bundle of both.
        report: Report on the training: print it before you read a map.
        folder: Folder of the bundle, for ``tfadvpath explain``, ``evaluate`` and ``export``.
        method: Name of the method that explains.
    """

    bundle: Bundle
    report: FitReport
    folder: Path
    method: str

    def explain(self, images: Any, **options: Any) -> Explanation:
        """Explains images as ``tfadvpath.explain`` does with the bundle.

        Args:
            images: Array [N, S, S, C], or paths of files and folders.
            **options: Options of the method, such as ``steps``.

        Raises:
            InputError: The images are of another size or range, or there is no such option.
        """
        return explain(self.bundle, images, **{"method": self.method, **options})


def fit(
    classifier: Any,
    images: Any,
    out: Path | str,
    minutes: float = 60.0,
    *,
    method: str = "syce",
    patients: Sequence[Any] | Path | str | None = None,
    labels: Sequence[Any] | None = None,
    target: int | None = None,
    against: int | None = None,
    threshold: float = 0.5,
    value_range: Range | None = None,
    logits: bool | None = None,
    image_size: int | None = None,
    channel: int | None = None,
    seed: int = 0,
    resume: bool = False,
    listener: Listener | None = None,
    on_progress: Callable[[str, float, float], None] = lambda title, done, total: None,
    say: Say | None = print,
) -> FittedExplainer:
    """Trains generators that explain a classifier of your own, within so many minutes.

    The classifier is looked at first: what it takes (size, channels, range of values) and what it answers
    (probabilities or logits, of one class or several). Where it can be brought to the form of this package it
    is, and a sentence says so; else an error says what to do. Then its decisions split the images, patients
    kept together, into parts that are trained on, watched and measured on; a recipe is written whose stages
    fit the time by the speed of this machine; and they are trained as ``tfadvpath train`` does. ``out``
    becomes a bundle, with a report in fit.json.

    With K classes the decision is between two of them: f = f_target / (f_against + f_target), for the images
    that the classifier puts in one of both.

    Args:
        classifier: Keras model, or its .keras file: images [N, H, W, C], C 1 or 3 -> [N, 1] or [N, K].
        images: Images of both decisions, some hundreds: paths of files and folders (DICOM, NIfTI, PNG, JPEG),
            or an array [N, H, W] or [N, H, W, C] as the classifier takes it, or in [0, 1].
        out: New folder, which becomes the bundle.
        minutes: Minutes that all of it may take; each stage has one epoch at least, however short they are.
        method: Name of the generator: "syce", "cyce" or "sagen".
        patients: Patient of each image of an array; for files a CSV table with the columns ``file`` and
            ``patient``, and ``label`` where it is known. None takes each file, or image, for a patient.
        labels: Class of each image of an array, a whole number. None: nothing is said of how well the
            classifier does.
        target: Index of the output that is class 1. None: the only one, the second of two, or the rarer
            of the two classes that are predicted most.
        against: Index of the output that is class 0. None: the other one, or that of these two.
        threshold: Probability of class 1 from which on you decide for it. f becomes 0.5 there.
        value_range: Values that the classifier takes for black and white, such as (0, 255). None: what its
            first layers, the array or the labels say, else (0, 1).
        logits: Whether the outputs are logits; None finds out.
        image_size: Height and width of the images that generators make, for files; None is the classifier's.
        channel: Index of the channel of 4-D NIfTI files.
        seed: Seed of the split and of every random number.
        resume: Whether to go on with a call that was stopped, in ``out``. The images are not read again.
        listener: Function that is told how far the training is; without it ``say`` gets lines of it.
        on_progress: Function that is called while files are read, with a title, what got done since, and the
            total.
        say: Function that gets sentences on what was found and how far it is; None is silent.

    Raises:
        InputError: The classifier or the images cannot be used, one of the decisions has too few images or
            patients, the minutes hardly suffice to compile a step, ``out`` holds something else, or what
            ``train`` raises.
    """
    started = time.monotonic()
    check_method(method)
    if not minutes > 0:
        raise InputError("`minutes`", f"{minutes:g} is no time to train in", "Give a positive number")
    out = Path(out)
    model = load_classifier(classifier)
    arguments = {
        "classifier": digest_of(model),
        "images": _described(images),
        "method": method,
        "target": target,
        "against": against,
        "threshold": threshold,
        "value_range": None if value_range is None else [float(one) for one in value_range],
        "image_size": image_size,
        "seed": seed,
    }
    tell = say or _nothing
    begun = _begun(out, resume, arguments)
    if begun is None:
        given = _gather(model, images, patients, labels, value_range, image_size, channel, seed, on_progress)
        examined = _examine(
            model,
            given,
            target=target,
            against=against,
            threshold=threshold,
            value_range=value_range,
            logits=logits,
        )
        for note in (*given.notes, *examined.notes):
            tell(note)
        begun = _begin(out, given, examined, arguments, method, minutes, seed, channel, started, tell)
    recipe = load_recipe(out / _FOLDER / RECIPE) if not (out / RECIPE).exists() else load_recipe(out / RECIPE)
    shown = listener or _Lines(tell, started + 60 * minutes)
    _train(recipe, out, begun, started, minutes, shown)
    bundle = load_bundle(out)
    report = _report(out, bundle, model, begun, method, minutes, started)
    add_to_bundle(out, {FIT_REPORT: json_text(report.as_json())})
    return FittedExplainer(load_bundle(out), report, out, method)


def _gather(
    model: keras.Model,
    images: Any,
    patients: Any,
    labels: Any,
    value_range: Range | None,
    image_size: int | None,
    channel: int | None,
    seed: int,
    on_progress: Callable[[str, float, float], None],
) -> GivenImages:
    of_array = size_of_array(images)
    size, note = images_size(model, image_size, of_array)
    if is_files(images):
        if labels is not None:
            problem = "does not go with files"
            raise InputError("`labels`", problem, "Give a table in `patients` with the column label")
        if patients is not None and not isinstance(patients, (str, Path)):
            raise InputError("`patients`", "is no table, where the images are files", "Name a CSV file")
        given = files_of_images(images, size, patients, channel, seed, on_progress)
    else:
        if isinstance(patients, (str, Path)):
            problem = "is a file, where the images are an array"
            raise InputError("`patients`", problem, "Give the patient of each image")
        given = array_of_images(images, patients, labels, value_range)
    return dataclasses.replace(given, notes=tuple(each for each in (note, *given.notes) if each))


def _examine(model: keras.Model, given: GivenImages, **options: Any) -> ExaminedClassifier:
    """Examines a classifier, and refuses one that decides the same for all images."""
    examined = examine(model, given, **options)
    scores = examined.question.probability(examined.probabilities)
    one = scores >= 0.5
    if one.all() or not one.any():
        spread = f"from {scores.min():.3g} to {scores.max():.3g}"
        raise InputError(
            "`classifier`",
            f"puts all {len(one)} images in class {int(one.all())}: its probabilities are {spread}",
            "Give images of both decisions, or name the probability at which you decide by `threshold`"
            + hint_of_range(model, given, examined.value_range, examined),
        )
    check_can_be_kept(examined.decision, given.images)
    return examined


def _begin(
    out: Path,
    given: GivenImages,
    examined: ExaminedClassifier,
    arguments: Mapping[str, Any],
    method: str,
    minutes: float,
    seed: int,
    channel: int | None,
    started: float,
    tell: Say,
) -> dict[str, Any]:
    """Writes what the training takes into the folder, and returns how it is begun."""
    concerned = examined.question.concerns(examined.probabilities)
    scores = examined.question.probability(examined.probabilities)[concerned]
    given, one = given.take(concerned), scores >= 0.5
    places = split_by_decision(given.patients, one, seed)
    most = int(np.clip(_MEASURED_PER_MINUTE * minutes, _LEAST_MEASURED, _MOST_MEASURED))
    places |= {part: fewer(places[part], one, most, seed) for part in ("validation", "test")}
    parts = {part: _labelled(given.take(rows), one[rows], examined) for part, rows in places.items()}
    counts = counts_of(places, one)
    folder = out / _FOLDER
    make_folder(out)
    with only_writer(out):
        (out / STAGES_FOLDER).mkdir(exist_ok=True)
        folder.mkdir(exist_ok=True)
        write_own_images(folder / _IMAGES, parts)
        save_network(folder / _CLASSIFIER_FILE, examined.decision)
    recipe, speed = _planned(out, parts, examined, counts, method, minutes, seed, channel, started)
    first = next(iter(STAGES[method]))
    tell(f"A step of {first} takes {speed.step:.2g} s here: {_steps_said(recipe, method)}.")
    _check_minutes(minutes, method, speed, tell)
    begun = {
        "arguments": dict(arguments),
        "minutes": minutes,
        "notes": [*given.notes, *examined.notes],
        "counts": counts,
        "speed": dataclasses.asdict(speed),
        "outputs": dataclasses.asdict(examined.outputs),
        "question": dataclasses.asdict(examined.question),
        "value_range": list(examined.value_range),
    }
    write_text(folder / RECIPE, dump_recipe(recipe, folder))
    write_json(folder / _BEGUN, begun)
    return begun


def _check_minutes(minutes: float, method: str, speed: Speed, tell: Say) -> None:
    """Refuses a time in which the steps could be compiled at best, and says where it is short.

    Raises:
        InputError: There is hardly time to compile.
    """
    compiling = seconds_of_compiling(method, speed)
    needed = _enough_minutes(dict.fromkeys(STAGES[method], 0), speed, compiling)
    if compiling > _ALL_OF_IT * 60 * minutes:
        raise InputError(
            "`minutes`",
            f"{minutes:g} are too few for this machine: to compile the steps alone takes "
            f"{compiling / 60:.1f}",
            f"Give {max(1, round(needed))}, in which each stage has {ENOUGH_STEPS} steps",
        )
    if compiling > _TOO_MUCH * 60 * minutes:
        tell(
            f"{minutes:g} minutes are short for this machine: to compile the steps alone takes "
            f"{compiling / 60:.1f} of them. In about {max(1, round(needed))} each stage has {ENOUGH_STEPS} "
            "steps."
        )


def _labelled(given: GivenImages, one: np.ndarray, examined: ExaminedClassifier) -> LabelledImages:
    """Returns a part's images; where no label is known, the decisions stand for them."""
    masks = np.broadcast_to(np.False_, given.images.shape[:3])
    if given.labels is None:
        labels = one.astype(np.float32)
        return UnlabelledImages(given.images, labels, masks, given.patients, given.cases)
    wanted = 1 if examined.outputs.classes == 1 else examined.question.target
    labels = (given.labels == wanted).astype(np.float32)
    return LabelledImages(given.images, labels, masks, given.patients, given.cases)


def _planned(
    out: Path,
    parts: Mapping[str, LabelledImages],
    examined: ExaminedClassifier,
    counts: Mapping[str, list[int]],
    method: str,
    minutes: float,
    seed: int,
    channel: int | None,
    started: float,
) -> tuple[Recipe, Speed]:
    """Returns a recipe that fits the time, and the speed that it was made by."""
    size = parts["train"].images.shape[1]
    networks, batch = networks_for(size, has_gpu()), batch_for(counts)
    stages = STAGES[method]

    def recipe(lengths: Mapping[str, Mapping[str, int]]) -> Recipe:
        folder = (out / _FOLDER).absolute()
        files = folder / _CLASSIFIER_FILE, folder / _IMAGES
        return recipe_for(out.name, method, *files, size, networks, batch, lengths, seed, channel)

    shortest = {"epochs": 1, "steps_per_epoch": 5}
    data = with_classifier(StageData(out.name, parts), examined.decision)
    speed = measured_speed(recipe(dict.fromkeys(stages, shortest)), next(iter(stages)), data)
    left = 60 * minutes - (time.monotonic() - started)
    left -= max(_LEAST_RESERVE, _RESERVE * 60 * minutes)

    def lengths(speed: Speed) -> dict[str, dict[str, int]]:
        watched = min(counts["validation"]) // batch
        return {
            stage: lengths_for(stage, share * left, speed.step, speed.tracing, watched, stage == "syce")
            for stage, share in stages.items()
        }

    found = lengths(speed)
    if any(map(too_slow, found.values())):
        networks, speed = narrower(networks), speed_of_narrower(speed)
        found = lengths(speed)
    return recipe(found), speed


def _steps_said(recipe: Recipe, method: str) -> str:
    options = [(stage, recipe.stages[stage]) for stage in STAGES[method]]
    said = [f"{one.epochs} x {one.steps_per_epoch} steps of {stage}" for stage, one in options]
    return f"{' and '.join(said)} are planned, with {_widths(options[0][1])} filters"


def _widths(options: Any) -> str:
    return ", ".join(map(str, options.filters))


def _train(
    recipe: Recipe, out: Path, begun: Mapping[str, Any], started: float, minutes: float, listener: Listener
) -> None:
    """Trains the stages one after the other; each is planned anew by the speed of the one before."""
    stages = [stage for stage in recipe.stages if stage != CLASSIFIER]
    shares = STAGES[begun["arguments"]["method"]]
    end = started + 60 * minutes
    reserve = max(_LEAST_RESERVE, _RESERVE * 60 * minutes)
    resume = (out / RECIPE).exists()
    for place, stage in enumerate(stages):
        begins = time.monotonic()
        rest = sum(shares[one] for one in stages[place:])
        seconds = max(0.0, end - begins - reserve) * shares[stage] / rest
        if place and not (out / STAGES_FOLDER / stage / "started.json").exists():
            recipe = _replanned(recipe, out, stage, stages[place - 1], begun, seconds)
        last = _LastEpoch(listener)
        train(recipe, out, [CLASSIFIER, stage], resume, last, until=begins + seconds)
        resume = True
        if last.ended is not None:  # what measuring took here it takes again
            reserve = max(_LEAST_RESERVE, 1.5 * (time.monotonic() - last.ended))


def _replanned(
    recipe: Recipe, out: Path, stage: str, before: str, begun: Mapping[str, Any], seconds: float
) -> Recipe:
    """Returns the recipe with as many steps of a stage as fit, by the seconds that the one before took."""
    done = json.loads((out / STAGES_FOLDER / before / "done.json").read_text(encoding="utf-8"))
    earlier, options = recipe.stages[before], recipe.stages[stage]
    watched = min(begun["counts"]["validation"]) // options.batch_size
    speed = Speed(**begun["speed"])
    step = step_in_history(done["history"], earlier.steps_per_epoch or 1, watched) or speed.step
    lengths = lengths_for(stage, seconds, step, speed.tracing, watched, options.first_stage is not None)
    return recipe.model_copy(update={stage: options.model_copy(update=lengths)})


def _report(
    out: Path,
    bundle: Bundle,
    model: keras.Model,
    begun: Mapping[str, Any],
    method: str,
    minutes: float,
    started: float,
) -> FitReport:
    outputs, question = Outputs(**begun["outputs"]), Question(**begun["question"])
    data = bundle.recipe.data
    test = load_own_images(out / _FOLDER / _IMAGES, "test", data.image_size).images
    concerns = None
    if question.against is not None and outputs.classes > 2:
        network = fed_model(model, data.image_size, tuple(begun["value_range"]))

        def concerns(images: np.ndarray) -> np.ndarray:
            return question.concerns(outputs.probabilities(np.asarray(network(images, training=False))))

    figures = {**bundle.figures["test"][method], **pair_facts(bundle.generators[method], test, concerns)}
    verdict = pair_verdict(figures)
    stages = {name: _stage_report(out, bundle.recipe, name) for name in STAGES[method]}
    steps = {name: stage.steps for name, stage in stages.items()}
    enough = _enough_minutes(steps, Speed(**begun["speed"]), time.monotonic() - started)
    weights = {name: _weights(bundle.recipe, name) for name in STAGES[method]}
    training = Training(str(out), enough, steps, begun["counts"]["train"], weights)
    advised = advice(figures, training)
    if method == "syce":
        instead = first_stage_instead(bundle.figures["test"]["syce"], bundle.figures["test"]["cyce"])
        advised = (instead, *advised) if instead else advised
    return FitReport(
        folder=out,
        method=method,
        good=verdict.good,
        verdict=verdict.sentences,
        advice=advised,
        notes=tuple(begun["notes"]),
        images=begun["counts"],
        figures=figures,
        stages=stages,
        minutes=minutes,
        seconds=time.monotonic() - started,
    )


def _weights(recipe: Recipe, stage: str) -> dict[str, float]:
    """Returns the weights of a stage's loss by its terms."""
    return {**GENERATORS[stage].loss_weights, **getattr(recipe.stages[stage], "loss_weights", {})}


def _enough_minutes(steps: Mapping[str, int], speed: Speed, seconds: float) -> float:
    """Returns the minutes that all would have taken with enough steps of each stage."""
    missing = sum(max(0, ENOUGH_STEPS - count) * COST[stage] * speed.step for stage, count in steps.items())
    return (seconds + missing) / 60


def _stage_report(out: Path, recipe: Recipe, name: str) -> StageReport:
    done = json.loads((out / STAGES_FOLDER / name / "done.json").read_text(encoding="utf-8"))
    options, history = recipe.stages[name], done["history"]
    return StageReport(
        epochs=len(history),
        planned=options.epochs,
        steps=len(history) * (options.steps_per_epoch or 0),
        seconds=sum(epoch["seconds"] for epoch in history),
        best_epoch=done["best_epoch"] + 1,
    )


def _begun(out: Path, resume: bool, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns how an earlier call in the folder began, that is gone on with; None where there is none.

    Raises:
        InputError: The folder is a file or holds something else; it holds an earlier call and ``resume`` is
            False; or that call had another classifier, other images or options.
    """
    if out.exists() and not out.is_dir():
        raise InputError(out, "is a file", "Name a new folder for the bundle")
    ours = {LOCK, _FOLDER, STAGES_FOLDER}
    names = {path.name for path in out.iterdir() if not is_partial(path)} if out.exists() else set()
    path = out / _FOLDER / _BEGUN
    if not path.exists():
        if names - ours or (names and _FOLDER not in names and names != {LOCK}):
            raise InputError(out, "the folder holds other files", "Name a new folder for the bundle")
        return None
    if not resume:
        raise InputError(
            out, "the folder holds a fitted classifier", "Pass `resume` to go on, or name a new folder"
        )
    try:
        begun = dict(json.loads(path.read_text(encoding="utf-8")))
        before = begun["arguments"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(path, f"is damaged ({error})", "Name a new folder for the bundle") from None
    changed = [name for name, value in arguments.items() if before.get(name) != value]
    if changed:
        raise InputError(
            out,
            f"was begun with another {', '.join(changed)}",
            "Pass the same as before, or name a new folder for the bundle",
        )
    return begun


def _described(images: Any) -> Any:
    """Returns what tells images from others without reading files, as JSON can hold it."""
    if is_files(images):
        given = [images] if isinstance(images, (str, Path)) else images
        return [str(Path(one).absolute()) for one in given]
    try:
        values = np.ascontiguousarray(images)
    except ValueError:  # of different sizes, which is said where they are read
        return None
    return hashlib.sha256(f"{values.dtype} {values.shape}".encode() + values.tobytes()).hexdigest()


class _LastEpoch:
    """A listener that keeps the time of the last epoch's end, and hands everything on."""

    def __init__(self, listener: Listener):
        self._listener = listener
        self.ended: float | None = None

    def __call__(self, event: Event) -> None:
        if event.logs is not None:
            self.ended = time.monotonic()
        self._listener(event)


class _Lines:
    """A listener that says now and then how far the training is."""

    def __init__(self, say: Say, end: float):
        self._say = say
        self._end = end
        self._said = 0.0

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        if event.line is not None:
            self._say(f"{event.title}: {event.line}")
            return
        if event.logs is None and now - self._said < _SECONDS_BETWEEN_LINES:
            return
        self._said = now
        left = max(0.0, self._end - now)
        line = (
            f"{event.title}: {event.step / max(event.steps, 1):.0%}, at most {left / 60:.1f} min left in all"
        )
        shown = {"val_flip_rate": "flip", "val_keep_rate": "keep"}
        logs = event.logs or {}
        rates = [f"{word} {logs[name]:.2f}" for name, word in shown.items() if name in logs]
        self._say(", ".join([line, *rates]))


def _nothing(text: str) -> None:
    pass
