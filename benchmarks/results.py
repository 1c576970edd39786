"""Writing a benchmark's figures beside the machine they were taken on."""

from __future__ import annotations

import json
import os
import pathlib
import platform

_FOLDER = pathlib.Path(__file__).parent / "results"


def write(name: str, figures: dict) -> None:
    """Prints the figures and writes them to benchmarks/results/NAME.json."""
    _FOLDER.mkdir(exist_ok=True)
    machine = {"processor": _processor(), "cores": os.cpu_count(), "python": platform.python_version()}
    text = json.dumps({"machine": machine, **figures}, indent=2)
    (_FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def _processor() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
