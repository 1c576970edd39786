"""``tfadvpath train``: from a recipe to a bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfadvpath.cli.console import Bars, answer, import_tensorflow, say
from tfadvpath.errors import InputError

if TYPE_CHECKING:
    from tfadvpath.recipes.recipe import Recipe
    from tfadvpath.training.loop import Event, Listener


def train(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE", help="A YAML file such as training/phantom_brain.yaml.")
    ],
    out: Annotated[Path, typer.Option(metavar="RUN", help="Gets the bundle.")],
    stage: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Train this stage only; may be repeated.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in RUN, or add stages to it.")
    ] = False,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="In place of the recipe's, such as syce.epochs=3."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="In place of the recipe's.")] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="K",
            help="Train the classifier alone once for each of K folds, and score the rest.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the measurements as JSON.")] = False,
) -> None:
    """Train a classifier and its generators, and write them as a bundle.

    A run that was stopped goes on with --resume. RUN/logs is for TensorBoard. With --folds RUN gets a run for
    each fold, and the scores of the patients that it did not train on.

    Example: tfadvpath train training/phantom_brain.yaml --out RUN

    Exit code: 0 the bundle is written, 2 the recipe, the data or RUN cannot be used, 3 a fault of tfadvpath,
    130 or 143 interrupted: go on with --resume.
    """
    from tfadvpath.recipes.recipe import load_recipe  # pydantic is slow to import

    chosen = load_recipe(recipe, [*(changes or ()), *([] if seed is None else [f"seed={seed}"])])
    chosen.check_stages(stage)
    if folds is not None and set(stage or ()) - {"classifier"}:
        raise InputError(
            "`stage`", "does not go with `folds`, which train the classifier alone", "Leave it out"
        )
    if chosen.classifier.shuffle_labels:
        say("The labels of the training images are shuffled: this classifier is a control, never for use.")
    import_tensorflow()
    # It imports TensorFlow, which takes seconds: --help and a wrong recipe need not wait for it.
    from tfadvpath.training.run import train as train_recipe

    if resume and not out.exists():
        say(f"{out} does not exist yet: the run begins.")
    if folds is not None:
        _cross_validate(chosen, out, folds, resume, as_json)
        return
    with Bars() as bars:
        trained = train_recipe(chosen, out, stage, resume, training_shown(bars))
    if as_json:
        answer(json.dumps(trained.figures, indent=2))
        return
    for part, stages in trained.figures.items():
        for name, values in stages.items():
            answer(f"{part}, {name}: {_listed(values)}")
    answer(f"The bundle is in {trained.folder}")


def _cross_validate(recipe: Recipe, out: Path, folds: int, resume: bool, as_json: bool) -> None:
    from tfadvpath.training.cross_validation import SCORES_FILE, cross_validate

    with Bars() as bars:
        figures = cross_validate(recipe, out, folds, resume, training_shown(bars)).figures
    if as_json:
        answer(json.dumps(figures, indent=2))
        return
    for one in figures["by_fold"]:
        answer(f"fold {one['fold']}: {one['patients']} patients, AUC {_interval(one, 'auc')}")
    answer(f"mean of the folds: AUC {_interval(figures, 'mean_auc_of_folds')}")
    answer(f"all scores: {figures['all']['patients']} patients, AUC {_interval(figures['all'], 'auc')}")
    point = figures["operating_point"]
    rates = (f"{name} {_interval(point, name)}" for name in ("sensitivity", "specificity"))
    answer(f"threshold {point['threshold']:.4g} ({point['point']}): {', '.join(rates)}")
    answer(f"The scores are in {out / SCORES_FILE}")


def _interval(values: Mapping[str, Any], name: str) -> str:
    """Returns a number with its interval, as far as they are known."""
    numbers = (values[name], *values[f"{name}_interval"])
    value, low, high = ("–" if number is None else f"{number:.3f}" for number in numbers)
    return f"{value} [{low}, {high}]"


# What an epoch's line says of the pairs: of which image, and under which names it is logged.
_OF_PAIRS = {
    "x_a": ("val_adversary_similarity", "val_adversary_sharpness"),
    "x_s": ("val_stable_similarity", "val_stable_sharpness", "val_undoing"),
}


def training_shown(bars: Bars) -> Listener:
    """Returns a listener that shows a bar a stage with the time left, and a line for every epoch.

    What a warm-up measures has lines, too.
    """

    def listen(event: Event) -> None:
        bars.move_to(event.title, event.step, event.steps)
        if event.line is not None:
            say(f"{event.title}: {event.line}")
        if event.logs is not None:
            say(f"{event.stage}, epoch {event.logs['epoch'] + 1:.0f}: {_of_epoch(event.logs)}")

    return listen


def _of_epoch(logs: Mapping[str, float]) -> str:
    """Returns what an epoch's line says: loss and rates, and how good the pairs are, image by image."""
    shown = ("loss", "val_loss", "val_auc", "val_flip_rate", "val_keep_rate")
    parts = [_listed({name: logs[name] for name in shown if name in logs})]
    for image, names in _OF_PAIRS.items():
        known = [f"{name.rsplit('_', 1)[1]} {logs[name]:.3f}" for name in names if name in logs]
        if known:
            parts.append(f"{image}: {', '.join(known)}")
    by_class = [logs.get(f"val_undoing_{direction}") for direction in ("zero_to_one", "one_to_zero")]
    if "val_undoing" in logs:
        said = ", ".join("unknown" if value is None else f"{value:.3f}" for value in by_class)
        parts[-1] += f" ({said})"
    return "; ".join(parts)


def _listed(values: Mapping[str, Any]) -> str:
    shown = {name: value for name, value in values.items() if isinstance(value, int | float)}
    return ", ".join(f"{name} {value:.4g}" for name, value in shown.items())
