"""``tfadvpath explain``: maps of image files, from a bundle."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer

import tfadvpath
from tfadvpath.cli.console import import_tensorflow, say
from tfadvpath.cli.studies import explain_tasks, get_explainer, make_folder, seed_everything
from tfadvpath.errors import InputError

_SOME_FAILED, _NOTHING_EXPLAINED = 1, 2


def explain(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT", help="DICOM, NIfTI, PNG or JPEG files, and folders of them."),
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
        typer.Option("--format", help="png, npz and nifti, separated by commas. nifti needs NIfTI input."),
    ] = "png,npz,nifti",
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
    the maps on its grid. summary.json lists scores, checks and errors. Broken files are named and skipped.

    Exit code: 0 all explained, 1 some studies failed, 2 nothing could be explained.
    """
    import_tensorflow()
    # These import TensorFlow, which takes seconds: --help and a mistyped option need not wait for it.
    from tfadvpath import explainers
    from tfadvpath.batch.plan import SUMMARY, plan
    from tfadvpath.batch.results import FORMATS, write_json
    from tfadvpath.batch.run import Failure
    from tfadvpath.bundle import DEMONSTRATION, load_bundle

    chosen_formats = _chosen("--format", formats, FORMATS)
    tasks, ignored = plan(inputs, out)
    for path, reason in ignored:
        say(f"{path}: ignored, it {reason}.")
    if not tasks:
        raise InputError(inputs[0], "holds no image that can be read", "Name image files or a folder of them")
    make_folder(out)
    models = load_bundle(bundle or DEMONSTRATION)
    if bundle is None:
        say(
            "Warning: no --bundle. The demonstration's was trained on generated phantoms: "
            "its maps mean nothing for real patients."
        )
    explainer = get_explainer(models, method, seed, steps=steps, batch_size=batch_size)
    chosen_maps = explainer.map_names if maps == "all" else _chosen("--maps", maps, explainer.map_names)
    if channel is None:
        channel = models.recipe.data.channel
    seed_everything(seed)

    studies: list[dict[str, Any]] = []
    errors: list[dict[str, str]] = []
    for outcome in explain_tasks(
        explainer, tasks, models.image_size, out, chosen_maps, chosen_formats, channel
    ):
        if isinstance(outcome, Failure):
            errors.append({"source": str(outcome.task.source), "message": str(outcome.error)})
        else:
            studies.append(outcome.figures)
    summary = {
        "version": tfadvpath.__version__,
        "bundle": str(bundle or DEMONSTRATION),
        "method": method,
        "steps": steps or explainers.options(method).get("steps"),  # None: the method has no path
        "maps": list(chosen_maps),
        "out": str(out),
        "explained": len(studies),
        "failed": len(errors),
        "studies": studies,
        "errors": errors,
        "ignored": [{"source": str(path), "reason": reason} for path, reason in ignored],
    }
    write_json(out / SUMMARY, summary)
    typer.echo(json.dumps(summary, indent=2) if as_json else _sentence(studies, errors, out))
    if errors:
        raise typer.Exit(_SOME_FAILED if studies else _NOTHING_EXPLAINED)


def _chosen(option: str, text: str, known: Collection[str]) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        received = f"{unknown[0]!r} is not known" if unknown else "nothing is named"
        raise InputError(option, received, f"Choose from {', '.join(known)}")
    return list(dict.fromkeys(names))


def _sentence(studies: list[dict[str, Any]], errors: list[dict[str, str]], out: Path) -> str:
    slices = sum(study["slices"] - study["blank"] for study in studies)
    blank = sum(study["blank"] for study in studies)
    text = f"{len(studies)} studies explained in {out}: {slices} slices, "
    if any("crossings" in study for study in studies):
        crossings = sum(study["crossings"] for study in studies)
        text += f"in {crossings} of them the adversary crossed the decision; "
    text += f"{blank} blank slices."
    return text + (f" {len(errors)} studies failed." if errors else "")
