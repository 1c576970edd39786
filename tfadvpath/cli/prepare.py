"""``tfadvpath prepare``: data to train on or to try with."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from tfadvpath.cli.console import import_tensorflow, progress_bar, say
from tfadvpath.cli.studies import make_folder
from tfadvpath.errors import InputError

# Far from the phantoms that recipes train on: a bundle may be tried on what is prepared here.
_APART = 1_000_000_000
_PATIENTS_PER_SEED = 100_000
_SOME_BROKEN = 1


class Task(enum.StrEnum):
    """What can be prepared."""

    BRAIN_TUMOUR = "brain-tumour"
    PNEUMONIA = "pneumonia"
    IMAGE_FOLDER = "image-folder"
    PHANTOM_BRAIN = "phantom-brain"
    PHANTOM_CHEST = "phantom-chest"


_PHANTOMS = (Task.PHANTOM_BRAIN, Task.PHANTOM_CHEST)


def prepare(
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
        typer.Option(min=1, max=_PATIENTS_PER_SEED, help="Phantoms: how many; without it 10."),
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
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Prepare images for training, or generate studies with known findings.

    brain-tumour: the Medical Segmentation Decathlon's Task01_BrainTumour (imagesTr, labelsTr).
    pneumonia: the RSNA Pneumonia Detection Challenge (stage_2_train_images and its two tables).
    image-folder: images, perhaps masks, and one CSV table: file, patient, and label or tumour_pixels.

    --out gets records for training and summary.json: what each part holds, and what was left out and why.

    phantom-brain: 4-channel NIfTI volumes and labels in the form of Task01_BrainTumour.
    phantom-chest: DICOM X-rays, boxes and classes in the form of the RSNA challenge.

    Exit code: 0 all prepared, 1 something broken was left out, 2 nothing could be prepared.
    """
    given: dict[str, object] = {"--source": source, "--split": split, "--shares": shares}
    given |= {"--images": images, "--masks": masks, "--patients": patients}
    _check_options(task, {name for name, value in given.items() if value is not None})
    make_folder(out)
    errors: list[InputError] = []
    if task in _PHANTOMS:
        summary = _generate(task, out, patients or 10, size, seed)
        lines = [f"{summary['patients']} patients are in {out}"]
    else:
        assert source is not None
        options: dict[str, Any] = {"seed": seed, "split": split}
        options |= {} if size is None else {"size": size}
        options |= {} if shares is None else {"shares": shares}
        options |= {"images": images, "masks": masks} if task is Task.IMAGE_FOLDER else {}
        summary, lines = _prepare(task, source, out, options, errors)
    typer.echo(json.dumps(summary, indent=1) if as_json else "\n".join(lines))
    if errors:
        raise typer.Exit(_SOME_BROKEN)


def _check_options(task: Task, given: set[str]) -> None:
    fitting = {"--source", "--split", "--shares"}
    if task in _PHANTOMS:
        fitting = {"--patients"}
    elif task is Task.IMAGE_FOLDER:
        fitting |= {"--images", "--masks"}
    for name in sorted(given - fitting):
        raise InputError(name, f"does not go with {task.value}", "Leave it out")
    if {"--split", "--shares"} <= given:
        raise InputError("--shares", "does not go with --split, which names each image", "Leave one out")
    if task not in _PHANTOMS and "--source" not in given:
        raise InputError(task.value, "needs --source", "Name the folder of the images")


def _generate(task: Task, out: Path, patients: int, size: int | None, seed: int) -> dict[str, Any]:
    # scipy and pydicom are slow to import: --help need not wait for them.
    from tfadvpath.datasets.phantoms import write_brain_phantoms, write_chest_phantoms
    from tfadvpath.datasets.slices import phantom_shape

    with progress_bar("Generating", patients) as bar:
        first = _APART + seed * _PATIENTS_PER_SEED
        seeds = bar.over(range(first, first + patients))
        if task is Task.PHANTOM_BRAIN:
            write_brain_phantoms(out, seeds, phantom_shape(size or 240))
        else:
            write_chest_phantoms(out, seeds, size or 1024)
    return {"task": task.value, "patients": patients, "seed": seed, "out": str(out)}


def _prepare(
    task: Task, source: Path, out: Path, options: dict[str, Any], errors: list[InputError]
) -> tuple[dict[str, Any], list[str]]:
    """Returns the summary and the lines to print; what is broken is said and added to the errors."""
    import_tensorflow()
    # These import TensorFlow, as above.
    from tfadvpath.datasets.brain_tumour import BrainTumour
    from tfadvpath.datasets.builder import PrepareConfig
    from tfadvpath.datasets.image_folder import ImageFolder, ImageFolderConfig
    from tfadvpath.datasets.pneumonia import Pneumonia
    from tfadvpath.datasets.prepare import described, prepare
    from tfadvpath.datasets.splits import Shares

    if "shares" in options:
        options["shares"] = Shares(*options["shares"])
    builders = {
        Task.BRAIN_TUMOUR: (BrainTumour, PrepareConfig),
        Task.PNEUMONIA: (Pneumonia, PrepareConfig),
        Task.IMAGE_FOLDER: (ImageFolder, ImageFolderConfig),
    }
    builder, config = builders[task]

    def note(error: InputError) -> None:
        say(str(error))
        errors.append(error)

    with progress_bar("Preparing", 1) as bar:
        summary = prepare(builder, source, out, config(**options), note, bar.advance)
    for part, count in summary["parts"].items():
        if count["class_1"] in (0, count["images"]):
            say(f"Warning: all images of {part} are of class {int(count['class_1'] > 0)}.")
    return summary, [*described(summary), f"The images are in {out}"]
