"""``tfadvpath serve-check``: whether an exported version may be served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tfadvpath.cli.console import answer


def serve_check(
    version: Annotated[
        Path, typer.Argument(metavar="MODELS/NAME/VERSION", help="What `tfadvpath export` wrote.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Check an exported version: files, answers and latency.

    It is loaded in a process where neither Keras nor this package can be imported. Every signature runs at
    every allowed batch size, on the CPU, and must answer as recorded.

    Exit code: 0 it may be served, 2 it is refused.
    """
    from tfadvpath.saved_model.check import (
        check_saved_model,  # imports OpenCV, which --help need not wait for
    )

    summary = check_saved_model(version)
    if as_json:
        answer(json.dumps(summary.as_json(), indent=2))
        return
    answer(f"{'signature':<16} {'images':>6} {'seconds':>9} {'difference':>11}")
    for call in summary.calls:
        numbers = f"{call.images:>6} {call.seconds:>9.3f} {call.largest_difference:>11.1e}"
        answer(f"{call.signature:<16} {numbers}")
    answer(f"{version} answers as recorded")
