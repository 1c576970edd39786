"""``tfadvpath prepare``: data to train on or to try with."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Annotated

import typer

from tfadvpath.cli.console import Bars, answer, import_tensorflow, in_flags, say
from tfadvpath.cli.exit_codes import SOME_FAILED
from tfadvpath.recipes.data import DATA_SETS, PhantomData, PreparedData
from tfadvpath.recipes.prepare import PATIENTS_PER_SEED
from tfadvpath.recipes.prepare import prepare as prepare_data

_MADE = [task for task, kind in DATA_SETS.items() if issubclass(kind, (PreparedData, PhantomData))]
Task = enum.StrEnum("Task", {task.replace("-", "_").upper(): task for task in _MADE})  # type: ignore[misc]


def prepare(
    ctx: typer.Context,
    task: Annotated[Task, typer.Argument(help="Which data.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Gets the files.")],
    source: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The images on disk; not for phantoms.")
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A list of the images of each part, in JSON. Without it patients are dealt out.",
        ),
    ] = None,
    shares: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            metavar="TRAIN VALIDATION TEST", help="Parts of the patients; without it 75 10 15.", min=0
        ),
    ] = None,
    images: Annotated[
        str | None, typer.Option(metavar="NAME", help="image-folder: the folder of images in --source.")
    ] = None,
    masks: Annotated[
        str | None, typer.Option(metavar="NAME", help="image-folder: the folder of masks in --source.")
    ] = None,
    patients: Annotated[
        int | None,
        typer.Option(min=1, max=PATIENTS_PER_SEED, help="Phantoms: how many; without it 10."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=32,
            help="Rows and columns in pixels; 224, for phantoms 240 (brain) and 1024 (chest).",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Other seeds give other phantoms, or deal the patients out anew.")
    ] = 0,
    memory_limit: Annotated[
        float, typer.Option(min=0.1, metavar="GIB", help="Memory that reading one case may take.")
    ] = 8.0,
    time_limit: Annotated[
        float,
        typer.Option(
            min=0.1, metavar="SECONDS", help="For reading a case of up to 10 MB; larger ones in proportion."
        ),
    ] = 20.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Prepare images for training, or generate studies with known findings, as files in --out.

    brain-tumour: the Medical Segmentation Decathlon's Task01_BrainTumour (imagesTr, labelsTr).
    pneumonia: the RSNA Pneumonia Detection Challenge (stage_2_train_images and its two tables).
    image-folder: images, perhaps masks, and one CSV table: file, patient, and label or tumour_pixels.

    --out gets records for training and summary.json: what each part holds, and what was left out and why.

    phantom-brain: 4-channel NIfTI volumes and labels in the form of Task01_BrainTumour.
    phantom-chest: DICOM X-rays, boxes and classes in the form of the RSNA challenge.

    Example: tfadvpath prepare phantom-brain --out phantoms --patients 4

    Exit code: 0 all prepared, 1 something broken was left out, 2 nothing could be prepared or wrong use, 3 a
    fault of tfadvpath, 130 or 143 interrupted.
    """
    if issubclass(DATA_SETS[task.value], PreparedData):
        import_tensorflow()

    with Bars() as bars:
        summary = prepare_data(
            task.value,
            out,
            source=source,
            split=split,
            shares=shares,
            images=images,
            masks=masks,
            patients=patients,
            size=size,
            seed=seed,
            memory_limit=round(memory_limit * 2**30),
            time_limit=time_limit,
            on_error=lambda error: say(in_flags(str(error), ctx.command)),
            on_progress=lambda share: bars.advance("Preparing", share, 1),
        )
    for line in summary.warnings():
        say(line)
    answer(json.dumps(summary.content, indent=1) if as_json else "\n".join(summary.lines()))
    if summary.errors:
        raise typer.Exit(SOME_FAILED)
