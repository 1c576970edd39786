"""A whole evaluation: from a bundle to measurements, judged claims and a report."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfadvpath import explainers
from tfadvpath.bundle.bundle import Bundle, load_bundle
from tfadvpath.bundle.manifest import library_versions
from tfadvpath.bundle.networks import scores_of
from tfadvpath.bundle.record import record_pairs
from tfadvpath.errors import InputError
from tfadvpath.evaluation.claims import judge
from tfadvpath.evaluation.compared_maps import METHODS, in_order, main_map
from tfadvpath.evaluation.gallery import choose_examples
from tfadvpath.evaluation.images import EvaluatedImages, load_evaluated_images
from tfadvpath.evaluation.measure import MeasuredMethod, RandomOrders
from tfadvpath.evaluation.methods import FOLDER, RANDOM, Evaluation, Failed, smooths
from tfadvpath.evaluation.options import EvaluationOptions
from tfadvpath.evaluation.pairs import load_judges, measure_pairs
from tfadvpath.evaluation.references import reference_maps
from tfadvpath.evaluation.replacement_images import check_perturbation, chosen_perturbation
from tfadvpath.evaluation.report.head import facts, lengths_in_words
from tfadvpath.evaluation.report.pictures import Shown, show
from tfadvpath.evaluation.report.report import About, write_report
from tfadvpath.evaluation.short_cuts import hidden_figures
from tfadvpath.evaluation.summary import Summary, summarise
from tfadvpath.files import make_folder
from tfadvpath.path.lengths import smoothing_kernel


@dataclass(frozen=True)
class Event:
    """What a listener hears while a bundle is evaluated.

    Attributes:
        task: Name of what is being done: "Measuring" or "Explaining examples".
        step: Amount that is done.
        steps: Amount in all.
        line: Sentence for a person, such as that a method is measured; None where there is nothing to say.
    """

    task: str
    step: float
    steps: float
    line: str | None = None


Listener = Callable[[Event], None]


def evaluate(
    bundle: Bundle | Path | str,
    out: Path | str,
    options: EvaluationOptions | None = None,
    listener: Listener | None = None,
    *,
    methods: Sequence[str] | None = None,
    batch_size: int = 16,
    command: str | None = None,
    pairs: bool = True,
    second_classifier: Path | str | None = None,
    encoder: Path | str | None = None,
    listed: Path | str | None = None,
    segmentation: bool = True,
    record: bool = False,
) -> Summary:
    """Measures the methods of a bundle on its test images and compares them: the paper's tables and charts.

    A method that was measured in ``out`` before is not measured again. One that fails stops no other.

    Args:
        bundle: Bundle, or its folder.
        out: Folder that gets report.html, report.json, measurements.csv, the tables as Markdown, LaTeX and
            CSV, the charts, a gallery of examples, and methods/ with the measurements of every image.
        options: Options by which test images are drawn and maps measured; None is the defaults.
        listener: Function that is told how far the evaluation is.
        methods: Names of explainers; None is all that the bundle has networks for.
        batch_size: Number of images explained at once.
        command: Command that the report names; None names this function.
        pairs: Whether the pairs of the generators are measured as well: a map is worth what its pair is.
        second_classifier: Keras file, or bundle, of a classifier of the same task that was trained
            separately, on none of the test patients: whether adversaries cross its decision too. None leaves
            that out.
        encoder: Keras file of a feature extractor, such as one with ImageNet weights, by which adversaries
            are compared with real images. None leaves that out.
        listed: JSON file of a list of images as ``prepare`` takes it, {"train_indexes": [], "val_indexes":
            [], "test_indexes": [[case, index], …]}: its test images are those of AOPC and R, in place of a
            draw. The paper's authors published such a list for the brain.
        segmentation: Whether a small segmentation network is trained on the annotations of the training
            images, as the ceiling of localisation; it takes about a minute.
        record: Whether the figures of the pairs are added to the bundle, so that its model card and
            ``explain`` repeat the verdict that they lead to.

    Returns:
        The measurements, with the judged claims and the methods that failed.

    Raises:
        InputError: A method, an option of it or the perturbation is unknown, or needs a network that the
            bundle lacks; the second classifier is the explained one, or may know the test patients; the test
            images cannot be loaded or are of one class; ``out`` holds other files, or measurements made with
            other options; no method could be measured.
    """
    out = Path(out)
    folder = _folder_to_record_in(bundle, pairs) if record else None
    bundle = bundle if isinstance(bundle, Bundle) else load_bundle(bundle)
    options = options or EvaluationOptions()
    if not options.percentiles:
        options = dataclasses.replace(options, percentiles=bundle.recipe.data.percentiles)
    chosen = _chosen_methods(bundle, methods)
    if options.subset == 1:
        raise InputError("`subset`", "1 image is not one of each class", "Pass 2 or more, or 0")
    image_shape = tuple(bundle.classifier.input_shape[1:])
    _check_kernel(options, image_shape)
    _check_method_options(options)
    options = dataclasses.replace(options, perturbation=chosen_perturbation(bundle, options.perturbation))
    check_perturbation(bundle, options.perturbation)
    if options.second_perturbation is not None:
        check_perturbation(bundle, options.second_perturbation)
        if options.second_perturbation == options.perturbation:
            raise InputError(
                "`perturbation`", f"names {options.perturbation} twice", "Name another second one, or one"
            )
    if out.is_dir() and any(out.iterdir()) and not (out / FOLDER).is_dir():
        # A report has many files, of common names.
        raise InputError(out, "holds other files than an evaluation's", "Name a new folder")
    judges = load_judges(_path(second_classifier), _path(encoder), bundle)
    make_folder(out)
    keras.utils.set_random_seed(options.seed)
    hear = listener or _silent
    evaluated = load_evaluated_images(bundle, options, _path(listed))
    line = _about_masks(evaluated, bundle.recipe.name)
    if line:
        hear(Event("Measuring", 0, 0, line))
    evaluation = Evaluation(bundle, evaluated, options, out, batch_size)
    measured, by_chance, failed = _measure(evaluation, chosen, hear)
    if not measured:
        reasons = "; ".join(f"{method}: {reason}" for method, reason in failed.items())
        raise InputError(out, f"no method could be measured ({reasons})", "Choose others in `methods`")
    references = reference_maps(
        bundle,
        evaluated,
        evaluation.folder,
        evaluation.identity,
        options.seed,
        segmentation=segmentation,
        say=lambda line: hear(Event("Measuring", 0, 0, line)),
    )
    summary = summarise(measured, by_chance, evaluated, options, references=references)
    summary = dataclasses.replace(summary, failed=failed, short_cuts=_short_cuts(bundle, evaluated))
    summary = dataclasses.replace(summary, claims=judge(summary, _taught(bundle)))
    if pairs:
        found = measure_pairs(
            evaluation, list(measured), judges, lambda line: hear(Event("Measuring pairs", 0, 0, line))
        )
        summary = dataclasses.replace(summary, pairs=found)
    _, height, width, _ = evaluated.images.images.shape
    lengths = lengths_in_words(
        height, width, options.squares(height, width), evaluation.lengths(list(measured))
    )
    versions = ", ".join(f"{name} {version}" for name, version in library_versions().items())
    about = About(
        data=bundle.recipe.data,
        name=bundle.recipe.name,
        facts=facts(evaluated, summary, lengths),
        missing=[method for method in METHODS if method not in chosen],
        origin={
            "Command": command or "tfadvpath.evaluate(…)",
            "Bundle": f"{bundle.recipe.name}, digest {bundle.digest[:16]}",
            "Options": json.dumps(options.as_json()),
            "Versions": versions,
            "Time": f"{_minutes(evaluation.seconds(list(measured)))} to measure the methods",
        },
    )
    write_report(out, summary, _examples(evaluation, summary, measured, hear), about)
    if folder is not None:
        record_pairs(folder, summary.pairs)
    return summary


def _folder_to_record_in(bundle: Bundle | Path | str, pairs: bool) -> Path:
    if not pairs:
        raise InputError("`record`", "adds the figures of the pairs, which are left out", "Measure `pairs`")
    if isinstance(bundle, Bundle):
        raise InputError("`record`", "writes to a bundle's folder", "Pass the folder in place of a Bundle")
    folder = Path(bundle)
    if folder.is_dir() and not os.access(folder, os.W_OK):
        raise InputError(folder, "cannot be written to, so nothing can be recorded", "Copy the bundle first")
    return folder


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"


def _path(path: Path | str | None) -> Path | None:
    return None if path is None else Path(path)


def _short_cuts(bundle: Bundle, evaluated: EvaluatedImages) -> dict[str, dict[str, Any]]:
    images = evaluated.images

    def scores(x: np.ndarray) -> np.ndarray:
        return scores_of(bundle.classifier, x)

    shown, labels, masks = (np.asarray(part) for part in (images.images, images.labels, images.masks))
    return hidden_figures(scores, shown, labels, masks, images.patients)


def _taught(bundle: Bundle) -> tuple[str, ...]:
    """Returns the keys of the baselines that learned from what they are compared with."""
    sagen = bundle.recipe.stages.get("sagen")
    return ("sagen_difference",) if sagen is not None and sagen.first_stage else ()


def _chosen_methods(bundle: Bundle, names: Sequence[str] | None) -> list[str]:
    """Returns the methods to measure, in the order of the tables."""
    known, available = in_order(explainers.names()), in_order(explainers.names(bundle))
    if names is None:
        return available
    for name in names:
        if name not in known:
            raise InputError("`methods`", f"{name!r} is not known", f"Choose from {', '.join(known)}")
        if name not in available:
            raise InputError(
                "`methods`",
                f"the bundle has no network for {name!r}",
                f"Train that stage, or choose from {', '.join(available)}",
            )
    if not names:
        raise InputError("`methods`", "nothing is named", f"Choose from {', '.join(available)}")
    return [method for method in available if method in names]


def _check_kernel(options: EvaluationOptions, image_shape: tuple[int, ...]) -> None:
    try:
        smoothing_kernel(image_shape, **options.kernel)
    except ValueError as error:
        problem = f"do not fit these images: {error}".rstrip(".")
        raise InputError("`sigma`, `kernel_size`", problem, "Leave them out for the paper's") from error


def _check_method_options(options: EvaluationOptions) -> None:
    for method, given in options.method_options.items():
        if method not in explainers.names():
            raise InputError(
                "`method_options`", f"{method!r} is no method", f"Choose from {', '.join(explainers.names())}"
            )
        of_all = options.kernel if smooths(method) else {}
        known = [name for name in explainers.options(method) if name not in ("batch_size", "seed", *of_all)]
        for name in given:
            if name in of_all:
                raise InputError(
                    "`method_options`",
                    f"{method}.{name} would smooth its maps by another kernel than those beside them",
                    f"Give `{name}`, which smooths all alike",
                )
            if name not in known:
                raise InputError(
                    "`method_options`",
                    f"{method} has no option {name!r}",
                    f"Choose from {', '.join(known)}",
                )


def _about_masks(evaluated: EvaluatedImages, name: str) -> str | None:
    if not len(evaluated.localised):
        return f"Warning: no test image of class 1 of {name} has an annotation: localisation is left out."
    if evaluated.without_mask:
        return (
            f"{evaluated.without_mask} test images of class 1 without annotation take no part in "
            "localisation."
        )
    return None


def _measure(
    evaluation: Evaluation, methods: Sequence[str], hear: Listener
) -> tuple[dict[str, MeasuredMethod], RandomOrders, dict[str, str]]:
    """Returns the measurements by method, those of random orders, and why the rest was not measured."""
    stored = evaluation.stored(methods)
    steps = evaluation.work([method for method in (RANDOM, *methods) if method not in stored])
    step = 0.0

    def advance(amount: float) -> None:
        nonlocal step
        step += amount
        hear(Event("Measuring", step, steps))

    measured: dict[str, MeasuredMethod] = {}
    by_chance: list[RandomOrders] = []
    failed: dict[str, str] = {}
    for outcome in evaluation.run(methods, stored, advance):
        if isinstance(outcome, Failed):
            failed[outcome.method] = " ".join(f"{type(outcome.error).__name__}: {outcome.error}".split())
            hear(Event("Measuring", step, steps, f"{outcome.method} failed: {failed[outcome.method]}"))
            continue
        if isinstance(outcome.result, RandomOrders):
            by_chance.append(outcome.result)
        else:
            measured[outcome.method] = outcome.result
        how = "measured before" if outcome.seconds is None else f"measured in {outcome.seconds:.0f} s"
        hear(Event("Measuring", step, steps, f"{outcome.method}: {how}"))
    return measured, by_chance[0], failed


def _examples(
    evaluation: Evaluation, summary: Summary, measured: dict[str, MeasuredMethod], hear: Listener
) -> list[Shown]:
    """Returns the test images to show, with every map over them."""
    evaluated = evaluation.evaluated
    main = summary.maps[main_map(summary.maps)].compared
    iou = measured[main.method].maps[main.map_name]["iou"][:, 0, 0]
    examples = choose_examples(evaluated, main.key, iou)
    if not examples:  # nothing is annotated, and every decision is right
        return []
    rows = np.array([example.row for example in examples], np.int64)
    of_method = {}
    for step, method in enumerate(measured, start=1):
        of_method[method] = evaluation.maps(method, rows)
        hear(Event("Explaining examples", step, len(measured)))
    maps = {
        one.compared: of_method[one.compared.method][one.compared.map_name]
        for one in summary.maps.values()
        if not one.compared.is_control
    }
    return [
        show(example, place, evaluated.images, float(evaluated.scores[example.row]), maps)
        for place, example in enumerate(examples)
    ]


def _silent(event: Event) -> None:
    pass
