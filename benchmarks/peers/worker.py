"""What every worker of attribution_speed.py does: it answers each line of its standard input by one line.

Both are JSON. Only NumPy is needed here, because each worker runs in the environment of what it measures. A
request has an operation and its arguments:

    {"operation": "time", "images": 8, "points": 25, "calls": 1}      how long calls take, and peak memory
    {"operation": "maps", "images": 2, "points": 25, "rule": "..."}   the maps, in a file

The first line, before any request, has the versions of the packages.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Task(NamedTuple):
    """What a contestant has to explain.

    Attributes:
        folder: Folder with the classifier, as model.keras and as weights.npz (layer/weight by name).
        start: float32 [N, H, W, 1], where the paths begin.
        adversary: float32 [N, H, W, 1], where they end.
        steps: Number of points of each path.
    """

    folder: Path
    start: np.ndarray
    adversary: np.ndarray
    steps: int


class Contestant:
    """What is measured. The classifier is ready once it is built.

    Args:
        task: What is explained.
    """

    packages: tuple[str, ...] = ()

    def __init__(self, task: Task):
        self.task = task
        self.steps_taken = float(task.steps)

    def explain(self, images: int, points: int | None) -> Any:
        """Explains the first pairs and returns only when the result lies in memory.

        Args:
            images: Number of pairs.
            points: Points of paths in one pass of gradients; None is the contestant's own choice.
        """
        raise NotImplementedError

    def maps(self, images: int, points: int | None, rule: str) -> dict[str, np.ndarray]:
        """Returns maps by name, float32 [images, H, W, 1]; only the loop knows other rules than its own."""
        raise NotImplementedError

    def time(self, images: int, points: int | None, calls: int) -> dict[str, Any]:
        """Returns the seconds of that many calls, and the largest resident memory meanwhile in MiB."""
        _forget_peak()
        begin = time.perf_counter()
        for _ in range(calls):
            self.explain(images, points)
        seconds = time.perf_counter() - begin
        return {"seconds": seconds, "peak_mib": _peak(), "steps_taken": self.steps_taken}


def serve(kinds: dict[str, Callable[[Task], Contestant]]) -> None:
    """Reads the arguments, builds the contestant and answers until the standard input ends.

    Args:
        kinds: Contestants of the script by the name that --kind has.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=list(kinds), required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True)
    given = parser.parse_args()
    # What a library prints goes to the standard error, so that it is not taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(values: dict[str, Any]) -> None:
        print(json.dumps(values), file=answers, flush=True)

    try:
        with np.load(given.folder / "pairs.npz") as pairs:
            task = Task(given.folder, pairs["start"], pairs["adversary"], given.steps)
        contestant = kinds[given.kind](task)
        answer({"versions": {name: version(name) for name in contestant.packages}})
        for line in sys.stdin:
            answer(_answered(contestant, json.loads(line), given.folder / f"maps_{os.getpid()}.npz"))
    except Exception as error:
        traceback.print_exc()
        answer({"error": f"{type(error).__name__}: {error}"})
        sys.exit(1)


def _answered(contestant: Contestant, request: dict[str, Any], file: Path) -> dict[str, Any]:
    operation = request.pop("operation")
    if operation == "time":
        return contestant.time(**request)
    np.savez(file, **contestant.maps(**request))
    return {"file": str(file)}


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that of the present again


def _peak() -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
