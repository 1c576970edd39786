"""``tfadvpath fit``: one call for a classifier of your own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tfadvpath.cli.console import Bars, answer, import_tensorflow, say
from tfadvpath.cli.train import training_shown


def fit(
    classifier: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Your classifier, a .keras file of one or three channels.")
    ],
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGES",
            help="DICOM, NIfTI, PNG or JPEG files, and folders of them: hundreds, of both decisions.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="RUN", help="Gets the bundle.")],
    minutes: Annotated[float, typer.Option(min=0.1, help="How long all of it may take.")] = 60.0,
    method: Annotated[str, typer.Option(help="The generator: syce, cyce or sagen.")] = "syce",
    patients: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="A table with the columns file and patient, and label where it is known. Without it each "
            "file or series is taken for a patient.",
        ),
    ] = None,
    target: Annotated[
        int | None,
        typer.Option(
            min=0, help="The output that is class 1. Without it: the second of two, or one that is found."
        ),
    ] = None,
    against: Annotated[
        int | None,
        typer.Option(
            min=0, help="The output that is class 0. Without it: the other one, or one that is found."
        ),
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="The probability from which on you decide for class 1.")
    ] = 0.5,
    value_range: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="BLACK WHITE",
            help="The values that the classifier takes for them, such as 0 255. Without it: what its first "
            "layers or the labels say, else 0 1.",
        ),
    ] = None,
    logits: Annotated[
        bool | None,
        typer.Option(
            "--logits/--probabilities", help="What the outputs are. Without it: what the classifier shows."
        ),
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(min=32, help="Rows and columns in pixels. Without it: the classifier's.")
    ] = None,
    channel: Annotated[int | None, typer.Option(min=0, help="Of 4-D NIfTI files.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the split and of every random number.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the call that was stopped.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Train generators that explain a classifier of your own, and write both as a bundle.

    The classifier is looked at first: the size, channels and values that it takes, and whether it answers
    probabilities or logits of one class or several. What is found and assumed is said. Its decisions split
    the images, patients kept together. The steps that fit the time are found by this machine's speed.

    The report says whether the maps can be read, and what to do where not. RUN is a bundle for explain,
    evaluate and export; RUN/fit.json is the report.

    Example: tfadvpath fit model.keras slices/ --out RUN --minutes 60

    Exit code: 0 done, whatever the verdict, 2 wrong use or the classifier or the images cannot be used, 3 a
    fault of tfadvpath, 130 or 143 interrupted: go on with --resume.
    """
    import_tensorflow()
    # It imports TensorFlow, which takes seconds: --help and a mistyped option need not wait for it.
    from tfadvpath.fitting.fit import fit as fit_classifier

    with Bars() as bars:
        fitted = fit_classifier(
            classifier,
            images,
            out,
            minutes,
            method=method,
            patients=patients,
            target=target,
            against=against,
            threshold=threshold,
            value_range=value_range,
            logits=logits,
            image_size=image_size,
            channel=channel,
            seed=seed,
            resume=resume,
            listener=training_shown(bars),
            on_progress=bars.advance,
            say=say,
        )
    if as_json:
        answer(json.dumps(fitted.report.as_json(), indent=2))
        return
    answer(str(fitted.report))
    answer(f"Explain images: tfadvpath explain IMAGES --bundle {out} --method {method}")
