"""``tfadvpath explain``: maps of image files, from a bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfadvpath.cli.console import Bars, answer, counted, import_tensorflow, in_flags, names_in, say
from tfadvpath.cli.exit_codes import NOTHING_DONE, SOME_FAILED
from tfadvpath.cli.limits import MemoryLimit, TimeLimit
from tfadvpath.cli.path_options import KernelSize, Precision, Sigma, Tolerance, steps_in

if TYPE_CHECKING:
    from tfadvpath.batch.outcomes import ExplainSummary


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
    method: Annotated[
        str,
        typer.Option(
            help="How the images are explained; auto: by syce, or else by another generator of the bundle."
        ),
    ] = "auto",
    maps: Annotated[str, typer.Option(help="Names separated by commas, or all.")] = "all",
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            help="png, npz and nifti, separated by commas, or all. nifti is for NIfTI and DICOM series. By "
            "name alone: html, a page to look at; nifti-4d, all maps in one file; dicom, objects for the "
            "archive of the DICOM source; dicom-synthetic, the generated images as such.",
        ),
    ] = "all",
    channel: Annotated[
        int | None,
        typer.Option(min=0, help="Of 4-D NIfTI files. Without it: the one the bundle was trained on."),
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option(
            metavar="INTEGER|auto",
            help="Points of the path where the gradient is taken, of methods with one; auto: as many as each "
            "image needs. Default: 50.",
        ),
    ] = None,
    tolerance: Tolerance = None,
    precision: Precision = None,
    sigma: Sigma = None,
    kernel_size: KernelSize = None,
    path: Annotated[
        str | None,
        typer.Option(
            help="From start to adversary, of methods with both: straight, or manifold, the curve of the "
            "generator's decoder, which takes longer. Default: straight.",
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images explained at once.")] = 16,
    seed: Annotated[
        int, typer.Option(min=0, help="Of all random numbers. Only mask_perturbation draws any.")
    ] = 0,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume",
            help="Keep what an earlier run in --out explained in the same way, or explain all anew.",
        ),
    ] = True,
    num_parts: Annotated[
        int,
        typer.Option(
            min=1,
            help="Runs that share the studies, such as the tasks of a job array. Each writes to --out/part_…",
        ),
    ] = 1,
    part_id: Annotated[int, typer.Option(min=0, help="Which of these runs this one is, from 0.")] = 0,
    engine: Annotated[
        str,
        typer.Option(
            help="local is this process. ray is a cluster, of this machine or several; it needs an extra."
        ),
    ] = "local",
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Processes. Of local: they draw and write while the next images are explained; without it a "
            "core less than there are, 4 at most. Of ray: they explain; without it one for each GPU, or else "
            "each machine.",
        ),
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Of a running cluster; auto on one of its machines. Without it: what RAY_ADDRESS says, or a "
            "cluster of this machine alone, for the time of the run.",
        ),
    ] = None,
    memory_limit: MemoryLimit = 8.0,
    time_limit: TimeLimit = 20.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Explain images: write maps of the pixels that the classifier's decision depends on.

    Each study gets a folder in --out: pictures of the maps over the input, the arrays, and for NIfTI input
    or a DICOM series the maps on its grid. ledger.jsonl has a row for each study, summary.json lists scores,
    checks and errors. Broken files are named and skipped: files are read in a process of their own, with a
    limit of memory and of time. The same command goes on where a run was stopped.

    Example: tfadvpath explain scans/ --bundle RUN --out maps --format png,html

    Exit code: 0 all explained, 1 some studies failed, 2 nothing could be explained or wrong use, 3 a fault of
    tfadvpath, 130 or 143 interrupted.
    """
    import_tensorflow()
    # These import TensorFlow, which takes seconds: --help and a mistyped option need not wait for it.
    from tfadvpath.batch.outcomes import Failure, Resumed, Success
    from tfadvpath.batch.run import ExplainOptions, explain_studies
    from tfadvpath.bundle.bundle import DEMONSTRATION

    options = ExplainOptions(
        method=method,
        maps=names_in(maps),
        formats=names_in(formats),
        channel=channel,
        steps=steps_in(steps),
        tolerance=tolerance,
        precision=precision,
        sigma=sigma,
        kernel_size=kernel_size,
        path=path,
        batch_size=batch_size,
        seed=seed,
        resume=resume,
        num_parts=num_parts,
        part_id=part_id,
        memory_limit=round(memory_limit * 2**30),
        time_limit=time_limit,
        engine=engine,
        workers=workers,
        ray_address=ray_address,
    )
    if bundle is None:
        say(
            "Warning: no --bundle. The demonstration's was trained on generated phantoms: "
            "its maps mean nothing for real patients."
        )

    def listen(outcome: Success | Resumed | Failure) -> None:
        if isinstance(outcome, Failure):
            say(in_flags(str(outcome.error), ctx.command))

    def show(part: float, total: int) -> None:
        bars.advance("Explaining", part, total)

    with Bars() as bars:
        summary = explain_studies(
            bundle or DEMONSTRATION, inputs, out, options, listener=listen, on_progress=show
        )
    for file, reason in summary.ignored:
        say(f"{file}: ignored, it {reason}.")
    for file, remark in summary.remarks:
        say(f"{file}: {remark}.")
    for sentence in summary.pair:
        say(f"About all of these maps: {sentence}")
    answer(json.dumps(summary.as_json(), indent=2) if as_json else _sentence(summary))
    if summary.failures:
        raise typer.Exit(SOME_FAILED if summary.studies else NOTHING_DONE)


def _sentence(summary: ExplainSummary) -> str:
    studies = summary.studies
    slices = sum(study["slices"] - study["blank"] for study in studies)
    text = f"{counted(len(studies), 'study', 'studies')} explained in {summary.out}: "
    text += f"{counted(slices, 'slice')}, "
    if any("crossings" in study for study in studies):
        crossings = sum(study["crossings"] for study in studies)
        text += f"in {crossings} of them the adversary crossed the decision; "
    text += f"{counted(sum(study['blank'] for study in studies), 'blank slice')}."
    if summary.resumed:
        text += f" {counted(summary.resumed, 'study', 'studies')} of an earlier run."
    if summary.failures:
        text += f" {counted(len(summary.failures), 'study', 'studies')} failed."
    return text
