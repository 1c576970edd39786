"""``tfadvpath doctor``: what this machine and installation are, and what is missing."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tfadvpath.cli.console import Bars, answer
from tfadvpath.cli.exit_codes import SOME_FAILED
from tfadvpath.doctor.check import check_installation


def doctor(
    speed: Annotated[bool, typer.Option(help="Measure the speed, for five seconds once compiled.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check this installation: print what is there, what is missing, and the command that mends it.

    It looks at versions and extras, the processor's instructions, memory, GPUs, oneDNN and XLA, the formats
    that can be read, variables of the environment and the shipped bundle. Then it measures matrix products in
    float32 and bfloat16, and maps a second. It changes nothing and asks nothing of other machines.

    Example: tfadvpath doctor --no-speed

    Exit code: 0 nothing is missing that the base needs, 1 something is, 3 a fault of tfadvpath, 130 or 143
    interrupted.
    """
    with Bars() as bars:
        installation = check_installation(speed, on_progress=bars.advance)
    answer(json.dumps(installation.as_json(), indent=2) if as_json else str(installation))
    if not installation.is_whole:
        raise typer.Exit(SOME_FAILED)
