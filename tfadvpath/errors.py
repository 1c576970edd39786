"""Errors that a person at the console can act on."""

from __future__ import annotations

from pathlib import Path


class InputError(ValueError):
    """Says in one line which input is wrong, why, and what to do.

    The command line prints ``str(error)`` without a traceback.

    Args:
        source: The file, folder or parameter that is wrong. A parameter is written in backticks, such as
            ``"`batch_size`"``: the command line turns it into its flag.
        problem: The fault in a few words.
        remedy: An action that helps.
    """

    def __init__(self, source: Path | str, problem: str, remedy: str):
        self.source = str(source)
        self.problem = problem
        self.remedy = remedy
        super().__init__(" ".join(f"{source}: {problem}. {remedy}.".split()))
