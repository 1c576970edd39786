"""Trials in a process of their own: what crashes or hangs there costs the report a line, and no more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from tfadvpath.errors import quoted

# Its printed lines are found, whatever libraries print beside them.
PREFIX = "tfadvpath-doctor "
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); import {0}; {0}.main(*sys.argv[2:])"


def tell(**facts: Any) -> None:
    """Tells the report what was found, as one line. For the programs alone."""
    print(PREFIX + json.dumps(facts), flush=True)


def run_program(
    module: str, *arguments: str, seconds: float, environment: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Runs the function ``main`` of a module in a new process, and yields what it tells while it runs.

    Args:
        module: Name of the module.
        arguments: Arguments of its function.
        seconds: Time that it may take.
        environment: Variables in place of this process's, or beside them.

    Yields:
        The facts of each line; at the end {"failure": …} where the process did not end by itself.
    """
    remarks_wanted = os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0"
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", _START.format(module), json.dumps(sys.path), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if remarks_wanted else errors,
            env={**os.environ, **(environment or {})},
            text=True,
            errors="replace",
        )
        too_long = threading.Event()

        def stop() -> None:
            too_long.set()
            process.kill()

        clock = threading.Timer(seconds, stop)
        clock.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(PREFIX):
                    yield json.loads(line.removeprefix(PREFIX))
            code = process.wait()
        finally:
            clock.cancel()
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if code:
            errors.seek(0)
            said = errors.read().decode(errors="replace")
            yield {"failure": _failure(code, said, seconds if too_long.is_set() else None)}


def _failure(code: int, said: str, seconds: float | None) -> str:
    if seconds is not None:
        return f"did not end within {seconds:.0f} s"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        return f"was ended by the signal {name}"
    return f"failed ({quoted(said)})"
