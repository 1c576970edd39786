"""``tfadvpath demo``: phantoms, their maps, and a page with the figures."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tfadvpath.cli.console import import_tensorflow, progress_bar
from tfadvpath.cli.studies import explain_tasks, get_explainer, make_folder, seed_everything
from tfadvpath.cli.train import showing_progress

_MAIN_MAP = "fi_v2_smooth"


def demo(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Gets phantoms, explanations and report.html.")],
    train: Annotated[
        bool, typer.Option("--train", help="First train the bundle anew, in OUT/bundle.")
    ] = False,
    patients: Annotated[int, typer.Option(min=1, help="How many phantoms.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Draws the phantoms among those held out.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Explain generated brain phantoms with known tumours, and report how well the maps find them."""
    import_tensorflow()
    # These import TensorFlow, which takes seconds: --help need not wait for it.
    from tfadvpath.batch.plan import SUMMARY, plan
    from tfadvpath.batch.results import FORMATS, write_json
    from tfadvpath.batch.run import Failure
    from tfadvpath.bundle import DEMONSTRATION, library_versions, load_bundle
    from tfadvpath.datasets.phantoms import write_brain_phantoms
    from tfadvpath.datasets.slices import phantom_shape
    from tfadvpath.demonstration import choose_seeds, measure, patient_of, slices_to_show
    from tfadvpath.reports.demonstration import write_demonstration, write_overview
    from tfadvpath.training.data_options import PhantomBrain
    from tfadvpath.training.run import train as train_recipe

    make_folder(out)
    bundle = load_bundle(DEMONSTRATION)
    if train:
        with showing_progress() as listener:
            stages = ("classifier", *bundle.generators)  # as shipped
            train_recipe(bundle.recipe, out / "bundle", stages, resume=True, listener=listener)
        bundle = load_bundle(out / "bundle")
    data = bundle.recipe.data
    assert isinstance(data, PhantomBrain)
    seed_everything(seed)
    seeds = choose_seeds(data, bundle.recipe.seed, patients, seed)
    with progress_bar("Generating", len(seeds)) as bar:
        write_brain_phantoms(out / "phantoms", bar.over(seeds), phantom_shape(data.image_size))

    # As `tfadvpath explain OUT/phantoms/imagesTr --out OUT/explanations` does.
    explanations = out / "explanations"
    make_folder(explanations)
    volumes = [out / "phantoms" / "imagesTr" / f"BRATS_{i + 1:03d}.nii.gz" for i in range(patients)]
    tasks, _ = plan(volumes, explanations)
    explainer = get_explainer(bundle, "syce")
    explained, studies = [], []
    for outcome in explain_tasks(
        explainer, tasks, bundle.image_size, explanations, explainer.map_names, FORMATS, data.channel
    ):
        if isinstance(outcome, Failure):
            raise outcome.error
        labels = out / "phantoms" / "labelsTr" / outcome.task.source.name
        explained.append(patient_of(outcome.result, labels, data))
        studies.append(outcome.figures)
    figures = measure(explained)
    trained_with = _listed(bundle.manifest["versions"])
    about = {
        "Command": shlex.join(["tfadvpath", *sys.argv[1:]]),
        "Seed": str(seed),
        "Phantoms": f"seeds {', '.join(map(str, seeds))}",
        "Bundle": f"{bundle.recipe.name}, trained with {trained_with}",
        "Versions": _listed(library_versions()),
    }
    shown = slices_to_show(explained)
    write_demonstration(out / "report.html", shown, figures, about)
    write_overview(out / "overview.png", shown[:2])
    summary = {"figures": figures, "seeds": seeds, "studies": studies}
    write_json(explanations / SUMMARY, summary)
    typer.echo(json.dumps(summary, indent=2) if as_json else _lines(figures, out / "report.html"))


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _lines(figures: dict[str, Any], report: Path) -> str:
    counts = "{slices} slices of {patients} phantoms, {tumour_slices} with tumour".format(**figures)
    parts = {
        "classifier AUC": "auc",
        "sensitivity": "sensitivity",
        "specificity": "specificity",
        "adversary crossed": "crossing_rate",
        "stable image kept": "keep_rate",
        "completeness residual": "median_residual",
    }
    lines = [counts, *(f"{title}: {_text(figures[name])}" for title, name in parts.items())]
    if _MAIN_MAP in figures["maps"]:
        found = figures["maps"][_MAIN_MAP]
        lines.append(f"share of the 2 % most important pixels in the tumour: {_text(found['in_tumour'])}")
        lines.append(f"IoU with the tumour: {_text(found['iou'])}")
    return "\n".join([*lines, f"The report is {report}"])


def _text(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
