"""``tfadvpath prepare``: data to train on or to try with."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from tfadvpath.cli.console import progress_bar
from tfadvpath.cli.studies import make_folder

# Far from the phantoms that recipes train on: a bundle may be tried on what is prepared here.
_APART = 1_000_000_000
_PATIENTS_PER_SEED = 100_000


class Task(enum.StrEnum):
    """What can be prepared."""

    PHANTOM_BRAIN = "phantom-brain"
    PHANTOM_CHEST = "phantom-chest"


def prepare(
    task: Annotated[Task, typer.Argument(help="Which data.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Gets the files.")],
    patients: Annotated[int, typer.Option(min=1, max=_PATIENTS_PER_SEED, help="How many.")] = 10,
    size: Annotated[
        int | None,
        typer.Option(min=32, help="Rows and columns in pixels; 240 for the brain, 1024 for the chest."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Other seeds give other patients.")] = 0,
) -> None:
    """Generate studies with known findings.

    phantom-brain: 4-channel NIfTI volumes and labels in the layout of the Medical Segmentation Decathlon.
    phantom-chest: DICOM X-rays, boxes and classes in the layout of the RSNA Pneumonia Detection Challenge.
    """
    # scipy and pydicom are slow to import: --help need not wait for them.
    from tfadvpath.datasets.phantoms import write_brain_phantoms, write_chest_phantoms
    from tfadvpath.datasets.slices import phantom_shape

    make_folder(out)
    with progress_bar("Generating", patients) as bar:
        first = _APART + seed * _PATIENTS_PER_SEED
        seeds = bar.over(range(first, first + patients))
        if task is Task.PHANTOM_BRAIN:
            write_brain_phantoms(out, seeds, phantom_shape(size or 240))
        else:
            write_chest_phantoms(out, seeds, size or 1024)
    typer.echo(f"{patients} patients are in {out}")
