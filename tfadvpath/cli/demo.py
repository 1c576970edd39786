"""``tfadvpath demo``: phantoms, their maps, and a page with measurements."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfadvpath.cli.console import Bars, answer, import_tensorflow
from tfadvpath.cli.path_options import AUTO, steps_of
from tfadvpath.cli.train import training_shown

if TYPE_CHECKING:
    from tfadvpath.demo.measure import Measurements

_MAIN_MAP = "fi_v2_smooth"


def demo(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Gets phantoms, explanations and report.html.")],
    train: Annotated[
        bool, typer.Option("--train", help="First train the bundle anew, in OUT/bundle.")
    ] = False,
    patients: Annotated[int, typer.Option(min=1, help="How many phantoms.")] = 4,
    steps: Annotated[
        str,
        typer.Option(metavar="NUMBER|auto", help="Points of the path; auto: as many as each slice needs."),
    ] = AUTO,
    seed: Annotated[int, typer.Option(min=0, help="Draws the phantoms among those held out.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the measurements as JSON.")] = False,
) -> None:
    """Explain generated brain phantoms with known tumours, and write a page on how well the maps find them.

    The phantoms are none that the shipped networks were trained on. OUT gets the phantoms, a folder of maps
    for each, and report.html with pictures and measurements, which opens in any browser.

    Example: tfadvpath demo demo/ --patients 8

    Exit code: 0 done, 2 wrong use, 3 a fault of tfadvpath, 130 or 143 interrupted.
    """
    import_tensorflow()
    # It imports TensorFlow, which takes seconds: --help need not wait for it.
    from tfadvpath.demo.demo import run_demo

    command = shlex.join(["tfadvpath", *sys.argv[1:]])
    with Bars() as bars:
        summary = run_demo(
            out,
            train=train,
            patients=patients,
            steps=steps_of(steps),
            seed=seed,
            command=command,
            listener=training_shown(bars),
            on_progress=bars.advance,
        )
    if as_json:
        answer(json.dumps(summary.as_json(), indent=2))
    else:
        answer("\n".join([*_lines(summary.measured), f"The report is {summary.page}"]))


def _lines(measured: Measurements) -> list[str]:
    numbers = {
        "classifier AUC": measured.auc,
        "sensitivity": measured.sensitivity,
        "specificity": measured.specificity,
        "adversary crossed": measured.crossing_rate,
        "stable image kept": measured.keep_rate,
        "completeness residual": measured.median_residual,
    }
    found = measured.maps.get(_MAIN_MAP)
    if found is not None:
        numbers["share of the 2 % most important pixels in the tumour"] = found.in_tumour
        numbers["IoU with the tumour"] = found.iou
    return [
        f"{measured.slices} slices of {measured.patients} phantoms, {measured.tumour_slices} with tumour",
        *(f"{title}: {'unknown' if value is None else f'{value:.3f}'}" for title, value in numbers.items()),
    ]
