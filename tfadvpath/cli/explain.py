"""``tfadvpath explain``: maps of image files, from a bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfadvpath.cli.console import Bars, import_tensorflow, in_flags, names_in, say

if TYPE_CHECKING:
    from tfadvpath.batch.run import ExplainSummary

_SOME_FAILED, _NOTHING_EXPLAINED = 1, 2


def explain(
    ctx: typer.Context,
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT",
            help="DICOM, NIfTI, PNG or JPEG files, and folders of them. A DICOM series is one study.",
        ),
    ],
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What `tfadvpath train` wrote. Without it: the demonstration's."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Gets a folder for each study.")] = Path(
        "explanations"
    ),
    method: Annotated[str, typer.Option(help="How the images are explained.")] = "syce",
    maps: Annotated[str, typer.Option(help="Names separated by commas, or all.")] = "all",
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            help="png, npz and nifti, separated by commas, or all. nifti is for NIfTI and DICOM series.",
        ),
    ] = "all",
    channel: Annotated[
        int | None,
        typer.Option(min=0, help="Of 4-D NIfTI files. Without it: the one the bundle was trained on."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, help="Points of the path where the gradient is taken, of methods with one. Default: 50."
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images explained at once.")] = 16,
    seed: Annotated[
        int, typer.Option(min=0, help="Of all random numbers. Only mask_perturbation draws any.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Explain images: which pixels the classifier's decision depends on.

    Each study gets a folder in --out: pictures of the maps over the input, the arrays, and for NIfTI input
    or a DICOM series the maps on its grid. summary.json lists scores, checks and errors. Broken files are
    named and skipped.

    Exit code: 0 all explained, 1 some studies failed, 2 nothing could be explained.
    """
    import_tensorflow()
    # These import TensorFlow, which takes seconds: --help and a mistyped option need not wait for it.
    from tfadvpath.batch.run import ExplainOptions, Failure, Success, explain_studies
    from tfadvpath.bundle.bundle import DEMONSTRATION

    options = ExplainOptions(
        method=method,
        maps=names_in(maps),
        formats=names_in(formats),
        channel=channel,
        steps=steps,
        batch_size=batch_size,
        seed=seed,
    )
    if bundle is None:
        say(
            "Warning: no --bundle. The demonstration's was trained on generated phantoms: "
            "its maps mean nothing for real patients."
        )

    def listen(outcome: Success | Failure) -> None:
        if isinstance(outcome, Failure):
            say(in_flags(str(outcome.error), ctx.command))

    with Bars() as bars:
        summary = explain_studies(
            bundle or DEMONSTRATION,
            inputs,
            out,
            options,
            listener=listen,
            on_progress=lambda done, total: bars.advance("Explaining", done, total),
        )
    for path, reason in summary.ignored:
        say(f"{path}: ignored, it {reason}.")
    for path, remark in summary.remarks:
        say(f"{path}: {remark}.")
    typer.echo(json.dumps(summary.as_json(), indent=2) if as_json else _sentence(summary))
    if summary.failures:
        raise typer.Exit(_SOME_FAILED if summary.studies else _NOTHING_EXPLAINED)


def _sentence(summary: ExplainSummary) -> str:
    studies = summary.studies
    slices = sum(study["slices"] - study["blank"] for study in studies)
    blank = sum(study["blank"] for study in studies)
    text = f"{len(studies)} studies explained in {summary.out}: {slices} slices, "
    if any("crossings" in study for study in studies):
        crossings = sum(study["crossings"] for study in studies)
        text += f"in {crossings} of them the adversary crossed the decision; "
    text += f"{blank} blank slices."
    return text + (f" {len(summary.failures)} studies failed." if summary.failures else "")
