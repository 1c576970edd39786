"""``tfadvpath evaluate``: every method's maps of the test images, measured and compared."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfadvpath.cli.console import import_tensorflow, progress_bar, say
from tfadvpath.cli.studies import make_folder, seed_everything
from tfadvpath.errors import InputError

if TYPE_CHECKING:
    from tfadvpath.bundle import Bundle
    from tfadvpath.evaluation.claims import Claim
    from tfadvpath.evaluation.measure import Arrays
    from tfadvpath.evaluation.run import Evaluation
    from tfadvpath.evaluation.summary import Summary
    from tfadvpath.reports.evaluation_gallery import Shown

_SOME_FAILED, _NOTHING_MEASURED = 1, 2
_TITLE_WIDTH = 20  # of a table's first column, in characters


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The bundle that `tfadvpath train` wrote.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Gets the report, tables and measurements.")],
    methods: Annotated[
        str, typer.Option(help="Names separated by commas, or all that the bundle has networks for.")
    ] = "all",
    images: Annotated[
        int,
        typer.Option(min=2, help="At most so many for AOPC and R, as many of each class."),
    ] = 1000,
    steps: Annotated[int, typer.Option(min=1, help="Of R, until all pixels are replaced.")] = 224,
    perturbation: Annotated[
        str,
        typer.Option(
            help="What pixels are replaced with: fixed_point_gan, blur, zero, noise or inpainting.",
        ),
    ] = "fixed_point_gan",
    subset: Annotated[
        int,
        typer.Option(
            min=0,
            help="So many of --images for the sensitivity to noise and the randomised classifier; 0: none.",
        ),
    ] = 32,
    batch_size: Annotated[int, typer.Option(min=1, help="Images explained at once.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Of the images' choice, random orders and noise.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Compare methods on a bundle's test images: the paper's tables and figures.

    --out gets report.html, report.json, figures.csv, the tables as Markdown, LaTeX and CSV, the curves,
    a gallery of examples, and methods/ with the measurements of every image. A method that is measured there
    already is not measured again.

    Exit code: 0 all measured, 1 some methods failed, 2 nothing could be measured.
    """
    import_tensorflow()
    # These import TensorFlow, which takes seconds: --help and a mistyped option need not wait for it.
    from tfadvpath.bundle import MANIFEST, library_versions, load_bundle, sha256
    from tfadvpath.evaluation.claims import judge
    from tfadvpath.evaluation.columns import METHODS
    from tfadvpath.evaluation.facts import facts
    from tfadvpath.evaluation.held_out import hold_out
    from tfadvpath.evaluation.options import EvaluationOptions, percentiles_of
    from tfadvpath.evaluation.perturbed import check_perturbation
    from tfadvpath.evaluation.run import RANDOM, Evaluation
    from tfadvpath.evaluation.summary import summarise
    from tfadvpath.reports.evaluation import About, write_evaluation

    bundle = load_bundle(run)
    chosen = _chosen_methods(bundle, methods)
    if subset == 1:
        raise InputError("--subset", "1 image is not one of each class", "Pass 2 or more, or 0")
    check_perturbation(bundle, perturbation)
    _check_folder(out)
    make_folder(out)
    seed_everything(seed)
    options = EvaluationOptions(
        images=images,
        steps=steps,
        perturbation=perturbation,
        subset=subset,
        percentiles=percentiles_of(bundle.recipe.data),
        seed=seed,
    )
    held_out = hold_out(bundle, options)
    if not len(held_out.localised):
        say(
            f"Warning: no test image of class 1 of {bundle.recipe.name} has an annotation: "
            "localisation is left out."
        )
    elif held_out.without_mask:
        say(
            f"{held_out.without_mask} test images of class 1 without annotation take no part in localisation."
        )
    evaluation = Evaluation(bundle, sha256(run / MANIFEST), held_out, options, out, batch_size)
    measured, failed = _measure(evaluation, chosen)
    by_chance = measured.pop(RANDOM)
    if not measured:
        raise typer.Exit(_NOTHING_MEASURED)
    summary = summarise(measured, by_chance, held_out, options)
    claims = judge(summary)
    versions = ", ".join(f"{name} {version}" for name, version in library_versions().items())
    about = About(
        task=bundle.recipe.data.task,
        name=bundle.recipe.name,
        facts=facts(held_out, summary),
        missing=[method for method in METHODS if method not in chosen],
        failed=failed,
        origin={
            "Command": shlex.join(["tfadvpath", *sys.argv[1:]]),
            "Bundle": f"{run}, manifest {sha256(run / MANIFEST)[:16]}",
            "Options": json.dumps(options.as_json()),
            "Versions": versions,
        },
    )
    content = write_evaluation(out, summary, claims, _examples(evaluation, summary, measured), about)
    typer.echo(json.dumps(content, indent=2) if as_json else _lines(summary, claims, out))
    if failed:
        raise typer.Exit(_SOME_FAILED)


def _check_folder(out: Path) -> None:
    """Checks that no other files are there: a report has many, of common names."""
    from tfadvpath.evaluation.run import FOLDER  # imports TensorFlow, as above

    if out.is_dir() and any(out.iterdir()) and not (out / FOLDER).is_dir():
        raise InputError(out, "holds other files than an evaluation's", "Name a new folder")


def _chosen_methods(bundle: Bundle, text: str) -> list[str]:
    """Returns the methods to measure, in the order of the tables."""
    from tfadvpath import explainers  # imports TensorFlow, as above
    from tfadvpath.evaluation.columns import in_order

    known, available = in_order(explainers.names()), in_order(explainers.names(bundle))
    if text == "all":
        return available
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise InputError("--methods", f"{name!r} is not known", f"Choose from {', '.join(known)}")
        if name not in available:
            raise InputError(
                "--methods",
                f"the bundle has no network for {name!r}",
                f"Train that stage, or choose from {', '.join(available)}",
            )
    if not names:
        raise InputError("--methods", "nothing is named", f"Choose from {', '.join(available)}")
    return [method for method in available if method in names]


def _measure(evaluation: Evaluation, methods: Sequence[str]) -> tuple[dict[str, Arrays], dict[str, str]]:
    """Returns what was measured and why the rest was not, by method; says how far it is."""
    from tfadvpath.evaluation.run import RANDOM, Failed  # imports TensorFlow, as above

    stored = evaluation.stored(methods)
    measured, failed = {}, {}
    missing = [method for method in (RANDOM, *methods) if method not in stored]
    with progress_bar("Measuring", evaluation.work(missing)) as bar:
        for outcome in evaluation.run(methods, stored, bar.advance):
            if isinstance(outcome, Failed):
                failed[outcome.method] = " ".join(f"{type(outcome.error).__name__}: {outcome.error}".split())
                say(f"{outcome.method} failed: {failed[outcome.method]}")
                continue
            measured[outcome.method] = outcome.arrays
            how = "measured before" if outcome.seconds is None else f"measured in {outcome.seconds:.0f} s"
            say(f"{outcome.method}: {how}")
    return measured, failed


def _examples(evaluation: Evaluation, summary: Summary, measured: dict[str, Arrays]) -> list[Shown]:
    """Returns the test images to show, with the maps of every column."""
    import numpy as np  # not before --help

    from tfadvpath.evaluation.columns import main_column
    from tfadvpath.evaluation.gallery import choose_examples
    from tfadvpath.reports.evaluation_gallery import show

    held_out = evaluation.held_out
    main = summary.columns[main_column(summary.columns)].column
    iou = measured[main.method][f"{main.map_name}.iou"][:, 0, 0]
    examples = choose_examples(held_out, main.key, iou)
    if not examples:  # nothing is annotated, and every decision is right
        return []
    rows = np.array([example.row for example in examples], np.int64)
    with progress_bar("Explaining examples", len(measured)) as bar:
        of_method = {method: evaluation.maps(method, rows) for method in bar.over(measured)}
    maps = {
        column.column: of_method[column.column.method][column.column.map_name]
        for column in summary.columns.values()
    }
    return [
        show(example, place, held_out.images, float(held_out.scores[example.row]), maps)
        for place, example in enumerate(examples)
    ]


def _lines(summary: Summary, claims: Sequence[Claim], out: Path) -> str:
    """Returns Tables 1 and 2 without intervals, the claims, and where Figure 2 and the rest lie."""
    from tfadvpath.evaluation.summary import SHORT  # imports NumPy, as above
    from tfadvpath.reports.evaluation import CURVES, REPORT

    short = min(SHORT, summary.options.region_steps)
    lines: list[str] = []
    for column in summary.columns.values():
        estimates = column.estimates
        figures: dict[str, Any] = {}
        if "iou" in estimates:
            for i, percentile in enumerate(summary.options.percentiles):
                figures[f"IoU {percentile:g}"] = estimates["iou"].value[i, 0]
                figures[f"FNR {percentile:g}"] = estimates["fnr"].value[i, 0]
        figures |= dict(zip(("R", "R class 0", "R class 1"), estimates["relevance"].value, strict=True))
        figures[f"AOPC {100 * short / summary.options.region_steps:g} %"] = estimates["aopc"].value[0, short]
        if not lines:
            lines.append(" " * _TITLE_WIDTH + "".join(f"{name:>{_width(name)}}" for name in figures))
        cells = (f"{value:{_width(name)}.3f}" for name, value in figures.items())
        lines.append(f"{column.column.title:{_TITLE_WIDTH}}" + "".join(cells))
    lines += [f"Claim {i + 1}, {claim.text}: {claim.verdict}" for i, claim in enumerate(claims)]
    lines.append(f"AOPC relative to random orders, by the share replaced: {out / CURVES}")
    return "\n".join([*lines, f"The report is {out / REPORT}"])


def _width(title: str) -> int:
    return 2 + max(len(title), len("-0.000"))
