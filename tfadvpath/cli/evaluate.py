"""``tfadvpath evaluate``: every method's maps of the test images, measured and compared."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfadvpath.cli.console import Bars, answer, import_tensorflow, in_flags, names_in, say
from tfadvpath.cli.exit_codes import SOME_FAILED
from tfadvpath.cli.path_options import KernelSize, Sigma
from tfadvpath.errors import InputError, quoted
from tfadvpath.recipes.yaml_text import parse

if TYPE_CHECKING:
    from tfadvpath.evaluation.summary import Summary


def evaluate(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The bundle that `tfadvpath train` wrote.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Gets the report, tables and measurements.")],
    methods: Annotated[
        str, typer.Option(help="Names separated by commas, or all that the bundle has networks for.")
    ] = "all",
    images: Annotated[
        int,
        typer.Option(min=2, help="At most so many for AOPC and R, as many of each class."),
    ] = 1000,
    listed: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A list of images in JSON: its test images are those of AOPC and R."
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of R, until all pixels are replaced.")] = 224,
    perturbation: Annotated[
        str,
        typer.Option(
            help="What pixels are replaced with: fixed_point_gan, blur, zero, noise or inpainting; or two of "
            "them, separated by a comma. auto: the fixed-point GAN of a bundle that has one, else blur.",
        ),
    ] = "auto",
    subset: Annotated[
        int,
        typer.Option(
            min=0,
            help="So many of --images for the sensitivity to noise and the randomised classifier; 0: none.",
        ),
    ] = 32,
    controls: Annotated[
        bool,
        typer.Option(
            help="Measure the smoothed difference and others without the gradient, which tell what it adds."
        ),
    ] = True,
    pairs: Annotated[
        bool, typer.Option(help="Measure the generators' pairs of images: a map is worth what its pair is.")
    ] = True,
    segmentation: Annotated[
        bool,
        typer.Option(help="Train a small network on the annotations, as the ceiling of localisation."),
    ] = True,
    second_classifier: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A classifier trained separately: do adversaries cross it, too?"),
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A feature extractor to compare adversaries with real images by."),
    ] = None,
    record: Annotated[
        bool,
        typer.Option(
            "--record",
            help="Add the figures of the pairs to RUN: its model card and explain then repeat their verdict.",
        ),
    ] = False,
    region: Annotated[
        int | None,
        typer.Option(min=1, help="Side in pixels of AOPC's squares; 8 of 224 pixels by default, scaled."),
    ] = None,
    sigma: Sigma = None,
    kernel_size: KernelSize = None,
    method_options: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="METHOD.OPTION=VALUE",
            help="Option of a method, such as syce.path=manifold or syce.steps=100. Repeat it for others.",
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images explained at once.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Of the images' choice, random orders and noise.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the content of report.json.")] = False,
) -> None:
    """Compare methods on a bundle's test images: write the paper's tables and charts.

    --out gets report.html, report.json, measurements.csv, the tables as Markdown, LaTeX and CSV, the charts,
    a gallery of examples, and methods/ with the measurements of every image. A method that is measured there
    already is not measured again.

    Example: tfadvpath evaluate RUN --out report --methods syce,gradient

    Exit code: 0 all measured, 1 some methods failed, 2 nothing could be measured or wrong use, 3 a fault
    of tfadvpath, 130 or 143 interrupted.
    """
    import_tensorflow()
    # These import TensorFlow, which takes seconds: --help and a mistyped option need not wait for it.
    from tfadvpath.evaluation.evaluate import Event
    from tfadvpath.evaluation.evaluate import evaluate as evaluate_bundle
    from tfadvpath.evaluation.options import EvaluationOptions
    from tfadvpath.evaluation.report.report import REPORT_FILE

    perturbations = [name.strip() for name in perturbation.split(",")]
    if len(perturbations) > 2:
        raise InputError("`perturbation`", f"names {len(perturbations)} of them", "Name one or two")
    options = EvaluationOptions(
        images=images,
        steps=steps,
        perturbation=perturbations[0],
        second_perturbation=perturbations[1] if len(perturbations) == 2 else None,
        subset=subset,
        controls=controls,
        region=region,
        sigma=sigma,
        kernel_size=kernel_size,
        method_options=_method_options(method_options or []),
        seed=seed,
    )
    with Bars() as bars:

        def listen(event: Event) -> None:
            if event.steps:
                bars.move_to(event.task, event.step, event.steps)
            if event.line is not None:
                say(in_flags(event.line, ctx.command))

        summary = evaluate_bundle(
            run,
            out,
            options,
            listen,
            methods=names_in(methods),
            batch_size=batch_size,
            command=shlex.join(["tfadvpath", *sys.argv[1:]]),
            pairs=pairs,
            second_classifier=second_classifier,
            encoder=encoder,
            listed=listed,
            segmentation=segmentation,
            record=record,
        )
    if as_json:
        answer((out / REPORT_FILE).read_text(encoding="utf-8").rstrip("\n"))
    else:
        answer(_lines(summary, out))
    if summary.failed:
        raise typer.Exit(SOME_FAILED)


def _method_options(texts: list[str]) -> dict[str, dict[str, Any]]:
    """Returns options by method and name, of texts METHOD.OPTION=VALUE."""
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        method, point, option = name.partition(".")
        if not (equals and point and method and option):
            raise InputError("`method_options`", f"{text!r} is no METHOD.OPTION=VALUE", "Name an option so")
        found.setdefault(method, {})[option], _ = parse(value, f"`method_options`: {quoted(text)}")
    return found


def _lines(summary: Summary, out: Path) -> str:
    """Returns Tables 1 and 2 without intervals, claims, what pairs are worth, and where the rest lies."""
    from tfadvpath.bundle.pair_verdict import pair_verdict
    from tfadvpath.evaluation.claims import FURTHER  # imports NumPy, as above
    from tfadvpath.evaluation.report.report import AOPC_CHART, PAGE
    from tfadvpath.evaluation.summary import SHORT

    short = min(SHORT, summary.options.region_steps)
    lines: list[str] = []
    width = 1 + max(len(measured.compared.title) for measured in summary.maps.values())
    for measured in summary.maps.values():
        estimates = measured.estimates
        numbers: dict[str, float] = {}
        if "iou" in estimates:
            for i, percentile in enumerate(summary.options.percentiles):
                numbers[f"IoU {percentile:g}"] = estimates["iou"].value[i, 0]
                numbers[f"FNR {percentile:g}"] = estimates["fnr"].value[i, 0]
        numbers |= dict(zip(("R", "R class 0", "R class 1"), estimates["relevance"].value, strict=True))
        numbers[f"AOPC {100 * short / summary.options.region_steps:g} %"] = estimates["aopc"].value[0, short]
        if not lines:
            lines.append(" " * width + "".join(f"{name:>{_width(name)}}" for name in numbers))
        cells = (f"{value:{_width(name)}.3f}" for name, value in numbers.items())
        lines.append(f"{measured.compared.title:{width}}" + "".join(cells))
    judged = [claim for claim in summary.claims if claim.comparisons and claim.kind != FURTHER]
    lines += [f"{claim.text}: {claim.verdict}" for claim in judged]
    for name, figures in summary.pairs.items():
        sentences = pair_verdict(figures).sentences or ("They reach every limit that was measured.",)
        lines.append(f"Pairs of {name}: {' '.join(sentences)}")
    lines.append(f"AOPC relative to random orders, by the share replaced: {out / AOPC_CHART}")
    return "\n".join([*lines, f"The report is {out / PAGE}"])


def _width(title: str) -> int:
    return 2 + max(len(title), len("-0.000"))
