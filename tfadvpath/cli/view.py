"""``tfadvpath view``: a page on this machine to drop files on."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from tfadvpath.cli.console import answer, import_tensorflow, say, waiting
from tfadvpath.cli.limits import MemoryLimit, TimeLimit


def view(
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What `tfadvpath train` wrote. Without it: the demonstration's."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of 127.0.0.1. 0 takes a free one.")] = 7860,
    method: Annotated[
        str,
        typer.Option(
            help="How images are explained, until the page says other; auto: by syce, or else by another "
            "generator of the bundle."
        ),
    ] = "auto",
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Points of the path where the gradient is taken. Default: 50."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images explained at once.")] = 16,
    memory_limit: MemoryLimit = 8.0,
    time_limit: TimeLimit = 20.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as JSON.")] = False,
) -> None:
    """Open a page in the browser of this machine, to drop images on and look at their maps.

    It takes a DICOM, NIfTI, PNG or JPEG file, or a DICOM series as a zip file, and has phantoms to try. Only
    this machine can reach it, and it asks nothing of another one. What is dropped is deleted at the end. End
    it with Ctrl-C. Needs the extra: pip install 'tfadvpath[viewer]'.

    Example: tfadvpath view --bundle RUN

    Exit code: 0 ended, 2 wrong use or the port is in use, 3 a fault of tfadvpath.
    """
    import_tensorflow()
    # These import TensorFlow, which takes seconds: --help need not wait for it.
    from tfadvpath.bundle.bundle import DEMONSTRATION
    from tfadvpath.viewer_server.view import view as serve

    if bundle is None:
        say(
            "Warning: no --bundle. The demonstration's was trained on generated phantoms: "
            "its maps mean nothing for real patients."
        )
    say("The page is being made ready, which takes a minute at most.")
    with ExitStack() as wait:
        wait.enter_context(waiting("Making the page ready"))

        def show(address: str) -> None:
            wait.close()
            text = f"Open {address} in a browser. End with Ctrl-C."
            answer(json.dumps({"address": address}) if as_json else text)

        serve(
            bundle or DEMONSTRATION,
            port=port,
            method=method,
            steps=steps,
            batch_size=batch_size,
            memory_limit=round(memory_limit * 2**30),
            time_limit=time_limit,
            on_start=show,
        )
