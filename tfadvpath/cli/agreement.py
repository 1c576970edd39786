"""``tfadvpath agreement``: how far the maps of bundles that were trained apart agree."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from tfadvpath.cli.console import answer, import_tensorflow, names_in, say, waiting


def agreement(
    bundles: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Two bundles or more, of the same data.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Gets agreement.json and the tables.")],
    methods: Annotated[
        str,
        typer.Option(
            help="Names separated by commas, or all that every bundle has networks for but mask_perturbation."
        ),
    ] = "all",
    images: Annotated[int, typer.Option(min=2, help="At most so many, as many of each class.")] = 200,
    percentile: Annotated[
        float | None,
        typer.Option(min=0, max=100, help="Pixels above it are compared; the data's first one by default."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images explained at once.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Of the images' choice, and of methods that draw.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the content of agreement.json.")] = False,
) -> None:
    """Compare the maps that bundles make of the same test images, and write how far they agree.

    Bundles of other seeds tell whether maps are repeatable, bundles of another classifier whether they are
    reproducible, and one whose classifier was trained on shuffled labels whether maps show what was learned.
    The test images are those of the first one.

    Example: tfadvpath agreement RUN_1 RUN_2 --out agreement

    Exit code: 0 measured, 2 refused or wrong use, 3 a fault of tfadvpath, 130 or 143 interrupted.
    """
    import_tensorflow()
    from tfadvpath.evaluation.agreement import REPORT_FILE, as_markdown, measure_agreement

    with waiting("Measuring"):
        found = measure_agreement(
            bundles,
            out,
            methods=names_in(methods),
            images=images,
            percentile=percentile,
            batch_size=batch_size,
            seed=seed,
            command=shlex.join(["tfadvpath", *sys.argv[1:]]),
            listener=say,
        )
    text = (out / REPORT_FILE).read_text(encoding="utf-8") if as_json else as_markdown(found)
    answer(text.rstrip("\n"))
