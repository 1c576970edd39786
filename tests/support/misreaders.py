"""Functions that stand for readers which go wrong in every way, to be run in the reader process."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

import numpy as np

from tfadvpath.batch.reading import read_task
from tfadvpath.errors import InputError


def read(path: Path) -> np.ndarray:
    """Does what the file's text says."""
    word = Path(path).read_text(encoding="utf-8")
    if word == "refuse":
        raise InputError(path, "is refused", "Pass another")
    if word == "crash":
        ctypes.string_at(0)
    if word == "abort":
        os.abort()
    if word == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "exit":
        os._exit(7)
    if word == "hang":
        time.sleep(3600)
    if word == "fill":
        return np.ones(2**28)  # 2 GiB
    if word.startswith("fault"):
        return {}[word]
    if word == "deep":
        return read_deep()
    return np.full(3, float(word))


def read_deep() -> np.ndarray:
    return read_deep()


def read_or_crash(sources, *arguments):
    """Reads a study of a run, and crashes at that of 3.png."""
    if sources[0].name == "3.png":
        ctypes.string_at(0)
    return read_task(sources, *arguments)
