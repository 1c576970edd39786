"""Errors that a person at the console can act on."""

from __future__ import annotations

from pathlib import Path


class InputError(ValueError):
    """Says in one line which input is wrong, why, and what to do.

    The command line prints ``str(error)`` without a traceback.

    Args:
        source: The file, folder or argument that is wrong.
        problem: What is wrong with it, in a few words.
        remedy: What the person can do about it.
    """

    def __init__(self, source: Path | str, problem: str, remedy: str):
        self.source = str(source)
        self.problem = problem
        self.remedy = remedy
        super().__init__(" ".join(f"{source}: {problem}. {remedy}.".split()))
