"""Folders that are made once for all processes of a test run."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

_LONGEST_WAIT = 600.0  # seconds


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """The folder of this run that its processes share: pytest's base, which is a worker's parent."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Returns a folder that the first process to ask makes and fills, while the others wait.

    Args:
        folder: Path of the folder. Its name says what is in it: who asks by the same name gets the same.
        make: Function that fills the folder, which is there and empty.
    """
    done, lock = folder.with_name(f"{folder.name}.done"), folder.with_name(f"{folder.name}.lock")
    deadline = time.monotonic() + _LONGEST_WAIT
    while not done.exists():
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{lock} is still there: did another process die?") from None
            time.sleep(0.05)
            continue
        try:
            if not done.exists():  # another process may have finished between the two looks
                shutil.rmtree(folder, ignore_errors=True)  # what a failed attempt left
                folder.mkdir()
                make(folder)
                done.touch()
        finally:
            lock.unlink()
    return folder
