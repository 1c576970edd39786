"""``tfadvpath serve-check``: whether an exported version may be served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tfadvpath.cli.console import answer, waiting


def serve_check(
    version: Annotated[
        Path, typer.Argument(metavar="MODELS/NAME/VERSION", help="What `tfadvpath export` wrote.")
    ],
    public_key: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Key that the export must be signed by.")
    ] = None,
    allow_operations: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            help="Operations that the graph may have beside those of exports: for a classifier of your own.",
        ),
    ] = "",
    memory_limit: Annotated[
        float, typer.Option(min=0.1, metavar="GIB", help="Memory that the check may take.")
    ] = 16.0,
    time_limit: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="Time that the check may take.")
    ] = 3600.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Check an exported version, and say whether it may be served.

    Checked are its signature, files, graph, answers and latency.

    A graph with operations that no export needs is refused before it is loaded. It then runs within limits,
    in a process where neither Keras nor this package can be imported. Every signature runs at every allowed
    batch size, on the CPU, and must answer as recorded.

    Example: tfadvpath serve-check models/phantom_brain/1

    Exit code: 0 it may be served, 2 it is refused or wrong use, 3 a fault of tfadvpath, 130 or 143
    interrupted.
    """
    from tfadvpath.saved_model.check import (
        check_saved_model,  # imports OpenCV, which --help need not wait for
    )

    with waiting("Checking"):
        summary = check_saved_model(
            version,
            public_key=public_key,
            allow_operations=[name for name in allow_operations.split(",") if name],
            memory_limit=round(memory_limit * 2**30),
            time_limit=time_limit,
        )
    if as_json:
        answer(json.dumps(summary.as_json(), indent=2))
        return
    answer(f"{'signature':<16} {'images':>6} {'seconds':>9} {'difference':>11}")
    for call in summary.calls:
        numbers = f"{call.images:>6} {call.seconds:>9.3f} {call.largest_difference:>11.1e}"
        answer(f"{call.signature:<16} {numbers}")
    answer(f"{version} answers as recorded")
