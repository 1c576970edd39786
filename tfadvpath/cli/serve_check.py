"""``tfadvpath serve-check``: whether an exported version may be served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


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
    from tfadvpath.saved_model.check import check_version  # imports OpenCV, which --help need not wait for

    result = check_version(version)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    for line in _table(result["checked"]):
        typer.echo(line)
    typer.echo(f"{version} answers as recorded")


def _table(checked: dict[str, dict[str, Any]]) -> list[str]:
    lines = [f"{'signature':<16} {'images':>6} {'seconds':>9} {'difference':>11}"]
    for name, sizes in checked.items():
        for size, figures in sizes.items():
            seconds, difference = figures["seconds"], figures["largest_difference"]
            lines.append(f"{name:<16} {size:>6} {seconds:>9.3f} {difference:>11.1e}")
    return lines
